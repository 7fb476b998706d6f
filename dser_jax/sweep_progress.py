"""How far a sweep is: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from typing import Self

from dser_jax.sweep import Tick

LINE_SECONDS = 20
"""Away from a terminal at most one line is printed in this time."""


class SweepProgress:
    """Shows runs finished, lanes busy and the time on stderr.

    Args:
      total: Runs to train.
      before: Runs that an earlier call has finished.
    """

    def __init__(self, total: int, before: int = 0) -> None:
        from rich import progress as bars
        from rich.console import Console

        self._total, self._before, self._done, self._title = total, before, 0, ""
        self._start = self._said = time.monotonic()
        console = Console(stderr=True)
        self._bar: bars.Progress | None = None
        if console.is_terminal and total:
            self._bar = bars.Progress(
                bars.TextColumn("{task.description}"),
                bars.BarColumn(bar_width=24),
                bars.MofNCompleteColumn(),
                bars.TextColumn("runs  {task.fields[lanes]}"),
                bars.TimeElapsedColumn(),
                console=console,
            )
            self._task = self._bar.add_task("", total=total, lanes="")

    def start(self, title: str) -> None:
        """Begins a group of runs, e.g. of one architecture; the program is compiled first."""
        self._title = title
        if self._bar is not None:
            self._bar.update(self._task, description=title, lanes="compiling")
        else:
            print(f"{title}: compiling", file=sys.stderr, flush=True)

    def committed(self) -> None:
        """Counts a run whose row is on disk."""
        self._done += 1

    def __call__(self, tick: Tick) -> None:
        """Shows the lanes after an epoch."""
        lanes = f"{tick.lanes_busy}/{tick.lanes} lanes busy, epoch {tick.epoch}"
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, lanes=lanes)
            return
        now = time.monotonic()
        if now - self._said >= LINE_SECONDS:
            self._said = now
            print(
                f"{self._title}: {self._done} of {self._total} runs, {lanes}, "
                f"{now - self._start:.0f} s",
                file=sys.stderr,
                flush=True,
            )

    def __enter__(self) -> Self:
        if self._before:
            state = "nothing to do" if not self._total else f"{self._total} to go"
            print(f"{self._before} runs are finished already, {state}", file=sys.stderr)
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
        if self._total and kind is None:
            seconds = time.monotonic() - self._start
            print(f"{self._total} runs in {seconds:.0f} s", file=sys.stderr, flush=True)
        elif kind is KeyboardInterrupt:
            print(
                f"interrupted: {self._before + self._done} runs are finished and kept; "
                "the same command goes on",
                file=sys.stderr,
                flush=True,
            )
