"""Ctrl-C where a sweep is deep in C: while it compiles, and while it fits the baselines."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sweeping import draw_nothing, prepare_sentences, rows_of, sweep_arguments

from dser_jax.cli import main
from dser_jax.system.signals import EXIT_INTERRUPTED

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals cannot be sent on Windows")

SWEEP = """
import sys, time
from dser_jax.cli import main
from dser_jax.engine import lanes
from dser_jax.stats.baselines import fitting

def forever(*arguments):
    print("deep", flush=True)
    while True:  # As in C: a signal's handler may run, and nothing comes of it.
        time.sleep(100)

if sys.argv[1] == "compile":
    lanes.compile_program = forever
else:
    fit = fitting.candidates_of
    fitting.candidates_of = lambda model, *rest: (forever if model == "svr" else fit)(model, *rest)
main(sys.argv[2:])
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return prepare_sentences(tmp_path_factory.mktemp("data"))


def stopped(where: str, given: list[str]) -> str:
    """Starts a sweep, and presses Ctrl-C where it is deep in C; returns what it said."""
    with subprocess.Popen(
        [sys.executable, "-c", SWEEP, where, *given],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        while (line := process.stdout.readline()) != "deep\n":
            assert line, process.stderr.read()
        start = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)  # As a terminal does.
        _, said = process.communicate(timeout=60)
        assert time.monotonic() - start < 5
    assert process.returncode == EXIT_INTERRUPTED
    with pytest.raises(ProcessLookupError):  # Nobody is left behind.
        os.killpg(process.pid, 0)
    return said


def test_ctrl_c_ends_a_sweep_at_once_and_what_was_finished_is_kept(
    data, tmp_path, capsys, monkeypatch
):
    given = [each for each in sweep_arguments(data, tmp_path) if each != "--no-baselines"]
    given += ["--seeds", "1"]
    kept = "finished runs are kept, and the same command goes on"
    before = []
    for where, rows in {"fit": 3, "compile": 7}.items():
        assert stopped(where, given).endswith(f"dser: stopped by SIGINT; {kept}\n")
        assert not list(tmp_path.glob("lock*"))
        after = rows_of(tmp_path)
        assert after[: len(before)] == before
        assert len(after) == rows
        before = after
    draw_nothing(monkeypatch)
    main(given)
    after = rows_of(tmp_path)
    assert after[:7] == before
    assert len(after) == 8
