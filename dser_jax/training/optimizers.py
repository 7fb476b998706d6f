"""Optimizers by name: functions from a step size to an `init` and `update` of optax."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import jax
import optax
from jaxtyping import Array, Float

Rate = Float[Array, ""] | float

Optimizer = Callable[..., optax.GradientTransformation]
"""Makes an optimizer of a step size, which is traced, and may not end up in its state.

One that has a second argument `weight_decay` is given that, too, likewise traced.
"""


def rmsprop(learning_rate: Rate, epsilon_inside: bool = False) -> optax.GradientTransformation:
    """Makes RMSprop with Keras' constants: rho 0.9, epsilon 1e-7.

    Args:
      learning_rate: Step size.
      epsilon_inside: Whether epsilon is added under the root, as Keras 3 does. The paper's Keras 2
        added it to the root, which matters for gradients around 1e-3 and below.
    """
    return optax.rmsprop(learning_rate, decay=0.9, eps=1e-7, eps_in_sqrt=epsilon_inside)


def adam(learning_rate: Rate) -> optax.GradientTransformation:
    """Makes Adam with Keras' constants: betas 0.9 and 0.999, epsilon 1e-7 (Kingma & Ba 2015)."""
    return optax.adam(learning_rate, b1=0.9, b2=0.999, eps=1e-7)


def adamw(learning_rate: Rate, weight_decay: Rate = 0.0) -> optax.GradientTransformation:
    """Makes Adam with decoupled weight decay (Loshchilov & Hutter 2019), PyTorch's constants.

    Args:
      learning_rate: Step size.
      weight_decay: Decay of kernels and embeddings; of vectors (biases, norms) there is none.
    """

    def matrices(params):
        return jax.tree.map(lambda leaf: leaf.ndim > 1, params)

    return optax.adamw(learning_rate, eps=1e-8, weight_decay=weight_decay, mask=matrices)


def sgd(learning_rate: Rate) -> optax.GradientTransformation:
    """Makes gradient descent with a momentum of 0.9."""
    return optax.sgd(learning_rate, momentum=0.9)


OPTIMIZERS: dict[str, Optimizer] = {
    "rmsprop": rmsprop,
    "adam": adam,
    "adamw": adamw,
    "sgd": sgd,
}
"""What `Config.optimizer` names; the paper's is RMSprop. Add your own."""


def decays(make: Optimizer) -> bool:
    """Tells whether an optimizer has a weight decay."""
    return "weight_decay" in inspect.signature(make).parameters


def make_with(make: Optimizer, learning_rate: Rate, weight_decay: Rate):
    """Makes an optimizer of what it takes."""
    if decays(make):
        return make(learning_rate, weight_decay=weight_decay)
    return make(learning_rate)
