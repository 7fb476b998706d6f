"""Keeps the page of a sweep up to date while the sweep runs, and says how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from dser_jax.journal import JournalView, read_journal
from dser_jax.report.page import Cache, write_page
from dser_jax.report.text import planned_and_done, progress
from dser_jax.system import Progress, held, say

SECONDS = 15.0
"""Between two looks at the journal."""


def watch(
    folder: Path,
    file: Path | None = None,
    *,
    seconds: float = SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> Path:
    """Writes the page of a sweep anew whenever runs have finished, until the sweep has ended.

    The page that is open in a browser reads its file again by itself; the last one written no
    longer does. Nothing of the journal is changed or locked. A sweep that has been stopped, and one
    that has not begun, are as one that has ended.

    Args:
      folder: The journal.
      file: The page; `report/report.html` in the folder by default.
      seconds: Between two looks.
      sleep: Waits so long.

    Returns:
      The page.

    Raises:
      DserError: The folder holds no journal, or a damaged one; or the page cannot be written.
      KeyboardInterrupt: Ctrl-C; the page is written once more and says what was finished then.
    """
    cache: Cache = {}
    running = held(folder)
    view = read_journal(folder)
    if not running:
        page = write_page([folder], file)
        say(f"{folder}: {progress(view)}; no process writes to it. Its page: {page}")
        return page
    page = write_page([folder], file, refresh=seconds, cache=cache)
    say(f"{page}: open it in a browser; it follows the sweep. Ctrl-C ends this, not the sweep")
    done, planned = _counts(view)
    try:
        with _Watching("finished", planned, done) as shown:
            while running:
                sleep(seconds)
                running = held(folder)  # Before reading: what ends in between is in the next page.
                view = read_journal(folder)
                if _counts(view)[0] != done or not running:
                    done = _counts(view)[0]
                    refresh = seconds if running else None
                    write_page([folder], file, refresh=refresh, cache=cache)
                shown.at(done)
            shown.said = f"{folder}: {progress(view)}. Its page: {page}"
    except KeyboardInterrupt:
        write_page([folder], file, cache=cache)
        raise KeyboardInterrupt(f"stopped watching, the sweep goes on; the page: {page}") from None
    return page


def _counts(view: JournalView) -> tuple[int, int]:
    """Returns how many runs are finished, and how many are planned, as far as that is known."""
    planned, done = planned_and_done(view)
    return done, done if planned is None else planned


class _Watching(Progress):
    """Shows how many runs somebody else has finished.

    Attributes:
      said: What is told in the end.
    """

    def __init__(self, title: str, total: int, done: int) -> None:
        super().__init__(title, total, "run")
        self._done = self._before = done
        self.said = ""

    def __enter__(self) -> _Watching:
        super().__enter__()
        return self

    def at(self, done: int) -> None:
        """Says how many are finished now."""
        self._done = done
        self._show(time.monotonic())

    def summary(self, seconds: float) -> str:
        """Tells how the sweep ended."""
        return self.said

    def left(self, now: float) -> float | None:
        """Estimates the seconds left from what was finished since the beginning."""
        if self._done <= self._before:
            return None
        return (now - self._start) / (self._done - self._before) * (self._total - self._done)
