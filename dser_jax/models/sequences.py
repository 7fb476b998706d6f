"""Sequences of unlike length, laid end to end in rows, as the recurrence takes them."""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Int32, Shaped

from dser_jax.models.recurrence import Window

CROWD = 0.62
"""A batch has so many rows: its size to this power, e.g. 4 for 8 utterances, 32 for 256.

A row then is about as long as the batch's longest utterance, where lengths are spread as those of
speech are; fewer rows would need more steps, more rows would stay empty.
"""

CHUNK = 10
"""Steps in a chunk, at most; a window is a number of chunks."""


class Places(NamedTuple):
    """Where the steps of a batch's utterances lie: in a row after one another, ends flush.

    Padding has no place, and some places hold nothing; both have the number behind the last.

    Attributes:
      window: The chunks to compute, and where in them utterances begin.
      at: The place of each step, counted over chunks, steps and rows.
      source: What lies at a place: a step, counted over all utterances, padding included.
      lead: Steps of padding in front of each utterance.
    """

    window: Window
    at: Int32[Array, "utt all"]
    source: Int32[Array, "chunk step row"]
    lead: Int32[Array, " utt"]

    def lay(self, x: Shaped[Array, "utt all *feat"], empty=0) -> Shaped[Array, "..."]:
        """Brings each step to its place; `empty` is what to put where there is none."""
        flat = x.reshape(-1, *x.shape[2:])
        return jnp.take(flat, self.source, axis=0, mode="fill", fill_value=empty)


class Steps(NamedTuple):
    """A batch of sequences on their way through recurrent layers.

    Attributes:
      x: Inputs or states, each in its place.
      places: Where that is.
      padding: What stands on padding, where it is fed to the network, divided into chunks of which
        the first is filled up in front; None where padding is skipped.
    """

    x: Float[Array, "chunk step row feat"]
    places: Places
    padding: Float[Array, "chunk_of_padding step feat"] | None

    @property
    def fill(self) -> int:
        """How many steps fill up the first chunk of padding."""
        assert self.padding is not None
        return self.padding.shape[0] * self.padding.shape[1] - self.places.at.shape[1]


def find_places(lengths: Int[Array, " utt"], steps: int) -> Places:
    """Finds a place for each step of utterances that were padded in front to so many steps."""
    count, lengths = len(lengths), lengths.astype(jnp.int32)
    chunks, size = _chunks(steps)
    rows = count if steps == 1 else row_count(count)
    row, behind, load = _deal(lengths, rows)
    if rows < count:  # Rows differ by an utterance at most: see `_deal`.
        chunks = -(-(count + rows - 1) * steps // (rows * size))
    none = chunks * size * rows
    time = jnp.arange(steps, dtype=jnp.int32)[None]
    place = (chunks * size - behind[:, None] - steps + time) * rows + row[:, None]
    at = jnp.where(real_steps(lengths, steps), place, none)
    every = jnp.arange(count * steps, dtype=jnp.int32)
    source = jnp.full(none, count * steps, jnp.int32).at[at.reshape(-1)].set(every, mode="drop")
    first = jnp.where(lengths > 0, place[:, -1] - (lengths - 1) * rows, none)
    utterances = jnp.arange(count, dtype=jnp.int32)
    begins = jnp.full(none, -1, jnp.int32).at[first].set(utterances, mode="drop")
    start = shared_minimum(chunks - -(-load.max() // size))
    shape = (chunks, size, rows)
    return Places(Window(start, begins.reshape(shape)), at, source.reshape(shape), steps - lengths)


def row_count(count: int) -> int:
    """Returns in how many rows so many utterances lie."""
    return math.ceil(count**CROWD)


def arrange(
    x: Float[Array, "utt all feat"],
    lengths: Int[Array, " utt"],
    padding: Float[Array, " feat"] | None = None,
) -> Steps:
    """Lays sequences out for recurrent layers.

    Args:
      x: Sequences, padded in front.
      lengths: Real steps of each.
      padding: What stands on padding, if it is fed to the network.
    """
    places = find_places(lengths, x.shape[1])
    return Steps(places.lay(x), places, None if padding is None else feed(padding, x.shape[1]))


def feed(padding: Float[Array, " feat"], steps: int) -> Float[Array, "chunk step feat"]:
    """Repeats what stands on padding over so many steps, in chunks."""
    return jnp.broadcast_to(padding[None, None], (*_chunks(steps), len(padding)))


def before_first(
    found: Float[Array, "chunk step units"], places: Places
) -> Float[Array, "utt units"]:
    """Picks what each utterance begins from out of states on padding; zero, if it has none.

    By a product, whose gradient is one as well: the same sum each time, where adding up at indices
    may take any order on a GPU.
    """
    steps = places.at.shape[1]
    flat = found.reshape(-1, found.shape[-1])[-steps:]
    picked = jax.nn.one_hot(places.lead - 1, steps, dtype=flat.dtype)
    return jnp.matmul(picked, flat, precision=lax.Precision.HIGHEST)


def every_step(steps: Steps) -> Float[Array, "utt all feat"]:
    """Returns what lies at each step of each utterance; zero on padding, if that is skipped."""
    at, padding = steps.places.at, None
    if steps.padding is not None:
        padding = steps.padding.reshape(-1, steps.padding.shape[-1])[None, -at.shape[1] :]
    return _taken(steps.x, at, padding)


def last_step(steps: Steps) -> Float[Array, "utt feat"]:
    """Returns what lies at the last step of each utterance."""
    padding = None if steps.padding is None else steps.padding[-1, -1][None]
    return _taken(steps.x, steps.places.at[:, -1], padding)


def real_steps(lengths: Int[Array, " utt"], steps: int) -> Bool[Array, "utt step"]:
    """Tells real steps from the padding in front of them."""
    return jnp.arange(steps, dtype=lengths.dtype)[None] >= steps - lengths[:, None]


def token_lengths(tokens: Int[Array, "utt token"]) -> Int[Array, " utt"]:
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


def _chunks(steps: int) -> tuple[int, int]:
    """Divides steps into equal chunks; returns their number and their size."""
    chunks = -(-steps // CHUNK)
    return chunks, -(-steps // chunks)


def _deal(lengths: Int32[Array, " utt"], rows: int):
    """Deals utterances out to rows, the longest first, a few at a time to the emptiest rows.

    The rows end up nearly alike: two never differ by more than the longest utterance, as a hand
    goes to the emptiest, and the longest of a hand to the emptiest of those.

    Returns:
      The row of each utterance, how many steps lie behind it there, and how many in each row.
    """
    count, hand = len(lengths), max(1, rows // 4)
    if rows == count:
        return jnp.arange(count, dtype=jnp.int32), jnp.zeros_like(lengths), lengths
    order = jnp.argsort(lengths, descending=True, stable=True)
    hands = jnp.pad(lengths[order], (0, -count % hand)).reshape(-1, hand)

    def deal(load: Int32[Array, "row"], lengths):
        row = jnp.argsort(load, stable=True)[:hand].astype(jnp.int32)
        return load.at[row].add(lengths, unique_indices=True), (row, load[row])

    load, dealt = lax.scan(deal, jnp.zeros(rows, jnp.int32), hands)
    back = jnp.argsort(order)
    row, behind = (each.reshape(-1)[back] for each in dealt)
    return row, behind, load


def _taken(x: Array, at: Int32[Array, "..."], padding: Array | None) -> Array:
    found = jnp.take(x.reshape(-1, x.shape[-1]), at, axis=0, mode="fill", fill_value=0)
    if padding is None:
        return found
    return jnp.where((at < x.size // x.shape[-1])[..., None], found, padding)
