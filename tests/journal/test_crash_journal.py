"""Whatever of a journal a crash leaves, its rows are right, and the rest is done again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from recorder import Recorder, crashes, put

from dser_jax.journal.journal import Journal
from dser_jax.journal.merging import merge, part_of
from dser_jax.journal.reading import JournalView, read_journal
from dser_jax.plan import run_id
from dser_jax.system.errors import DserError

RUNS = [run_id({"seed": seed}) for seed in range(4)]
PLAN = {"a": {"runs": 4, "seeds": [0, 1, 2, 3], "settings": {}}}
WHOLE = {"data_fingerprint": "aa", "planned": RUNS, "plan": PLAN}


def row(run: str) -> dict:
    return {"run": run, "name": "a", "seed": RUNS.index(run), "truth": "k", "status": "ok"}


def arrays(run: str) -> dict[str, np.ndarray]:
    return {"test_pred": np.full((4, 3), RUNS.index(run), np.float32)}


def train(folder: Path, manifest: dict = WHOLE, done: Callable[[str], None] = len) -> None:
    """Does what a sweep does for each run that is not finished."""
    with Journal.open(folder, manifest) as journal:
        journal.write_truth("k", test_gold=np.ones((4, 3)), test_ids=list("abcd"))
        for run in manifest["planned"]:
            if run not in journal.finished:
                journal.commit(row(run), arrays(run))
                done(run)
        journal.note({"devices": ["cpu"]})


def part(folder: Path, number: int) -> Path:
    mine = [run for run in RUNS if part_of(run, 2) == number - 1]
    train(folder, {**WHOLE, "planned": mine, "planned_whole": RUNS, "part": [number, 2]})
    return folder


def check(view: JournalView, whole: bool = False) -> None:
    """Makes sure that all that is there is right, and all of it if it is to be whole."""
    for found in view.rows:
        assert found == row(found["run"])
        np.testing.assert_array_equal(
            view.arrays(found["run"])["test_pred"], arrays(found["run"])["test_pred"]
        )
        assert view.truth(found["truth"])["test_ids"].tolist() == list("abcd")
    if whole:
        assert runs_of(view) == set(RUNS)


def runs_of(view: JournalView) -> set[str]:
    return {found["run"] for found in view.rows}


def test_rows_are_right_and_stay_and_the_others_are_done_again(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    recorder = Recorder(out)
    finished = {}
    with recorder.watching():
        train(out, done=lambda run: finished.update({run: len(recorder.steps)}))
    for count, (step, what, tree) in enumerate(crashes(recorder)):
        folder = put(tree, tmp_path / "crash")
        stays = {run for run, end in finished.items() if end <= step}
        if stays or (folder / "manifest.json").exists():
            view = read_journal(folder)
            check(view)
            assert runs_of(view) >= stays, what
        if count % 3 == 0:
            train(folder)
            check(read_journal(folder), whole=True)
        shutil.rmtree(folder)
    assert len(finished) == len(RUNS)


def test_a_journal_is_taken_up(tmp_path):
    """With a failed run that is done again, and another command."""
    out = tmp_path / "out"
    with Journal.open(out, WHOLE) as journal:
        journal.write_truth("k", test_gold=np.ones((4, 3)), test_ids=list("abcd"))
        journal.commit(row(RUNS[0]), arrays(RUNS[0]))
        journal.commit({**row(RUNS[1]), "status": "failed"}, {})

    def again(folder: Path) -> None:
        manifest = {**WHOLE, "command": "dser sweep --retry-failed"}
        with Journal.open(folder, manifest, retry=lambda _: True) as journal:
            done = journal.finished
        assert RUNS[0] in done
        train(folder)

    recorder = Recorder(out)
    with recorder.watching():
        again(out)
    for _, what, tree in crashes(recorder):
        folder = put(tree, tmp_path / "crash")
        assert row(RUNS[0]) in read_journal(folder).rows, what
        again(folder)
        check(read_journal(folder), whole=True)
        shutil.rmtree(folder)


def test_a_merged_journal_is_right_or_unfinished(tmp_path):
    parts = [part(tmp_path / f"p{number}", number) for number in (1, 2)]
    out = tmp_path / "out"
    out.mkdir()
    recorder = Recorder(out)
    with recorder.watching():
        merge(parts, out)
    for count, (_, _, tree) in enumerate(crashes(recorder)):
        folder = put(tree, tmp_path / "crash")
        if (folder / "manifest.json").exists():
            check(read_journal(folder))
        if count % 4 == 0:
            check(merge(parts, folder), whole=True)
        shutil.rmtree(folder)


def test_a_row_whose_arrays_are_lost_is_no_other_row(tmp_path):
    train(tmp_path)
    path = tmp_path / "arrays" / f"{RUNS[0]}.npz"
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(DserError, match="damaged"):
        read_journal(tmp_path).arrays(RUNS[0])
