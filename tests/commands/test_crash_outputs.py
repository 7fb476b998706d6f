"""What `export`, `predict --out` and `report` write is whole, or as it was, after any crash."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fabricated import NAMES, fabricate
from recorder import Crash, Recorder, Tree, crashes, put
from rich.console import Console
from untrained import make_model

from dser_jax.predict.output import write
from dser_jax.predict.pipeline import Prediction
from dser_jax.predict.predictor import Predictor
from dser_jax.predict.recordings import Piece
from dser_jax.report.writing import write_report
from dser_jax.share.bundle import read_bundle
from dser_jax.share.exporting import export


@pytest.fixture(scope="module")
def model() -> Predictor:
    return make_model(acoustic=None, members=2)


def left(root: Path, act: Callable[[Path], object]) -> list[Crash]:
    """Returns what crashes leave of what is done to a folder: each file the older one, or the new.

    Half-written files may be beside them, by their names.
    """
    recorder = Recorder(root)
    with recorder.watching():
        act(root)
    found = crashes(recorder)
    before, after = named(found[0].tree), named(found[-1].tree)
    assert before != after
    for _, what, tree in found:
        now = named(tree)
        for name in {*before, *now}:
            assert now.get(name) in (before.get(name), after.get(name)), f"{what}: {name}"
    return found


def named(tree: Tree) -> dict[str, bytes]:
    return {name: data for name, data in tree.items() if data is not None and ".part" not in name}


def test_a_model_is_there_or_not(model, tmp_path, monkeypatch):
    monkeypatch.setattr("dser_jax.share.exporting.make_card", lambda *_: "A card.")

    def act(folder: Path) -> None:
        export(model.bundle, folder / "model", stablehlo=False)

    found = left(tmp_path, act)
    want = read_bundle(tmp_path / "model").members[1].weights
    whole = named(found[-1].tree)
    assert len(found) > 10
    for number, (_, what, tree) in enumerate(found):
        assert named(tree) in ({}, whole), what
        if not named(tree) and number % 10 == 0:
            folder = put(tree, tmp_path / "crash")
            act(folder)
            assert [path.name for path in folder.iterdir()] == ["model"], what
            again = read_bundle(folder / "model").members[1].weights
            assert again.keys() == want.keys()
            for name, array in again.items():
                np.testing.assert_array_equal(array, want[name])
            shutil.rmtree(folder)


@pytest.mark.parametrize("name", ["out.csv", "out.json", "database"])
def test_predictions_are_the_older_ones_or_the_new(model, tmp_path, name):
    if name == "database":
        pytest.importorskip("audformat")
    texts = ["awful weather", "wonderful"]
    estimate = model.predict(None, texts)
    pieces = [Piece(Path(f"{i}.wav"), 0.0, 1.0, text) for i, text in enumerate(texts)]
    found = [Prediction(piece, estimate[i]) for i, piece in enumerate(pieces)]
    form = {"out.csv": "csv", "out.json": "json"}.get(name, "audformat")
    for given in (found[:1], found):
        states = left(
            tmp_path, lambda root, given=given: write(f"{root / name}", form, model, given, None)
        )
        before, after = named(states[0].tree), named(states[-1].tree)
        if not before:
            assert all(named(crash.tree) in ({}, after) for crash in states)


def test_files_of_a_report_are_the_older_ones_or_the_new(tmp_path):
    names = dict(list(NAMES.items())[:1])
    fabricate(tmp_path, names, seeds=2)
    console = Console(quiet=True)
    for draw in (False, True):
        found = left(tmp_path, lambda root, draw=draw: write_report(root, None, console, draw=draw))
        (tmp_path / "report" / "report.md").write_text("an older report", "utf-8")
        assert len(found) > 10
