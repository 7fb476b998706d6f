"""Scores of predictions against gold labels, in NumPy and float64.

Written apart from the loss in JAX, so that each can witness against the other. A label that is NaN
is missing: `scores` drops its row for that attribute, and for that attribute alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dser_jax.corpora import ATTRS

BATCH = 32
"""Rows in a batch of Keras' `evaluate`, and so in `ccc_batch32`."""

Scores = dict[str, dict[str, float | None]]
"""metric -> attribute (or "mean") -> value; None where a run diverged."""


def ccc(gold: ArrayLike, pred: ArrayLike) -> float:
    """Computes Lin's concordance correlation coefficient.

        ccc = 2 cov(gold, pred) / (var(gold) + var(pred) + (mean(gold) - mean(pred))^2)

    with population (co)variances (ddof 0): eq. (2) of the paper, where the numerator is written
    2 rho sigma_x sigma_y. It is 1 for predictions equal to the labels, and falls when they are
    shifted or stretched, which a correlation would not notice.

    Args:
      gold: Labels, finite.
      pred: As many predictions, in the same order; any NaN or infinity makes the result NaN.

    Returns:
      A value in [-1, 1]. 0.0 with fewer than two values, and 0.0 where the denominator is 0: both
      vectors constant and equal, which says nothing of agreement.
    """
    gold, pred = _pair(gold, pred)
    if gold.size < 2:
        return 0.0
    if not (np.isfinite(gold).all() and np.isfinite(pred).all()):
        return float("nan")
    # Measured from its first value, a constant vector is exactly 0, however its mean is rounded.
    gold_rest, pred_rest = gold - gold[0], pred - pred[0]
    shift = (gold[0] - pred[0]) + (gold_rest.mean() - pred_rest.mean())
    gold_rest -= gold_rest.mean()
    pred_rest -= pred_rest.mean()
    covariance = np.mean(gold_rest * pred_rest)
    spread = np.mean(gold_rest**2) + np.mean(pred_rest**2) + shift**2
    return float(np.clip(2 * covariance / spread, -1, 1)) if spread > 0 else 0.0


def ccc_batch32(gold: ArrayLike, pred: ArrayLike, batch: int = BATCH) -> float:
    """Averages the CCCs of consecutive batches of rows, in the order given.

    This is what Keras' `evaluate` reported to the paper's authors, hence the number to hold against
    the paper's tables. It is *not* the CCC of the set: in file order the rows of a batch come from
    one dialogue, whose labels vary less than the set's, so it is usually much lower. `ccc` is the
    score of a model; this one is for comparison with the paper.

    Args:
      gold: Labels in file order, finite.
      pred: As many predictions.
      batch: Rows in a batch. The last one may be shorter, and weighs as much as any other.

    Returns:
      The unweighted mean; 0.0 without rows. A constant or one-row batch counts 0.0, as in `ccc`.
    """
    gold, pred = _pair(gold, pred)
    if batch < 1:
        raise ValueError(f"a batch needs at least one row, not {batch}")
    starts = range(0, gold.size, batch)
    parts = [ccc(gold[start : start + batch], pred[start : start + batch]) for start in starts]
    return float(np.mean(parts)) if parts else 0.0


def pcc(gold: ArrayLike, pred: ArrayLike) -> float:
    """Computes Pearson's correlation coefficient, cov(gold, pred) / (sd(gold) sd(pred)).

    Returns:
      A value in [-1, 1]; 0.0 where either vector is constant or there are fewer than two values;
      NaN where any value is not finite.
    """
    gold, pred = _pair(gold, pred)
    if gold.size < 2:
        return 0.0
    if not (np.isfinite(gold).all() and np.isfinite(pred).all()):
        return float("nan")
    gold, pred = gold - gold[0], pred - pred[0]
    gold, pred = gold - gold.mean(), pred - pred.mean()
    spread = np.sqrt(np.mean(gold**2)) * np.sqrt(np.mean(pred**2))
    return float(np.clip(np.mean(gold * pred) / spread, -1, 1)) if spread > 0 else 0.0


def rmse(gold: ArrayLike, pred: ArrayLike) -> float:
    """Computes the root of the mean squared error, in the labels' unit; 0.0 without values."""
    gold, pred = _pair(gold, pred)
    return float(np.sqrt(np.mean((gold - pred) ** 2))) if gold.size else 0.0


METRICS = {"ccc": ccc, "ccc_batch32": ccc_batch32, "rmse": rmse}
"""The metrics of a row of the journal, by their names there."""


def scores(gold: ArrayLike, pred: ArrayLike) -> Scores:
    """Scores the three attributes, in the form that a row of the journal holds.

    Args:
      gold: [utt, 3] labels in file order, attributes in the order of `ATTRS`; NaN where missing.
      pred: [utt, 3] predictions.

    Returns:
      `{"ccc": {"valence": .., "arousal": .., "dominance": .., "mean": ..}, "ccc_batch32": {..},
      "rmse": {..}}`. An attribute without any label is absent, and `mean` is over those present
      (absent itself if there are none). Where a labelled row has a prediction that is not finite,
      the score is None, and so is the mean: JSON knows no NaN.
    """
    gold, pred = np.asarray(gold, np.float64), np.asarray(pred, np.float64)
    if gold.shape != pred.shape or gold.ndim != 2 or gold.shape[1] != len(ATTRS):
        raise ValueError(f"want two arrays [utt, {len(ATTRS)}], got {gold.shape} and {pred.shape}")
    result: Scores = {name: {} for name in METRICS}
    for column, attr in enumerate(ATTRS):
        rows = ~np.isnan(gold[:, column])
        if not rows.any():
            continue
        labels, guesses = gold[rows, column], pred[rows, column]
        usable = bool(np.isfinite(guesses).all())
        for name, metric in METRICS.items():
            result[name][attr] = metric(labels, guesses) if usable else None
    for values in result.values():
        if values:
            known = [value for value in values.values() if value is not None]
            values["mean"] = float(np.mean(known)) if len(known) == len(values) else None
    return result


def _pair(gold: ArrayLike, pred: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Makes two float64 vectors of equal length, or says why it cannot."""
    gold, pred = np.asarray(gold, np.float64), np.asarray(pred, np.float64)
    if gold.ndim != 1 or gold.shape != pred.shape:
        raise ValueError(f"want two vectors of equal length, got {gold.shape} and {pred.shape}")
    return gold, pred
