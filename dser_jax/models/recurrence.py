"""The recurrence of an LSTM layer: no arithmetic on padding, and a gradient of its own.

Sequences are padded in front. Their steps are divided into chunks, their utterances into groups of
like length; a group starts at the chunk in which its longest utterance begins. That number is data,
not a shape: a loop of so many rounds, without a program for each length. All lanes of a program
share it (`sequences`), and no result depends on it, as states on padding are set, not computed:

- "masked": the state on padding is zero, so that an utterance starts at its first real step.
- "keras": padding is fed to the network like a word. In front of all utterances of a run it is the
  same, so its states are computed once, by `padding_states`, and each utterance starts from those.

Differentiating a scan would add up the gradients of the kernels in the carry, step by step, with a
pass over each kernel at each step. Here the way back collects the gradients of the gates, and adds
to the kernels' once a chunk, by products over all of its steps.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Int32

Sequences = Float[Array, "group chunk step row feat"]
States = Float[Array, "group chunk step row units"]
PaddingStates = Float[Array, "chunk step units"]


class Kernels(NamedTuple):
    """Parameters of a layer; gates in the order of Keras: input, forget, cell, output."""

    inputs: Float[Array, "feat gates"]
    recurrent: Float[Array, "units gates"]
    bias: Float[Array, "gates"]


class Window(NamedTuple):
    """Where a batch's utterances begin.

    Attributes:
      first: First real step of each utterance, counted over all chunks.
      start: First chunk that is computed of each group: no `first` lies before it.
    """

    first: Int32[Array, "group row"]
    start: Int32[Array, "group"]


@partial(jax.custom_vjp, nondiff_argnums=(4,))
def states(
    x: Sequences,
    kernels: Kernels,
    before: tuple[PaddingStates, PaddingStates] | None,
    window: Window,
    half: bool = False,
) -> States:
    """Runs an LSTM over sequences; returns its state after each step.

    Args:
      x: Inputs; those on padding are not looked at.
      kernels: Parameters.
      before: States and cells on padding, from `padding_states`; None if they are zero.
      window: Where the utterances begin.
      half: Whether the recurrent product takes bfloat16; states stay as they are.
    """
    return _forward(x, kernels, before, window, half, keep=False)[0]


def _states_forward(x, kernels, before, window, half):
    kept = _forward(x, kernels, before, window, half, keep=True)
    return kept[0], (x, kernels, before, window, kept)


def _states_backward(half, remembered, gradient):
    x, kernels, before, window, kept = remembered
    d_x, d_kernels, d_before = _backward(
        gradient, None, x, kernels, before, window, kept, half, keep=before is not None
    )
    return d_x, d_kernels, d_before, None


states.defvjp(_states_forward, _states_backward)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def padding_states(
    x: Float[Array, "chunk step feat"],
    kernels: Kernels,
    first: Int[Array, ""],
    half: bool = False,
) -> tuple[PaddingStates, PaddingStates]:
    """Runs an LSTM over padding alone; returns its states and cells after each step.

    Args:
      x: Inputs.
      kernels: Parameters.
      first: First step; those before it only fill up the first chunk.
      half: As in `states`.
    """
    return _padding_forward(x, kernels, first, half)[0]


def _padding_forward(x, kernels, first, half):
    kept = _forward(_alone(x), kernels, None, _all(first), half, keep=True)
    return (_only(kept[0]), _only(kept[1])), (x, kernels, first, kept)


def _padding_backward(half, remembered, gradients):
    x, kernels, first, kept = remembered
    d_states, d_cells = (_alone(each) for each in gradients)
    d_x, d_kernels, _ = _backward(
        d_states, d_cells, _alone(x), kernels, None, _all(first), kept, half, keep=False
    )
    return _only(d_x), d_kernels, None


padding_states.defvjp(_padding_forward, _padding_backward)


def single_step(x: Sequences, kernels: Kernels, window: Window, fed: bool) -> States:
    """Runs an LSTM over sequences of a single step, as functionals are: nothing recurs.

    Args:
      x: Inputs, those on padding included.
      kernels: Parameters.
      window: Which of them are padding.
      fed: Whether padding is fed to the network.
    """
    groups, _, _, rows, feat = x.shape
    gates = x.reshape(-1, feat) @ kernels.inputs + kernels.bias[None]
    found = _cell(gates, jnp.zeros((groups * rows, kernels.recurrent.shape[0]), x.dtype))[0]
    found = jnp.where(fed | (window.first == 0).reshape(-1, 1), found, 0.0)
    return found.reshape(groups, 1, 1, rows, -1)


def _alone(x: Float[Array, "chunk step feat"]) -> Float[Array, "1 chunk step 1 feat"]:
    return x[None, :, :, None]


def _only(x: Float[Array, "1 chunk step 1 feat"]) -> Float[Array, "chunk step feat"]:
    return x[0, :, :, 0]


def _all(first: Int[Array, ""]) -> Window:
    return Window(first[None, None], jnp.zeros(1, first.dtype))


def _cell(gates: Float[Array, "row gates"], cell: Array):
    """Advances by one step; returns state, cell and the gates as they were used."""
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    i, f, g, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
    cell = f * cell + i * g
    return o * jnp.tanh(cell), cell, jnp.concatenate([i, f, g, o], axis=-1)


def _product(x: Float[Array, "row k"], kernel: Float[Array, "k n"], half: bool):
    """Multiplies matrices; in bfloat16 with sums in the type of `x`, if `half`."""
    if not half:
        return x @ kernel
    narrow = jnp.bfloat16
    return jnp.matmul(x.astype(narrow), kernel.astype(narrow), preferred_element_type=x.dtype)


def _at(x: Array, *index) -> Array:
    """Takes one element of the leading axes."""
    for each in index:
        x = lax.dynamic_index_in_dim(x, each, 0, keepdims=False)
    return x


def _put(x: Array, value: Array, group, chunk) -> Array:
    """Writes a chunk of a group."""
    start = [jnp.int32(each) for each in (group, chunk, *(0,) * value.ndim)]
    return lax.dynamic_update_slice(x, value[None, None], start)


def _loop(start, stop, body, carry):
    """Runs a loop whose bounds may be data, its numbers in int32 whatever the default is."""
    return lax.fori_loop(jnp.int32(start), jnp.int32(stop), body, carry)


def _real(first: Int[Array, "row"], chunk, steps: int) -> Bool[Array, "step row"]:
    """Tells the steps of a chunk that are no padding."""
    return (chunk * steps + jnp.arange(steps, dtype=jnp.int32))[:, None] >= first[None]


def _forward(x, kernels: Kernels, before, window: Window, half: bool, *, keep: bool):
    """Returns the states, and where `keep` asks for it cells and gates, written chunk by chunk."""
    groups, chunks, steps, rows, feat = x.shape
    units = kernels.recurrent.shape[0]
    shape = (groups, chunks, steps, rows)
    # What lies before a group's window is padding: of its states, which are the result, all is
    # set here; of cells and gates nothing is read there.
    found = jnp.zeros((*shape, units), x.dtype)
    if before is not None:
        found = jnp.broadcast_to(before[0][None, :, :, None], found.shape)
    kept = tuple(lax.empty((*shape, width), x.dtype) for width in (units, 4 * units) if keep)

    def group_of(group, written):
        first, start = _at(window.first, group), _at(window.start, group)

        def chunk_of(chunk, carry):
            state, cell, written = carry
            inputs = _at(x, group, chunk).reshape(steps * rows, feat)
            projected = (inputs @ kernels.inputs + kernels.bias[None]).reshape(steps, rows, -1)
            real = _real(first, chunk, steps)
            edge = None if before is None else tuple(_at(each, chunk) for each in before)

            def step(carry, inputs):
                projected, real, edge = inputs
                state, cell = carry
                recurrent = _product(state, kernels.recurrent, half)
                state, cell, gates = _cell(projected + recurrent, cell)
                outside = (0.0, 0.0) if edge is None else (edge[0][None], edge[1][None])
                state = jnp.where(real[:, None], state, outside[0])
                cell = jnp.where(real[:, None], cell, outside[1])
                return (state, cell), (state, cell, gates)[: len(written)]

            (state, cell), new = lax.scan(step, (state, cell), (projected, real, edge))
            written = tuple(
                _put(old, each, group, chunk) for old, each in zip(written, new, strict=True)
            )
            return state, cell, written

        carry = (*_edge(before, start, (rows, units), x.dtype), written)
        return _loop(start, chunks, chunk_of, carry)[2]

    return _loop(0, groups, group_of, (found, *kept))


def _edge(before, start, shape, dtype):
    """Returns states and cells after the last step before a group's window."""
    if before is None:
        return jnp.zeros(shape, dtype), jnp.zeros(shape, dtype)
    last = (jnp.where(start > 0, _at(each, _previous(start))[-1], 0.0) for each in before)
    return tuple(jnp.broadcast_to(each[None], shape) for each in last)


def _previous(chunk):
    """Returns the number of the chunk before, 0 for the first, which has none."""
    return jnp.maximum(chunk - 1, 0)


def _backward(
    d_states, d_cells, x, kernels: Kernels, before, window: Window, kept, half: bool, *, keep: bool
):
    """Returns the gradients of inputs, of kernels, and where `keep` asks for it of `before`."""
    found, cells, used = kept
    groups, chunks, steps, rows, feat = x.shape
    units = kernels.recurrent.shape[0]
    back, back_inputs = kernels.recurrent.T, kernels.inputs.T

    def group_of(group, carry):
        first, start = _at(window.first, group), _at(window.start, group)
        edge = _edge(before, start, (rows, units), x.dtype)

        def chunk_of(number, carry):
            chunk = chunks - 1 - number
            d_state, d_cell, d_x, d_kernels, d_before = carry

            def shifted(all_of, edge):
                """States or cells before each step of the chunk."""
                earlier = _at(all_of, group, _previous(chunk))[-1]
                return jnp.concatenate(
                    [jnp.where(chunk > start, earlier, edge)[None], _at(all_of, group, chunk)[:-1]]
                )

            real = _real(first, chunk, steps)
            outer_cells = None if d_cells is None else _at(d_cells, group, chunk)
            earlier_states, earlier_cells = shifted(found, edge[0]), shifted(cells, edge[1])

            def step(carry, inputs):
                d_state, d_cell = carry
                outer, outer_cell, cell, earlier, gates, real = inputs
                i, f, g, o = jnp.split(gates, 4, axis=-1)
                onto_padding = None
                if keep:
                    onto_padding = tuple(
                        jnp.where(real[:, None], 0.0, each).sum(0) for each in carry
                    )
                d_state = d_state + outer
                d_cell = d_cell if outer_cell is None else d_cell + outer_cell
                shown = jnp.tanh(cell)
                d_here = d_cell + d_state * o * (1 - shown * shown)
                d_gates = jnp.concatenate(
                    [
                        d_here * g * i * (1 - i),
                        d_here * earlier * f * (1 - f),
                        d_here * i * (1 - g * g),
                        d_state * shown * o * (1 - o),
                    ],
                    axis=-1,
                )
                d_gates = jnp.where(real[:, None], d_gates, 0.0)
                carry = (_product(d_gates, back, half), jnp.where(real[:, None], d_here * f, 0.0))
                return carry, (d_gates, onto_padding)

            inputs = (
                _at(d_states, group, chunk),
                outer_cells,
                _at(cells, group, chunk),
                earlier_cells,
                _at(used, group, chunk),
                real,
            )
            (d_state, d_cell), (d_gates, onto_padding) = lax.scan(
                step, (d_state, d_cell), inputs, reverse=True
            )
            d_gates = d_gates.reshape(steps * rows, 4 * units)
            flat = _at(x, group, chunk).reshape(steps * rows, feat)
            earlier_states = earlier_states.reshape(steps * rows, units)
            d_kernels = Kernels(
                d_kernels.inputs + flat.T @ d_gates,
                d_kernels.recurrent + earlier_states.T @ d_gates,
                d_kernels.bias + d_gates.sum(0),
            )
            d_inputs = (d_gates @ back_inputs).reshape(steps, rows, feat)
            if keep:
                d_before = _add(d_before, chunk, onto_padding)
            return d_state, d_cell, _put(d_x, d_inputs, group, chunk), d_kernels, d_before

        zeros = jnp.zeros((rows, units), x.dtype)
        d_state, d_cell, d_x, d_kernels, d_before = _loop(
            0, chunks - start, chunk_of, (zeros, zeros, *carry)
        )
        if keep:
            # Utterances that begin with the window's first step had their state from before it.
            last = jnp.arange(steps)[:, None] == steps - 1
            onto = tuple(
                jnp.where(last & (start > 0), each.sum(0), 0.0) for each in (d_state, d_cell)
            )
            d_before = _add(d_before, _previous(start), onto)
        return d_x, d_kernels, d_before

    d_before = None
    if keep:
        # What acts on the states of padding directly; what acts through an utterance's first step
        # is added in the loops. Apart, as the sums then are the same wherever a window starts.
        real = _real(window.first.reshape(-1), 0, chunks * steps).reshape(chunks, steps, groups, -1)
        real = real.transpose(2, 0, 1, 3)[..., None]
        outside = jnp.where(real, 0.0, d_states).sum((0, 3))
        d_before = (outside, jnp.zeros_like(outside))
    start = (jnp.zeros_like(x), jax.tree.map(jnp.zeros_like, kernels), d_before)
    return _loop(0, groups, group_of, start)


def _add(sums, chunk, values):
    """Adds to a chunk of each array."""
    return tuple(
        lax.dynamic_update_index_in_dim(each, _at(each, chunk) + value, chunk, 0)
        for each, value in zip(sums, values, strict=True)
    )
