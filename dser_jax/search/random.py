"""Random search (Bergstra & Bengio 2012): every trial is drawn without a look at the others."""

from __future__ import annotations

from typing import Any

import numpy as np

from dser_jax.plan import Point
from dser_jax.search.base import Search
from dser_jax.search.space import Space
from dser_jax.system import DserError


class RandomSearch(Search):
    """Draws each point from a generator of its own, made of the seed and the trial's number."""

    def __init__(self, space: Space, count: int, seed: int) -> None:
        self.space, self.count, self.seed = space, count, seed

    def describe(self) -> dict[str, Any]:
        """Returns the space and the seed."""
        return {"kind": "random", "seed": self.seed, **self.space.describe()}

    def ask(self, trial: int) -> Point:
        """Draws a point."""
        return self.space.draw(np.random.default_rng([self.seed, trial]))


def random_search(space: Space, count: int, seed: int = 0) -> RandomSearch:
    """Makes a random search.

    Args:
      space: What to draw from.
      count: How many trials.
      seed: Of the search; a longer one with the same seed begins with the same trials.
    """
    if count < 1 or seed < 0:
        raise DserError(f"{count} trials, seed {seed}: expected 1 or more, and 0 or more")
    return RandomSearch(space, count, seed)
