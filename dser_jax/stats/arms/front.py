"""What fixed weights can reach in three scores at once, and what lies beyond."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Beyond(NamedTuple):
    """Where an arm lies beside the points of a grid.

    Attributes:
      beaten: How many points have no lower mean score in any attribute.
      share: Of resamples of the seeds, in how many no point has: 1 is far outside of what fixed
        weights reach, 0 well inside.
    """

    beaten: int
    share: float


def front(scores: ArrayLike) -> NDArray[np.bool_]:
    """Tells which points are on the front: no other is as good in all scores and better in one.

    Args:
      scores: [point, attr], higher being better.
    """
    values = np.asarray(scores, np.float64)
    no_worse = (values[:, None] >= values[None]).all(2)
    better = (values[:, None] > values[None]).any(2)
    return np.asarray(~(no_worse & better).any(0))


def beyond(grid: ArrayLike, arm: ArrayLike, *, resamples: int = 2000, seed: int = 0) -> Beyond:
    """Places an arm beside a grid whose points were trained with the same seeds.

    The best of many points is flattered by chance, so that an arm is said to be inside rather than
    outside.

    Args:
      grid: [point, seed, attr] scores.
      arm: [seed, attr] its own, in the order of the grid's seeds.
      resamples: How often seeds are drawn anew, with replacement, of all at once.
      seed: From which these follow.
    """
    points, own = np.asarray(grid, np.float64), np.asarray(arm, np.float64)
    seeds = own.shape[0]
    drawn = np.random.default_rng(seed).integers(0, seeds, (resamples, seeds))
    counts = np.zeros((resamples, seeds))
    np.add.at(counts, (np.arange(resamples)[:, None], drawn), 1 / seeds)
    ours = counts @ own
    theirs = np.einsum("rs,psa->rpa", counts, points)
    inside = (theirs >= ours[:, None]).all(2).any(1)
    beaten = int((points.mean(1) >= own.mean(0)).all(1).sum())
    return Beyond(beaten, float(1 - inside.mean()))
