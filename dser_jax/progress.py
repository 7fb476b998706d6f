"""How far a long task is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time

LINE_SECONDS = 20
"""Away from a terminal at most one line is printed in this time."""


class Progress:
    """Shows on stderr how much of `total` is done, from the beginning of a `with` to its end.

    Args:
      title: What is being done.
      total: Of how many pieces.
      unit: What the pieces are.
    """

    def __init__(self, title: str, total: int, unit: str = "") -> None:
        self._title = self._now = title
        self._total, self._unit = total, f" {unit}" if unit else ""
        self._done, self._note = 0, ""
        self._start = self._said = time.monotonic()
        self._bar = _make_bar(unit) if total else None
        if self._bar is not None:
            self._task = self._bar.add_task(title, total=total, note="")

    def go_on(self, title: str, note: str) -> None:
        """Names what is being done from now on, and says so."""
        self._now, self._note = title, note
        if self._bar is None:
            say(f"{title}: {note}")
        else:
            self._bar.update(self._task, description=title, note=note)

    def advance(self) -> None:
        """Counts a piece as done."""
        self._done += 1
        self._show()

    def tell(self, note: str) -> None:
        """Adds a few words to what is shown."""
        self._note = note
        self._show()

    def _show(self) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, note=self._note)
            return
        now = time.monotonic()
        if now - self._said < LINE_SECONDS or self._done == self._total:
            return
        self._said = now
        passed = now - self._start
        note = self._note
        if self._done and not note:
            note = f"{passed / self._done * (self._total - self._done):.0f} s left"
        say(
            f"{self._now}: {self._done} of {self._total}{self._unit}, {note}, {passed:.0f} s so far"
        )

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif self._total and kind is None:
            passed = time.monotonic() - self._start
            say(f"{self._title}: {self._done}{self._unit} in {passed:.0f} s")


def say(text: str) -> None:
    """Prints a line on stderr at once; where nobody reads that any more, the work goes on."""
    # A Ctrl-C ends the `tee` of a pipeline, too, and what is being saved then must not break off.
    with contextlib.suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


def _make_bar(unit: str):
    """Returns a bar that is not shown yet; None away from a terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        return None
    from rich import progress

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(bar_width=24),
        progress.MofNCompleteColumn(),
        progress.TextColumn(f"{unit}  {{task.fields[note]}}"),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(),
        console=console,
    )
