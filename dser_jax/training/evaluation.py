"""What a network predicts of rows, without dropout, and the loss of that on validation."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from dser_jax.config import Config
from dser_jax.data import Data
from dser_jax.loss import Loss, multitask_loss
from dser_jax.models import Network, Rates
from dser_jax.training.batches import Take, divide
from dser_jax.training.state import Weights

EVAL_BATCH = 256
"""Utterances that are predicted at once in evaluation; bounds memory, changes no result."""


def predict(
    network: Network, take: Take, weights: Weights, rows: Int[Array, " utt"], data: Data
) -> Float[Array, "utt attr"]:
    """Predicts the attributes of some rows, on [-1, 1]."""
    batched, real = divide(jnp.asarray(rows), EVAL_BATCH)
    rates = Rates(*[jnp.float32(0.0)] * 3)
    variables = {"params": weights.params, "batch_stats": weights.stats}
    pred = jax.lax.map(
        lambda inputs: network.apply(variables, take(data, *inputs), rates, False),
        (batched, real),
    )
    return pred.reshape(-1, 3)[: len(rows)]


def validation_loss(
    config: Config,
    loss_of: Loss,
    gold: Float[Array, "utt attr"],
    pred: Float[Array, "utt attr"],
    known: Float[Array, "utt attr"],
    loss_weights: Float[Array, " attr"],
) -> Float[Array, ""]:
    """Computes the loss that early stopping watches.

    Args:
      config: Its protocol says whether the loss is of the whole set or a mean over batches.
      loss_of: The loss of each attribute.
      gold: Labels of the validation rows, in file order.
      pred: Predictions of them.
      known: 1 where there is a label, 0 where it is missing.
      loss_weights: Of the run.
    """
    if config.protocol == "strict":
        return multitask_loss(gold, pred, known, loss_weights, loss_of)
    # Paper: Keras averages the loss over the validation batches, in file order.
    rows, real = divide(jnp.arange(len(gold)), config.batch_size)
    losses = jax.vmap(partial(multitask_loss, loss=loss_of), in_axes=(0, 0, 0, None))(
        gold[rows],
        pred[rows],
        known[rows] * real[..., None].astype(jnp.float32),
        loss_weights,
    )
    return (losses * real.sum(1).astype(jnp.float32)).sum() / len(gold)
