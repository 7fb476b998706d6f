"""Optimizers by name: one step by hand, and what every one must do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from keras_reference import usual_promotion

from dser_jax.training.optimizers import OPTIMIZERS, adam, sgd


@pytest.fixture(autouse=True)
def promotion():
    """Optax' Adam raises a number to the power of an integer."""
    with usual_promotion():
        yield


def steps(make, rate, gradients):
    """Takes steps from 0; returns where they lead."""
    optimizer, place = make(rate), jnp.float32(0)
    state = optimizer.init(place)
    for gradient in gradients:
        update, state = optimizer.update(jnp.float32(gradient), state, place)
        place = place + update
    return float(place)


def test_steps_by_hand():
    # Adam's first step is the rate, whatever the gradient, but for epsilon.
    assert steps(adam, 0.1, [3.0]) == pytest.approx(-0.1, rel=1e-4)
    # 2, then 0.9 * 2 + 1.
    assert steps(sgd, 0.1, [2.0, 1.0]) == pytest.approx(-0.1 * (2 + 2.8))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_takes_a_rate_that_differs_between_lanes(name):
    make = OPTIMIZERS[name]
    params = {"w": jnp.ones(3)}

    def descend(rate):
        state, now = make(1.0).init(params), params
        for _ in range(5):
            gradient = jax.grad(lambda p: (p["w"] ** 2).sum())(now)
            update, state = make(rate).update(gradient, state, now)
            now = jax.tree.map(jnp.add, now, update)
        return jnp.abs(now["w"]).max()

    ends = np.asarray(jax.vmap(descend)(jnp.array([0.0, 0.01, 0.02])))
    assert ends[0] == 1
    assert ends[2] < ends[1] < 1
