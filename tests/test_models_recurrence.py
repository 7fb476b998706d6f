"""The recurrence with its own gradient against a plain scan, differentiated by JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dser_jax.models.recurrence import recur

UNITS = 5


def plain(projected, kernel):
    """Keras' LSTM, step by step, in as few words as possible."""

    def step(carry, gates):
        state, cell = carry
        i, f, g, o = jnp.split(gates + state @ kernel, 4, axis=-1)
        cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
        state = jax.nn.sigmoid(o) * jnp.tanh(cell)
        return (state, cell), state

    zeros = jnp.zeros((projected.shape[1], kernel.shape[0]), projected.dtype)
    return jax.lax.scan(step, (zeros, zeros), projected)[1]


def made_up(steps, lanes, kind):
    random = np.random.default_rng(steps)
    projected = random.normal(0, 2, (lanes, steps, 3, 4 * UNITS)).astype(kind)
    kernel = random.normal(0, 0.7, (lanes, UNITS, 4 * UNITS)).astype(kind)
    weights = random.normal(size=(lanes, steps, 3, UNITS)).astype(kind)
    return projected, kernel, weights


def values_and_gradients(function, arrays):
    def loss(projected, kernel, weights):
        states = function(projected, kernel)
        return (weights * states).sum() + (states**3).sum(), states

    return jax.jit(jax.vmap(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)))(*arrays)


@pytest.mark.parametrize("lanes", [1, 4])
@pytest.mark.parametrize("steps", [1, 2, 3, 40])
@pytest.mark.parametrize(("kind", "close"), [("float32", 1e-5), ("float64", 1e-12)])
def test_values_and_gradients_are_those_of_a_plain_scan(steps, lanes, kind, close):
    with jax.enable_x64(kind == "float64"):
        arrays = made_up(steps, lanes, kind)
        ours, theirs = (values_and_gradients(f, arrays) for f in (recur, plain))
        for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
            assert one.dtype == other.dtype == kind
            np.testing.assert_allclose(one, other, rtol=close, atol=close)


def test_gradient_is_that_of_differences():
    with jax.enable_x64(True):
        projected, kernel, weights = (jnp.asarray(a[0]) for a in made_up(6, 1, "float64"))

        def loss(kernel):
            return (recur(projected, kernel) * weights).sum()

        gradient = jax.grad(loss)(kernel)
        direction = np.random.default_rng(9).normal(size=kernel.shape)
        difference = (loss(kernel + 1e-6 * direction) - loss(kernel - 1e-6 * direction)) / 2e-6
        assert float((gradient * direction).sum()) == pytest.approx(float(difference), rel=1e-7)
