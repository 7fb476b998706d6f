"""Columns that are taken for features, and said to tell nothing, or only who speaks."""

from __future__ import annotations

import numpy as np
import pytest

from dser_jax.corpora.utterances import Utterance
from dser_jax.features.imported.loading import Imported
from dser_jax.features.imported.remarks import remarks_on

COUNT = 24
ROWS = np.arange(COUNT)
NOISE = np.random.default_rng(0).normal(size=COUNT)
TABLE = [Utterance(f"u{i}", speaker=f"s{i // 6}", session=f"S{i // 12}") for i in ROWS]


def imported(columns: dict[str, np.ndarray], frames: int = 1) -> Imported:
    array = np.float32(np.stack(list(columns.values()), 1))
    parts = [np.repeat(row[None], frames, 0) for row in array]
    return Imported("hsf" if frames == 1 else "lld", tuple(columns), list(parts))


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize(
    ("column", "said"),
    [
        (0 * NOISE + 0.1, "alike in all rows, so that nothing can be learned from it: x"),
        (ROWS // 6, "one number for each speaker, which tells the speaker and no more: x"),
        (NOISE[ROWS // 6], "one number for each speaker, which tells the speaker and no more: x"),
        (9 - ROWS // 12, "one number for each session, which tells the session and no more: x"),
        (ROWS / 7 + 2, "counts the rows: x"),
        (ROWS % 6 + 1, "counts the rows of each speaker: x"),
        (ROWS % 12, "counts the rows of each session: x"),
    ],
)
def test_what_tells_no_more_is_said(column, said, frames):
    assert remarks_on(imported({"loud": NOISE, "x": column}, frames), TABLE) == [said]


@pytest.mark.parametrize(
    "column", [NOISE, NOISE > 0, ROWS // 6 % 2, ROWS // 5, np.where(ROWS == 3, 9, ROWS // 6)]
)
def test_what_tells_more_is_not(column):
    assert remarks_on(imported({"x": column}), TABLE) == []


def test_many_columns_are_one_line():
    found = imported({f"c{i}": np.full(COUNT, i) for i in range(5)} | {"loud": NOISE})
    (said,) = remarks_on(found, TABLE)
    assert said.endswith(": c0, c1, c2 and 2 more")


def test_frames_that_differ_are_no_constant():
    found = imported({"x": np.ones(COUNT)}, frames=2)
    found.utterances[5] = np.float32([[0.0], [2.0]])
    assert remarks_on(found, TABLE) == []


def test_few_rows_and_speakers_of_one_row_say_nothing():
    few = Imported("hsf", ("x",), [np.float32([[1.0]])] * 5)
    assert remarks_on(few, TABLE[:5]) == []
    own = [Utterance(f"u{i}", speaker=f"s{i}") for i in ROWS]
    assert remarks_on(imported({"x": NOISE}), own) == []
