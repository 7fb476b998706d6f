"""How far a score would move with other test utterances: the percentile bootstrap, on the device.

A resample draws as many utterances as there are, with replacement. `resampling.py` says of what
its CCC is made, `differences.py` how far two scores are from each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import ArrayLike

from dser_jax.journal import (
    Interval,
    Intervals,
    JournalView,
    Resampled,
    interval_key,
    read_derived,
    read_differences,
    read_intervals,
    write_intervals,
)
from dser_jax.stats.derived.view import with_derived
from dser_jax.stats.differences import differences_of
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
from dser_jax.stats.table import TableRow, tables
from dser_jax.system import DataError, check_device


def draw_counts(
    resamples: Int[ArrayLike, " resample"],
    clusters: Int[ArrayLike, " utt"],
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
    shift: Float[Array, " attr"],
) -> Float[Array, "resample attr"]:
    """Computes the CCC of each resample from how often each utterance was drawn: `ccc_of_sums`.

    Args:
      counts: How often each utterance was drawn.
      columns: Of `to_sum`.
      shift: Likewise.
    """
    sums = jnp.dot(counts, columns, precision=jax.lax.Precision.HIGHEST)
    return ccc_of_sums(sums, shift, jnp)


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
    gold, attrs = labelled(gold)
    if not attrs or not preds:
        return {name: {} for name in preds}
    ready = {name: to_sum(gold, pred, attrs) for name, pred in preds.items()}
    utterances = len(gold)
    apart = np.arange(utterances) if clusters is None else np.asarray(clusters)
    names, places = np.unique(apart, return_inverse=True)
    chunk = chunk_size(resamples, utterances)
    scores = {name: np.empty((0, len(attrs))) for name in ready}
    draw = partial(draw_counts, clusters=places, seed=seed, count=len(names))
    for start in range(0, resamples, chunk):
        counts = draw(np.arange(start, start + chunk))  # Beyond the last, drawn and not used.
        for name, runs in ready.items():
            values = [resampled_ccc(counts, *run) for run in runs]
            mean = np.mean([np.asarray(value, np.float64) for value in values], axis=0)
            scores[name] = np.concatenate([scores[name], mean])[:resamples]
    return {name: percentiles(values, attrs) for name, values in scores.items()}


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


def update_intervals(view: JournalView) -> list[str]:
    """Brings a journal's `bootstrap.json` up to date with its runs, by who holds its lock.

    It has the scores of what is made of the runs, too.

    Names whose runs have not changed are left as they are; without any change nothing is written.

    Returns:
      What could not be read, for the user.
    """
    check_device()
    now, apart, problems = {}, {}, []
    had, known = read_intervals(view.folder, problems), read_differences(view.folder, problems)
    made = read_derived(view.folder)
    view = with_derived(view, problems, scored := dict(made))
    derived = {row["run"]: scored[row["run"]] for row in view.derived}
    for table in tables(view.scored):
        wanted = {
            interval_key(table.truth, row.name, row.finished): row
            for row in table.everything
            if row.finished
        }
        now |= {key: had[key] for key in wanted if key in had}
        missing = {key: row for key, row in wanted.items() if key not in had}
        if missing:
            now |= _resample(view, table.truth, missing, problems)
        apart |= differences_of(view, table, known, problems)
    if (now, apart, derived) != (had, known, made):  # Also where a damaged file gave nothing.
        write_intervals(view.folder, now, apart, derived)
    return list(dict.fromkeys(problems))


def _resample(
    view: JournalView, truth: str, wanted: Mapping[str, TableRow], problems: list[str]
) -> Intervals:
    """Computes the intervals of names that predict the same labels."""
    try:
        gold = labels_of(view, truth)
        unit = unit_of(view, truth, len(gold))
    except DataError as error:
        problems.append(f"{error}; no intervals over its utterances")
        return {}
    preds, unusable = {}, {}
    for key, row in wanted.items():
        try:
            found = predictions_of(view, row.finished, gold)
        except DataError as error:
            problems.append(f"{error}; no interval over utterances for {row.name!r}")
            continue
        if found is None:
            unusable[key] = {}
        else:
            preds[key] = found
    scores = bootstrap_many(gold, preds, clusters=unit.clusters)
    return {
        key: Resampled(wanted[key].name, unit.name, unit.count, RESAMPLES, intervals)
        for key, intervals in (scores | unusable).items()
    }
