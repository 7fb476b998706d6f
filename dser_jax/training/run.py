"""One training run as three pure functions, without a lane axis anywhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from dser_jax.config import Config
from dser_jax.data import Data
from dser_jax.loss import LOSSES, WEIGHTINGS, Loss, Weighting, ccc, multitask_loss
from dser_jax.models import Batch, Rates, make_network
from dser_jax.system import look_up
from dser_jax.training.optimizers import OPTIMIZERS, Optimizer

EVAL_BATCH = 256
"""Utterances that are predicted at once in evaluation; bounds memory, changes no result."""

Params = Any  # a pytree of arrays
Number = Array | np.ndarray | np.number


class HParams(NamedTuple):
    """Settings that are traced, so that the lanes of one program may differ in them.

    The defaults are the paper's: no weights (eq. 4), and the dropout rates of Table 6.

    Attributes:
      loss_weights: alpha, beta, gamma of eq. 6, float32 [attr]; the others are scalars.
      acoustic_dropout, text_dropout: Rates in [0, 1) before the concatenation, or heads.
      fusion_dropout: Rate after the fusion's dense layers.
      learning_rate: The optimizer's step size.
      patience: Epochs without a better validation loss after which the run stops.
    """

    loss_weights: Number = np.ones(3, np.float32)
    acoustic_dropout: Number = np.float32(0.1)
    text_dropout: Number = np.float32(0.4)
    fusion_dropout: Number = np.float32(0.4)
    learning_rate: Number = np.float32(1e-3)
    patience: Number = np.int32(10)


class Weights(NamedTuple):
    """What a network has learned: trainable parameters and running statistics.

    A weighting of the losses that learns has its numbers in `params["weighting"]`.
    """

    params: Params
    stats: Params


class Best(NamedTuple):
    """The weights of the epoch with the lowest validation loss; epoch 0 is before training.

    `pred` is what they predict of the validation rows, 0 before there is such an epoch.
    """

    weights: Weights
    loss: Float[Array, ""]
    epoch: Int[Array, ""]
    pred: Float[Array, "validation attr"]


class History(NamedTuple):
    """What happened epoch by epoch; NaN for epochs that were not reached."""

    train_loss: Float[Array, "epoch"]
    validation_loss: Float[Array, "epoch"]
    validation_ccc: Float[Array, "epoch attr"]


class State(NamedTuple):
    """What an epoch carries to the next; `memory` is that of the weighting of the losses."""

    key: PRNGKeyArray
    weights: Weights
    optimizer: optax.OptState
    best: Best
    history: History
    epoch: Int[Array, ""]
    wait: Int[Array, ""]
    stopped: Bool[Array, ""]
    diverged: Bool[Array, ""]
    memory: Any = ()


class Result(NamedTuple):
    """What a run returns, from the weights of its best epoch.

    Attributes:
      validation_pred, test_pred: Predictions on [-1, 1].
      history: Epoch by epoch.
      epochs: Epochs trained.
      best_epoch: The epoch whose weights were kept, counted from 1; 0 where none was finite.
      diverged: Whether a loss was NaN or infinite.
    """

    validation_pred: Float[Array, "validation attr"]
    test_pred: Float[Array, "test attr"]
    history: History
    epochs: Int[Array, ""]
    best_epoch: Int[Array, ""]
    diverged: Bool[Array, ""]


class Run(NamedTuple):
    """One training run as pure functions, without a lane axis anywhere.

    `init` makes the state from a key, `epoch` trains one epoch with early stopping inside (a
    stopped state comes back as it was), `result` evaluates the best weights.
    """

    init: Callable[[PRNGKeyArray, Data], State]
    epoch: Callable[[HParams, State, Data], State]
    result: Callable[[State, Data], Result]


def named(config: Config) -> tuple[Loss, Weighting, Optimizer]:
    """Looks up the loss, its weighting and the optimizer that a configuration names.

    Raises:
      DserError: One of that name does not exist.
    """
    return (
        look_up(LOSSES, config.loss, "loss"),
        look_up(WEIGHTINGS, config.weighting, "weighting"),
        look_up(OPTIMIZERS, config.optimizer, "optimizer"),
    )


def make_run(
    config: Config,
    words: int = 0,
    embedding_dim: int = 0,
    acoustic: Callable[[Int[Array, "utt"]], Array] | None = None,
) -> Run:
    """Makes the three functions of a run.

    Args:
      config: Static settings.
      words: Size of the vocabulary, padding included; for a text half.
      embedding_dim: Width of the word vectors; for a text half.
      acoustic: Gives the acoustic features of some rows, where `Data` does not hold them.
    """
    network = make_network(config, words, embedding_dim)
    loss_of, weighting, make_optimizer = named(config)

    def take(data: Data, rows: Int[Array, "utt"], real: Bool[Array, "utt"]) -> Batch:
        tokens = None if data.tokens is None else jnp.asarray(data.tokens)[rows]
        frames = None if data.frames is None else jnp.asarray(data.frames)[rows]
        if acoustic is not None:
            features = acoustic(rows)
        else:
            features = None if data.acoustic is None else jnp.asarray(data.acoustic)[rows]
        return Batch(features, tokens, real, frames)

    def init(key: PRNGKeyArray, data: Data) -> State:
        init_key, run_key = jax.random.split(key)
        batch = take(data, jnp.asarray(data.train[:1]), jnp.ones(1, bool))
        variables = network.init(init_key, batch, Rates(*[jnp.float32(0.0)] * 3), False)
        params, stats = dict(variables["params"]), variables.get("batch_stats", {})
        if data.word_vectors is not None:
            table = {"embedding": {"embedding": jnp.asarray(data.word_vectors)}}
            params["text"] = {**params["text"], **table}
        if jax.tree.leaves(weighting.learned):
            params["weighting"] = jax.tree.map(jnp.asarray, weighting.learned)
        weights = Weights(params, stats)
        return State(
            key=run_key,
            weights=weights,
            optimizer=make_optimizer(1.0).init(params),
            best=Best(
                weights, jnp.float32(jnp.inf), jnp.int32(0), jnp.zeros((len(data.validation), 3))
            ),
            history=History(
                jnp.full(config.max_epochs, jnp.nan, jnp.float32),
                jnp.full(config.max_epochs, jnp.nan, jnp.float32),
                jnp.full((config.max_epochs, 3), jnp.nan, jnp.float32),
            ),
            epoch=jnp.int32(0),
            wait=jnp.int32(0),
            stopped=jnp.bool_(False),
            diverged=jnp.bool_(False),
            memory=jax.tree.map(jnp.asarray, weighting.memory),
        )

    def train_loss(params, stats, memory, batch, gold, weight, hparams, key):
        rates = Rates(hparams.acoustic_dropout, hparams.text_dropout, hparams.fusion_dropout)
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

    def train_epoch(hparams, state: State, data: Data):
        """Takes one step a batch over the shuffled training rows; returns what came of it."""
        shuffle_key, dropout_key = jax.random.split(jax.random.fold_in(state.key, state.epoch))
        order = jax.random.permutation(shuffle_key, jnp.asarray(data.train))
        rows, real = _batches(order, config.batch_size)
        optimizer = make_optimizer(hparams.learning_rate)

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

    def predict(weights: Weights, rows: Int[Array, "utt"], data: Data):
        batched, real = _batches(jnp.asarray(rows), EVAL_BATCH)
        rates = Rates(*[jnp.float32(0.0)] * 3)
        variables = {"params": weights.params, "batch_stats": weights.stats}
        pred = jax.lax.map(
            lambda inputs: network.apply(variables, take(data, *inputs), rates, False),
            (batched, real),
        )
        return pred.reshape(-1, 3)[: len(rows)]

    def validation_loss(gold, pred, known, loss_weights):
        if config.protocol == "strict":
            return multitask_loss(gold, pred, known, loss_weights, loss_of)
        # Paper: Keras averages the loss over the validation batches, in file order.
        rows, real = _batches(jnp.arange(len(gold)), config.batch_size)
        losses = jax.vmap(partial(multitask_loss, loss=loss_of), in_axes=(0, 0, 0, None))(
            gold[rows],
            pred[rows],
            known[rows] * real[..., None].astype(jnp.float32),
            loss_weights,
        )
        return (losses * real.sum(1).astype(jnp.float32)).sum() / len(gold)

    def epoch(hparams: HParams, state: State, data: Data) -> State:
        weights, opt_state, memory, loss = train_epoch(hparams, state, data)
        pred = predict(weights, jnp.asarray(data.validation), data)
        gold = jnp.asarray(data.gold)[data.validation]
        known = jnp.asarray(data.known)[data.validation].astype(jnp.float32)
        val_loss = validation_loss(gold, pred, known, hparams.loss_weights)

        number = state.epoch + 1
        better = val_loss < state.best.loss  # False for NaN, as in Keras
        best = _choose(better, Best(weights, val_loss, number, pred), state.best)
        wait = jnp.where(better, 0, state.wait + 1)
        diverged = ~(jnp.isfinite(loss) & jnp.isfinite(val_loss))
        history = History(
            state.history.train_loss.at[state.epoch].set(loss),
            state.history.validation_loss.at[state.epoch].set(val_loss),
            state.history.validation_ccc.at[state.epoch].set(ccc(gold, pred, known)),
        )
        after = State(
            key=state.key,
            weights=weights,
            optimizer=opt_state,
            best=best,
            history=history,
            epoch=number,
            wait=wait,
            stopped=(wait >= hparams.patience) | (number >= config.max_epochs) | diverged,
            diverged=diverged,
            memory=memory,
        )
        return _choose(state.stopped, state, after)

    def result(state: State, data: Data) -> Result:
        return Result(
            validation_pred=state.best.pred,
            test_pred=predict(state.best.weights, jnp.asarray(data.test), data),
            history=state.history,
            epochs=state.epoch,
            best_epoch=state.best.epoch,
            diverged=state.diverged,
        )

    return Run(init, epoch, result)


def _batches(rows: Int[Array, "utt"], size: int):
    """Divides rows into batches, the last filled up with the first row and marked as not real."""
    count = len(rows)
    size = min(size, count)
    steps = -(-count // size)
    padded = jnp.concatenate([rows, jnp.broadcast_to(rows[:1], (steps * size - count,))])
    real = jnp.arange(steps * size) < count
    return padded.reshape(steps, size), real.reshape(steps, size)


def _choose(condition: Bool[Array, ""], one, other):
    """Selects a whole pytree."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), one, other)
