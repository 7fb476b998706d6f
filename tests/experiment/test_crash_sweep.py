"""Whatever of a sweep a crash leaves, the same sweep goes on to the same table, weights and all."""

from __future__ import annotations

import dataclasses
import gc
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import pytest
from recorder import Recorder, crashes, put
from sixty import prepare_sixty
from tiny import CONFIG

from dser_jax.engine import lanes as engine
from dser_jax.engine.program import Program
from dser_jax.experiment.running import run_experiment
from dser_jax.experiment.saved_weights import load_weights
from dser_jax.journal.files import check_weights
from dser_jax.journal.reading import JournalView, read_journal
from dser_jax.plan import Group, product
from dser_jax.search.random import random_search
from dser_jax.search.space import Range, Space

READ, RESUMED = 60, 4
"""So many of the states are read, and with so many of those the sweep goes on."""
NETWORK = dataclasses.replace(CONFIG, acoustic="dense", text="dense")
SPACE = Space({"learning_rate": Range(3e-4, 3e-2, log=True)})
GROUPS = {
    "grid": Group(NETWORK, product(seed=range(3))),
    "search": Group(NETWORK, search=random_search(SPACE, 3, 0)),
}

Sweep = Callable[[Path], JournalView]


PROGRAMS: dict[int, Program] = {}


@pytest.fixture(params=GROUPS)
def sweep(request, tmp_path, monkeypatch) -> Sweep:
    """Trains three runs in two lanes, with a checkpoint at each turn; compiles no program twice."""
    make = engine.compile_program

    def compile_once(run, data, lanes, *rest):
        if lanes not in PROGRAMS:
            PROGRAMS[lanes] = make(run, data, lanes, *rest)
        return PROGRAMS[lanes]

    monkeypatch.setattr(engine, "compile_program", compile_once)
    data = prepare_sixty(tmp_path)
    options = {"lanes": 2, "baselines": False, "keep_weights": True, "save_seconds": 0.0}
    return lambda out: run_experiment(data, out, [GROUPS[request.param]], **options)


def weights_of(folder: Path, run: str) -> np.ndarray:
    leaves = jax.tree.leaves(load_weights(folder, run))
    return np.concatenate([np.ravel(leaf).astype(float) for leaf in leaves])


def check(view: JournalView, want: JournalView) -> None:
    """Makes sure that what is there of a table is what was to come of it, and has its weights."""
    rows = {row["run"]: row for row in want.rows}
    for row in view.rows:
        assert row["hparams"] == rows[row["run"]]["hparams"]
        assert row["best_epoch"] == rows[row["run"]]["best_epoch"]
        arrays = want.arrays(row["run"])
        for name, array in view.arrays(row["run"]).items():
            np.testing.assert_allclose(array, arrays[name], atol=1e-5)
        assert view.truth(row["truth"]).keys() == want.truth(row["truth"]).keys()
        check_weights(view.folder, row["run"])


# Of a save that is tried again Orbax leaves coroutines that nobody waits for.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_sweep_goes_on_after_any_crash(sweep, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    recorder = Recorder(out)
    with recorder.watching():
        want = sweep(out)
    found = crashes(recorder)
    assert any("lanes/" in name for crash in found for name in crash.tree)
    random.Random(0).shuffle(found)
    for number, (_, what, tree) in enumerate(found[:READ]):
        folder = put(tree, tmp_path / "crash")
        try:
            if (folder / "manifest.json").exists():
                check(read_journal(folder), want)
            if number < RESUMED:
                after = sweep(folder)
                check(after, want)
                assert len(after.rows) == 3
                for run in (row["run"] for row in after.rows):
                    np.testing.assert_allclose(
                        weights_of(folder, run), weights_of(out, run), atol=1e-5
                    )
        except Exception as error:
            raise AssertionError(what) from error
        shutil.rmtree(folder)
    gc.collect()  # While the warning is expected.
