"""Means of the turns before each utterance; lanes may differ in how fast these fade."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from dser_jax.data import Data
from dser_jax.training.hparams import Number


def with_context(data: Data, half_life: Number | float) -> Data:
    """Adds the means of the turns before, once for all batches; nothing where there are none.

    Args:
      data: With vectors of turns, and which come before which.
      half_life: In turns, above 0.
    """
    if data.turns is None or not data.dialogues:
        return data
    turns = jnp.asarray(data.turns)
    means = [_fading_means(turns, jnp.asarray(grid), half_life) for grid in data.dialogues]
    return data._replace(context=jnp.concatenate(means, axis=1))


def _fading_means(
    turns: Float[Array, "utt width"], grid: Int[Array, "line turn"], half_life
) -> Float[Array, "utt width"]:
    """Goes through all lines of a grid at once, turn by turn.

        mean_t = sum_k w^k x_(t-k) / sum_k w^k,  k = 1, 2, ...,  w = 2^(-1 / half_life)

    Args:
      turns: A vector of each row; NaN counts as if the turn had not been, in that column.
      grid: As `data.dialogues.order.Grid` says.
      half_life: In turns.

    Returns:
      Zeros for a first turn, and for rows in no group.
    """
    decay = jnp.exp2(-1.0 / jnp.asarray(half_life, jnp.float32))

    def step(carry, codes):
        begins = (codes < 0)[:, None]
        total, weight = (jnp.where(begins, 0.0, each) for each in carry)
        rows = jnp.where(codes < 0, -1 - codes, codes)
        mean = jnp.where(weight > 0, total / jnp.maximum(weight, 1.0), 0.0)
        x = jnp.take(turns, rows, axis=0, mode="fill", fill_value=jnp.nan)
        there = ~jnp.isnan(x)
        total = jnp.where(there, decay * total + x, total)
        weight = jnp.where(there, decay * weight + 1.0, weight)
        return (total, weight), mean

    nothing = jnp.zeros((grid.shape[0], turns.shape[1]), turns.dtype)
    _, means = jax.lax.scan(step, (nothing, nothing), grid.T)
    found = jnp.zeros_like(turns)
    rows = jnp.where(grid < 0, -1 - grid, grid).T
    return found.at[rows.reshape(-1)].set(means.reshape(-1, turns.shape[1]), mode="drop")
