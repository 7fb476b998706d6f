"""How the steps of a recurrence follow each other: a schedule, and the rule that chooses one.

Every schedule gives the same values and gradients, to rounding; what differs is what a device does
in which order. On a processor arithmetic costs, and the fewest steps of the fewest rows are best.
On a GPU what costs is each serial step: launching its kernels where lanes are few, and reading the
recurrent kernels of all lanes from memory where they are many; rows are nearly for nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from dser_jax.system import look_up

VARIABLE = "DSER_RECURRENCE"
"""The environment variable that names a schedule; neither rule nor measurement counts then."""

RULE = "rule"
"""In the place of a schedule's name: each recurrence has what `choose` thinks best."""

FEW = 64
"""Utterances up to which rows are nearly for nothing on a GPU.

A serial step reads a lane's recurrent kernel, 4 units x units, and moves some 18 units a row: the
gates once, states and cells. At 256 units both are equal at 57 rows.
"""


@jax.tree_util.register_static
@dataclass(frozen=True)
class Schedule:
    """A way through the steps of a batch; no part of it changes what is computed.

    Attributes:
      end_to_end: Whether utterances lie end to end in a few rows, chunks before the fullest row
        begins are left out, and the states on padding are a run of their own. Else each utterance
        has a row of all steps, and padding that is fed is the row's first steps: one loop of known
        length.
      chunk: Steps in a chunk, at most: those whose inputs are projected, and whose gradients are
        added up, at once.
      unroll: Steps of a chunk in one round of a loop, at most.
      keep: Whether gates are kept for the way back; else they are computed again, a chunk at once.
    """

    end_to_end: bool
    chunk: int
    unroll: int
    keep: bool

    def rounds(self, steps: int) -> int:
        """Returns in how many rounds a loop runs through the steps of a chunk."""
        return -(-steps // self.unroll)


SCHEDULES = {
    "packed": Schedule(end_to_end=True, chunk=10, unroll=1, keep=True),
    "lean": Schedule(end_to_end=True, chunk=20, unroll=10, keep=False),
    "rows": Schedule(end_to_end=False, chunk=128, unroll=10, keep=False),
}
"""The schedules by name."""


_Traced = tuple[str, set[str]]
_TRACED: ContextVar[_Traced | None] = ContextVar("_TRACED", default=None)


@contextmanager
def scheduled(name: str) -> Iterator[set[str]]:
    """Has all recurrences that are traced meanwhile follow a schedule, by its name or `RULE`.

    Yields:
      The names of those that were followed, filled while it lasts.
    """
    taken: set[str] = set()
    token = _TRACED.set((name, taken))
    try:
        yield taken
    finally:
        _TRACED.reset(token)


def choose(fed: bool, utterances: int) -> Schedule:
    """Chooses the schedule of a batch: what the user names, what `scheduled` says, or by a rule.

    The rule is that on a GPU few rows in which padding is fed are run through: end to end, the
    states on padding are as many serial steps again, which on an H100 was slower than a plain scan
    (docs/speed.md). Where padding is skipped, rows would run through steps that no utterance of any
    lane has. That this chooses well was counted in kernels (benchmarks/kernels.py), not timed yet:
    `benchmarks/lanes.py --schedules` does, and so does a long sweep before it begins
    (`engine/pace/`). Nothing is timed here.

    Args:
      fed: Whether padding is fed to the network.
      utterances: Rows of the batch.

    Raises:
      DserError: `DSER_RECURRENCE` names no schedule.
    """
    asked, taken = _TRACED.get() or (RULE, set())
    name = named_by_user() or (_by_rule(fed, utterances) if asked == RULE else asked)
    taken.add(name)
    return SCHEDULES[name]


def named_by_user() -> str | None:
    """Returns the schedule that the user asks for, if any.

    Raises:
      DserError: There is none of that name.
    """
    named = os.environ.get(VARIABLE)
    if named:
        look_up(SCHEDULES, named, VARIABLE)
    return named or None


def _by_rule(fed: bool, utterances: int) -> str:
    if jax.default_backend() == "cpu":
        return "packed"
    return "rows" if fed and utterances <= FEW else "lean"


def loop(start, stop, body: Callable[..., Any], carry):
    """Runs a loop whose bounds may be data, its numbers in int32 whatever the default is."""
    return lax.fori_loop(jnp.int32(start), jnp.int32(stop), body, carry)


def scan(schedule: Schedule, step: Callable[..., Any], carry, inputs: Any, reverse: bool = False):
    """Runs through the steps of a chunk, which are whole rounds."""
    steps = len(inputs[0])
    unroll = steps // schedule.rounds(steps)
    return lax.scan(step, carry, inputs, reverse=reverse, unroll=unroll)


def take_chunk(x: Array, chunk) -> Array:
    """Takes a chunk."""
    return lax.dynamic_index_in_dim(x, chunk, 0, keepdims=False)


@jax.custom_batching.custom_vmap
def put_chunk(x: Array, value: Array, chunk) -> Array:
    """Writes a chunk."""
    return lax.dynamic_update_index_in_dim(x, value, chunk, 0)


@put_chunk.def_vmap
def _put_in_each(lanes, batched, x, value, chunk):
    """Writes the same chunk of all lanes at once, where JAX would make it a scatter."""
    assert not batched[2]
    x, value = (
        each if in_lanes else jnp.broadcast_to(each[None], (lanes, *each.shape))
        for each, in_lanes in zip((x, value), batched[:2], strict=True)
    )
    return lax.dynamic_update_slice_in_dim(x, value[:, None], chunk, 1), True


@jax.custom_batching.custom_vmap
def add_rows(x: Float[Array, "row k"], d: Float[Array, "row n"]) -> Float[Array, "k n"]:
    """Adds up the outer products of the rows of both: the gradient of a kernel."""
    return x.T @ d


@add_rows.def_vmap
def _add_rows_of_each(size, batched, x, d):
    """Makes a product of each task; by JAX' rule all would lie in one, to be taken apart."""
    x, d = (
        each if in_tasks else jnp.broadcast_to(each[None], (size, *each.shape))
        for each, in_tasks in zip((x, d), batched, strict=True)
    )
    return x.swapaxes(1, 2) @ d, True
