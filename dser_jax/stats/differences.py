"""How far two scores are from each other, over the same resamples of the test set. Without JAX.

An interval of each would not tell: utterances that are hard for one are hard for the other, so both
scores move together, and their difference moves less. A report computes it where a journal does not
have it yet, beside a sweep that may hold the device; hence NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dser_jax.journal import Difference, Differences, Interval, JournalView, interval_key
from dser_jax.stats.resampling import (
    RESAMPLES,
    ccc_of_sums,
    chunk_size,
    labelled,
    labels_of,
    percentiles,
    predictions_of,
    to_sum,
    unit_of,
)
from dser_jax.stats.table import Table, TableRow
from dser_jax.system import DataError


def bootstrap_difference(
    gold: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """Computes intervals of the first score minus the second, over test utterances.

    A score is the CCC averaged over its seeds, which are kept as they are. Each resample is drawn
    once and scores both.

    Args:
      gold: [utt, 3] labels; NaN where missing.
      first: [seed, utt, 3] finite predictions.
      second: Others; the number of seeds may be another.
      clusters: [utt] names of what is drawn as a whole, such as speakers; each utterance alone by
        default.
      resamples: How many.
      seed: From which the resamples follow.

    Returns:
      Attribute -> the 2.5th and 97.5th percentile; "mean" is over the attributes that have labels.
      Nothing where one of these has fewer than ten.
    """
    labels, attrs = labelled(gold)
    if not attrs:
        return {}
    both = [to_sum(labels, preds, attrs) for preds in (first, second)]
    apart = np.arange(len(labels)) if clusters is None else np.asarray(clusters)
    names, places = np.unique(apart, return_inverse=True)
    key = np.random.default_rng(seed)
    chunk = chunk_size(resamples, len(labels))
    found = []
    for start in range(0, resamples, chunk):
        counts = _counts(key, min(chunk, resamples - start), len(names))[:, places]
        one, two = (_mean_over_seeds(counts, runs) for runs in both)
        found.append(one - two)
    return percentiles(np.concatenate(found), attrs)


def _counts(key: np.random.Generator, resamples: int, count: int) -> NDArray[np.float32]:
    """Draws as many as there are, with replacement, so often; [resample, count]."""
    drawn = key.integers(0, count, (resamples, count))
    flat = (drawn + count * np.arange(resamples)[:, None]).ravel()
    return np.bincount(flat, minlength=resamples * count).reshape(drawn.shape).astype(np.float32)


def _mean_over_seeds(counts: NDArray, runs: list[tuple[NDArray, NDArray]]) -> NDArray[np.float64]:
    values = [ccc_of_sums(counts @ columns, shift) for columns, shift in runs]
    return np.mean(np.asarray(values, np.float64), axis=0)


def differences_of(
    view: JournalView,
    table: Table,
    known: Mapping[tuple[str, str], Difference],
    problems: list[str],
) -> Differences:
    """Returns how far a table's picked network is above the baseline that validation picks.

    Args:
      view: The journal.
      table: Of it.
      known: What need not be computed again.
      problems: Takes what could not be read, in words.

    Returns:
      One difference, without intervals where the predictions allow none; or nothing where one of
      the two is not there or cannot be read.
    """
    picked, base = table.picked, table.yardstick
    if picked is None or base is None:
        return {}
    first, second = (interval_key(table.truth, r.name, r.finished) for r in (picked, base))
    if (first, second) in known:
        return {(first, second): known[first, second]}
    found = difference_between(view, table.truth, picked, base, problems)
    return {} if found is None else {(first, second): found}


def difference_between(
    view: JournalView, truth: str, first: TableRow, second: TableRow, problems: list[str]
) -> Difference | None:
    """Returns how far one row is above another, over test utterances.

    Args:
      view: The journal.
      truth: Names the labels of both.
      first: A row.
      second: Another.
      problems: Takes what could not be read, in words.

    Returns:
      The difference, without intervals where the predictions allow none; None where predictions
      cannot be read.
    """
    try:
        gold = labels_of(view, truth)
        unit = unit_of(view, truth, len(gold))
        one, two = (predictions_of(view, row.finished, gold) for row in (first, second))
    except DataError as error:
        problems.append(
            f"{error}; no interval for the difference of {first.name!r} and {second.name!r}"
        )
        return None
    scores: dict[str, Interval] = {}
    if one is not None and two is not None:
        scores = bootstrap_difference(gold, one, two, clusters=unit.clusters)
    return Difference(first.name, second.name, unit.name, unit.count, RESAMPLES, scores)
