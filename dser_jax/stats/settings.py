"""The settings of a run by name, the traced ones and the static ones alike."""

from __future__ import annotations

from typing import Any

from dser_jax.config import Config
from dser_jax.plan import LOSS_WEIGHTS, with_later
from dser_jax.stats.rows import Row, is_baseline

TOLD = {"acoustic", "text", "features", "vectors", "protocol", "split", "taps"}
"""Fields of a configuration that the network, the features and the protocol of a row tell too."""


def settings_of(row: Row) -> dict[str, Any]:
    """Returns the settings of a run by name, loss weights one by one.

    Those that a row leaves out, as they were the default, are among them. None of a baseline: what
    it calls alpha is another thing.
    """
    if is_baseline(row):
        return {}
    hparams = with_later(row["hparams"]) if row.get("hparams") else {}
    weights = hparams.pop("loss_weights", None) or []
    config = Config.filled(row["config"]) if row.get("config") else {}
    config = {f: v for f, v in config.items() if f not in TOLD}
    return {**dict(zip(LOSS_WEIGHTS, weights, strict=False)), **hparams, **config}
