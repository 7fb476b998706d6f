"""Labels among imported features."""

from __future__ import annotations

import numpy as np
import pytest

from dser_jax.corpora.utterances import ATTRS, Utterance
from dser_jax.features.imported.labels import Disguise, find_labels
from dser_jax.features.imported.loading import Imported

COUNT = 30


def utterances(count: int = COUNT) -> list[Utterance]:
    """Utterances of random labels; every fifth has no arousal, and dominance is constant."""
    labels = np.random.default_rng(0).uniform(1, 5, (count, 3)).round(2)
    labels[::5, 1], labels[:, 2] = np.nan, 3.0
    rows = [dict(zip(ATTRS, row, strict=True)) for row in labels.tolist()]
    return [Utterance(f"u{i}", **row) for i, row in enumerate(rows)]


def imported(columns: dict[str, np.ndarray], frames: int = 1) -> Imported:
    array = np.float32(np.stack(list(columns.values()), 1))
    parts = [np.repeat(row[None], frames, 0) for row in array]
    return Imported("hsf" if frames == 1 else "lld", tuple(columns), list(parts))


def labels_of(attr: str, count: int = COUNT) -> np.ndarray:
    return np.array([getattr(utt, attr) for utt in utterances(count)])


NOISE = np.random.default_rng(1).normal(size=COUNT)


@pytest.mark.parametrize(
    ("column", "how"),
    [
        (lambda y: y, "equals"),
        (lambda y: (y - 3) / 2, "follows"),
        (lambda y: 6 - y, "follows"),
        (lambda y: 1e4 * y - 7, "follows"),
        (lambda y: (y - np.nanmean(y)) / np.nanstd(y), "follows"),
        (lambda y: (y / 5).round(2), "follows"),
        (lambda y: np.where(np.arange(COUNT) % 3, y, np.nan), "equals"),
    ],
)
@pytest.mark.parametrize("attr", ["valence", "arousal"])
@pytest.mark.parametrize("frames", [1, 3])
def test_a_column_that_is_a_label_is_found(column, how, attr, frames):
    """In whatever unit, in sequences as a constant, and where either is missing in some rows."""
    found = imported({"loud": NOISE, "x": column(labels_of(attr))}, frames)
    assert find_labels(found, utterances()) == [Disguise("x", how, attr)]


@pytest.mark.parametrize(
    "column",
    [
        labels_of("valence") + 0.05 * NOISE,  # As good a feature as one may dream of.
        np.exp(labels_of("valence")),
        labels_of("dominance"),
        np.ones(COUNT),
        np.full(COUNT, np.nan),
        NOISE,
    ],
)
def test_what_is_no_label_is_none(column):
    assert find_labels(imported({"x": column}), utterances()) == []


@pytest.mark.parametrize("name", ["valence", "Arousal", "DOMINANCE", "activation", "EmoDom"])
def test_a_column_that_is_called_as_a_label_is_found(name):
    (found,) = find_labels(imported({name: NOISE, "valence_of_words": NOISE**2}), utterances())
    assert (found.column, found.how) == (name, "is named")
    assert found.attribute in ATTRS


ALL = np.random.default_rng(5).uniform(1, 5, (60, 3)).round(1)


def whole(count: int = 60) -> list[Utterance]:
    """Utterances of which all labels are known, of six speakers in two sessions."""
    return [
        Utterance(
            f"u{i}",
            speaker=f"s{i // 10}",
            session=f"S{i // 30}",
            **dict(zip(ATTRS, row, strict=True)),
        )
        for i, row in enumerate(ALL[:count].tolist())
    ]


@pytest.mark.parametrize(
    ("weights", "attribute"),
    [
        ((1, 1, 1), "valence and arousal and dominance"),
        ((1, 1, 0), "valence and arousal"),
        ((0, 3, -1), "arousal and dominance"),
        ((0, -2, 0), "arousal"),
    ],
)
@pytest.mark.parametrize("made", ["exact", "scaled", "1 decimal", "2 decimals", "whole numbers"])
def test_a_sum_of_labels_is_found(weights, attribute, made):
    """The mean, the sum, a difference: in any unit, and rounded."""
    column = ALL @ np.array(weights, float)
    if made == "scaled":
        column = 7 - column / 30
    elif made == "whole numbers":
        column = np.rint(3 * column)
    elif made != "exact":
        column = (column / 3).round(int(made[0]))
    found = find_labels(imported({"x": column, "loud": np.sin(ALL[:, 0] * 40)}), whole())
    assert found == [Disguise("x", "follows", attribute)]


def test_features_are_no_sums_of_labels():
    """Twenty thousand columns of noise, of few rows and of few values; and very good features."""
    for count in (7, 10, 20, 40, 60):
        random = np.random.default_rng(count)
        for noise in (random.normal(size=(count, 2000)), random.integers(0, 4, (count, 2000))):
            columns = {f"c{i}": column for i, column in enumerate(noise.T)}
            assert find_labels(imported(columns), whole(count)) == []
    good = ALL.mean(1) + 0.1 * np.random.default_rng(3).normal(size=60)
    columns = {"good": good, "rounded": good.round(1), "high": ALL[:, 0] > 3}
    assert find_labels(imported(columns), whole()) == []


def test_few_rows_are_not_taken_for_a_line():
    found = {"x": 2 * labels_of("valence", 4) + 1, "y": labels_of("valence", 4)}
    assert find_labels(imported(found), utterances(4)) == [Disguise("y", "equals", "valence")]
    assert find_labels(imported({"y": labels_of("valence", 2)}), utterances(2)) == []


def test_labels_of_utterances_that_are_left_out_are_not_asked():
    found = imported({"x": labels_of("valence")})
    found.utterances[3] = None
    found.utterances[4] = np.float32([[9.0]])
    found.problems[4] = None
    assert find_labels(found, utterances()) == [Disguise("x", "equals", "valence")]


def test_many_columns():
    columns = {f"c{i}": np.random.default_rng(i).normal(size=COUNT) for i in range(1100)}
    columns["c1050"] = labels_of("arousal")
    assert find_labels(imported(columns), utterances()) == [Disguise("c1050", "equals", "arousal")]
