"""What is said of a prepared folder, and what to do with it next."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from dser_jax.corpora.utterances import ATTRS, Corpus, Utterance
from dser_jax.data.inspection import inspect, summary
from dser_jax.data.prepared import Prepared
from dser_jax.data.preparing import prepare

COUNT = 60
LABELS = np.random.default_rng(0).uniform(1, 5, (COUNT, 3)).round(2)


def prepared(
    folder: Path, *features: str, scale=(1.0, 5.0), text: bool = True, **known
) -> Prepared:
    """Prepares sixty rows of six speakers, of which a row has what `known` says of its number."""
    rows = [
        Utterance(
            f"u{i}",
            transcript=f"well {i % 7}" if text else None,
            **dict(zip(ATTRS, labels, strict=True)),
            **{"speaker": f"s{i // 10}"} | {name: of(i) for name, of in known.items()},
        )
        for i, labels in enumerate(LABELS.tolist())
    ]
    np.save(folder / "x.npy", np.random.default_rng(1).normal(size=(COUNT, 3)))
    given = dict.fromkeys(features, folder / "x.npy")
    return prepare(Corpus("toy", tuple(rows), scale), folder / "my data", acoustic=given)


def shown(found: Prepared) -> list[str]:
    stream = io.StringIO()
    inspect(found, Console(file=stream, width=80))
    return [line.rstrip() for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("features", "known", "flags"),
    [
        (("mine",), {"session": lambda i: f"S{i // 30}"}, ""),
        (("mine",), {}, " --split speakers:0.2"),
        ((), {"session": lambda i: f"S{i // 30}"}, " --acoustic none"),
        (
            ("one", "two"),
            {"split": lambda i: ["train", "test"][i % 2]},
            " --split column --features one",
        ),
        (("mine",), {"text": False}, " --split speakers:0.2 --text none"),
    ],
)
def test_the_next_command_is_named_before_all_tables(tmp_path, features, known, flags):
    lines = shown(prepared(tmp_path, *features, **known))
    folder = tmp_path / "my data"
    assert lines[0].startswith("toy: 60 utterances, labels from 1 to 5, fingerprint ")
    assert lines[1] == "Next, to train on it:"
    assert lines[2] == f"dser sweep --data '{folder}'{flags} --out '{folder}-sweep'"
    assert "Labels" in lines[3:]


def test_without_anything_to_train_on_or_to_test_on_that_is_said(tmp_path):
    lines = shown(prepared(tmp_path, text=False, file=lambda i: Path(f"r{i}.wav")))
    assert lines[2] == f"dser prepare --features gemaps_hsf --out '{tmp_path / 'my data'}'"
    (tmp_path / "other").mkdir()
    lines = shown(prepared(tmp_path / "other", speaker=lambda i: None))
    assert lines[1].startswith("It can be split no way")


def test_labels_that_use_little_of_their_scale_are_said(tmp_path):
    found = prepared(tmp_path, scale=(1.0, 100.0))
    low, high = LABELS.min(0), LABELS.max(0)
    ends = (f"{a} {x:.3g} to {y:.3g}" for a, x, y in zip(ATTRS, low, high, strict=True))
    said = f"labels use a small part of the scale 1 to 100: {', '.join(ends)}. If it is not theirs"
    assert [line for line in summary(found, []) if line.startswith(said)]
    assert any(line.startswith("labels use a small part of the scale") for line in shown(found))


@pytest.mark.parametrize("scale", [(1.0, 5.0), (0.0, 8.0), dict.fromkeys(ATTRS, (-2.0, 6.0))])
def test_labels_that_use_half_of_it_are_not(tmp_path, scale):
    found = prepared(tmp_path, scale=scale)
    assert not [line for line in summary(found, []) if "small part" in line]


def test_names_that_may_be_of_one_are_said(tmp_path):
    known = {
        "speaker": lambda i: ["Anna", "anna", "Bob"][i % 3],
        "session": lambda i: ["1", "1.0", "2", "10"][i % 4],
        "dialogue": lambda i: ["d ", "d", "e"][i % 3],
    }
    found = prepared(tmp_path, **known)
    said = [line for line in summary(found, []) if line.startswith("names of")]
    assert said[0] == (
        "names of speakers that differ in no more than case, blanks or a last .0 are taken for "
        "different ones: 'Anna' and 'anna'; if they are not, write them alike"
    )
    assert ["'1' and '1.0';" in said[1], "'d' and 'd ';" in said[2], len(said)] == [True, True, 3]
    assert "'Anna' and 'anna'" in " ".join(shown(found))


def test_other_names_are_not(tmp_path):
    found = prepared(tmp_path, session=lambda i: ["1", "10", "1.1", None][i % 4])
    assert not [line for line in summary(found, []) if line.startswith("names of")]
