"""Whether loops are launched as graphs: a trial in a child, once for each jaxlib and device."""

import sys

import pytest

from dser_jax.system import loops
from dser_jax.system.compile_cache import remember
from dser_jax.system.errors import DserError
from dser_jax.system.loops import (
    FLAG,
    GAIN,
    GRAPHS,
    MEMORY,
    TRIAL,
    loop_options,
    loops_in_words,
    try_out,
)

GPU, CPU = ("gpu", "NVIDIA H100 80GB HBM3"), ("cpu", "cpu")


def child(code):
    return (sys.executable, "-c", code)


HOLDS = child("print('ready'); print('held 1.834')")
SLOWER = child("print('ready'); print('held 0.912')")
CRASHES = child("import os; print('ready', flush=True); os.abort()")
HANGS = child("import time; print('ready', flush=True); time.sleep(60)")


@pytest.fixture(autouse=True)
def fresh(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in (loops.VARIABLE, "XLA_FLAGS", "DSER_NO_COMPILE_CACHE"):
        monkeypatch.delenv(name, raising=False)
    loops._gain.cache_clear()
    yield
    loops._gain.cache_clear()


@pytest.fixture
def tried(monkeypatch):
    """Counts trials, whose outcome is that of the command put in the place of the real one."""
    count = []

    def counted(command):
        count.append(command)
        return try_out(command)

    monkeypatch.setattr(loops, "try_out", counted)
    return count


def test_the_trial_itself_runs_through():
    assert try_out(TRIAL) > 0


@pytest.mark.parametrize(
    ("command", "seconds", "found"),
    [
        (HOLDS, 30, 1.834),
        (SLOWER, 30, 0.912),
        (CRASHES, 30, 0),
        (HANGS, 1, 0),
        (child("print('ready'); print('held 1.834'); raise SystemExit(1)"), 30, 0),
        (child("print('ready'); print('held')"), 30, 0),
        (child("print('ready'); print('held nan')"), 30, 0),
        (child("print('ready'); print('other values')"), 30, 0),
        (child("raise SystemExit('no device is free')"), 30, None),
        (child("import time; time.sleep(60)"), 1, None),
        (("no such program",), 1, None),
    ],
)
def test_a_trial_may_crash_or_hang(command, seconds, found):
    assert try_out(command, seconds) == found


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (HOLDS, "as graphs, a launch a loop, 1.8 times as fast in a trial"),
        (SLOWER, "kernel by kernel: graphs of loops were no faster in a trial (0.91 times)"),
        (CRASHES, "kernel by kernel: graphs of loops failed in a trial"),
    ],
)
def test_it_is_told_without_a_trial(monkeypatch, tried, command, said):
    kind = GPU[1]
    assert loops_in_words(kind).startswith("by what a trial finds")
    assert not tried
    monkeypatch.setattr(loops, "TRIAL", command)
    loop_options(*GPU)
    assert loops_in_words(kind).endswith(said)
    monkeypatch.setenv("DSER_NO_COMPILE_CACHE", "1")
    assert "no folder" in loops_in_words(kind)
    monkeypatch.setenv("XLA_FLAGS", f"--{FLAG}=")
    assert "XLA_FLAGS" in loops_in_words(kind)
    monkeypatch.delenv("XLA_FLAGS")
    for value in "01":
        monkeypatch.setenv(loops.VARIABLE, value)
        assert loops_in_words(kind).endswith(f"as DSER_LOOP_GRAPHS is {value}")


@pytest.mark.parametrize(("command", "options"), [(HOLDS, GRAPHS), (SLOWER, {}), (CRASHES, {})])
def test_what_came_of_a_trial_is_remembered(monkeypatch, tmp_path, tried, command, options):
    monkeypatch.setattr(loops, "TRIAL", command)
    assert loop_options(*GPU) == options
    loops._gain.cache_clear()  # as in another process
    assert loop_options(*GPU) == options
    assert len(tried) == 1
    assert loop_options("gpu", "another") == options
    assert len(tried) == 2
    (tmp_path / "dser_jax" / "xla" / MEMORY).write_text("{damaged")
    loops._gain.cache_clear()
    assert loop_options(*GPU) == options
    assert len(tried) == 3
    for damaged in ({GAIN: "much"}, {GAIN: -1.0}, {GAIN: True}):
        remember(MEMORY, loops._name(GPU[1]), damaged)
        loops._gain.cache_clear()
        assert loop_options(*GPU) == options
    assert len(tried) == 6


def test_a_trial_that_could_not_be_made_is_made_again(monkeypatch, tried):
    monkeypatch.setattr(loops, "TRIAL", child("raise SystemExit('no device is free')"))
    assert loop_options(*GPU) == {}
    loops._gain.cache_clear()
    monkeypatch.setattr(loops, "TRIAL", HOLDS)
    assert loop_options(*GPU) == GRAPHS
    assert len(tried) == 2


def test_whoever_has_chosen_is_obeyed_without_a_trial(monkeypatch, tried):
    assert loop_options(*CPU) == {}
    monkeypatch.setenv(loops.VARIABLE, "1")
    assert loop_options(*GPU) == GRAPHS
    assert loop_options(*CPU) == {}
    monkeypatch.setenv(loops.VARIABLE, "0")
    assert loop_options(*GPU) == {}
    monkeypatch.delenv(loops.VARIABLE)
    monkeypatch.setenv("XLA_FLAGS", f"--{FLAG}=")
    assert loop_options(*GPU) == {}
    monkeypatch.delenv("XLA_FLAGS")
    monkeypatch.setenv("DSER_NO_COMPILE_CACHE", "1")  # nothing is remembered
    assert loop_options(*GPU) == {}
    assert not tried
    monkeypatch.setenv(loops.VARIABLE, "yes")
    with pytest.raises(DserError, match="DSER_LOOP_GRAPHS is 'yes'; expected 0 or 1"):
        loop_options(*GPU)
