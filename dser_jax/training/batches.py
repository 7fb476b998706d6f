"""Rows of a data set as batches of one size, which is what a network is fed."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from dser_jax.data import Data
from dser_jax.models import Batch

Acoustic = Callable[[Int[Array, " utt"]], Array]
"""Gives the acoustic features of some rows."""

Take = Callable[[Data, Int[Array, " utt"], Bool[Array, " utt"]], Batch]
"""Makes a batch of some rows, given which of them are real: `take` with all but its first."""


def take(
    acoustic: Acoustic | None, data: Data, rows: Int[Array, " utt"], real: Bool[Array, " utt"]
) -> Batch:
    """Makes a batch of some rows.

    Args:
      acoustic: Gives the acoustic features, where `data` does not hold them.
      data: Where the rows are.
      rows: Which, in this order.
      real: False for those that only fill up the batch.
    """
    tokens = None if data.tokens is None else jnp.asarray(data.tokens)[rows]
    frames = None if data.frames is None else jnp.asarray(data.frames)[rows]
    if acoustic is not None:
        features = acoustic(rows)
    else:
        features = None if data.acoustic is None else jnp.asarray(data.acoustic)[rows]
    text = None if data.text is None else jnp.asarray(data.text)[rows]
    text_frames = None if data.text_frames is None else jnp.asarray(data.text_frames)[rows]
    context, turns = take_context(data, rows)
    return Batch(features, tokens, real, frames, text, text_frames, context, turns)


def take_context(data: Data, rows: Int[Array, " utt"]) -> tuple[Array | None, Array | None]:
    """Returns what was before some rows: means, or turns and how many; None for neither."""
    if data.before is None or data.turns is None:
        return (None if data.context is None else jnp.asarray(data.context)[rows]), None
    before = jnp.asarray(data.before)[rows]
    turns = jnp.take(jnp.asarray(data.turns), before, axis=0, mode="fill", fill_value=0.0)
    turns = jnp.where(jnp.isnan(turns), 0.0, turns)  # The part of a turn that it has not.
    return turns, (before < len(data.turns)).sum(1)


def divide(
    rows: Int[Array, " utt"], size: int
) -> tuple[Int[Array, "batch row"], Bool[Array, "batch row"]]:
    """Divides rows into batches, the last filled up with the first row and marked as not real.

    Args:
      rows: At least one.
      size: Rows in a batch; of fewer rows there is one batch, as large as they are.

    Returns:
      The rows, and which of them are real.
    """
    count = len(rows)
    size = min(size, count)
    steps = -(-count // size)
    padded = jnp.concatenate([rows, jnp.broadcast_to(rows[:1], (steps * size - count,))])
    real = jnp.arange(steps * size) < count
    return padded.reshape(steps, size), real.reshape(steps, size)
