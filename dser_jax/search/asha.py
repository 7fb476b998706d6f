"""Successive halving, asynchronously: weak trials end early, and their lanes are filled anew."""

from __future__ import annotations

import math
from typing import Any

from dser_jax.plan import Point
from dser_jax.search.base import Search
from dser_jax.system import DserError

LAST = 10**6
"""No run has more epochs than this."""


class Halving(Search):
    """ASHA in its stopping variant (Li et al. 2020, "A System for Massively Parallel ...").

    After first, first eta, first eta^2, ... epochs, the rungs, a trial goes on if its value is
    among the highest floor(n / eta), at least 1, of the n trials that have reached this rung so
    far, itself included. Equal values share the better rank. Nobody waits for anybody: the first
    trial at a rung always goes on, and a decision is never taken back.

    Around another search, which chooses the settings and may end trials by itself.
    """

    def __init__(self, search: Search, first: int, eta: int) -> None:
        self.search, self.first, self.eta = search, first, eta
        self.space, self.count = search.space, search.count
        rungs = range(1 + math.ceil(math.log(LAST, eta)))
        self._own = tuple(r for k in rungs if (r := first * eta**k) <= LAST)
        self.rungs = tuple(sorted({*self._own, *search.rungs}))
        self.begin()

    def describe(self) -> dict[str, Any]:
        """Returns the inner search, and the rungs."""
        return {**self.search.describe(), "halving": {"first": self.first, "eta": self.eta}}

    def begin(self) -> None:
        """Empties the rungs."""
        self._reached: dict[int, list[float]] = {rung: [] for rung in self._own}
        self.search.begin()

    def ask(self, trial: int) -> Point:
        """Leaves the choice to the other search."""
        return self.search.ask(trial)

    def keep(self, trial: int, epoch: int, value: float) -> bool:
        """Decides by the trial's rank at its rung."""
        kept = self.search.keep(trial, epoch, value)
        if epoch not in self._reached:
            return kept
        value = -math.inf if math.isnan(value) else value
        reached = self._reached[epoch]
        reached.append(value)
        higher = sum(other > value for other in reached)
        return kept and higher < max(1, len(reached) // self.eta)

    def tell(self, trial: int, value: float | None, pruned: bool) -> None:
        """Passes the end of a trial on."""
        self.search.tell(trial, value, pruned)


def halving(search: Search, first: int = 4, eta: int = 3) -> Halving:
    """Puts successive halving around a search.

    Args:
      search: What chooses the settings.
      first: Epochs before the first decision.
      eta: One in so many goes on; each rung is so many times as long as the one before.
    """
    if first < 1 or eta < 2:
        raise DserError(f"first rung {first}, eta {eta}: expected 1 or more, and 2 or more")
    return Halving(search, first, eta)
