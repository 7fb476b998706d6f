"""What a row of the journal says."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from dser_jax.corpora import ATTRS

Row = Mapping[str, Any]
"""As the journal has it."""

COLUMNS = (*ATTRS, "mean")
"""What a table has scores of."""


def is_baseline(row: Row) -> bool:
    """Returns whether a row of the journal is a baseline's, not a network's."""
    return row.get("kind") == "baseline"


STRETCHED, ENSEMBLE = "stretched", "ensemble"
BOTH = f"{ENSEMBLE}, {STRETCHED}"
DERIVED = (STRETCHED, ENSEMBLE, BOTH)
"""Kinds of rows that are made of the predictions of others, in the order of a table."""


def is_derived(row: Row) -> bool:
    """Returns whether a row is made of the predictions of others; no journal has such rows."""
    return row.get("kind") in DERIVED


def is_whole(row: Row) -> bool:
    """Returns whether a run went on to its end; if not, it is in no mean, test or figure."""
    return row.get("status", "ok") == "ok"


def score(row: Row, column: str, metric: str = "ccc", part: str = "test") -> float | None:
    """Returns a score of a row; None where the run is not whole or the attribute has no labels."""
    if not is_whole(row):
        return None
    value = ((row.get(part) or {}).get(metric) or {}).get(column)
    return None if value is None or not math.isfinite(value) else float(value)


def untrained(row: Row) -> tuple[str, ...]:
    """Names the attributes on which the loss of a run has no weight: these it has not learned."""
    weights = (row.get("hparams") or {}).get("loss_weights") or ()
    return tuple(attr for attr, weight in zip(ATTRS, weights, strict=False) if weight == 0)


def below_zero(row: Row) -> tuple[str, ...]:
    """Names the attributes on which the loss of a run has a weight below zero."""
    weights = (row.get("hparams") or {}).get("loss_weights") or ()
    return tuple(attr for attr, weight in zip(ATTRS, weights, strict=False) if weight < 0)


def learned(row: Row, column: str, metric: str = "ccc", part: str = "test") -> float | None:
    """Returns a score of what a run has learned: `score`, but for attributes that it has not.

    Nor has such a run a mean, which would be one over other attributes than its neighbours'.
    """
    left = untrained(row)
    if column in left:
        return None
    if column == "mean" and any(score(row, attr, metric, part) is not None for attr in left):
        return None
    return score(row, column, metric, part)


LOST = ("diverged", "failed", "pruned")
"""How a run can end before its time: without numbers, with an error, stopped by a search."""


def count_lost(runs: Iterable[Row]) -> dict[str, int]:
    """Counts the runs that ended before their time: status -> how many."""
    times = Counter(str(run["status"]) for run in runs if not is_whole(run))
    return {status: times[status] for status in dict.fromkeys((*LOST, *times)) if times[status]}


def in_words(lost: Mapping[str, int]) -> str:
    """Writes `1 diverged, 2 failed`."""
    return ", ".join(f"{count} {status}" for status, count in lost.items())
