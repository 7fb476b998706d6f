"""The training of one epoch: an optimizer step for each batch of the shuffled training rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from dser_jax.data import Data
from dser_jax.loss import Loss, Weighting
from dser_jax.models import Network, Rates
from dser_jax.training.batches import Take, divide
from dser_jax.training.dropping import drop_inputs
from dser_jax.training.hparams import HParams
from dser_jax.training.optimizers import Optimizer, make_with
from dser_jax.training.state import State, Weights

Trained = tuple[Weights, optax.OptState, Any, Float[Array, ""]]
"""After an epoch: weights, the optimizer's state, the weighting's memory, the mean loss."""


def make_train_epoch(
    network: Network,
    take: Take,
    batch_size: int,
    loss_of: Loss,
    weighting: Weighting,
    make_optimizer: Optimizer,
    words: int = 0,
) -> Callable[[HParams, State, Data], Trained]:
    """Makes the function that takes one step a batch; it returns what came of it.

    Of `words`, the size of the vocabulary, some may be left out in training.
    """

    def train_loss(params, stats, memory, batch, gold, weight, hparams, key):
        rates = Rates(hparams.acoustic_dropout, hparams.text_dropout, hparams.fusion_dropout)
        batch = drop_inputs(batch, hparams, words, key)
        pred, updated = network.apply(
            {"params": params, "batch_stats": stats},
            batch,
            rates,
            True,
            rngs={"dropout": key},
            mutable=["batch_stats"],
        )
        losses = loss_of(gold, pred, weight)
        learned = params.get("weighting", ())
        loss = weighting.combine(learned, memory, losses, hparams.loss_weights)
        remembered = losses if weighting.remember else ()
        return loss, (updated.get("batch_stats", {}), remembered)

    def train_epoch(hparams: HParams, state: State, data: Data) -> Trained:
        shuffle_key, dropout_key = jax.random.split(jax.random.fold_in(state.key, state.epoch))
        order = jax.random.permutation(shuffle_key, jnp.asarray(data.train))
        rows, real = divide(order, batch_size)
        optimizer = make_with(
            make_optimizer, jnp.asarray(hparams.learning_rate), jnp.asarray(hparams.weight_decay)
        )

        def step(carry, inputs):
            weights, opt_state = carry
            number, rows, real = inputs
            batch = take(data, rows, real)
            weight = (jnp.asarray(data.known)[rows] & real[:, None]).astype(jnp.float32)
            key = jax.random.fold_in(dropout_key, number)
            gold = jnp.asarray(data.gold)[rows]
            (loss, (stats, losses)), gradient = jax.value_and_grad(train_loss, has_aux=True)(
                weights.params, weights.stats, state.memory, batch, gold, weight, hparams, key
            )
            updates, opt_state = optimizer.update(gradient, opt_state, weights.params)
            params = optax.apply_updates(weights.params, updates)
            count = real.sum().astype(jnp.float32)
            return (Weights(params, stats), opt_state), (loss * count, losses)

        steps = jnp.arange(rows.shape[0])
        (weights, opt_state), (totals, losses) = jax.lax.scan(
            step, (state.weights, state.optimizer), (steps, rows, real)
        )
        memory = state.memory
        if weighting.remember:
            memory = weighting.remember(memory, losses.mean(0))
        return weights, opt_state, memory, totals.sum() / len(data.train)

    return train_epoch
