"""Paired tests over seeds: Student's, the signed ranks, and Holm's correction for several."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dser_jax.stats.means import t_quantile
from dser_jax.stats.rows import Row

LEAST = 3
"""Fewer pairs than this are not tested: with one degree of freedom, p says next to nothing."""


@dataclass(frozen=True, slots=True)
class PairedTest:
    """A two-tailed paired t-test.

    Attributes:
      n: The number of pairs.
      difference: Mean of the first minus the second; None without pairs.
      low, high: The 95% interval of the difference.
      t, p: The statistic with n - 1 degrees of freedom, and the probability of one as far from 0 if
        the two did not differ.
      effect: Cohen's d_z, the mean of the differences over their standard deviation.
      note: Why there is no test; then the fields from `low` to `effect` are None.
    """

    n: int
    difference: float | None
    low: float | None = None
    high: float | None = None
    t: float | None = None
    p: float | None = None
    effect: float | None = None
    note: str = ""


def paired_t(first: Sequence[float], second: Sequence[float]) -> PairedTest:
    """Tests whether two lists of scores differ, the scores at one place having the same seed.

        t = mean(d) / (sd(d) / sqrt(n)),  d = first - second

    There is no test, and the note says why, with fewer than three pairs and where all differences
    are equal to rounding: their standard deviation is 0, and t would be infinite or undefined.
    """
    one, two = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if one.ndim != 1 or one.shape != two.shape:
        raise ValueError(f"want two lists of equal length, got {one.shape} and {two.shape}")
    n = one.size
    if n == 0:
        return PairedTest(0, None, note="no seed in common")
    differences = one - two
    mean = float(differences.mean())
    if n < LEAST:
        return PairedTest(n, mean, note=f"no test with fewer than {LEAST} seeds in common")
    sd = float(differences.std(ddof=1))
    if sd <= 1e-12 * max(np.abs(one).max(), np.abs(two).max()):
        same = (
            "the scores are equal" if abs(mean) <= sd or mean == 0 else "every seed differs alike"
        )
        return PairedTest(n, mean, note=f"no test: {same}")
    error = sd / math.sqrt(n)
    reach = t_quantile(n - 1) * error
    t = mean / error
    return PairedTest(n, mean, mean - reach, mean + reach, t, _two_tailed(n - 1, t), mean / sd)


@dataclass(frozen=True, slots=True)
class SignedRank:
    """A two-tailed Wilcoxon signed-rank test.

    Attributes:
      n: The number of pairs that differ; the test leaves out the others.
      zeros: The number of pairs that do not.
      ties: How many of the n differ by as much as another one.
      plus, minus: The sums of the ranks of the positive and of the negative differences.
      p: The probability of sums as unequal, if each difference were as likely to be negative.
      effect: The matched-pairs rank-biserial correlation, (plus - minus) / (plus + minus): 1 where
        every difference is positive, -1 where every one is negative.
      note: Why there is no test (then `p` is None), or what limits it.
    """

    n: int
    zeros: int
    ties: int = 0
    plus: float | None = None
    minus: float | None = None
    p: float | None = None
    effect: float | None = None
    note: str = ""


def signed_rank(first: Sequence[float], second: Sequence[float]) -> SignedRank:
    """Tests whether two lists of scores differ, without taking the differences for normal.

    The differences that are not 0 are ranked by their size, equal sizes sharing the mean of their
    ranks. The p-value is exact for any n, also with ties: of the 2^n ways to give signs to these
    ranks, the share with sums at least as unequal. Hence no p is below 2 / 2^n, and with five pairs
    none is below .0625. Sizes are equal if they are to rounding. F. Wilcoxon, "Individual
    comparisons by ranking methods", Biometrics Bulletin 1, 1945; D. Kerby, "The simple difference
    formula", Comprehensive Psychology 3, 2014.
    """
    one, two = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if one.ndim != 1 or one.shape != two.shape:
        raise ValueError(f"want two lists of equal length, got {one.shape} and {two.shape}")
    if one.size == 0:
        return SignedRank(0, 0, note="no seed in common")
    scale = max(np.abs(one).max(), np.abs(two).max()) or 1.0
    steps = np.round((one - two) / scale, 12)
    steps = steps[steps != 0]
    n, zeros = steps.size, one.size - steps.size
    equal = f"{zeros} of {one.size} pairs are equal and left out" if zeros else ""
    if n < LEAST:
        few = f"no test with fewer than {LEAST} seeds in common"
        return SignedRank(n, zeros, note=few if not zeros else f"no test: {equal}")
    _, places, counts = np.unique(np.abs(steps), return_inverse=True, return_counts=True)
    doubled = (2 * np.cumsum(counts) - counts + 1)[places]  # Twice the rank is a whole number.
    plus, minus = (int(doubled[sign * steps > 0].sum()) for sign in (1, -1))
    ties = int(counts[counts > 1].sum())
    p = min(1.0, 2 * float(_sums(doubled)[: min(plus, minus) + 1].sum()))
    least = 2.0 ** (1 - n)
    notes = [equal] if zeros else []
    notes += [f"{ties} differences are tied"] if ties else []
    notes += [f"with {n} pairs no p is below {least:.3g}"] if least > 0.05 else []
    effect = (plus - minus) / (plus + minus)
    return SignedRank(n, zeros, ties, plus / 2, minus / 2, p, effect, "; ".join(notes))


def _sums(ranks: NDArray[np.integer]) -> NDArray[np.float64]:
    """Returns the probability of each sum of ranks, each of them counted or not by a fair coin."""
    chances = np.zeros(int(ranks.sum()) + 1)
    chances[0] = 1.0
    for rank in ranks.tolist():
        chances[rank:] = (chances[rank:] + chances[:-rank]) / 2
        chances[:rank] /= 2
    return chances


def _two_tailed(freedom: int, t: float) -> float:
    from scipy import special

    return float(2 * special.stdtr(freedom, -abs(t)))


def holm(values: Sequence[float]) -> list[float]:
    """Adjusts the p-values of one family of tests, by Holm's step-down method.

    The smallest of m is multiplied by m, the next by m - 1 and so on; none falls below an earlier
    one, nor rises above 1. S. Holm, "A simple sequentially rejective multiple test procedure",
    Scandinavian Journal of Statistics 6, 1979.
    """
    adjusted = [0.0] * len(values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        highest = max(highest, min(1.0, (len(values) - rank) * values[place]))
        adjusted[place] = highest
    return adjusted


def holm_of_known(values: Sequence[float | None]) -> list[float | None]:
    """Adjusts the p-values of the tests that there are, likewise."""
    adjusted = iter(holm([value for value in values if value is not None]))
    return [None if value is None else next(adjusted) for value in values]


class Pairs(NamedTuple):
    """Scores of two lists of rows, seed by seed, and how many rows found no partner."""

    seeds: tuple[Any, ...]
    first: tuple[float, ...]
    second: tuple[float, ...]
    unpaired: int


def pair_by_seed(
    first: Sequence[Row], second: Sequence[Row], value: Callable[[Row], float | None]
) -> Pairs:
    """Pairs the rows of equal seeds.

    Args:
      first: Rows of the journal.
      second: Others.
      value: Takes a row to its score; None where it has none, as a diverged run.

    Returns:
      The pairs, in the order of the seeds in `first`. A row without a score, without a partner, or
      whose seed occurs twice on its side (which of the two to pair, nobody can say) is unpaired.
    """
    one, two = by_seed(first, value), by_seed(second, value)
    return pair(one, two, len(first) + len(second))


def pair(one: Mapping[Any, float], two: Mapping[Any, float], rows: int) -> Pairs:
    """Pairs the scores of equal seeds, of so many rows in all."""
    seeds = tuple(seed for seed in one if seed in two)
    first, second = tuple(one[seed] for seed in seeds), tuple(two[seed] for seed in seeds)
    return Pairs(seeds, first, second, rows - 2 * len(seeds))


def by_seed(rows: Sequence[Row], value: Callable[[Row], float | None]) -> dict[Any, float]:
    """Returns the score of each seed that occurs once and has one."""
    times = Counter(row["seed"] for row in rows)
    found = {row["seed"]: value(row) for row in rows if times[row["seed"]] == 1}
    return {seed: score for seed, score in found.items() if score is not None}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two names of a table, tested on one column.

    Attributes:
      first, second: The names; the difference is the first minus the second.
      test: The paired t-test, over the seeds that both have.
      ranks: The signed-rank test, over the same.
      unpaired: Runs of either that had no partner.
      p_holm, ranks_p_holm: The p of each, adjusted for all its tests of this column of the table.
    """

    first: str
    second: str
    test: PairedTest
    ranks: SignedRank
    unpaired: int
    p_holm: float | None = None
    ranks_p_holm: float | None = None


def compare(
    rows: Mapping[str, Sequence[Row]],
    value: Callable[[Row], float | None],
    against: str | None = None,
) -> tuple[Comparison, ...]:
    """Tests names against each other; the p-values are adjusted for as many tests as these.

    Args:
      rows: Name -> its runs.
      value: Takes a row to its score; None where it has none.
      against: A name to test all the others against; by default every pair is tested.
    """
    seeds = {name: by_seed(runs, value) for name, runs in rows.items()}
    found = []
    for one, two in itertools.combinations(seeds, 2):
        if against is not None and against not in (one, two):
            continue
        pairs = pair(seeds[one], seeds[two], len(rows[one]) + len(rows[two]))
        both = (pairs.first, pairs.second)
        found.append(Comparison(one, two, paired_t(*both), signed_rank(*both), pairs.unpaired))
    p_holm = holm_of_known([each.test.p for each in found])
    ranks_p_holm = holm_of_known([each.ranks.p for each in found])
    return tuple(
        replace(each, p_holm=p, ranks_p_holm=ranks_p)
        for each, p, ranks_p in zip(found, p_holm, ranks_p_holm, strict=True)
    )
