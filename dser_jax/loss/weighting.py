"""How the losses of three tasks become one number: what a weighting is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Array, Float

NEEDS = ("key", "setting", "method", "gram", "after")
"""What a weighting can ask for (`Weighting.needs`)."""


class Weighting(NamedTuple):
    """How the losses of the attributes become the one number that is trained on.

    Validation has no part in it: its loss is always the sum by the weights that a run was given,
    so that epochs compare.

    What `needs` names, `combine` and `update` get as keyword arguments of that name:

    - `key`: a random key of its own at each step.
    - `setting`: the run's `HParams.weighting_setting`, a number: a temperature, a radius, ...
    - `method`: the run's `HParams.method`, a whole number: which of several (`families.py`).
    - `gram`: inner products [attr, attr] of the gradients of the three losses, each times its loss
      weight, on the layers that they share, all but `models.HEADS`. A step then takes a
      gradient of each task; `combine` tells how much of each the shared layers get, and a head gets
      that of its own loss, times its weight.
    - `after`: the losses [attr] of the same batch after the step, for `update` alone; a step then
      takes one more pass.

    Attributes:
      combine: Takes what is learned, what is remembered, the losses [attr] of a batch and the loss
        weights [attr] of the run to a number.
      learned: What is trained along with the network, as it begins: a pytree of float32 arrays. It
        is `params["weighting"]` of a run's weights.
      memory: What is remembered, as it begins: a pytree of arrays.
      remember: Takes the memory and the mean losses [attr] of an epoch, over labels, to the next
        epoch's memory; None where there is nothing to remember.
      update: Takes the memory, the losses [attr] of a batch and the loss weights [attr] to the next
        step's memory; None where nothing changes within an epoch.
      needs: What else the two take.
    """

    combine: Callable[..., Float[Array, ""]]
    learned: Any = ()
    memory: Any = ()
    remember: Callable[[Any, Float[Array, " attr"]], Any] | None = None
    update: Callable[..., Any] | None = None
    needs: tuple[str, ...] = ()


def weighted_sum(
    learned: Any, memory: Any, losses: Float[Array, " attr"], loss_weights: Float[Array, " attr"]
) -> Float[Array, ""]:
    """Computes eq. 6: the sum by the weights that the run was given."""
    return (loss_weights * losses).sum()
