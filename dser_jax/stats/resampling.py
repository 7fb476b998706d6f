"""What resampling a test set needs, on the device or without: sums to make CCCs of, what is drawn.

Only how often each utterance was drawn matters, and a CCC is a function of weighted sums: so a
thousand resamples are one product of two matrices, the counts, and the columns to be summed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dser_jax.corpora import ATTRS
from dser_jax.journal import Interval, JournalView
from dser_jax.stats.subsets import marks_of

RESAMPLES = 4000
"""With so many, another seed moves an end of an interval by some hundredths of its width."""

LEAST_LABELS = 10
"""Fewer labels than this are not resampled: an interval would say next to nothing."""

LEAST_SPEAKERS = 10
"""Fewer speakers than this are not resampled; their utterances are, as if they were independent."""

CHUNK_BYTES = 2**26
"""At most so much memory for the counts of the resamples that are drawn at a time."""


def chunk_size(resamples: int, utterances: int) -> int:
    """Returns how many resamples are drawn at a time."""
    return max(1, min(resamples, CHUNK_BYTES // (4 * utterances)))


def labelled(gold: ArrayLike) -> tuple[NDArray[np.float64], list[int]]:
    """Returns the labels of the attributes that have any, and their places.

    Returns:
      Nothing of either where one of them has fewer than `LEAST_LABELS`.

    Raises:
      ValueError: They are not [utt, attr].
    """
    gold = np.asarray(gold, np.float64)
    if gold.ndim != 2 or gold.shape[1] != len(ATTRS):
        raise ValueError(f"want labels [utt, {len(ATTRS)}], got {gold.shape}")
    labels = np.isfinite(gold).sum(0)
    attrs = np.flatnonzero(labels).tolist()
    if not attrs or labels[attrs].min() < LEAST_LABELS:
        return gold[:, :0], []
    return gold[:, attrs], attrs


def too_few(gold: NDArray) -> dict[str, int]:
    """Returns the attributes with too few labels to be resampled, and how many each has."""
    counts = np.isfinite(gold).sum(0).tolist()
    return {a: n for a, n in zip(ATTRS, counts, strict=True) if 0 < n < LEAST_LABELS}


def to_sum(gold: NDArray, preds: ArrayLike, attrs: Sequence[int]) -> list[tuple[NDArray, NDArray]]:
    """Makes, for each seed, what a resample is a weighted sum of, and the shift of the means.

    Args:
      gold: [utt, attr] labels of `labelled`.
      preds: [seed, utt, 3] finite predictions.
      attrs: The places of the attributes.

    Returns:
      [utt, six_attr]: 1, x, y, xx, yy and xy for each attribute, 0 where the label is missing; x
      and y are labels and predictions, each less its mean, without which float32 would cancel. And
      [attr]: the mean of the labels less that of the predictions.
    """
    preds = np.asarray(preds, np.float64)[..., list(attrs)]
    if preds.ndim != 3 or preds.shape[1:] != gold.shape or len(preds) == 0:
        raise ValueError(f"want predictions [seed, *{gold.shape}], got {preds.shape}")
    known = np.isfinite(gold)
    total = known.sum(0)
    gold = np.where(known, gold, 0.0)
    gold_mean = gold.sum(0) / total
    x = known * (gold - gold_mean)
    found = []
    for pred in np.where(known, preds, 0.0):
        pred_mean = pred.sum(0) / total
        y = known * (pred - pred_mean)
        columns = np.concatenate([known, x, y, x * x, y * y, x * y], axis=1)
        found.append((columns.astype(np.float32), (gold_mean - pred_mean).astype(np.float32)))
    return found


def ccc_of_sums(sums: Any, shift: Any, xp: Any = np) -> Any:
    """Computes Lin's concordance correlation coefficient of each resample, as in `loss.ccc`.

    Args:
      sums: [resample, six_attr], of the columns of `to_sum`.
      shift: [attr], as there.
      xp: The module that computes: NumPy, or jax.numpy.

    Returns:
      [resample, attr] coefficients; NaN for a resample without any label, 0 for one of constant,
      equal vectors.
    """
    total, x, y, xx, yy, xy = xp.split(sums, 6, axis=1)
    x, y, xx, yy, xy = (moment / xp.maximum(total, 1.0) for moment in (x, y, xx, yy, xy))
    spread = xx - x * x + yy - y * y + (x - y + shift[None]) ** 2
    defined = spread > 1e-6 * (xx + yy)  # Below, it is what rounding left of zero.
    value = xp.where(defined, 2.0 * (xy - x * y) / xp.where(defined, spread, 1.0), 0.0)
    return xp.where(total > 0, value, xp.nan)


def percentiles(values: NDArray, attrs: Sequence[int]) -> dict[str, Interval]:
    """Takes [resample, attr] scores to intervals; resamples without a label of one do not count."""
    whole = np.concatenate([values, values.mean(1, keepdims=True)], axis=1)
    ends = np.nanpercentile(whole, [2.5, 97.5], axis=0).T.tolist()
    columns = [*(ATTRS[at] for at in attrs), "mean"]
    return {column: Interval(*pair) for column, pair in zip(columns, ends, strict=True)}


class Unit(NamedTuple):
    """What is drawn of a test set: its name, how many there are, and whose each utterance is."""

    name: str
    count: int
    clusters: list[str] | None


def unit_of(view: JournalView, truth: str, utterances: int) -> Unit:
    """Returns speakers, where a journal names enough of them, or else utterances.

    Raises:
      DataError: What a journal tells of them is damaged.
    """
    speakers = np.asarray(marks_of(view, truth).get("test_speaker", []), str).tolist()
    if len(speakers) == utterances and all(speakers) and len(set(speakers)) >= LEAST_SPEAKERS:
        return Unit("speaker", len(set(speakers)), speakers)
    return Unit("utterance", utterances, None)


def labels_of(view: JournalView, truth: str) -> NDArray:
    """Loads the test labels that runs with this key predict; DataError where they are damaged."""
    return view.truth(truth).get("test_gold", np.empty((0, len(ATTRS))))


def predictions_of(view: JournalView, runs: Sequence[str], gold: NDArray) -> NDArray | None:
    """Loads the test predictions of runs, [seed, utt, attr].

    Returns:
      None where a run has none, or odd ones.

    Raises:
      DataError: The arrays of a run are missing or damaged.
    """
    found = [view.arrays(run).get("test_pred") for run in runs]
    usable = [
        pred
        for pred in found
        if pred is not None and pred.shape == gold.shape and np.isfinite(pred).all()
    ]
    return np.stack(usable) if usable and len(usable) == len(found) else None
