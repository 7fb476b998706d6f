"""What a search is: something that is asked for settings, and told what came of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from dser_jax.plan import Point
from dser_jax.search.space import Space


class Search(ABC):
    """Chooses the settings of trials, one after the other, from what earlier ones gave.

    Trials are numbered from 0 in the order in which they are asked for. A value is the mean CCC on
    the validation rows in the epoch of the lowest validation loss so far, over the attributes
    `space.attrs`: it compares between loss weights, which a loss does not. Nothing of the test
    rows ever reaches a search.

    Answers must follow from the calls before them and from what `describe` returns, and from
    nothing else: after an interruption the calls are made again, and must have the same answers.

    Attributes:
      space: What is chosen from.
      count: How many trials there are.
      rungs: Epochs after which it is asked whether a trial may go on; ascending.
    """

    space: Space
    count: int
    rungs: tuple[int, ...] = ()

    def describe(self) -> dict[str, Any]:
        """Returns plain values that determine the search, save the number of trials."""
        return {"kind": type(self).__name__, **self.space.describe()}

    def begin(self) -> None:  # noqa: B027
        """Forgets all that it was told."""

    @abstractmethod
    def ask(self, trial: int) -> Point:
        """Chooses the settings of a trial."""

    def keep(self, trial: int, epoch: int, value: float) -> bool:
        """Decides after an epoch of `rungs` whether a trial goes on; the value may be NaN."""
        return True

    def tell(self, trial: int, value: float | None, pruned: bool) -> None:  # noqa: B027
        """Takes in how a trial ended.

        Args:
          trial: Which one.
          value: Its value; 0 where it diverged, which is what a constant prediction has; None where
            it failed with an error.
          pruned: Whether `keep` had ended it.
        """
