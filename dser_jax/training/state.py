"""What an epoch carries to the next: the weights, the best ones so far, what happened."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from dser_jax.loss import Watched

Params = Any  # a pytree of arrays


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
    """What happened epoch by epoch; NaN for epochs that were not reached.

    `watched` is a `loss.Watched` [epoch, ...] where `Config.watch_gradients` asks for it.
    """

    train_loss: Float[Array, " epoch"]
    validation_loss: Float[Array, " epoch"]
    validation_ccc: Float[Array, "epoch attr"]
    watched: Any = ()


class State(NamedTuple):
    """What an epoch carries to the next; `memory` is that of the weighting of the losses.

    `half_life` is that of the context, for whoever predicts later; without one it is nothing.
    `wait`, `stopped` and `diverged` are what `stopping.py` says of the run.
    """

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
    half_life: Any = ()


def first_state(
    key: PRNGKeyArray,
    weights: Weights,
    optimizer: optax.OptState,
    memory: Any,
    validation_rows: int,
    max_epochs: int,
    half_life: Any = (),
    watch: bool = False,
) -> State:
    """Makes the state of a run that has trained no epoch yet.

    Args:
      key: From which all that is random in training is drawn.
      weights: As they are initialized.
      optimizer: The optimizer's state for them.
      memory: Of the weighting of the losses, as it begins.
      validation_rows: Utterances of the validation set.
      max_epochs: Length of the history.
      half_life: That of a context, if there is one; the first epoch tells which.
      watch: Whether the history tells of gradients.
    """
    three = jnp.full((max_epochs, 3), jnp.nan, jnp.float32)
    return State(
        key=key,
        weights=weights,
        optimizer=optimizer,
        best=Best(weights, jnp.float32(jnp.inf), jnp.int32(0), jnp.zeros((validation_rows, 3))),
        history=History(
            jnp.full(max_epochs, jnp.nan, jnp.float32),
            jnp.full(max_epochs, jnp.nan, jnp.float32),
            three,
            Watched(three, three, three) if watch else (),
        ),
        epoch=jnp.int32(0),
        wait=jnp.int32(0),
        stopped=jnp.bool_(False),
        diverged=jnp.bool_(False),
        memory=jax.tree.map(jnp.asarray, memory),
        half_life=half_life,
    )
