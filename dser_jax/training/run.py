"""One training run as three pure functions, without a lane axis anywhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from dser_jax.config import Config
from dser_jax.data import Data
from dser_jax.loss import LOSSES, WEIGHTINGS, Loss, Weighting, ccc, check_needs
from dser_jax.models import Rates, make_network
from dser_jax.system import look_up
from dser_jax.training import stopping
from dser_jax.training.batches import Acoustic, take
from dser_jax.training.context import with_context
from dser_jax.training.evaluation import EVAL_BATCH, predict, validation_loss
from dser_jax.training.hparams import HParams, Number
from dser_jax.training.optimizers import OPTIMIZERS, Optimizer
from dser_jax.training.state import Best, History, Params, State, Weights, first_state
from dser_jax.training.steps import make_train_epoch

__all__ = [  # With what a run is made of: `dser_jax.train`, its former name, had all of it.
    "EVAL_BATCH",
    "Best",
    "HParams",
    "History",
    "Number",
    "Params",
    "Result",
    "Run",
    "State",
    "Weights",
    "make_run",
    "named",
]


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
    weighting = look_up(WEIGHTINGS, config.weighting, "weighting")
    check_needs(config.weighting, weighting)
    return (
        look_up(LOSSES, config.loss, "loss"),
        weighting,
        look_up(OPTIMIZERS, config.optimizer, "optimizer"),
    )


def make_run(
    config: Config,
    words: int = 0,
    embedding_dim: int = 0,
    acoustic: Acoustic | None = None,
    layers: tuple[int, int] = (1, 1),
) -> Run:
    """Makes the three functions of a run.

    Args:
      config: Static settings.
      words: Size of the vocabulary, padding included; for a text half that reads words.
      embedding_dim: Width of the word vectors; likewise.
      acoustic: Gives the acoustic features of some rows, where `Data` does not hold them.
      layers: Layers side by side in the features of speech, and of text.
    """
    network = make_network(config, words, embedding_dim, layers)
    loss_of, weighting, make_optimizer = named(config)
    take_rows = partial(take, acoustic)
    train_epoch = make_train_epoch(
        network,
        take_rows,
        config.batch_size,
        loss_of,
        weighting,
        make_optimizer,
        words,
        config.watch_gradients,
    )

    def init(key: PRNGKeyArray, data: Data) -> State:
        init_key, run_key = jax.random.split(key)
        batch = take_rows(with_context(data, 1.0), jnp.asarray(data.train[:1]), jnp.ones(1, bool))
        variables = network.init(init_key, batch, Rates(*[jnp.float32(0.0)] * 3), False)
        params, stats = dict(variables["params"]), variables.get("batch_stats", {})
        if data.word_vectors is not None:
            table = {"embedding": {"embedding": jnp.asarray(data.word_vectors)}}
            params["text"] = {**params["text"], **table}
        if jax.tree.leaves(weighting.learned):
            params["weighting"] = jax.tree.map(jnp.asarray, weighting.learned)
        return first_state(
            run_key,
            Weights(params, stats),
            make_optimizer(1.0).init(params),
            weighting.memory,
            len(data.validation),
            config.max_epochs,
            jnp.float32(1.0) if config.fades else (),
            config.watch_gradients,
        )

    def epoch(hparams: HParams, state: State, data: Data) -> State:
        data = with_context(data, hparams.half_life)
        weights, optimizer, memory, loss, seen = train_epoch(hparams, state, data)
        pred = predict(network, take_rows, weights, jnp.asarray(data.validation), data)
        gold = jnp.asarray(data.gold)[data.validation]
        known = jnp.asarray(data.known)[data.validation].astype(jnp.float32)
        loss_weights = jnp.asarray(hparams.loss_weights)
        val_loss = validation_loss(config, loss_of, gold, pred, known, loss_weights)

        number = state.epoch + 1
        latest = Best(weights, val_loss, number, pred)
        best, wait = stopping.keep_better(state.best, latest, state.wait)
        diverged = stopping.has_diverged(loss, val_loss)
        history = History(
            state.history.train_loss.at[state.epoch].set(loss),
            state.history.validation_loss.at[state.epoch].set(val_loss),
            state.history.validation_ccc.at[state.epoch].set(ccc(gold, pred, known)),
            jax.tree.map(
                lambda all, new: all.at[state.epoch].set(new), state.history.watched, seen
            ),
        )
        after = State(
            key=state.key,
            weights=weights,
            optimizer=optimizer,
            best=best,
            history=history,
            epoch=number,
            wait=wait,
            stopped=stopping.is_over(wait, hparams.patience, number, config.max_epochs, diverged),
            diverged=diverged,
            memory=memory,
            half_life=jnp.asarray(hparams.half_life) if config.fades else (),
        )
        return stopping.unless_stopped(state, after)

    def result(state: State, data: Data) -> Result:
        test = jnp.asarray(data.test)
        data = with_context(data, state.half_life) if config.fades else data
        return Result(
            validation_pred=state.best.pred,
            test_pred=predict(network, take_rows, state.best.weights, test, data),
            history=state.history,
            epochs=state.epoch,
            best_epoch=state.best.epoch,
            diverged=state.diverged,
        )

    return Run(init, epoch, result)
