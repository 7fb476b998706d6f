"""Optimizers by name: functions from a step size to an `init` and `update` of optax."""

from __future__ import annotations

from collections.abc import Callable

import optax
from jaxtyping import Array, Float

Rate = Float[Array, ""] | float

Optimizer = Callable[[Rate], optax.GradientTransformation]
"""Makes an optimizer of a step size, which is traced, and may not end up in its state."""


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


def sgd(learning_rate: Rate) -> optax.GradientTransformation:
    """Makes gradient descent with a momentum of 0.9."""
    return optax.sgd(learning_rate, momentum=0.9)


OPTIMIZERS: dict[str, Optimizer] = {"rmsprop": rmsprop, "adam": adam, "sgd": sgd}
"""What `Config.optimizer` names; the paper's is RMSprop. Add your own."""
