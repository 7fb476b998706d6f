"""Sequences of unlike length, laid in rows, end to end or each in its own, for the recurrence."""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Int32, Shaped

from dser_jax.models.recurrence import Window
from dser_jax.models.schedules import SCHEDULES, Schedule, choose

CROWD = 0.62
"""A batch has so many rows: its size to this power, e.g. 4 for 8 utterances, 32 for 256.

A row then is about as long as the batch's longest utterance, where lengths are spread as those of
speech are; fewer rows would need more steps, more rows would stay empty.
"""


class Places(NamedTuple):
    """Where the steps of a batch's utterances lie: one after another in rows, ends flush.

    Padding has no place, and some places hold nothing; both have the number behind the last. Where
    padding is a row's first steps (`Schedule`), it counts as part of its utterance.

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
        if self.window.schedule.end_to_end:
            flat = x.reshape(-1, *x.shape[2:])
            return jnp.take(flat, self.source, axis=0, mode="fill", fill_value=empty)
        utterances, steps = x.shape[:2]
        there = self.real(x.ndim)
        x = jnp.where(there, x, jnp.asarray(empty, x.dtype)).swapaxes(0, 1)
        chunks, size = self.source.shape[:2]
        fill = [(chunks * size - steps, 0)] + [(0, 0)] * (x.ndim - 1)
        x = jnp.pad(x, fill, constant_values=empty)
        return x.reshape(chunks, size, utterances, *x.shape[2:])

    def pick(
        self, x: Float[Array, "chunk step row feat"], steps: slice = slice(None)
    ) -> Float[Array, "utt _ feat"]:
        """Returns what lies at some steps of each utterance; zero where they have no place."""
        if self.window.schedule.end_to_end:
            flat = x.reshape(-1, x.shape[-1])
            return jnp.take(flat, self.at[:, steps], axis=0, mode="fill", fill_value=0)
        found = x.reshape(-1, *x.shape[2:])[-self.at.shape[1] :][steps].swapaxes(0, 1)
        return jnp.where(self.real(3)[:, steps], found, 0)

    def real(self, axes: int) -> Bool[Array, "utt all *_"]:
        """Tells which steps have a place, with so many axes."""
        real = real_steps(self.at.shape[1] - self.lead, self.at.shape[1])
        return real.reshape(*real.shape, *[1] * (axes - 2))


class Steps(NamedTuple):
    """A batch of sequences on their way through recurrent layers.

    Attributes:
      x: Inputs or states, each in its place.
      places: Where that is.
      padding: What stands on padding, where it is fed to the network, divided into chunks of which
        the first is filled up in front; None where padding is skipped, or lies in the rows.
    """

    x: Float[Array, "chunk step row feat"]
    places: Places
    padding: Float[Array, "chunk_of_padding step feat"] | None

    @property
    def fill(self) -> int:
        """How many steps fill up the first chunk of padding."""
        assert self.padding is not None
        return self.padding.shape[0] * self.padding.shape[1] - self.places.at.shape[1]


def find_places(lengths: Int[Array, " utt"], steps: int, fed: bool = False) -> Places:
    """Finds a place for each step of utterances that were padded in front to so many steps.

    Args:
      lengths: Real steps of each.
      steps: All steps of each.
      fed: Whether padding is fed to the network.
    """
    count, lengths = len(lengths), lengths.astype(jnp.int32)
    schedule = choose(fed, count) if steps > 1 else SCHEDULES["packed"]
    chunks, size = _chunks(steps, schedule)
    rows = row_count(count) if schedule.end_to_end and steps > 1 else count
    whole = fed and not schedule.end_to_end  # Rows hold padding, too.
    if whole:
        lengths = jnp.full_like(lengths, steps)
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
    start = jnp.int32(0)
    if schedule.end_to_end:
        start = shared_minimum(chunks - -(-load.max() // size))
    shape = (chunks, size, rows)
    begins = begins.reshape(shape)
    if whole and chunks * size == steps:
        begins = None  # With the first step of all, and nowhere else.
    window = Window(start, begins, schedule)
    return Places(window, at, source.reshape(shape), steps - lengths)


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
    steps = x.shape[1]
    places = find_places(lengths, steps, padding is not None)
    if padding is not None and not places.window.schedule.end_to_end:
        x = jnp.where(real_steps(lengths, steps)[..., None], x, padding[None, None])
    return Steps(places.lay(x), places, None if padding is None else feed(padding, places))


def feed(padding: Float[Array, " feat"], places: Places) -> Float[Array, "chunk step feat"] | None:
    """Repeats what stands on padding over all steps, in chunks; None where rows hold padding."""
    schedule = places.window.schedule
    if not schedule.end_to_end:
        return None
    return jnp.broadcast_to(
        padding[None, None], (*_chunks(places.at.shape[1], schedule), len(padding))
    )


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
    found = steps.places.pick(steps.x)
    if steps.padding is None:
        return found
    padding = steps.padding.reshape(-1, steps.padding.shape[-1])[None, -found.shape[1] :]
    return jnp.where(steps.places.real(3), found, padding)


def last_step(steps: Steps) -> Float[Array, "utt feat"]:
    """Returns what lies at the last step of each utterance."""
    found = steps.places.pick(steps.x, slice(-1, None))[:, 0]
    if steps.padding is None:
        return found
    return jnp.where(steps.places.real(3)[:, -1], found, steps.padding[-1, -1][None])


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


def _chunks(steps: int, schedule: Schedule) -> tuple[int, int]:
    """Divides steps into equal chunks of whole rounds; returns their number and their size."""
    chunks = -(-steps // schedule.chunk)
    size = -(-steps // chunks)
    rounds = schedule.rounds(size)
    return chunks, rounds * -(-size // rounds)


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
