"""How far a score would move with other test utterances: the percentile bootstrap, on the device.

A resample draws as many utterances as there are, with replacement. Only how often each was drawn
matters, and a CCC is a function of weighted sums, so a thousand resamples are one product of two
matrices: the counts, and the columns to be summed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import ArrayLike, NDArray

from dser_jax.corpora import ATTRS
from dser_jax.journal import (
    Interval,
    Intervals,
    JournalView,
    Resampled,
    interval_key,
    read_intervals,
    write_intervals,
)
from dser_jax.stats.subsets import marks_of
from dser_jax.stats.table import TableRow, tables
from dser_jax.system import DataError

RESAMPLES = 4000
"""With so many, another seed moves an end of an interval by some hundredths of its width."""

LEAST_LABELS = 10
"""Fewer labels than this are not resampled: an interval would say next to nothing."""

LEAST_SPEAKERS = 10
"""Fewer speakers than this are not resampled; their utterances are, as if they were independent."""

CHUNK_BYTES = 2**26
"""At most so much memory for the counts of the resamples that are drawn at a time."""


def draw_counts(
    resamples: Int[ArrayLike, "resample"],
    clusters: Int[ArrayLike, "utt"],
    *,
    seed: int = 0,
    count: int,
) -> Float[Array, "resample utt"]:
    """Draws clusters with replacement, as many as there are, and counts them for each utterance.

    Args:
      resamples: Numbers of the resamples. A resample follows from its number and the seed, whatever
        others are drawn beside it.
      clusters: The cluster, 0 to count - 1, of each utterance: all different, or the speakers.
      seed: Of all resamples.
      count: How many clusters there are.
    """
    numbers = jnp.asarray(resamples, jnp.uint32)
    return _counts(numbers, jnp.asarray(clusters, jnp.int32), jax.random.key(seed), count)


@partial(jax.jit, static_argnums=3)
def _counts(numbers, clusters, key, count):
    def one(number):
        drawn = jax.random.randint(jax.random.fold_in(key, number), (count,), 0, count)
        return jnp.zeros(count, jnp.float32).at[drawn].add(1.0)

    return jax.vmap(one)(numbers)[:, clusters]


@jax.jit
def resampled_ccc(
    counts: Float[Array, "resample utt"],
    columns: Float[Array, "utt six_attr"],
    shift: Float[Array, "attr"],
) -> Float[Array, "resample attr"]:
    """Computes Lin's concordance correlation coefficient of each resample, as in `loss.ccc`.

    Args:
      counts: How often each utterance was drawn.
      columns: 1, x, y, xx, yy and xy for each attribute, 0 where the label is missing; x and y are
        labels and predictions, each less its mean, without which float32 would cancel.
      shift: The mean of the labels less that of the predictions.

    Returns:
      Coefficients; NaN for a resample without any label, 0 for one of constant, equal vectors.
    """
    sums = jnp.dot(counts, columns, precision=jax.lax.Precision.HIGHEST)
    total, x, y, xx, yy, xy = jnp.split(sums, 6, axis=1)
    x, y, xx, yy, xy = (moment / jnp.maximum(total, 1.0) for moment in (x, y, xx, yy, xy))
    spread = xx - x * x + yy - y * y + (x - y + shift[None]) ** 2
    defined = spread > 1e-6 * (xx + yy)  # Below, it is what rounding left of zero.
    value = jnp.where(defined, 2.0 * (xy - x * y) / jnp.where(defined, spread, 1.0), 0.0)
    return jnp.where(total > 0, value, jnp.nan)


def bootstrap_many(
    gold: ArrayLike,
    preds: Mapping[str, ArrayLike],
    *,
    clusters: ArrayLike | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, dict[str, Interval]]:
    """Computes intervals over test utterances for several names, from the same resamples.

    The score of a name is the CCC averaged over its seeds, which are kept as they are: the interval
    tells how the score moves with the utterances, not with the seeds.

    Args:
      gold: [utt, 3] labels; NaN where missing.
      preds: name -> [seed, utt, 3] finite predictions.
      clusters: [utt] names of what is drawn as a whole, such as speakers; each utterance alone by
        default.
      resamples: How many.
      seed: From which the resamples follow.

    Returns:
      name -> attribute -> the 2.5th and 97.5th percentile; "mean" is over the attributes that have
      labels. Nothing where one of these has fewer than ten.
    """
    gold = np.asarray(gold, np.float64)
    if gold.ndim != 2 or gold.shape[1] != len(ATTRS):
        raise ValueError(f"want labels [utt, {len(ATTRS)}], got {gold.shape}")
    labels = np.isfinite(gold).sum(0)
    attrs = np.flatnonzero(labels).tolist()
    if not attrs or not preds or labels[attrs].min() < LEAST_LABELS:
        return {name: {} for name in preds}
    gold = gold[:, attrs]
    ready = {
        name: _columns(gold, np.asarray(pred, np.float64)[..., attrs])
        for name, pred in preds.items()
    }
    utterances = len(gold)
    apart = np.arange(utterances) if clusters is None else np.asarray(clusters)
    names, places = np.unique(apart, return_inverse=True)
    chunk = max(1, min(resamples, CHUNK_BYTES // (4 * utterances)))
    scores = {name: np.empty((0, len(attrs))) for name in ready}
    draw = partial(draw_counts, clusters=places, seed=seed, count=len(names))
    for start in range(0, resamples, chunk):
        counts = draw(np.arange(start, start + chunk))  # Beyond the last, drawn and not used.
        for name, runs in ready.items():
            values = [resampled_ccc(counts, *run) for run in runs]
            mean = np.mean([np.asarray(value, np.float64) for value in values], axis=0)
            scores[name] = np.concatenate([scores[name], mean])[:resamples]
    return {name: _percentiles(values, attrs) for name, values in scores.items()}


def bootstrap_ccc(
    gold: ArrayLike,
    preds: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """Computes intervals over test utterances for the runs of one name: see `bootstrap_many`."""
    found = bootstrap_many(gold, {"": preds}, clusters=clusters, resamples=resamples, seed=seed)
    return found[""]


def _columns(gold: NDArray, preds: NDArray) -> list[tuple[NDArray, NDArray]]:
    """Makes, for each seed, what `resampled_ccc` takes."""
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


def _percentiles(values: NDArray, attrs: list[int]) -> dict[str, Interval]:
    """Takes [resample, attr] scores to intervals; resamples without a label of one do not count."""
    whole = np.concatenate([values, values.mean(1, keepdims=True)], axis=1)
    ends = np.nanpercentile(whole, [2.5, 97.5], axis=0).T.tolist()
    columns = [*(ATTRS[at] for at in attrs), "mean"]
    return {column: Interval(*pair) for column, pair in zip(columns, ends, strict=True)}


def update_intervals(view: JournalView) -> list[str]:
    """Brings a journal's `bootstrap.json` up to date with its runs, by who holds its lock.

    Names whose runs have not changed are left as they are; without any change nothing is written.

    Returns:
      What could not be read, for the user.
    """
    had, now, problems = read_intervals(view.folder), {}, []
    for table in tables(view.rows):
        wanted = {
            interval_key(table.truth, row.name, row.finished): row
            for row in table.everything
            if row.finished
        }
        now |= {key: had[key] for key in wanted if key in had}
        missing = {key: row for key, row in wanted.items() if key not in had}
        if missing:
            now |= _resample(view, table.truth, missing, problems)
    if now != had:
        write_intervals(view.folder, now)
    return problems


def _resample(
    view: JournalView, truth: str, wanted: Mapping[str, TableRow], problems: list[str]
) -> Intervals:
    """Computes the intervals of names that predict the same labels."""
    try:
        labels = view.truth(truth)
    except DataError as error:
        problems.append(f"{error}; no intervals over its utterances")
        return {}
    gold = labels.get("test_gold", np.empty((0, len(ATTRS))))
    preds, unusable = {}, {}
    for key, row in wanted.items():
        try:
            arrays = [view.arrays(run) for run in row.finished]
        except DataError as error:
            problems.append(f"{error}; no interval over utterances for {row.name!r}")
            continue
        found = [pred for each in arrays if (pred := each.get("test_pred")) is not None]
        if len(found) == len(arrays) and all(
            pred.shape == gold.shape and np.isfinite(pred).all() for pred in found
        ):
            preds[key] = np.stack(found)
        else:
            unusable[key] = {}
    unit, count = "utterance", len(gold)
    speakers = np.asarray(marks_of(view, truth).get("test_speaker", []), str).tolist()
    if len(speakers) == len(gold) and all(speakers) and len(set(speakers)) >= LEAST_SPEAKERS:
        unit, count = "speaker", len(set(speakers))
    scores = bootstrap_many(gold, preds, clusters=speakers if unit == "speaker" else None)
    return {
        key: Resampled(wanted[key].name, unit, count, RESAMPLES, intervals)
        for key, intervals in (scores | unusable).items()
    }
