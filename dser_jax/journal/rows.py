"""A finished run as the journal keeps it: a row of plain values, and arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from dser_jax.config import Config
from dser_jax.data import Dataset
from dser_jax.plan import Outcome, hparams_json
from dser_jax.training import scores


def make_row(
    run: str, config: Config, dataset: Dataset, outcome: Outcome
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Makes the journal's row and arrays of a finished run (see docs/design.md)."""
    spec, result = outcome.spec, outcome.result
    row: dict[str, Any] = {
        "run": run,
        "name": spec.name,
        "network": config.network,
        "features": dataset.inputs or config.inputs,
        "seed": spec.seed,
        "corpus": dataset.corpus,
        "protocol": config.protocol,
        "split": dataset.split.name,
        "truth": dataset.truth,
        "config": config.to_json(),
        "hparams": hparams_json(spec.hparams),
        "status": "failed",
    }
    if outcome.weights is not None:
        row["weights"] = True
    if spec.paper is not None:
        row["paper"] = spec.paper
    if result is None:
        return row | {"traceback": outcome.traceback}, {}
    epochs = int(result.epochs)
    ended = "pruned" if outcome.pruned else "ok"
    row |= {
        "status": "diverged" if bool(result.diverged) else ended,
        "epochs": epochs,
        "best_epoch": int(result.best_epoch),
        "validation": scores(dataset.gold("validation"), result.validation_pred),
        "test": scores(dataset.gold("test"), result.test_pred),
    }
    curve = np.array(result.history.validation_ccc[:epochs])
    curve[:, np.isnan(dataset.gold("validation")).all(0)] = np.nan  # On the device it is 0.
    arrays = {
        "train_loss": result.history.train_loss[:epochs],
        "validation_loss": result.history.validation_loss[:epochs],
        "validation_ccc": curve,
        "validation_pred": result.validation_pred,
        "test_pred": result.test_pred,
    }
    if watched := result.history.watched:
        arrays |= {f"gradient_{name}": each[:epochs] for name, each in watched._asdict().items()}
    return row, {name: np.asarray(array) for name, array in arrays.items()}
