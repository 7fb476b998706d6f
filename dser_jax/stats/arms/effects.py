"""How large a paired difference is beside its own spread over seeds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from dser_jax.stats.arms.spread import over_spread
from dser_jax.stats.arms.tost import why_untested
from dser_jax.stats.means import LEVEL


@dataclass(frozen=True, slots=True)
class Effect:
    """A standardised paired difference.

    Attributes:
      n: The number of differences.
      d: Cohen's d_z, their mean over their standard deviation: what the seeds of this sample show.
      g: The same with Hedges' correction, an unbiased estimate of what all seeds would show.
      low, high: The 95% interval of g.
      note: Why there is none; then the fields from `d` to `high` are None.
    """

    n: int
    d: float | None = None
    g: float | None = None
    low: float | None = None
    high: float | None = None
    note: str = ""


def effect_size(differences: ArrayLike) -> Effect:
    """Computes Cohen's d_z with Hedges' correction, and its exact interval.

        d = mean(x) / sd(x),    g = J d,    J = Gamma(f / 2) / (sqrt(f / 2) Gamma((f - 1) / 2)),
        f = n - 1

    For normal differences d sqrt(n) has a noncentral t distribution. The interval has the
    noncentralities for which the observed one is at its 97.5th and at its 2.5th percentile, over
    sqrt(n), times J. L. Hedges, "Distribution theory for Glass's estimator of effect size and
    related estimators", Journal of Educational Statistics 6, 1981; G. Cumming and S. Finch, "A
    primer on the understanding, use, and calculation of confidence intervals", Educational and
    Psychological Measurement 61, 2001.

    d_z is not d of two groups: seeds that move both scores alike make it larger.

    Args:
      differences: [seed] the first score minus the second.

    Returns:
      The effect. There is none, and the note says why, where `tost` has no test.
    """
    values = np.asarray(differences, np.float64)
    if values.ndim != 1:
        raise ValueError(f"want a list of differences, got the shape {values.shape}")
    n = values.size
    note = why_untested(values)
    if note:
        return Effect(n, note=note)
    d = float(values.mean() / values.std(ddof=1))
    shrunk = hedges(n - 1)
    root = math.sqrt(n)
    low, high = (
        shrunk * _noncentrality(d * root, n - 1, level) / root
        for level in ((1 + LEVEL) / 2, (1 - LEVEL) / 2)
    )
    return Effect(n, d, shrunk * d, low, high)


def hedges(freedom: int) -> float:
    """Returns Hedges' factor J for so many degrees of freedom, two at least."""
    half = freedom / 2
    return math.exp(math.lgamma(half) - math.lgamma(half - 0.5)) / math.sqrt(half)


def _noncentrality(t: float, freedom: int, level: float) -> float:
    """Returns the noncentrality of the t distribution that has t at this percentile."""
    from scipy import optimize

    low, high = t - 5.0, t + 5.0
    while probability_below(t, freedom, low) < level:
        low -= high - low
    while probability_below(t, freedom, high) > level:
        high += high - low
    return float(  # The probability falls with the noncentrality.
        optimize.brentq(lambda at: probability_below(t, freedom, at) - level, low, high, xtol=1e-10)  # pyrefly: ignore
    )


def probability_below(t: float, freedom: int, noncentrality: float) -> float:
    """Computes P(T < t) of a noncentral t distribution: E[Phi(t u - noncentrality)].

    SciPy's own is not a number where t and the noncentrality are in the thousands.
    """
    from scipy import special

    knots = [(noncentrality + step) / t for step in (-8.0, 8.0)] if t else []
    u, weights = over_spread(freedom, knots)
    return float(weights @ special.ndtr(t * u - noncentrality))
