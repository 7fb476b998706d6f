"""How far a long task is: a bar on a terminal, a changing line in a notebook, lines in a log."""

from __future__ import annotations

import contextlib
import importlib
import sys
import time

from dser_jax.system.output import plural, printable

LINE_SECONDS = 20.0
"""Away from a terminal at most one line is printed in this time."""
REFRESH_SECONDS = 0.25
"""How often a bar, or a notebook's line, shows what is new."""


class Progress:
    """Shows on stderr how much of `total` is done, from the beginning of a `with` to its end.

    Args:
      title: What is being done.
      total: Of how many pieces.
      unit: What a piece is, as `plural` takes it.
    """

    def __init__(self, title: str, total: int, unit: str = "") -> None:
        self._title = self._now = title
        self._total, self._unit = total, unit
        self._done, self._note = 0, ""
        self._start = self._shown = time.monotonic()
        self._view = _make_view(self) if total else _View()

    def go_on(self, title: str, note: str) -> None:
        """Names what is being done from now on, and says so."""
        self._now, self._note = title, note
        self._view.begin()

    def advance(self) -> None:
        """Counts a piece as done."""
        self._done += 1
        self._show(time.monotonic())

    def _show(self, now: float) -> None:
        """Shows what is new, unless something was shown just before."""
        if now - self._shown >= self._view.seconds and self._done < self._total:
            self._shown = now
            self._view.show(now)

    def line(self, now: float) -> str:
        """Tells everything in a line."""
        done = f"{self._done} of {self._counted(self._total)}"
        left = self.time_left(now)
        parts = [done, *self.details(), *([left] if left else [])]
        return f"{self._now}: {', '.join(parts)}, {span(now - self._start)} so far"

    def counts(self, now: float) -> tuple[str, int, int, str]:
        """Returns what a bar shows: the title, how many of how many are done, and the time."""
        spans = filter(None, (span(now - self._start), self.time_left(now)))
        text = f"{self._done}/{self._counted(self._total)}, {', '.join(spans)}"
        return self._now, self._done, self._total, text

    def details(self) -> list[str]:
        """Returns what is known beside the count."""
        return [self._note] if self._note else []

    def time_left(self, now: float) -> str:
        """Tells how long it will take; nothing where there is nothing to go by."""
        left = self.left(now)
        return "" if left is None else f"{span(left)} left"

    def left(self, now: float) -> float | None:
        """Estimates how many seconds it will take; None where there is nothing to go by."""
        if not self._done:
            return None
        return (now - self._start) / self._done * (self._total - self._done)

    def summary(self, seconds: float) -> str:
        """Tells in a line what was done."""
        return f"{self._title}: {self._counted(self._done)} in {span(seconds)}"

    def _counted(self, count: int) -> str:
        return plural(count, self._unit) if self._unit else str(count)

    def __enter__(self) -> Progress:
        self._view.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        done = self.summary(time.monotonic() - self._start) if kind is None else None
        self._view.stop(done)


def say(text: str) -> None:
    """Prints a line on stderr at once; where nobody reads that any more, the work goes on."""
    # A Ctrl-C ends the `tee` of a pipeline, too, and what is being saved then must not break off.
    with contextlib.suppress(OSError, ValueError):
        print(printable(text), file=sys.stderr, flush=True)


def span(seconds: float) -> str:
    """Writes a time for people: 45 s, 12 min, 3 h 20 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


class _View:
    """Where progress is shown: here nowhere, as where there is nothing to do.

    Attributes:
      seconds: Pass at least between two calls of `show`.
    """

    seconds = float("inf")

    def start(self) -> None:
        pass

    def begin(self) -> None:
        pass

    def show(self, now: float) -> None:
        pass

    def stop(self, summary: str | None) -> None:
        pass


class _Log(_View):
    """A line now and then."""

    seconds = LINE_SECONDS

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def begin(self) -> None:
        say(f"{self.progress._now}: {', '.join(self.progress.details())}")

    def show(self, now: float) -> None:
        say(self.progress.line(now))

    def stop(self, summary: str | None) -> None:
        if summary is not None:
            say(summary)


class _Cell(_View):
    """One line in the output of a notebook's cell, which changes; rich's bar wants ipywidgets."""

    seconds = REFRESH_SECONDS

    def __init__(self, progress: Progress, display) -> None:
        self.progress, self.display, self.handle = progress, display, None

    def begin(self) -> None:
        self.show(time.monotonic())

    def show(self, now: float) -> None:
        self._write(self.progress.line(now))

    def stop(self, summary: str | None) -> None:
        if summary is not None:
            self._write(summary)

    def _write(self, text: str) -> None:
        bundle = {"text/plain": text}
        if self.handle is None:
            self.handle = self.display(bundle, raw=True, display_id=True)
        else:
            self.handle.update(bundle, raw=True)


class _Bar(_View):
    """A bar, and a line of details below, drawn by a thread of rich also while we wait for XLA."""

    def __init__(self, progress: Progress, console) -> None:
        self.progress, self.console = progress, console

    def start(self) -> None:
        from rich.live import Live

        self.live = Live(
            console=self.console,
            get_renderable=self.draw,
            refresh_per_second=1 / REFRESH_SECONDS,
        )
        self.live.start()

    def stop(self, summary: str | None) -> None:
        self.live.transient = summary is not None  # Of what broke off, the last state stays.
        self.live.stop()
        if summary is not None:
            say(summary)

    def draw(self):
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        title, done, total, counts = self.progress.counts(time.monotonic())
        width = self.console.width
        bar = 24 if width >= 100 else 12
        name = Text(title)
        name.truncate(max(8, width - bar - len(counts) - 2), overflow="ellipsis")
        row = Table.grid(padding=(0, 1, 0, 0))
        for _ in range(3):
            row.add_column(no_wrap=True)
        row.add_row(name, ProgressBar(total=total, completed=done, width=bar), Text(counts))
        details = Text(", ".join(self.progress.details()), no_wrap=True, overflow="ellipsis")
        return Group(row, details) if details else row


def _make_view(progress: Progress) -> _View:
    """Returns what suits the place: a notebook, a terminal, or a log."""
    display = _notebook_display()
    if display is not None:
        return _Cell(progress, display)
    from rich.console import Console

    console = Console(stderr=True)
    # In a log, rich may have been told by FORCE_COLOR to take it for a terminal.
    if sys.stderr.isatty() and console.is_terminal and not console.is_dumb_terminal:
        return _Bar(progress, console)
    return _Log(progress)


def _notebook_display():
    """Returns IPython's `display` in a notebook; None elsewhere, IPython's terminal included."""
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)
    if not hasattr(get_ipython(), "kernel"):
        return None
    with contextlib.suppress(ImportError):
        return importlib.import_module("IPython.display").display
    return None
