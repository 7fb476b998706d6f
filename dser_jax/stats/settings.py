"""The settings of a run by name, the traced ones and the static ones alike."""

from __future__ import annotations

from typing import Any

from dser_jax.plan import LOSS_WEIGHTS
from dser_jax.stats.rows import Row, is_baseline

TOLD = {"acoustic", "text", "features", "vectors", "protocol", "split", "taps"}
"""Fields of a configuration that the network, the features and the protocol of a row tell too."""


def settings_of(row: Row) -> dict[str, Any]:
    """Returns the settings of a run by name, loss weights one by one.

    None of a baseline: what it calls alpha is another thing.
    """
    if is_baseline(row):
        return {}
    hparams = dict(row.get("hparams") or {})
    weights = hparams.pop("loss_weights", None) or []
    config = {f: v for f, v in (row.get("config") or {}).items() if f not in TOLD}
    return {**dict(zip(LOSS_WEIGHTS, weights, strict=False)), **hparams, **config}
