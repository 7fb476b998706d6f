"""Each arm against one reference: better, worse, equivalent, or undecided."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from dser_jax.stats.arms.effects import Effect, effect_size
from dser_jax.stats.arms.tost import Equivalence, tost
from dser_jax.stats.means import LEVEL
from dser_jax.stats.paired import PairedTest, holm_of_known, paired_t

Sign = Literal["better", "worse", ""]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the seeds say of one arm beside the reference.

    Attributes:
      arm: Its name.
      test: The paired t-test of its differences from the reference, with their 95% interval.
      equivalence: The two one-sided tests at the margin, with their 90% interval.
      effect: The difference over its spread.
      lost: Seeds without a difference, as one of the two diverged. They are left out of the tests,
        which are then of the runs that did not.
      p_holm: The p of `test`, adjusted for all arms.
      equivalence_p_holm: The p of `equivalence`, likewise.
    """

    arm: str
    test: PairedTest
    equivalence: Equivalence
    effect: Effect
    lost: int = 0
    p_holm: float | None = None
    equivalence_p_holm: float | None = None

    @property
    def sign(self) -> Sign:
        """To which side the arm differs from the reference, by its adjusted p; "" to none."""
        if self.p_holm is None or self.p_holm >= 1 - LEVEL or self.test.difference is None:
            return ""
        return "better" if self.test.difference > 0 else "worse"

    @property
    def equivalent(self) -> bool:
        """Whether the difference is inside the margins, by its adjusted p; equal scores are."""
        p = self.equivalence_p_holm
        return self.equivalence.equal or (p is not None and p < 1 - LEVEL)

    @property
    def says(self) -> Literal["better", "worse", "equivalent", "undecided"]:
        """The verdict, in a word.

        Equivalent comes first: a difference that is shown, and shown to be smaller than the margin,
        is one that does not matter. `sign` still tells it. "better" and "worse" say that there is a
        difference, not that it is larger than the margin.
        """
        return "equivalent" if self.equivalent else self.sign or "undecided"


def verdicts(differences: Mapping[str, ArrayLike], margin: float) -> tuple[Verdict, ...]:
    """Holds arms against one reference, on the same seeds.

    Each arm has two tests: whether it differs from the reference, and whether it differs by less
    than the margin. Holm's correction is for all arms, of either test for itself: at most one time
    in twenty is any arm called better or worse that is not, and at most one in twenty is any called
    equivalent that is not. The intervals are of each arm alone, uncorrected.

    Args:
      differences: Arm -> [seed] its scores minus those of the reference, higher scores being
        better; NaN where one of the two diverged. Without the reference itself.
      margin: The least difference that would matter, stated before the runs; above 0.

    Returns:
      A verdict an arm, the highest mean difference first, arms without one last.
    """
    found = []
    for arm, given in differences.items():
        values = np.asarray(given, np.float64)
        if values.ndim != 1:
            raise ValueError(f"{arm}: want a list of differences, got the shape {values.shape}")
        if np.isinf(values).any():
            raise ValueError(f"{arm}: want finite differences, or NaN; some are infinite")
        kept = values[~np.isnan(values)]
        equivalence = tost(kept, margin)
        if equivalence.note:
            test = PairedTest(kept.size, equivalence.difference, note=equivalence.note)
        else:
            test = paired_t(kept.tolist(), [0.0] * kept.size)
        effect = effect_size(kept) if not equivalence.note else Effect(kept.size, note=test.note)
        found.append(Verdict(arm, test, equivalence, effect, values.size - kept.size))
    p_holm = holm_of_known([each.test.p for each in found])
    equivalence_p_holm = holm_of_known([each.equivalence.p for each in found])
    adjusted = [
        replace(each, p_holm=p, equivalence_p_holm=q)
        for each, p, q in zip(found, p_holm, equivalence_p_holm, strict=True)
    ]
    return tuple(sorted(adjusted, key=_lower))


def _lower(verdict: Verdict) -> float:
    difference = verdict.test.difference
    return math.inf if difference is None else -difference
