"""Losses of each attribute, the paper's CCC first."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

Loss = Callable[
    [Float[Array, "utt attr"], Float[Array, "utt attr"], Float[Array, "utt attr"]],
    Float[Array, " attr"],
]
"""Takes labels, predictions and the weight of each label (0 where it is missing) to the loss of
each attribute, which must be finite, and 0 for an attribute without labels."""

TINY = 1e-12
"""Denominators below it are those of constant, equal vectors in float32."""


def ccc(
    gold: Float[Array, "utt attr"],
    pred: Float[Array, "utt attr"],
    weight: Float[Array, "utt attr"],
) -> Float[Array, " attr"]:
    """Computes Lin's concordance correlation coefficient of each attribute.

    ``CCC = 2 cov(x, y) / (var(x) + var(y) + (mean(x) - mean(y))^2)`` with population variances
    (Atmaja & Akagi 2020, eq. 2). Value and gradient are finite for constant inputs, for a single
    utterance and for an attribute without any label, all of which give 0.

    Args:
      gold: Labels; any finite number where the label is missing.
      pred: Predictions.
      weight: 1 where a label counts, 0 where it is missing or the row is padding.

    Returns:
      Coefficients in [-1, 1].
    """
    total = jnp.maximum(weight.sum(0, keepdims=True), 1.0)

    def mean(x):
        return (weight * x).sum(0, keepdims=True) / total

    gold_mean, pred_mean = mean(gold), mean(pred)
    gold_off, pred_off = gold - gold_mean, pred - pred_mean
    numerator = 2.0 * mean(gold_off * pred_off)
    denominator = mean(gold_off**2) + mean(pred_off**2) + (gold_mean - pred_mean) ** 2
    defined = ~(denominator <= TINY)  # a NaN stays a NaN: a diverged run must show
    return jnp.where(defined, numerator / jnp.where(defined, denominator, 1.0), 0.0)[0]


def ccc_loss(
    gold: Float[Array, "utt attr"],
    pred: Float[Array, "utt attr"],
    weight: Float[Array, "utt attr"],
) -> Float[Array, " attr"]:
    """Computes ``CCCL = 1 - CCC`` of each attribute (eq. 3), 0 for one without labels."""
    return jnp.where(weight.sum(0) > 0, 1.0 - ccc(gold, pred, weight), 0.0)


def mse_loss(
    gold: Float[Array, "utt attr"],
    pred: Float[Array, "utt attr"],
    weight: Float[Array, "utt attr"],
) -> Float[Array, " attr"]:
    """Computes ``mean((x - y)^2)`` of each attribute, 0 for one without labels."""
    return (weight * (gold - pred) ** 2).sum(0) / jnp.maximum(weight.sum(0), 1.0)


LOSSES: dict[str, Loss] = {"ccc": ccc_loss, "mse": mse_loss}
"""What `Config.loss` names; the paper's is CCC. Add your own."""


def multitask_loss(
    gold: Float[Array, "utt attr"],
    pred: Float[Array, "utt attr"],
    weight: Float[Array, "utt attr"],
    loss_weights: Float[Array, " attr"],
    loss: Loss = ccc_loss,
) -> Float[Array, ""]:
    """Computes ``alpha CCCL_V + beta CCCL_A + gamma CCCL_D`` (eq. 6; eq. 4 and 5 are cases of it).

    An attribute of weight 0 gives its head no gradient at all.
    """
    return (loss_weights * loss(gold, pred, weight)).sum()
