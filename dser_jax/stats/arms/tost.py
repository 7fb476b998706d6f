"""Whether a difference is smaller than one that would matter: two one-sided tests."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dser_jax.stats.means import LEVEL
from dser_jax.stats.paired import LEAST

EQUAL = "no test: the scores are equal"
"""The note where every difference is 0."""


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Two one-sided paired t-tests: is the mean difference inside (-margin, margin)?

    Attributes:
      n: The number of differences.
      margin: The least difference that would matter, in the unit of the scores.
      difference: The mean; None without a finite difference at each seed.
      alpha: The level of the test.
      deviation: Their standard deviation, from which `seeds_needed` plans.
      low, high: The interval of level 1 - 2 alpha. It lies inside the margins exactly where the
        test rejects, so that `max(-low, high)` is the margin from which on it would.
      t_low, t_high: The statistics against -margin and against margin, with n - 1 degrees of
        freedom; the first should be far above 0, the second far below.
      p: The larger p-value of the two: the probability of a mean so far inside the margins, if the
        true one were on the nearer of them.
      note: Why there is no test; then `p` and the fields from `deviation` to `t_high` are None.
    """

    n: int
    margin: float
    difference: float | None
    alpha: float
    deviation: float | None = None
    low: float | None = None
    high: float | None = None
    t_low: float | None = None
    t_high: float | None = None
    p: float | None = None
    note: str = ""

    @property
    def equal(self) -> bool:
        """Whether every seed has the same score twice: then there is nothing to test."""
        return self.note == EQUAL

    @property
    def equivalent(self) -> bool:
        """Whether the difference is shown to be inside the margins; equal scores are, untested."""
        return self.equal or (self.p is not None and self.p < self.alpha)


def tost(differences: ArrayLike, margin: float, confidence: float = LEVEL) -> Equivalence:
    """Tests whether paired differences are equivalent to 0, within a margin stated beforehand.

        t_low  = (mean(d) + margin) / (sd(d) / sqrt(n))
        t_high = (mean(d) - margin) / (sd(d) / sqrt(n)),    p = max(P(T > t_low), P(T < t_high))

    That two scores were not found to differ does not make them equivalent: with few seeds, neither
    test rejects. D. Schuirmann, "A comparison of the two one-sided tests procedure and the power
    approach for assessing the equivalence of average bioavailability", Journal of Pharmacokinetics
    and Biopharmaceutics 15, 1987.

    Args:
      differences: [seed] the first score minus the second. The order of the seeds does not matter.
      margin: Above 0, in the unit of the scores; the same to either side.
      confidence: 1 - alpha, between .5 and 1.

    Returns:
      The test. There is none, and the note says why, with fewer than three differences, where one
      is not finite (a run that diverged: whether to leave it out is for the caller to decide), and
      where all are equal to 1e-12 of the margin: their deviation says nothing of other seeds. Of
      these, all 0 counts as equivalent, anything else does not.

    Raises:
      ValueError: The margin or the confidence is out of its range, or `differences` is no list.
    """
    if not (math.isfinite(margin) and margin > 0):
        raise ValueError(f"want a margin above 0, got {margin}")
    if not 0.5 < confidence < 1:
        raise ValueError(f"want a confidence between .5 and 1, got {confidence}")
    values = np.asarray(differences, np.float64)
    if values.ndim != 1:
        raise ValueError(f"want a list of differences, got the shape {values.shape}")
    n, alpha = values.size, 1 - confidence
    finite = bool(np.isfinite(values).all()) and n > 0
    mean = float(values.mean()) if finite else None
    note = why_untested(values, margin)
    if note or mean is None:
        return Equivalence(n, margin, mean, alpha, note=note)
    from scipy import special

    deviation = float(values.std(ddof=1))
    error = deviation / math.sqrt(n)
    reach = float(special.stdtrit(n - 1, confidence)) * error
    t_low, t_high = (mean + margin) / error, (mean - margin) / error
    p = max(float(special.stdtr(n - 1, t)) for t in (-t_low, t_high))
    ends = (mean - reach, mean + reach)
    return Equivalence(n, margin, mean, alpha, deviation, *ends, t_low, t_high, p)


def why_untested(differences: NDArray[np.float64], scale: float = 0.0) -> str:
    """Says why differences [seed] allow no test; "" where they do.

    Args:
      differences: Of scores.
      scale: Differences are equal that are to 1e-12 of this, or of the largest of them.
    """
    n = differences.size
    if n == 0:
        return "no seed in common"
    lost = n - int(np.isfinite(differences).sum())
    if lost:
        return f"no test: {lost} of {n} differences {'is' if lost == 1 else 'are'} not finite"
    if n < LEAST:
        return f"no test with fewer than {LEAST} seeds in common"
    largest = float(np.abs(differences).max())
    tiny = 1e-12 * max(scale, largest)
    if largest <= tiny:
        return EQUAL
    return "no test: every seed differs alike" if np.ptp(differences) <= tiny else ""
