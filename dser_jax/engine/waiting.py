"""Runs that wait for a lane; of those that have failed together the guilty one is sought."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from dser_jax.plan import RunSpec

Item = tuple[str, RunSpec]
"""The id of a run, and what to train."""


class Waiting:
    """Runs that wait for a lane, and suspects, which are trained before and apart from them.

    Args:
      runs: Asked for the next one when a lane is free.

    Attributes:
      known: The ids of all runs; None where they come one by one.
    """

    def __init__(self, runs: Iterable[Item]) -> None:
        self.known = {run for run, _ in runs} if isinstance(runs, list) else None
        self._queues: list[Iterator[Item]] = [iter(runs)]  # The last is served.

    def take(self, *, busy: bool) -> Item | None:
        """Returns the next run; None if there is none, or none that may go beside others.

        Args:
          busy: Whether other runs are under way.
        """
        while (item := next(self._queues[-1], None)) is None and len(self._queues) > 1:
            if busy:  # Suspects are trained apart from all others.
                break
            self._queues.pop()
        return item

    def put_back(self, items: Sequence[Item]) -> None:
        """Puts runs before the others; they are no suspects."""
        self._queues[-1] = chain(items, self._queues[-1])

    def suspect(self, items: Sequence[Item]) -> None:
        """Has runs trained in halves, each apart, as one of them makes the others fail."""
        middle = len(items) // 2
        self._queues += [iter(items[middle:]), iter(items[:middle])]
