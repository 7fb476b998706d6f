"""A progress bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LINE_SECONDS = 20
"""Away from a terminal at most one line is printed in this time."""


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[], None]]:
    """Shows on stderr how much of `total` is done; call what it gives once for each piece."""
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_terminal:
        from rich import progress as bars

        columns = (
            bars.TextColumn("{task.description}"),
            bars.BarColumn(bar_width=30),
            bars.MofNCompleteColumn(),
            bars.TimeRemainingColumn(elapsed_when_finished=True),
        )
        with bars.Progress(*columns, console=console) as bar:
            task = bar.add_task(title, total=total)
            yield lambda: bar.advance(task)
    else:
        yield _lines(title, total)


def _lines(title: str, total: int) -> Callable[[], None]:
    """Returns what prints a line at times, and one at the end."""
    start = said = time.monotonic()
    done = 0

    def advance() -> None:
        nonlocal done, said
        done += 1
        now = time.monotonic()
        if done == total:
            print(f"{title}: {done} in {now - start:.0f} s", file=sys.stderr, flush=True)
        elif now - said > LINE_SECONDS:
            said = now
            left = (now - start) / done * (total - done)
            print(f"{title}: {done} of {total}, {left:.0f} s left", file=sys.stderr, flush=True)

    return advance
