"""Sequences of unlike length as the recurrence takes them: in groups of like length, in chunks."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from dser_jax.models.recurrence import Window

ROWS = 32
"""Utterances in a group; of more utterances the shorter ones are spared the longer ones' steps."""

CHUNK = 5
"""Steps in a chunk, at most; a group's window is a number of chunks."""


class Steps(NamedTuple):
    """A batch of sequences, padded in front, on their way through recurrent layers.

    Attributes:
      x: Inputs or states. The first chunk is filled up in front.
      window: Where the utterances begin.
      padding: What stands on padding, where it is fed to the network; None where it is skipped.
      fill: Steps by which the first chunk was filled up.
    """

    x: Float[Array, "group chunk step row feat"]
    window: Window
    padding: Float[Array, "chunk step feat"] | None
    fill: int


def longest_first(lengths: Int[Array, "utt"], steps: int) -> Int[Array, "row"] | None:
    """Returns the order in which utterances are grouped, or None if there is nothing to group.

    It ends with repetitions where the last group is not full.
    """
    count = len(lengths)
    if count <= ROWS or steps == 1:
        return None
    order = jnp.argsort(lengths, descending=True, stable=True)
    return jnp.concatenate([order, jnp.broadcast_to(order[-1:], (-count % ROWS,))])


def ordered(x: Array, order: Int[Array, "row"] | None) -> Array:
    """Puts what is given by utterance into an order; it should need no gradient."""
    return x if order is None else x[order]


def arrange(
    x: Float[Array, "row step feat"],
    lengths: Int[Array, "row"],
    padding: Float[Array, "feat"] | None,
) -> Steps:
    """Divides sequences, ordered by `longest_first`, into groups and chunks.

    Args:
      x: Sequences, padded in front.
      lengths: Real steps of each.
      padding: What stands on padding, if it is fed to the network.
    """
    rows, steps, feat = x.shape
    groups = 1 if rows % ROWS else rows // ROWS
    chunks = -(-steps // CHUNK)
    size = -(-steps // chunks)
    fill = chunks * size - steps
    x = jnp.pad(x, ((0, 0), (fill, 0), (0, 0)))
    x = x.reshape(groups, rows // groups, chunks, size, feat).transpose(0, 2, 3, 1, 4)
    first = (fill + steps - lengths.astype(jnp.int32)).reshape(groups, rows // groups)
    start = shared_minimum(jnp.minimum(first.min(1) // size, chunks - 1))
    if padding is not None:
        padding = jnp.broadcast_to(padding[None, None], (chunks, size, feat))
    return Steps(x, Window(first, start), padding, fill)


def every_step(
    steps: Steps, order: Int[Array, "row"] | None, count: int
) -> Float[Array, "utt step feat"]:
    """Returns what `arrange` divided, in the order of the utterances."""
    groups, chunks, size, rows, feat = steps.x.shape
    x = steps.x.transpose(0, 3, 1, 2, 4).reshape(groups * rows, chunks * size, feat)
    return _restored(x[:, steps.fill :], order, count)


def last_step(
    steps: Steps, order: Int[Array, "row"] | None, count: int
) -> Float[Array, "utt feat"]:
    """Returns the last step of each sequence, in the order of the utterances."""
    groups, _, _, rows, feat = steps.x.shape
    return _restored(steps.x[:, -1, -1].reshape(groups * rows, feat), order, count)


def real_steps(lengths: Int[Array, "utt"], steps: int) -> Bool[Array, "utt step"]:
    """Tells real steps from the padding in front of them."""
    return jnp.arange(steps, dtype=lengths.dtype)[None] >= steps - lengths[:, None]


def token_lengths(tokens: Int[Array, "utt token"]) -> Int[Array, "utt"]:
    """Counts tokens from the first that is not padding."""
    words = tokens != 0
    return jnp.where(words.any(1), tokens.shape[1] - words.argmax(1), 0)


@jax.custom_batching.custom_vmap
def shared_minimum(x: Int[Array, "..."]) -> Int[Array, "..."]:
    """Returns the minimum over the lanes that it is mapped over: one value for all of them.

    A loop over so many rounds then stays one loop, where lanes with numbers of their own would
    each have to wait for the slowest and throw away what they computed meanwhile.
    """
    return x


@shared_minimum.def_vmap
def _shared(_size, batched, x):
    return shared_minimum(x.min(0)) if batched[0] else x, False


def _restored(x: Array, order: Int[Array, "row"] | None, count: int) -> Array:
    return x if order is None else _back(x, order[:count])


@jax.custom_vjp
def _back(x: Float[Array, "row ..."], order: Int[Array, "utt"]) -> Float[Array, "utt ..."]:
    """Undoes an order; its gradient gathers, where that of indexing would scatter."""
    return x[jnp.argsort(order)]


def _back_forward(x, order):
    return _back(x, order), (order, x.shape[0])


def _back_backward(remembered, gradient):
    order, rows = remembered
    extra = [(0, rows - len(order))] + [(0, 0)] * (gradient.ndim - 1)
    return jnp.pad(gradient[order], extra), None


_back.defvjp(_back_forward, _back_backward)
