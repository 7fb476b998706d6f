"""Features of text, and of several layers of an encoder: what the manifest says of them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from vouched import rewrite

from dser_jax.corpora.utterances import Corpus, Utterance
from dser_jax.data.joining import join
from dser_jax.data.prepared import load_prepared
from dser_jax.data.preparing import prepare
from dser_jax.system.errors import BadInput, DataError

ENCODER = {"model": "tiny", "sha256": "ab" * 32, "revision": None, "layers": [1, 2], "pool": "mean"}
BESIDE = {"half": "text", "layers": 2, "encoder": ENCODER}


def make_corpus(name="tiny", count=6):
    utterances = [
        Utterance(f"u{i}", "s", "S", transcript="good" if i % 2 else "bad", valence=float(i % 5))
        for i in range(count)
    ]
    return Corpus(name, tuple(utterances), (0.0, 5.0))


@pytest.fixture
def folder(tmp_path):
    """A folder with features of speech, `mine`, and what shall be of text, `words` and `steps`."""
    random = np.random.default_rng(0)
    shapes = {"mine": (6, 3), "words": (6, 4), "steps": (6, 3, 4)}
    for name, shape in shapes.items():
        np.save(tmp_path / f"{name}.npy", random.normal(size=shape))
    acoustic = {name: tmp_path / f"{name}.npy" for name in shapes}
    prepared = prepare(make_corpus(), tmp_path / "data", acoustic=acoustic)
    rewrite(prepared.folder, lambda manifest: manifest["features"]["words"].update(BESIDE))
    rewrite(prepared.folder, lambda manifest: manifest["features"]["steps"].update(half="text"))
    return prepared.folder


def test_halves_and_layers(folder):
    prepared = load_prepared(folder)
    assert [prepared.half_of(name) for name in ("mine", "words", "steps")] == [
        "speech",
        "text",
        "text",
    ]
    assert [prepared.layers_of(name) for name in ("mine", "words", "steps")] == [1, 2, 1]
    with pytest.raises(DataError, match="no features of this name"):
        prepared.half_of("other")
    with pytest.raises(DataError, match="no features of this name"):
        prepared.layers_of("other")


def test_they_outlive_a_row_that_is_left_out(folder, tmp_path):
    """What was there is cut down, and written anew."""
    before = load_prepared(folder)
    array = np.random.default_rng(1).normal(size=(6, 2))
    array[2] = np.nan
    np.save(tmp_path / "more.npy", array)
    after = prepare(None, folder, acoustic={"more": tmp_path / "more.npy"}, bad=BadInput(skip=True))
    assert len(after.utterances) == 5
    for name, entry in before.manifest["features"].items():
        changed = after.manifest["features"][name]
        assert {key: changed.get(key) for key in BESIDE} == {key: entry.get(key) for key in BESIDE}


@pytest.mark.parametrize(
    "change",
    [
        {"half": "both"},
        {"half": 1},
        {"half": None},
        {"layers": 3},
        {"layers": 0},
        {"layers": True},
        {"layers": "2"},
        {"encoder": "tiny"},
        {"encoder": {}},
        {"encoder": ENCODER | {"layers": 2}},
        {"encoder": ENCODER | {"layers": [1.5]}},
        {"encoder": ENCODER | {"revision": 3}},
        {"encoder": ENCODER | {"sha256": None}},
    ],
    ids=json.dumps,
)
def test_what_is_no_such_entry_is_refused(folder, change):
    rewrite(folder, lambda manifest: manifest["features"]["words"].update(change))
    with pytest.raises(DataError, match="words has"):
        load_prepared(folder)


def test_joined_folders_must_agree(folder, tmp_path):
    other = tmp_path / "other"
    acoustic = {name: tmp_path / f"{name}.npy" for name in ("mine", "words", "steps")}
    prepare(replace(make_corpus(), name="other"), other, acoustic=acoustic)
    with pytest.raises(DataError, match="of speech") as raised:
        join(folder, other, tmp_path / "joined")
    assert "of text" in str(raised.value)

    def say(**changed):
        moved = BESIDE | {"encoder": ENCODER | {"model": "elsewhere/tiny"} | changed}
        rewrite(other, lambda manifest: manifest["features"]["words"].update(moved))
        rewrite(other, lambda manifest: manifest["features"]["steps"].update(half="text"))

    say(sha256="cd" * 32)
    with pytest.raises(DataError, match="cdcdcdcdcdcd"):
        join(folder, other, tmp_path / "joined")
    say()
    joined = join(folder, other, tmp_path / "joined")
    assert [joined.half_of(name) for name in ("mine", "words", "steps")] == [
        "speech",
        "text",
        "text",
    ]
    assert joined.manifest["features"]["words"]["encoder"] == ENCODER
