"""Faults 1 to 3: a sweep that is killed at random moments, or told to stop, and goes on."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from sixty import prepare_sixty

from dser_jax.journal.reading import read_journal

KILLS = 20
RUNS = 24

ZYGOTE = """
import dataclasses, os, sys
sys.path.insert(0, sys.argv[2])
import numpy as np
from tiny import CONFIG
from orbax.checkpoint import v1  # before the fork: it takes a second
from dser_jax.cli import guarded
from dser_jax.experiment import run_experiment
from dser_jax.plan import Group, paired_runs
from dser_jax.system.signals import Signals
from dser_jax.training.hparams import HParams

# Dense layers on speech alone, and many epochs: little to compile, much to train.
config = dataclasses.replace(CONFIG, acoustic="dense", text=None, max_epochs=800, batch_size=4)
named = {
    f"patience {p}": HParams(patience=np.int32(p), learning_rate=np.float32(0.003))
    for p in (100, 800, 801)
}
groups = [Group(config, paired_runs(named, range(8)))]
print("ready", flush=True)
for out in sys.stdin:
    child = os.fork()
    if child == 0:
        os.dup2(2, 1)  # The lines of stdout are ours.
        def sweep():
            with Signals() as signals:
                run_experiment(
                    *(sys.argv[1], out.strip(), groups),
                    lanes=4,
                    save_seconds=0.3,
                    baselines=False,
                    stop=lambda: signals.caught,
                )

        guarded(sweep)
        os._exit(0)
    print(child, flush=True)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


class Sweeps:
    """Starts sweeps from one process that has imported all they need, but not begun with JAX."""

    def __init__(self, data, log, cache):
        self.log = log.open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-c", ZYGOTE, str(data), os.path.dirname(os.path.dirname(__file__))],
            env={
                **os.environ,
                "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
                "JAX_COMPILATION_CACHE_DIR": str(cache),
                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        assert self.next_line() == "ready"

    def next_line(self):
        return self.process.stdout.readline().strip()

    def start(self, out):
        self.process.stdin.write(f"{out}\n")
        self.process.stdin.flush()
        return int(self.next_line())

    def said(self):
        self.log.seek(0)
        return self.log.read()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return prepare_sixty(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def sweeps(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kills")
    sweeps = Sweeps(data, folder / "log", folder / "cache")
    yield sweeps
    sweeps.process.kill()
    sweeps.process.wait()
    sweeps.process.stdin.close()
    sweeps.process.stdout.close()
    sweeps.log.close()


def run_to_end(sweeps, out):
    sweeps.start(out)
    assert sweeps.next_line() == "0", sweeps.said()
    return read_journal(out)


@pytest.fixture(scope="module")
def undisturbed(sweeps, tmp_path_factory):
    """A sweep that nothing befalls: what it gives, when its training began and when it ended."""
    out = tmp_path_factory.mktemp("undisturbed")
    run_to_end(sweeps, tmp_path_factory.mktemp("first"))  # The compilation cache is warm from now.
    start = time.monotonic()
    sweeps.start(out)
    while not ((out / "rows.jsonl").exists() or list(out.glob("lanes/*/*/manifest.json"))):
        time.sleep(0.01)
    began = time.monotonic() - start
    assert sweeps.next_line() == "0", sweeps.said()
    return read_journal(out), began, time.monotonic() - start


def test_fault_01_and_03_twenty_kills_lose_and_repeat_nothing(sweeps, undisturbed, tmp_path):
    view, began, ended = undisturbed
    dice = random.Random(time.time_ns())
    out, kept, cut_short = tmp_path / "sweep", [], 0
    window = 0.3 * (ended - began)
    for _ in range(KILLS):
        child = sweeps.start(out)
        time.sleep(dice.uniform(0.5 * began, began + window))
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        if (code := sweeps.next_line()) == str(-signal.SIGKILL):
            cut_short += 1
        else:  # It ended first: the machine is quicker now than when it was measured.
            assert code == "0", sweeps.said()
            shutil.rmtree(out)
            kept, window = [], window / 2
        if (out / "manifest.json").exists():
            kept.append(len(read_journal(out).rows))
    while not any(0 < count < RUNS for count in kept):  # Each one gets further than the one before.
        child = start_and_wait(sweeps, out)
        os.kill(child, signal.SIGKILL)
        assert sweeps.next_line() == str(-signal.SIGKILL), sweeps.said()
        kept.append(len(read_journal(out).rows))
    assert kept == sorted(kept)
    assert cut_short > KILLS / 4
    assert_same(run_to_end(sweeps, out), view)
    assert not list(out.glob("lanes/*/*/manifest.json"))


def assert_same(after, before):
    assert len(after.rows) == len({row["run"] for row in after.rows}) == RUNS
    assert after.rows == before.rows
    for row in before.rows:
        left, right = before.arrays(row["run"]), after.arrays(row["run"])
        assert left.keys() == right.keys()
        for name, array in left.items():
            np.testing.assert_array_equal(array, right[name], err_msg=name)


def start_and_wait(sweeps, out):
    """Starts a sweep and waits until it has saved or finished something."""

    def seen():
        rows = out / "rows.jsonl"
        saved = [path.parent.name for path in out.glob("lanes/*/*/manifest.json")]
        return max(saved, default=""), rows.stat().st_size if rows.exists() else 0

    before = seen()
    child = sweeps.start(out)
    while seen() == before:
        time.sleep(0.005)
    return child


def test_fault_02_a_signal_saves_and_a_second_one_ends_at_once(sweeps, undisturbed, tmp_path):
    view, _, _ = undisturbed
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
        os.kill(start_and_wait(sweeps, tmp_path), number)
        assert sweeps.next_line() == "75", sweeps.said()
        assert f"{number.name}: finishing" in sweeps.said()
        assert "the same command goes on" in sweeps.said()
    child = start_and_wait(sweeps, tmp_path)
    os.kill(child, signal.SIGTERM)
    time.sleep(0.15)  # A later one is no echo.
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGTERM)
    # At once; or it had saved by then; or the handler was gone by then, and the system ended it.
    assert sweeps.next_line() in (str(128 + signal.SIGTERM), "75", str(-signal.SIGTERM))
    assert_same(run_to_end(sweeps, tmp_path), view)
