"""What a log shows, where there is no terminal; and that a terminal's bar takes the same calls."""

import io
import sys

import pytest

from dser_jax import progress as module
from dser_jax.progress import Progress
from dser_jax.sweep import Tick
from dser_jax.sweep_progress import SweepProgress


@pytest.fixture
def clock(monkeypatch):
    """Makes a second pass at each look at the clock, of which there is one a call."""
    seconds = iter(range(1000))
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(seconds)))


def test_a_line_now_and_then(clock, capsys):
    with Progress("paa_lld", 50) as progress:
        for _ in range(50):
            progress.advance()
    assert capsys.readouterr().err.splitlines() == [
        "paa_lld: 20 of 50, 30 s left, 20 s so far",
        "paa_lld: 40 of 50, 10 s left, 40 s so far",
        "paa_lld: 50 in 51 s",
    ]


def test_a_sweep_tells_its_lanes(clock, capsys):
    with SweepProgress(3, before=2) as progress:
        progress.start("lstm + lstm")
        for epoch in range(20):
            progress(Tick(2, 4, epoch))
        for _ in range(3):
            progress.committed()
    assert capsys.readouterr().err.splitlines() == [
        "2 runs are finished already, 3 to go",
        "lstm + lstm: compiling",
        "lstm + lstm: 0 of 3 runs, 2/4 lanes busy, epoch 19, 20 s so far",
        "trained: 3 runs in 24 s",
    ]


def test_nothing_to_do(capsys):
    with SweepProgress(0, before=2):
        pass
    assert capsys.readouterr().err == "2 runs are finished already, nothing to do\n"


def test_an_interrupt_says_what_is_kept(capsys):
    progress = SweepProgress(3, before=2)

    def interrupted():
        with progress:
            progress.committed()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    said = capsys.readouterr().err.splitlines()
    assert said[1:] == ["interrupted: 3 runs are finished and kept; the same command goes on"]


def test_a_terminal_has_a_bar(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with SweepProgress(2) as progress:
        progress.start("lstm")
        progress(Tick(1, 2, 7))
        for _ in range(2):
            progress.committed()
    assert "2/2" in screen.getvalue()
    assert "1/2 lanes busy, epoch 7" in screen.getvalue()
    assert "trained" not in screen.getvalue().splitlines()[-1]
