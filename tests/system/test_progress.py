"""What a log, a terminal and a notebook show of how far a task is."""

import io
import math
import subprocess
import sys
import time
import types

import pytest

from dser_jax.engine.progress import SweepProgress, Tick
from dser_jax.system import progress as module
from dser_jax.system.progress import Progress, span

NAN = math.nan


def row(name="two weights", ccc=0.5, status="ok"):
    return {"name": name, "status": status, "validation": {"ccc": {"mean": ccc}}}


@pytest.fixture
def clock(monkeypatch):
    """Makes a second pass at each look at the clock, of which there is one a call."""
    seconds = iter(range(1000))
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(seconds)))


class Terminal(io.StringIO):
    def isatty(self):
        return True


def on_terminal(monkeypatch, columns=120):
    """Puts a terminal in place of stderr that keeps what was written to it."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns))
    return screen


class Notebook:
    """IPython as it is in a notebook: what its cell shows, in the order of its changes."""

    def __init__(self):
        self.shown = []
        shell = types.SimpleNamespace(kernel=None)
        self.ipython = types.ModuleType("IPython")
        self.ipython.get_ipython = lambda: shell
        self.module = types.ModuleType("IPython.display")
        self.module.display = self.display

    def display(self, bundle, *, raw, display_id):
        assert raw
        assert display_id
        assert not self.shown
        self.shown.append(bundle["text/plain"])
        return self

    def update(self, bundle, *, raw):
        assert raw
        self.shown.append(bundle["text/plain"])


@pytest.fixture
def notebook(monkeypatch):
    made = Notebook()
    monkeypatch.setitem(sys.modules, "IPython", made.ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", made.module)
    return made


def test_a_line_now_and_then(clock, capsys):
    with Progress("paa_lld", 50) as progress:
        for _ in range(50):
            progress.advance()
    assert capsys.readouterr().err.splitlines() == [
        "paa_lld: 20 of 50, 30 s left, 20 s so far",
        "paa_lld: 40 of 50, 10 s left, 40 s so far",
        "paa_lld: 50 in 51 s",
    ]


def test_the_pace_is_that_of_one_program(clock):
    with SweepProgress(9) as progress:
        assert progress.pace() == (0, 0.0)
        progress.start("one")
        assert progress.pace() == (0, 0.0)
        progress(Tick(1, 4, 1, 4, NAN))
        progress(Tick(1, 4, 2, 8, NAN))
        epochs, seconds = progress.pace()
        progress.start("another")
        assert progress.pace() == (0, 0.0)
    assert epochs == 4
    assert seconds > 0


def test_a_sweep_tells_its_lanes(clock, capsys):
    with SweepProgress(9, before=2) as progress:
        progress.start("lstm + lstm", "2 GB")
        for epoch in range(1, 20):
            progress(Tick(4, 4, 4 * epoch, 4 * epoch, NAN))
        progress.committed(row(ccc=0.4))
        progress.committed(row(name="one weight", ccc=0.6))
        progress.committed(row(ccc=NAN, status="diverged"))
        for epoch in range(20, 40):
            progress(Tick(2, 4, 2 * epoch + 40, 4 * epoch, 20.0))
        epochs, seconds = progress.pace()
    assert epochs == 4 * 38  # Since the first round.
    assert seconds >= 38
    assert capsys.readouterr().err.splitlines() == [
        "2 runs are finished already, 9 to go",
        "lstm + lstm: compiling, 2 GB",
        "lstm + lstm: 1 of 9 runs, 4/4 lanes busy, 4 epochs/s, best validation CCC 0.400 "
        "('two weights'), 20 s so far",
        # The 5 runs begun have 114 epochs: 9 such runs less 114, at the 74 of the last 30 seconds.
        "lstm + lstm: 3 of 9 runs, 2/4 lanes busy, 2.5 epochs/s, best validation CCC 0.600 "
        "('one weight'), 37 s left, 40 s so far",
        "trained: 3 runs in 44 s, lanes 76% busy, 1 diverged, best validation CCC 0.600 "
        "('one weight')",
    ]


def test_time_is_not_promised_by_the_runs_that_end_first():
    progress = SweepProgress(4)
    progress.start("lstm")
    seconds = 0.0

    def left(*tick):
        nonlocal seconds
        seconds += 1
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module.time, "monotonic", lambda: seconds)
            progress(Tick(*tick))
        return progress.left(seconds)

    assert left(2, 2, 0, 0, NAN) is None
    assert left(2, 2, 20, 20, NAN) is None  # Nothing has ended.
    progress.committed(row())
    # One has ended after 15 epochs, the other has 25 by now: 20 each, of four runs, less the 40.
    assert left(1, 2, 40, 40, 15.0) == pytest.approx((4 * 20 - 40) / 20)
    for _ in range(2):
        progress.committed(row())
    # The last one has trained for longer than the others did: nobody knows how long it will.
    assert left(1, 2, 100, 120, 20.0) is None


def test_until_a_run_has_ended_the_time_is_told_at_most(clock):
    """A tick a second, and an epoch each: of 9 runs in 4 lanes there are three rounds of 20."""
    progress = SweepProgress(9)
    progress.start("lstm", max_epochs=20)
    assert progress.time_left(0) == ""
    progress(Tick(4, 4, 0, 0, NAN))
    assert progress.time_left(0) == ""  # Nobody knows how long an epoch takes.
    progress(Tick(4, 4, 4, 4, NAN))
    assert progress.time_left(0) == "at most 59 s left"
    progress(Tick(4, 4, 8, 8, NAN))
    assert progress.time_left(0) == "at most 58 s left"
    progress.committed(row())
    # One has ended after 3 epochs, the others have as many: 9 such runs less 12, at 3 a second.
    progress(Tick(3, 4, 12, 12, 3.0))
    assert progress.time_left(0) == "5 s left"
    # The last two go on for longer than the others did: one may have been begun just now.
    for _ in range(6):
        progress.committed(row())
    progress(Tick(2, 4, 400, 400, 3.0))
    assert progress.time_left(0).startswith("at most ")


def test_the_first_line_of_a_log_waits_for_the_first_epoch(monkeypatch, capsys):
    now = 0.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    progress = SweepProgress(2)
    progress.start("lstm", max_epochs=10)
    now = 25.0  # It was compiled until then.
    progress(Tick(2, 2, 0, 0, NAN))
    now = 27.0
    progress(Tick(2, 2, 2, 2, NAN))
    assert capsys.readouterr().err.splitlines()[1:] == [
        "lstm: 0 of 2 runs, 2/2 lanes busy, 1 epoch/s, at most 18 s left, 27 s so far"
    ]


def test_a_single_run_is_one_run(capsys):
    with SweepProgress(1, before=1) as progress:
        assert progress.line(0.0).startswith("trained: 0 of 1 run, ")
        progress.committed(row())
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "1 run is finished already, 1 to go"
    assert lines[1].startswith("trained: 1 run in 0 s")


def test_the_next_program_has_a_count_and_a_rate_of_its_own(clock):
    progress = SweepProgress(4)
    progress.start("lstm")
    for epoch in range(10):
        progress(Tick(2, 2, 2 * epoch, 2 * epoch, NAN))
    for _ in range(2):
        progress.committed(row())
    progress.start("gru")
    assert progress.details()[0] == "compiling"
    assert progress.left(0) is None
    for epoch in range(10):
        progress(Tick(1, 2, epoch, 2 * epoch, NAN))
    assert progress.details()[:2] == ["1/2 lanes busy", "1 epoch/s"]
    assert "lanes 75% busy" in progress.summary(9)


def test_the_best_of_an_earlier_call_is_beaten_or_stays():
    earlier = [row(ccc=0.7, name="old"), row(ccc=0.9, status="diverged"), {"status": "failed"}]
    progress = SweepProgress(2, before=2, rows=earlier)
    progress.committed(row(ccc=0.6))
    assert progress.details() == ["best validation CCC 0.700 ('old')"]
    progress.committed(row(ccc=0.8))
    assert progress.details() == ["best validation CCC 0.800 ('two weights')"]


def test_nothing_to_do(capsys):
    with SweepProgress(0, before=2):
        pass
    assert capsys.readouterr().err == "2 runs are finished already, nothing to do\n"


def test_an_interrupt_says_what_is_kept(capsys):
    progress = SweepProgress(3, before=2)

    class Interrupted(KeyboardInterrupt):
        pass

    def interrupted():
        with progress:
            progress.committed(row())
            raise Interrupted

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    said = capsys.readouterr().err.splitlines()
    assert said[1:] == ["interrupted: 3 runs are finished and kept; the same command goes on"]


def test_a_terminal_has_a_bar(monkeypatch):
    terminal = on_terminal(monkeypatch)
    with SweepProgress(2) as progress:
        progress.start("lstm", "")
        progress(Tick(1, 2, 7, 7, NAN))
        progress.committed(row())
        time.sleep(3 * module.REFRESH_SECONDS)
        progress.committed(row())
    screen = terminal.getvalue()
    assert "1/2 runs" in screen
    assert "1/2 lanes busy, best validation CCC 0.500 ('two weights')" in screen
    assert screen.splitlines()[-1].endswith(
        "trained: 2 runs in 1 s, lanes 100% busy, best validation CCC 0.500 ('two weights')"
    )


def test_of_what_breaks_off_the_bar_stays(monkeypatch):
    terminal = on_terminal(monkeypatch)

    def fail():
        with Progress("gemaps_hsf", 3) as progress:
            progress.advance()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    *_, last, cursor = terminal.getvalue().splitlines()
    assert "gemaps_hsf" in last
    assert "1/3, 0 s" in last
    assert cursor == "\x1b[?25h"


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 120])
def test_a_narrow_terminal_has_two_lines(monkeypatch, columns):
    on_terminal(monkeypatch, columns)
    progress = SweepProgress(4000)
    progress.start("attention + bidirectional lstm, gemaps_hsf + glove", "")
    progress(Tick(100, 128, 12345, 12345, NAN))
    progress.committed(row(name="three weights, 0.1 dropped", ccc=0.123))
    console = progress._view.console
    with console.capture() as capture:
        console.print(progress._view.draw())
    lines = capture.get().splitlines()
    assert len(lines) == 2
    assert max(map(len, lines)) <= columns
    if columns >= 60:
        assert "1/4000 runs" in lines[0]
        assert "100/128 lanes busy" in lines[1]


def test_force_color_makes_no_terminal_of_a_log(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with Progress("paa_lld", 1) as progress:
        progress.advance()
    assert capsys.readouterr().err == "paa_lld: 1 in 0 s\n"


def test_a_notebook_has_a_line_that_changes(notebook, clock, capsys):
    with SweepProgress(2) as progress:
        progress.start("lstm")
        progress(Tick(2, 2, 2, 2, NAN))
        progress.committed(row())
        progress.committed(row(ccc=0.4))
    assert notebook.shown == [
        "lstm: 0 of 2 runs, compiling, 1 s so far",
        "lstm: 0 of 2 runs, 2/2 lanes busy, 2 s so far",
        "lstm: 1 of 2 runs, 2/2 lanes busy, best validation CCC 0.500 ('two weights'), 3 s so far",
        "trained: 2 runs in 5 s, lanes 100% busy, best validation CCC 0.500 ('two weights')",
    ]
    assert capsys.readouterr().err == ""


def test_ipython_on_a_terminal_is_no_notebook(notebook, capsys):
    notebook.ipython.get_ipython = lambda: types.SimpleNamespace()
    with Progress("paa_lld", 1) as progress:
        progress.advance()
    assert capsys.readouterr().err == "paa_lld: 1 in 0 s\n"


def test_a_notebook_without_display_has_lines(notebook, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "IPython.display", None)
    with Progress("paa_lld", 1) as progress:
        progress.advance()
    assert capsys.readouterr().err == "paa_lld: 1 in 0 s\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (99, "99 s"), (100, "2 min"), (5900, "98 min"), (12000, "3 h 20 min")],
)
def test_span(seconds, text):
    assert span(seconds) == text


def test_a_tick_costs_little():
    """Far below what an epoch takes, wherever it is shown; without the checks of these tests."""
    code = """
import time
from dser_jax.engine.progress import SweepProgress, Tick
with SweepProgress(9) as progress:
    progress.start("lstm")
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        for i in range(2000):
            progress(Tick(4, 4, i, i, 1.0))
        seconds.append(time.perf_counter() - start)
print(min(seconds) / 2000)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
    )
    assert float(done.stdout) < 20e-6
