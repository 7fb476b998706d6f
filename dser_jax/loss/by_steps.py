"""FAMO: a weighting that watches what each step does to each loss."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Losses = Float[Array, " attr"]
Number = Float[Array, ""]

RATE, DECAY = 0.025, 1e-3
"""Step size and decay of FAMO's logits (Liu et al. 2023, Algorithm 2)."""
EPSILON = 1e-8
"""Beside losses, and beside the root of Adam's second moment."""

_MEAN, _SQUARE = 0.9, 0.999


class Logits(NamedTuple):
    """What FAMO remembers: a logit a task, and of their Adam the moments and the steps so far."""

    logits: Any
    mean: Any
    square: Any
    steps: Any


_ZEROS = np.zeros(3, np.float32)
LOGITS = Logits(_ZEROS, _ZEROS, _ZEROS, np.float32(0))
"""As they begin: equal."""


def famo(
    learned: Any, memory: Logits, losses: Losses, loss_weights: Losses, *, setting: Number
) -> Number:
    """Decreases all losses at one rate: ``c sum(z log L), z = softmax(logits)`` (Liu et al. 2023).

    ``c = 1 / sum(z / L)`` makes it a mean of the gradients. Losses of 0, without labels or without
    weight, are left out: they would take all of it. `setting` is the step size of the logits, 0.025
    if it is 0.
    """
    share = _shares(memory, losses, loss_weights)
    shown = jnp.where(loss_weights * losses != 0, loss_weights * losses, 1.0) + EPSILON
    scale = jax.lax.stop_gradient(1 / (share / shown).sum())
    return scale * (share * jnp.log(shown)).sum()


def _shares(memory: Logits, losses: Losses, loss_weights: Losses) -> Losses:
    """Returns the softmax over the losses that are not 0; where all are, over all."""
    there = loss_weights * losses != 0
    there |= ~there.any()
    return jax.nn.softmax(memory.logits, where=there)


def next_logits(
    memory: Logits, losses: Losses, loss_weights: Losses, *, setting: Number, after: Losses
) -> Logits:
    """Moves the logits: a task that a step has helped little gets more.

    An Adam step down the softmax's product with ``log(losses) - log(after)``.
    """
    share = _shares(memory, losses, loss_weights)
    gain = jnp.log(loss_weights * losses + EPSILON) - jnp.log(loss_weights * after + EPSILON)
    slope = share * (gain - (share * gain).sum()) + DECAY * memory.logits
    steps = memory.steps + 1
    mean = _MEAN * memory.mean + (1 - _MEAN) * slope
    square = _SQUARE * memory.square + (1 - _SQUARE) * slope**2
    move = mean / (1 - _MEAN**steps) / (jnp.sqrt(square / (1 - _SQUARE**steps)) + EPSILON)
    rate = jnp.where(setting > 0, setting, RATE)
    return Logits(memory.logits - rate * move, mean, square, steps)
