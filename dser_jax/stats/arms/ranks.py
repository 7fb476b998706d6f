"""All arms at once, by their ranks alone: Friedman's test and Nemenyi's critical difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dser_jax.stats.means import LEVEL
from dser_jax.stats.paired import LEAST


@dataclass(frozen=True, slots=True)
class Ranking:
    """Mean ranks of arms over seeds, and which of them differ.

    Attributes:
      seeds: The number of seeds.
      ranks: [arm] the mean rank; 1 is that of an arm with the highest score at every seed.
      chi2, p: Friedman's statistic, with one degree of freedom less than there are arms, and the
        probability of one as large if each order of the arms were as likely at each seed.
      f, f_p: Iman and Davenport's, which is closer to its level; infinite where all seeds agree.
      critical: Nemenyi's critical difference: two arms differ whose mean ranks are as far apart.
      groups: The largest sets of arms no two of which differ, two arms at least, as places in
        `ranks`, best first. An arm in none differs from all others.
      unscored: Scores that were not numbers, and have the last rank of their seed.
      note: Why there is no test; then the fields from `chi2` to `critical` are None.
    """

    seeds: int
    ranks: tuple[float, ...]
    chi2: float | None = None
    p: float | None = None
    f: float | None = None
    f_p: float | None = None
    critical: float | None = None
    groups: tuple[tuple[int, ...], ...] = ()
    unscored: int = 0
    note: str = ""


def friedman(scores: ArrayLike, alpha: float = 1 - LEVEL) -> Ranking:
    """Ranks arms at each seed and tests whether their mean ranks differ.

        chi2 = 12 n / (k (k + 1)) sum_j (r_j - (k + 1) / 2)^2 / c,
        F = (n - 1) chi2 / (n (k - 1) - chi2),
        critical = q sqrt(k (k + 1) / (6 n)),

    for n seeds and k arms of mean rank r_j; c corrects for ties, which share the mean of their
    ranks, and q is the quantile 1 - alpha of the studentized range of k, over sqrt(2).
    M. Friedman, "The use of ranks to avoid the assumption of normality", Journal of the American
    Statistical Association 32, 1937; R. Iman and J. Davenport, "Approximations of the critical
    region of the Friedman statistic", Communications in Statistics A 9, 1980; J. Demsar,
    "Statistical comparisons of classifiers over multiple data sets", Journal of Machine Learning
    Research 7, 2006.

    The critical difference holds for all pairs of arms at once, so it grows with their number; and
    whether two arms differ by it depends on what else is ranked. Arms in one group are not shown to
    be equivalent: see `tost`. Scores are tied if they are equal to 1e-12 of the largest.

    Args:
      scores: [seed, arm], higher is better. NaN, of a run that diverged, is worse than any score.
      alpha: The level of Nemenyi's test.

    Returns:
      The ranks and the tests; of fewer than three seeds, or where all arms are tied at every seed,
      the ranks alone.

    Raises:
      ValueError: Fewer than two arms, no seed, an infinite score, or another shape.
    """
    values = np.asarray(scores, np.float64)
    if values.ndim != 2 or values.shape[0] < 1 or values.shape[1] < 2:
        raise ValueError(f"want scores [seed, arm] of two arms at least, got {values.shape}")
    if np.isinf(values).any():
        raise ValueError("want finite scores, or NaN where a run diverged; some are infinite")
    unscored = int(np.isnan(values).sum())
    placed = _ranks(values)
    n, k = placed.shape
    means = placed.mean(0)
    ranks = tuple(means.tolist())
    spread = float(((placed - (k + 1) / 2) ** 2).sum()) / (n * (k - 1))  # c k (k + 1) / 12
    if n < LEAST or spread == 0:
        why = f"fewer than {LEAST} seeds" if n < LEAST else "all arms are tied at every seed"
        return Ranking(n, ranks, unscored=unscored, note=f"no test: {why}")
    from scipy import special

    chi2 = n * float(((means - (k + 1) / 2) ** 2).sum()) / spread
    left = n * (k - 1) - chi2
    f = (n - 1) * chi2 / left if left > 1e-9 * chi2 else math.inf
    critical = critical_difference(k, n, alpha)
    return Ranking(
        n,
        ranks,
        chi2,
        float(special.chdtrc(k - 1, chi2)),
        f,
        float(special.fdtrc(k - 1, (k - 1) * (n - 1), f)),
        critical,
        alike(ranks, critical),
        unscored,
    )


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks each row from its highest, ties sharing the mean of their ranks; NaN is the lowest."""
    from scipy.stats import rankdata

    largest = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
    rounded = np.round(values / largest, 12)
    return rankdata(np.where(np.isnan(rounded), np.inf, -rounded), axis=1)


def critical_difference(arms: int, seeds: int, alpha: float = 1 - LEVEL) -> float:
    """Returns how far apart the mean ranks of two arms are that differ, by Nemenyi's test.

    P. Nemenyi, "Distribution-free multiple comparisons", Princeton University, 1963.
    """
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(1 - alpha, arms, math.inf)) / math.sqrt(2)
    return q * math.sqrt(arms * (arms + 1) / (6 * seeds))


def alike(ranks: Sequence[float], critical: float) -> tuple[tuple[int, ...], ...]:
    """Returns the largest sets of places with ranks less than a critical difference apart."""
    order = sorted(range(len(ranks)), key=ranks.__getitem__)
    found: list[tuple[int, ...]] = []
    reached = 0
    for start, first in enumerate(order):
        end = start
        while end < len(order) and ranks[order[end]] - ranks[first] < critical:
            end += 1
        if end > max(reached, start + 1):
            found.append(tuple(order[start:end]))
        reached = max(reached, end)
    return tuple(found)
