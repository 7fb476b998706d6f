"""How many seeds a margin needs, before any is trained."""

from __future__ import annotations

import math

from dser_jax.stats.arms.spread import over_spread
from dser_jax.stats.means import LEVEL
from dser_jax.stats.paired import LEAST

ALPHA = 1 - LEVEL
POWER = 0.8
MOST = 10_000_000
"""A margin that needs more seeds than this is refused."""


def power_of_tost(
    seeds: int,
    deviation: float,
    margin: float,
    *,
    difference: float = 0.0,
    alpha: float = ALPHA,
    arms: int = 1,
) -> float:
    """Computes how likely `tost` shows equivalence, for normal differences; no approximation.

        P(|mean| < margin - t s / sqrt(n)) = E[Phi(a - b - t u) - Phi(t u - a - b); t u < a],
        a = margin sqrt(n) / sigma,  b = difference sqrt(n) / sigma,  u = s / sigma,

    the expectation over the deviation s of a sample: u^2 (n - 1) is chi-squared with n - 1 degrees
    of freedom, and t the quantile 1 - alpha of Student's distribution with as many. K. Phillips,
    "Power of the two one-sided tests procedure in bioequivalence", Journal of Pharmacokinetics and
    Biopharmaceutics 18, 1990.

    Args:
      seeds: Paired differences, three at least.
      deviation: The standard deviation of the differences over all seeds, above 0; not that of the
        scores, of which pairing takes away what a seed gives to both.
      margin: Above 0, in the same unit.
      difference: The true one.
      alpha: The level of the family of tests.
      arms: How many arms are tested against the same reference. Holm's correction is accounted for
        as if it were Bonferroni's, alpha / arms: an arm that passes that passes Holm's, so the
        power is at least what is returned. It is that of each arm, not of all at once.

    Returns:
      The probability, 0 to 1.
    """
    _check(deviation, margin, alpha, arms)
    if seeds < LEAST:
        raise ValueError(f"want at least {LEAST} seeds, got {seeds}")
    root = math.sqrt(seeds) / deviation
    return tost_power(margin * root, difference * root, seeds - 1, alpha / arms)


def tost_power(margin: float, difference: float, freedom: int, alpha: float) -> float:
    """Computes the power of two one-sided t-tests of any design.

    Args:
      margin: Over the standard error of the difference; a of `power_of_tost`.
      difference: Likewise; b.
      freedom: Degrees of freedom of the standard error.
      alpha: The level of each test, below .5.
    """
    from scipy import special

    t = float(special.stdtrit(freedom, 1 - alpha))
    knots = [(margin + side * difference - 8) / t for side in (-1, 0, 1)]
    u, weights = over_spread(freedom, knots, below=margin / t)
    inside = special.ndtr(margin - t * u - difference) - special.ndtr(t * u - margin - difference)
    return min(1.0, max(0.0, float(weights @ inside)))


def seeds_needed(
    deviation: float, margin: float, power: float = POWER, alpha: float = ALPHA, arms: int = 1
) -> int:
    """Returns the least number of paired seeds with which `tost` has a power.

    The true difference is taken to be 0; where it is not, more are needed.

    Args:
      deviation: Of the differences; see `power_of_tost`. One of a pilot's few seeds may be far
        too small: of five seeds it is below half of the true one in one case of eleven.
      margin: In the same unit.
      power: How likely equivalence is to be shown, between .05 and 1: below, a fourth seed may take
        away what little power three have.
      alpha: Of the family of tests.
      arms: How many are tested against the same reference; see `power_of_tost`.

    Raises:
      ValueError: An argument is out of its range, or more than ten million seeds would be needed.
    """
    if not 0.05 <= power < 1:
        raise ValueError(f"want a power between .05 and 1, got {power}")

    def enough(seeds: int) -> bool:
        return power_of_tost(seeds, deviation, margin, alpha=alpha, arms=arms) >= power

    few, many = LEAST - 1, LEAST
    while not enough(many):
        few, many = many, 2 * many
        if many > MOST:
            raise ValueError(
                f"a margin of {margin:g} is too small beside a deviation of {deviation:g}: "
                f"it needs more than {MOST} seeds"
            )
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if enough(middle) else (middle, many)
    return many


def _check(deviation: float, margin: float, alpha: float, arms: int) -> None:
    for name, value in (("deviation", deviation), ("margin", margin)):
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"want a {name} above 0, got {value}")
    if not 0 < alpha < 0.5:
        raise ValueError(f"want an alpha between 0 and .5, got {alpha}")
    if arms < 1:
        raise ValueError(f"want at least 1 arm, got {arms}")
