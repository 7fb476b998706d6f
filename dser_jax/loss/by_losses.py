"""Weightings that look at nothing but the losses: chance, learned scales, progress, means.

All multiply the losses by the run's loss weights first, or weigh them so in the mean that they
take: equal ones leave a method as its authors have it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

Losses = Float[Array, " attr"]
Number = Float[Array, ""]

TEMPERATURE = 2.0
"""Of dynamic weight averaging (Liu et al. 2019)."""
SMOOTHING = 0.1
"""Of the smooth Tchebycheff scalarization; its authors try 0.01 to 1."""
TINY = 1e-8
"""A loss below it has no logarithm: that of an attribute without labels is 0."""

SCALES = np.zeros(3, np.float32)
"""Learned scales as they begin."""
TWO_EPOCHS = (np.zeros(3, np.float32), np.zeros(3, np.float32))
"""Mean losses of the last epoch and of the one before, as they begin: there are none yet."""


def random(
    learned: Any, memory: Any, losses: Losses, loss_weights: Losses, *, key: PRNGKeyArray
) -> Number:
    """Weighs by chance: ``softmax(z), z ~ N(0, 1)``, anew at each step (Lin et al. 2022, RLW)."""
    share = jax.nn.softmax(jax.random.normal(key, losses.shape, losses.dtype))
    return (share * loss_weights * losses).sum()


def uncertainty(learned: Losses, memory: Any, losses: Losses, loss_weights: Losses) -> Number:
    """Computes ``sum(w (exp(-s) L + s)) / 2`` with learned ``s``, the logarithms of variances.

    Kendall, Gal & Cipolla 2018, eq. 7. Of a loss of 0, without labels, ``s`` would fall for ever:
    the sum is over the others.
    """
    return 0.5 * _of_known(losses, loss_weights, lambda loss: jnp.exp(-learned) * loss + learned)


def imtl_l(learned: Losses, memory: Any, losses: Losses, loss_weights: Losses) -> Number:
    """Computes ``sum(w (exp(s) L - s))`` with learned scales ``s`` (Liu et al. 2021, IMTL-L).

    Of a loss of 0, without labels, ``s`` would rise for ever: the sum is over the others.
    """
    return _of_known(losses, loss_weights, lambda loss: jnp.exp(learned) * loss - learned)


def _of_known(losses: Losses, loss_weights: Losses, scaled: Callable[[Losses], Losses]) -> Number:
    """Adds up what is made of the losses that are not 0."""
    return jnp.where(losses != 0, loss_weights * scaled(losses), 0.0).sum()


def dwa(
    learned: Any, memory: Any, losses: Losses, loss_weights: Losses, *, setting: Number
) -> Number:
    """Gives more weight to what falls more slowly: ``3 softmax(r / T)`` (Liu et al. 2019, DWA).

    ``r`` is an epoch's mean loss over that of the epoch before, 1 until there are two; `setting` is
    T, 2 if it is 0.
    """
    last, before = memory
    temperature = jnp.where(setting > 0, setting, TEMPERATURE)
    rate = jnp.where(before > TINY, last / jnp.maximum(before, TINY), 1.0)
    share = losses.size * jax.nn.softmax(rate / temperature)
    return (share * loss_weights * losses).sum()


def next_two(memory: tuple[Any, Any], losses: Losses) -> tuple[Losses, Any]:
    """Keeps the mean losses of the last two epochs."""
    return losses, memory[0]


def geometric(learned: Any, memory: Any, losses: Losses, loss_weights: Losses) -> Number:
    """Computes the geometric mean (Chennupati et al. 2019, GLS), of losses that are not 0.

    ``exp(sum(w log L) / sum(w))``: its gradient weighs each task by the inverse of its loss.
    """
    known = losses > TINY
    there = jnp.where(known, loss_weights, 0.0)
    logs = jnp.log(jnp.where(known, losses, 1.0))
    total = there.sum()
    mean = (there * logs).sum() / jnp.where(total > 0, total, 1.0)
    return jnp.where(total > 0, jnp.exp(mean), 0.0)


def stch(
    learned: Any, memory: Any, losses: Losses, loss_weights: Losses, *, setting: Number
) -> Number:
    """Computes ``mu log sum(exp(w L / mu))``, a soft maximum (Lin et al. 2024, STCH).

    The weights are divided by their sum; `setting` is mu, 0.1 if it is 0.
    """
    smoothing = jnp.where(setting > 0, setting, SMOOTHING)
    total = loss_weights.sum()
    share = loss_weights / jnp.where(total > 0, total, 1.0)
    return smoothing * jax.nn.logsumexp(share * losses / smoothing)
