"""The training of one epoch: an optimizer step for each batch of the shuffled training rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from dser_jax.data import Data
from dser_jax.loss import Loss, Weighting, find_gradient, needed, watched, without_own
from dser_jax.models import Network, Rates, find_factors
from dser_jax.training.batches import Take, divide
from dser_jax.training.dropping import drop_inputs
from dser_jax.training.hparams import HParams
from dser_jax.training.optimizers import Optimizer, make_with
from dser_jax.training.state import State, Weights

Trained = tuple[Weights, optax.OptState, Any, Float[Array, ""], Any]
"""After an epoch: weights, the optimizer's state, the weighting's memory, the mean loss, and what
was watched: for each of `Watched` its three numbers, or nothing."""


def make_train_epoch(
    network: Network,
    take: Take,
    batch_size: int,
    loss_of: Loss,
    weighting: Weighting,
    make_optimizer: Optimizer,
    words: int = 0,
    watch: bool = False,
) -> Callable[[HParams, State, Data], Trained]:
    """Makes the function that takes one step a batch; it returns what came of it.

    Of `words`, the size of the vocabulary, some may be left out in training. With `watch` it looks
    at the gradients of the tasks.
    """
    of_each_task = "gram" in weighting.needs or watch

    def losses_of(params, stats, batch, gold, weight, hparams, key):
        rates = Rates(hparams.acoustic_dropout, hparams.text_dropout, hparams.fusion_dropout)
        pred, updated = network.apply(
            {"params": params, "batch_stats": stats},
            batch,
            rates,
            True,
            rngs={"dropout": key},
            mutable=["batch_stats"],
        )
        return loss_of(gold, pred, weight), updated.get("batch_stats", {})

    def train_epoch(hparams: HParams, state: State, data: Data) -> Trained:
        shuffle_key, dropout_key = jax.random.split(jax.random.fold_in(state.key, state.epoch))
        order = jax.random.permutation(shuffle_key, jnp.asarray(data.train))
        rows, real = divide(order, batch_size)
        optimizer = make_with(
            make_optimizer, jnp.asarray(hparams.learning_rate), jnp.asarray(hparams.weight_decay)
        )
        loss_weights = jnp.asarray(hparams.loss_weights)

        def step(carry, inputs):
            weights, opt_state, memory = carry
            number, rows, real = inputs
            weight = (jnp.asarray(data.known)[rows] & real[:, None]).astype(jnp.float32)
            key = jax.random.fold_in(dropout_key, number)
            gold = jnp.asarray(data.gold)[rows]
            batch = drop_inputs(take(data, rows, real), hparams, words, key)
            params = weights.params
            more = needed(
                weighting, key, jnp.asarray(hparams.weighting_setting), jnp.asarray(hparams.method)
            )

            def losses_by(params):
                return losses_of(params, weights.stats, batch, gold, weight, hparams, key)

            factors = None
            if of_each_task:
                factors = find_factors(network, losses_by, without_own(params), batch.tokens)
            found = find_gradient(weighting, losses_by, params, memory, loss_weights, more, factors)
            updates, opt_state = optimizer.update(found.gradient, opt_state, params)
            params = optax.apply_updates(params, updates)
            if weighting.update:
                if "gram" in weighting.needs:
                    more["gram"] = jnp.asarray(found.gram)
                if "after" in weighting.needs:
                    more["after"] = losses_by(without_own(params))[0]
                memory = weighting.update(memory, found.losses, loss_weights, **more)
            count = real.sum().astype(jnp.float32)
            seen = watched(found) if watch else ()
            return (Weights(params, found.aux), opt_state, memory), (
                found.loss * count,
                (found.losses, weight.sum(0)) if weighting.remember else ((), ()),
                seen,
            )

        steps = jnp.arange(rows.shape[0])
        (weights, opt_state, memory), (totals, (losses, labels), seen) = jax.lax.scan(
            step, (state.weights, state.optimizer, state.memory), (steps, rows, real)
        )
        if weighting.remember:
            count = jnp.asarray(labels)  # By which a batch counts.
            mean = (losses * count).sum(0) / jnp.maximum(count.sum(0), 1.0)
            memory = weighting.remember(memory, mean)
        seen = jax.tree.map(lambda each: each.mean(0), seen)
        return weights, opt_state, memory, totals.sum() / len(data.train), seen

    return train_epoch
