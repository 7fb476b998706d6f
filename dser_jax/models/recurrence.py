"""The recurrence of an LSTM layer, with a gradient of its own.

Differentiating a scan adds up the gradient of the recurrent kernel step by step, in the carry: a
small matrix product and a pass over the whole kernel at each step. Here the way back only collects
the gradients of the gates; that of the kernel is one large product at the end.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

States = Float[Array, "step utt units"]
Gates = Float[Array, "step utt gates"]
Kernel = Float[Array, "units gates"]


@jax.custom_vjp
def recur(projected: Gates, kernel: Kernel) -> States:
    """Runs an LSTM over its steps from a zero state; gates in the order of Keras.

    Args:
      projected: The input's share of the gates, biases included: input, forget, cell, output.
      kernel: From a state to the gates of the next step.

    Returns:
      The state after each step.
    """
    return _forward(projected, kernel)[0]


def _forward(projected: Gates, kernel: Kernel):
    """Returns the states, and what the way back needs: cells and gates after each step."""

    def step(carry, inputs):
        state, cell = carry
        return _cell(inputs + state @ kernel, cell)

    # The state before the first step is zero, so that step needs no recurrent product; a single
    # step (functionals) is then no scan at all.
    zeros = jnp.zeros((projected.shape[1], kernel.shape[0]), projected.dtype)
    carry, first = _cell(projected[0], zeros)
    if projected.shape[0] == 1:
        return tuple(each[None] for each in first)
    _, rest = jax.lax.scan(step, carry, projected[1:])
    return tuple(jnp.concatenate([one[None], more]) for one, more in zip(first, rest, strict=True))


def _cell(gates: Float[Array, "utt gates"], cell: Float[Array, "utt units"]):
    """Advances by one step; returns the carry, and state, cell and gates as they were used."""
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    i, f, g, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
    cell = f * cell + i * g
    state = o * jnp.tanh(cell)
    return (state, cell), (state, cell, jnp.concatenate([i, f, g, o], axis=-1))


def _remember(projected: Gates, kernel: Kernel):
    states, cells, gates = _forward(projected, kernel)
    return states, (states, cells, gates, kernel)


def _backward(remembered, gradient: States):
    states, cells, gates, kernel = remembered

    def step(carry, inputs):
        d_state, d_cell = carry
        gradient, cell, before, gates = inputs
        i, f, g, o = jnp.split(gates, 4, axis=-1)
        d_state = d_state + gradient
        shown = jnp.tanh(cell)
        d_cell = d_cell + d_state * o * (1 - shown * shown)
        d_gates = jnp.concatenate(
            [
                d_cell * g * i * (1 - i),
                d_cell * before * f * (1 - f),
                d_cell * i * (1 - g * g),
                d_state * shown * o * (1 - o),
            ],
            axis=-1,
        )
        return (d_gates @ kernel.T, d_cell * f), d_gates

    zeros = jnp.zeros_like(states[0])
    before = jnp.concatenate([zeros[None], cells[:-1]])
    _, d_gates = jax.lax.scan(step, (zeros, zeros), (gradient, cells, before, gates), reverse=True)
    d_kernel = jnp.einsum("tuh,tug->hg", states[:-1], d_gates[1:])
    return d_gates, d_kernel


recur.defvjp(_remember, _backward)
