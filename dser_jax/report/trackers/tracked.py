"""A run as a tracker is told of it: plain names and numbers, whatever the tracker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from dser_jax.corpora import ATTRS
from dser_jax.journal import JournalView
from dser_jax.stats import COLUMNS, Row, learned, settings_of, untrained
from dser_jax.system import DataError

Value = str | float | int | bool

METRICS = ("ccc", "ccc_batch32", "rmse")


@dataclass(frozen=True)
class Tracked:
    """A run.

    Attributes:
      run: Its id, which can name a file.
      name, seed: The row of the table that it belongs to, and which of its seeds it has.
      settings: What it was made with, by name: loss weights as alpha, beta, gamma.
      scores: "test/ccc/valence" and the like; none of what it has not learned.
      curves: "epoch/train_loss", "epoch/validation_valence" and the like, a value an epoch; NaN and
        infinity are among them.
      best_epoch: The epoch whose weights were kept; None where there is none.
    """

    run: str
    name: str
    seed: Value
    settings: dict[str, Value]
    scores: dict[str, float]
    curves: dict[str, list[float]] = field(default_factory=dict)
    best_epoch: int | None = None


def tracked(view: JournalView) -> Iterator[Tracked]:
    """Yields the runs of a journal, baselines among them; a run without scores has only settings.

    Raises:
      DataError: The arrays of a run are damaged.
    """
    for row in view.rows:
        yield Tracked(
            row["run"],
            str(row["name"]),
            row["seed"],
            _settings(row),
            _scores(row),
            _curves(view, row),
            row.get("best_epoch"),
        )


def _settings(row: Row) -> dict[str, Value]:
    about = ("name", "network", "features", "seed", "corpus", "protocol", "split", "status")
    found = {key: row.get(key) for key in about} | settings_of(row)
    found["kind"] = row.get("kind", "network")
    return {
        key: value if isinstance(value, str | float | int | bool) else str(value)
        for key, value in found.items()
        if value not in (None, "")
    }


def _scores(row: Row) -> dict[str, float]:
    return {
        f"{part}/{metric}/{column}": value
        for part in ("validation", "test")
        for metric in METRICS
        for column in COLUMNS
        if (value := learned(row, column, metric, part)) is not None
    }


def _curves(view: JournalView, row: Row) -> dict[str, list[float]]:
    if row.get("kind") is not None or row.get("status") == "failed":
        return {}
    try:
        arrays = view.arrays(row["run"])
    except DataError as error:
        if error.problem == "missing":
            return {}
        raise
    epochs = row.get("epochs")
    found = {}
    for part in ("train", "validation"):
        if len(losses := arrays.get(f"{part}_loss", np.empty(0))):
            found[f"epoch/{part}_loss"] = losses[:epochs].astype(float).tolist()
    ccc = arrays.get("validation_ccc", np.empty((0, 3)))
    for at, attr in enumerate(ATTRS):
        if len(ccc) and attr not in untrained(row) and not np.isnan(ccc[:, at]).all():
            found[f"epoch/validation_{attr}"] = ccc[:epochs, at].astype(float).tolist()
    return found
