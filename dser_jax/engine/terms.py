"""On what terms runs are trained: when one ends, who may end it before, and who is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from dser_jax.engine.progress import Tick


class Judge(NamedTuple):
    """What a search wants to be asked while runs are under way.

    Attributes:
      rungs: Epochs after which it is asked, ascending.
      keep: Called with a run's id, its epochs, and the CCC [attr] on the validation rows that its
        weights have by now; returns whether the run may go on.
    """

    rungs: Sequence[int]
    keep: Callable[[str, int, np.ndarray], bool]


class Hooks(NamedTuple):
    """What the engine calls while it trains; none of it changes a result.

    Attributes:
      progress: After each round.
      notice: With something that the user should read.
      stop: After each round; a signal's name ends the training, with all lanes saved.
      shrunk: With the number of lanes that memory turned out to hold.
      measured: With the number of lanes that was chosen by a measurement.
      ordered: With the schedule of recurrences that was measured, or named by the user.
    """

    progress: Callable[[Tick], None] = lambda tick: None
    notice: Callable[[str], None] = lambda text: None
    stop: Callable[[], str | None] = lambda: None
    shrunk: Callable[[int], None] = lambda lanes: None
    measured: Callable[[int], None] = lambda lanes: None
    ordered: Callable[[str], None] = lambda schedule: None


class Terms(NamedTuple):
    """What holds for all runs of an engine.

    Attributes:
      max_epochs: After which a run ends, if it has not.
      keep_weights: Whether outcomes carry the weights of their best epoch.
      judge: Ends runs before their time; None for nobody.
      hooks: What to call on the way.
    """

    max_epochs: int
    keep_weights: bool
    judge: Judge | None
    hooks: Hooks

    def certain(self, epoch: np.ndarray, patience: np.ndarray) -> int:
        """Returns for how many epochs no run can end, unless it becomes NaN.

        Args:
          epoch: What each run has been trained, [run].
          patience: What each has left of its patience, [run].
        """
        left = np.minimum(patience, self.max_epochs - epoch)
        for rung in () if self.judge is None else self.judge.rungs:
            to_rung = rung - epoch
            left = np.where(to_rung > 0, np.minimum(left, to_rung), left)
        return int(left.min())

    def may_go_on(self, run: str, epoch: int, ccc: np.ndarray) -> bool:
        """Asks the judge about a run, if this is a rung."""
        if self.judge is None or epoch not in self.judge.rungs:
            return True
        return self.judge.keep(run, epoch, ccc)
