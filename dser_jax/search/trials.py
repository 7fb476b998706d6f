"""The trials of a search, from the rows of its journal: their values, and which to go on with."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from dser_jax.corpora import ATTRS
from dser_jax.journal import JournalView, Row, read_journal
from dser_jax.plan import with_later
from dser_jax.system import DserError

if TYPE_CHECKING:
    from dser_jax.training import HParams

View = TypeVar("View", bound=JournalView)


def value_of(row: Row, attrs: Sequence[str] = ATTRS) -> float | None:
    """Returns what a search is told of a trial: the mean of its CCCs on validation.

    Args:
      row: Of the journal.
      attrs: The attributes that count, as far as they have labels.

    Returns:
      0 where it diverged, which is what a constant prediction has; None where it failed.
    """
    status = row.get("status", "ok")
    if status not in ("ok", "pruned"):
        return 0.0 if status == "diverged" else None
    ccc = (row.get("validation") or {}).get("ccc") or {}
    values = [ccc[attr] for attr in attrs if attr in ccc]
    if not values or not all(v is not None and math.isfinite(v) for v in values):
        return 0.0
    return float(np.mean(values))


def setting(row: Mapping[str, Any], field: str) -> float:
    """Returns what a trial has of a setting that can be searched."""
    weights = ("alpha", "beta", "gamma")
    hparams = with_later(row["hparams"])
    return hparams["loss_weights"][weights.index(field)] if field in weights else hparams[field]


def about(manifest: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns what a journal's manifest says of its search; None where it has none."""
    found = manifest.get("search")
    return found if isinstance(found, dict) else None


def ranked(rows: Sequence[Row], attrs: Sequence[str] = ATTRS) -> list[tuple[float, Row]]:
    """Returns the trials that went on to their end with their values, the highest first."""
    found = [(value_of(row, attrs), row) for row in rows if row.get("status", "ok") == "ok"]
    usual = [(v, row) for v, row in found if v is not None and row.get("kind") is None]
    return sorted(usual, key=lambda pair: -pair[0])


def chosen(view: View) -> View:
    """Returns a journal with the best trial and the baselines alone; any but a search's as it is.

    The others are not to be compared by their test scores: the highest of many would be taken.
    """
    search = about(view.manifest)
    if search is None:
        return view
    best = [row for _, row in ranked(view.rows, search.get("attributes", ATTRS))[:1]]
    others = (row for row in view.rows if row.get("kind") == "baseline")
    return replace(view, rows=(*best, *others))


def best_settings(folder: str | os.PathLike, count: int = 3) -> dict[str, HParams]:
    """Returns the settings of the best trials on validation, by the names of their rows.

    Train them again with other seeds to compare them: `paired_runs(best_settings(out), range(20))`.

    Raises:
      DserError: The folder holds no search, or no trial of it has ended well.
    """
    view = read_journal(folder)
    search = about(view.manifest)
    if search is None:
        raise DserError(f"{folder} holds no search, but a sweep over settings that were given")
    best = ranked(view.rows, search.get("attributes", ATTRS))[:count]
    if not best:
        raise DserError(f"{folder}: no trial has ended well yet")
    return {row["name"]: hparams_of(row) for _, row in best}


def hparams_of(row: Row) -> HParams:
    """Returns the traced settings of a row of a journal."""
    from dser_jax.training import HParams

    kinds = {field: np.asarray(value).dtype for field, value in HParams()._asdict().items()}
    return HParams(**{f: np.asarray(v, kinds[f])[()] for f, v in row["hparams"].items()})
