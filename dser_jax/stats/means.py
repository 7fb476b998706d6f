"""A score over several seeds: its mean, deviation and interval.

Every number here is about the *seeds* of one data split: how much a result moves when nothing but
the initial weights and the order of the rows change. How it would move with other speakers, no
number of seeds can tell.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
"""The level of every interval."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One score over several seeds.

    Attributes:
      n: The number of values.
      mean: Their mean.
      sd: Their standard deviation (ddof 1); None with one value.
      low, high: The 95% interval of the mean by Student's t with n - 1 degrees of freedom; None
        with one value.
    """

    n: int
    mean: float
    sd: float | None = None
    low: float | None = None
    high: float | None = None


def summary(values: Iterable[float]) -> Summary:
    """Summarises at least one finite value."""
    array = np.asarray(list(values), np.float64)
    if array.size == 0 or not np.isfinite(array).all():
        raise ValueError(f"want at least one value and all of them finite, got {array.tolist()}")
    mean = float(array.mean())
    if array.size == 1:
        return Summary(1, mean)
    sd = float(array.std(ddof=1))
    reach = t_quantile(array.size - 1) * sd / math.sqrt(array.size)
    return Summary(array.size, mean, sd, mean - reach, mean + reach)


def t_quantile(freedom: float) -> float:
    """Returns how many standard errors an interval of `LEVEL` reaches to either side."""
    from scipy import special

    return float(special.stdtrit(freedom, (1 + LEVEL) / 2))
