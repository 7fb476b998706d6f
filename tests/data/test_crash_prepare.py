"""Whatever of `prepare` and `join` a crash leaves, the folder is the older one or the new."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from pairs import add_pairs
from recorder import Recorder, crashes, put
from vouched import content

from dser_jax.corpora.utterances import Corpus, Utterance
from dser_jax.data.joining import join
from dser_jax.data.prepared import load_prepared
from dser_jax.data.preparing import prepare
from dser_jax.system.errors import BadInput

Change = Callable[[Path, Path], object]


@pytest.fixture
def inputs(tmp_path, monkeypatch) -> Path:
    """Three recordings, features of one's own and word vectors."""
    add_pairs(monkeypatch)
    folder = tmp_path / "inputs"
    folder.mkdir()
    for i in range(3):
        noise = np.random.default_rng(i).uniform(-0.5, 0.5, 320 * (i + 2))
        soundfile.write(folder / f"{i}.wav", noise, 16000)
    for name, seed in (("mine", 0), ("other", 1)):
        np.save(folder / f"{name}.npy", np.random.default_rng(seed).normal(size=(3, 2)))
    np.save(folder / "steps.npy", np.random.default_rng(2).normal(size=(3, 4, 2)))
    (folder / "glove.txt").write_text("good 1 2\nbad 3 4\n")
    return folder


def corpus(inputs: Path, name: str = "tiny") -> Corpus:
    utterances = [
        Utterance(
            f"u{i}",
            "s",
            file=inputs / f"{i}.wav",
            transcript="good" if i else "bad",
            valence=1.0 + i,
            split="test" if i else "train",
        )
        for i in range(3)
    ]
    return Corpus(name, tuple(utterances), (0.0, 5.0))


def first(inputs: Path, out: Path):
    own = {"mine": inputs / "mine.npy", "steps": inputs / "steps.npy"}
    words = {"glove": inputs / "glove.txt"}
    return prepare(corpus(inputs), out, acoustic=own, vectors=words)


def extracted(inputs: Path, out: Path):
    return prepare(corpus(inputs), out, features=["pairs_lld", "pairs_hsf"], jobs=1)


def others(inputs: Path, out: Path):
    """Replaces features by others of the same name."""
    return prepare(None, out, acoustic={"mine": inputs / "other.npy"})


def fewer(inputs: Path, out: Path):
    """Leaves a row out, of the features that are there, too."""
    silent = list(corpus(inputs).utterances)
    silent[1] = replace(silent[1], file=inputs / "gone.wav")
    bad = BadInput(skip=True)
    return prepare(None, out, features=["pairs_hsf"], bad=bad, jobs=1)


def joined(inputs: Path, out: Path):
    for name in ("one", "two"):
        if not (inputs / name / "manifest.json").exists():
            own = {"mine": inputs / "mine.npy"}
            prepare(corpus(inputs, name), inputs / name, acoustic=own)
    return join(inputs / "one", inputs / "two", out)


@pytest.mark.parametrize(
    ("earlier", "change"),
    [
        ([], first),
        ([first], extracted),
        ([first], others),
        ([first], fewer),
        ([], joined),
    ],
    ids=["first", "more", "others", "fewer", "joined"],
)
def test_a_folder_is_the_older_one_or_the_new(inputs, tmp_path, earlier, change):
    out = tmp_path / "out"
    out.mkdir()
    for step in earlier:
        step(inputs, out)
    before = content(load_prepared(out)) if earlier else None
    if change is fewer:
        soundfile.write(inputs / "1.wav", np.zeros(900), 8000)
    recorder = Recorder(out)
    with recorder.watching():
        after = content(change(inputs, out))
    assert after != before
    found = crashes(recorder)
    assert len(found) > 20
    for count, (_, what, tree) in enumerate(found):
        folder = put(tree, tmp_path / "crash")
        now = content(load_prepared(folder)) if (folder / "manifest.json").exists() else None
        assert now in (before, after), what
        if count % 12 == 0:
            assert content(change(inputs, folder)) == after, what
            assert not [path for path in folder.rglob("*") if path.name.endswith(".part")]
        shutil.rmtree(folder)
