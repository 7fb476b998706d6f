"""The recurrence of an LSTM layer: no arithmetic on padding, and a gradient of its own.

Sequences lie in rows, so that a step of all rows is one matrix product; where one begins, the state
starts anew. Steps are divided into chunks, and the chunks before the fullest row begins are left
out. Their number is data, not a shape: a loop of so many rounds, without a program for each length.
All lanes of a program share it (`sequences`), and no result depends on it. Which rows, which chunks
and what is kept for the way back is a `Schedule`, which no result depends on but by rounding.

- "masked": the state before an utterance's first real step is zero.
- "keras": padding is fed to the network like a word. In front of all utterances of a run it is the
  same, so its states can be computed once, by `padding_states`, for each utterance to begin from;
  or each row has it as its first steps.

Differentiating a scan would add up the gradients of the kernels in the carry, step by step, with a
pass over each kernel at each step. Here the way back collects the gradients of the gates, and adds
to the kernels' once a chunk, by products over all of its steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, Int32

from dser_jax.models.schedules import Schedule, add_rows, loop, put_chunk, scan, take_chunk

Sequences = Float[Array, "chunk step row feat"]
States = Float[Array, "chunk step row units"]
Before = tuple[Float[Array, "utt units"], Float[Array, "utt units"]]
PaddingStates = Float[Array, "chunk step units"]


class Kernels(NamedTuple):
    """Parameters of a layer; gates in the order of Keras: input, forget, cell, output."""

    inputs: Float[Array, "feat gates"]
    recurrent: Float[Array, "units gates"]
    bias: Float[Array, " gates"]


class Window(NamedTuple):
    """What of the sequences is to be computed.

    Attributes:
      start: First chunk that is; all utterances lie behind its beginning.
      begins: The utterance whose first step this is; -1, where none begins. None where all rows
        are to run through from the first step to the last.
      schedule: In which order.
    """

    start: Int32[Array, ""]
    begins: Int32[Array, "chunk step row"] | None
    schedule: Schedule


@partial(jax.custom_vjp, nondiff_argnums=(4,))
def states(
    x: Sequences, kernels: Kernels, before: Before | None, window: Window, half: bool = False
) -> States:
    """Runs an LSTM over sequences; returns its state after each step.

    Where nothing lies, the states are anything; so is the gradient of the inputs there.

    Args:
      x: Inputs; any finite number where nothing lies.
      kernels: Parameters.
      before: State and cell from which each utterance begins; None if they are zero.
      window: What to compute.
      half: Whether the recurrent product takes bfloat16; states stay as they are.
    """
    return _forward(x, kernels, before, window, half, keep=False)[0]


def _states_forward(x, kernels, before, window, half):
    kept = _forward(x, kernels, before, window, half, keep=True)
    return kept[0], (x, kernels, before, window, kept)


def _states_backward(half, remembered, gradient):
    x, kernels, before, window, kept = remembered
    return (*_backward(gradient, None, x, kernels, before, window, kept, half), None)


states.defvjp(_states_forward, _states_backward)


@partial(jax.custom_vjp, nondiff_argnums=(3, 4))
def padding_states(
    x: Float[Array, "chunk step feat"],
    kernels: Kernels,
    first: Int[Array, ""],
    schedule: Schedule,
    half: bool = False,
) -> tuple[PaddingStates, PaddingStates]:
    """Runs an LSTM over padding alone; returns its states and cells after each step.

    Args:
      x: Inputs.
      kernels: Parameters.
      first: First step; those before it only fill up the first chunk.
      schedule: As in `Window`.
      half: As in `states`.
    """
    return _padding_forward(x, kernels, first, schedule, half)[0]


def _padding_forward(x, kernels, first, schedule, half):
    chunks, steps, _ = x.shape
    begins = jnp.where(jnp.arange(chunks * steps, dtype=jnp.int32) == first, jnp.int32(0), -1)
    window = Window(jnp.int32(0), begins.reshape(chunks, steps, 1), schedule)
    kept = _forward(x[:, :, None], kernels, None, window, half, keep=True)
    return (kept[0][:, :, 0], kept[1][:, :, 0]), (x[:, :, None], kernels, window, kept)


def _padding_backward(_schedule, half, remembered, gradients):
    x, kernels, window, kept = remembered
    d_states, d_cells = (each[:, :, None] for each in gradients)
    d_x, d_kernels, _ = _backward(d_states, d_cells, x, kernels, None, window, kept, half)
    return d_x[:, :, 0], d_kernels, None


padding_states.defvjp(_padding_forward, _padding_backward)


def single_step(gates: Float[Array, "*shape gates"]) -> Float[Array, "*shape units"]:
    """Takes sequences of a single step, as functionals are, to their states: nothing recurs."""
    *shape, width = gates.shape
    flat = gates.reshape(-1, width)
    return _cell(flat, jnp.zeros((len(flat), width // 4), gates.dtype))[0].reshape(*shape, -1)


def _cell(gates: Float[Array, "row gates"], cell: Array):
    """Advances by one step; returns state, cell and the gates as they were used."""
    i, f, g, o = _used(gates)
    cell = f * cell + i * g
    return o * jnp.tanh(cell), cell, jnp.concatenate([i, f, g, o], axis=-1)


def _used(gates: Float[Array, "*shape gates"]):
    """Returns the gates as they are used, each on its own."""
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    return jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)


def _slopes(cell: Array, earlier: Array, gates: Sequence[Array]):
    """Returns what the gradients of state and cell are multiplied by on their way back.

    That is: the state's, for the cell; the output gate's by the state's, and the other gates' by
    the cell's; the cell's, for the cell before, which is `earlier`.
    """
    i, f, g, o = gates
    shown = jnp.tanh(cell)
    of_gates = (g * i * (1 - i), earlier * f * (1 - f), i * (1 - g * g), shown * o * (1 - o))
    return o * (1 - shown * shown), of_gates, f


def _narrowed(kernel: Float[Array, "k n"], half: bool) -> Float[Array, "k n"]:
    """Returns a kernel as products of each step take it: in bfloat16, if `half`.

    Cast once, in front of the loops. Without the barrier XLA may move the cast back into them, and
    read and cast the whole kernel at each step.
    """
    return lax.optimization_barrier(kernel.astype(jnp.bfloat16)) if half else kernel


def _product(x: Float[Array, "row k"], kernel: Float[Array, "k n"]):
    """Multiplies matrices in the kernel's type, with sums in the type of `x`."""
    return jnp.matmul(x.astype(kernel.dtype), kernel, preferred_element_type=x.dtype)


def _anew(before: Before | None, begins: Int32[Array, "step row"] | None):
    """Returns state and cell that each step of a chunk takes where an utterance begins there."""
    if before is None or begins is None:
        return None
    return tuple(each[jnp.maximum(begins, 0)] for each in before)


def _restarted(old, anew, begins: Int32[Array, "..."] | None):
    """Puts what an utterance begins from in the place of what the one before it left."""
    if begins is None:
        return old
    here = (begins >= 0)[..., None]
    anew = (0.0, 0.0) if anew is None else anew
    return tuple(jnp.where(here, new, each) for new, each in zip(anew, old, strict=True))


def _collected(begins: Int32[Array, "step row"], found: Array, new: Array) -> Array:
    """Takes over what acts on the state before each utterance that begins in a chunk."""
    return found.at[jnp.where(begins < 0, len(found), begins)].set(new, mode="drop")


def _forward(x, kernels: Kernels, before, window: Window, half: bool, *, keep: bool):
    """Returns the states, and where `keep` asks for it cells and gates, written chunk by chunk."""
    chunks, steps, rows, feat = x.shape
    units = kernels.recurrent.shape[0]
    widths = (units,)
    if keep:
        widths = (units, units, 4 * units) if window.schedule.keep else (units, units)
    recurrent = _narrowed(kernels.recurrent, half)
    # Nobody reads what lies before the window.
    found = tuple(lax.empty((chunks, steps, rows, width), x.dtype) for width in widths)

    def chunk_of(chunk, carry):
        inputs = take_chunk(x, chunk).reshape(steps * rows, feat)
        projected = (inputs @ kernels.inputs + kernels.bias[None]).reshape(steps, rows, -1)
        begins = None if window.begins is None else take_chunk(window.begins, chunk)

        def step(carry, inputs):
            projected, begins, anew = inputs
            state, cell = _restarted(carry, anew, begins)
            state, cell, gates = _cell(projected + _product(state, recurrent), cell)
            return (state, cell), (state, cell, gates)[: len(widths)]

        carry, written = carry
        inputs = (projected, begins, _anew(before, begins))
        carry, new = scan(window.schedule, step, carry, inputs)
        written = tuple(put_chunk(old, each, chunk) for old, each in zip(written, new, strict=True))
        return carry, written

    zeros = jnp.zeros((rows, units), x.dtype)
    return loop(window.start, chunks, chunk_of, ((zeros, zeros), found))[1]


def _backward(d_states, d_cells, x, kernels: Kernels, before, window: Window, kept, half: bool):
    """Returns the gradients of inputs, of kernels and of `before`."""
    chunks, steps, rows, feat = x.shape
    units = kernels.recurrent.shape[0]
    recurrent = _narrowed(kernels.recurrent, half)
    back, back_inputs = recurrent.T, kernels.inputs.T

    def chunk_of(number, carry):
        chunk = chunks - 1 - number
        carry, d_x, d_kernels, d_before = carry
        begins = None if window.begins is None else take_chunk(window.begins, chunk)
        states, cells, *used = (take_chunk(each, chunk) for each in kept)

        def shifted(found, all_of):
            last = take_chunk(all_of, jnp.maximum(chunk - 1, 0))[-1]
            last = jnp.where(chunk > window.start, last, 0.0)
            return jnp.concatenate([last[None], found[:-1]])

        earlier = (shifted(states, kept[0]), shifted(cells, kept[1]))
        earlier_states, earlier_cells = _restarted(earlier, _anew(before, begins), begins)
        flat = take_chunk(x, chunk).reshape(steps * rows, feat)
        flat_states = earlier_states.reshape(steps * rows, units)
        if used:
            gates = jnp.split(used[0], 4, axis=-1)
        else:
            gates = flat @ kernels.inputs + kernels.bias[None] + _product(flat_states, recurrent)
            gates = _used(gates.reshape(steps, rows, -1))
        slopes = _slopes(cells, earlier_cells, gates)

        def step(carry, inputs):
            d_state, d_cell = carry
            outer, outer_cell, (of_state, of_gates, forget), begins = inputs
            d_state = d_state + outer
            d_cell = d_cell if outer_cell is None else d_cell + outer_cell
            d_cell = d_cell + d_state * of_state
            d_gates = zip(of_gates, (d_cell, d_cell, d_cell, d_state), strict=True)
            d_gates = jnp.concatenate([slope * outer for slope, outer in d_gates], axis=-1)
            onto = (_product(d_gates, back), d_cell * forget)
            return _restarted(onto, None, begins), (d_gates, None if before is None else onto)

        outer_cells = None if d_cells is None else take_chunk(d_cells, chunk)
        inputs = (take_chunk(d_states, chunk), outer_cells, slopes, begins)
        carry, (d_gates, onto) = scan(window.schedule, step, carry, inputs, reverse=True)
        d_gates = d_gates.reshape(steps * rows, 4 * units)
        d_kernels = Kernels(
            d_kernels.inputs + add_rows(flat, d_gates),
            d_kernels.recurrent + add_rows(flat_states, d_gates),
            d_kernels.bias + d_gates.sum(0),
        )
        d_inputs = (d_gates @ back_inputs).reshape(steps, rows, feat)
        if begins is not None:
            d_before = jax.tree.map(partial(_collected, begins), d_before, onto)
        return carry, put_chunk(d_x, d_inputs, chunk), d_kernels, d_before

    zeros = jnp.zeros((rows, units), x.dtype)
    d_x = lax.empty(x.shape, x.dtype)
    d_before = None if before is None else tuple(jnp.zeros_like(each) for each in before)
    start = ((zeros, zeros), d_x, jax.tree.map(jnp.zeros_like, kernels), d_before)
    return loop(0, chunks - window.start, chunk_of, start)[1:]
