"""The rule that ends a run early: it has waited too long for a better epoch, or diverged.

It is Keras' `EarlyStopping` on the validation loss, with the best weights kept: an epoch is better
if its loss is lower, by however little, and a run stops after `patience` epochs in a row that were
not. A run that has stopped stays as it was, whatever is computed of it.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from dser_jax.training.hparams import Number
from dser_jax.training.state import Best, State


def keep_better(best: Best, latest: Best, wait: Int[Array, ""]) -> tuple[Best, Int[Array, ""]]:
    """Keeps the epoch with the lower validation loss, and counts the epochs since it.

    Args:
      best: The best epoch before this one.
      latest: This epoch.
      wait: How many epochs before this one were not better than `best`, in a row.

    Returns:
      The better one, `best` where the losses are equal or the latest is NaN; and `wait` after this
      epoch.
    """
    better = latest.loss < best.loss  # False for NaN, as in Keras
    return _choose(better, latest, best), jnp.where(better, 0, wait + 1)


def has_diverged(train_loss: Float[Array, ""], validation_loss: Float[Array, ""]) -> Array:
    """Tells whether a loss of this epoch is NaN or infinite."""
    return ~(jnp.isfinite(train_loss) & jnp.isfinite(validation_loss))


def is_over(
    wait: Int[Array, ""],
    patience: Number,
    epoch: Int[Array, ""],
    max_epochs: int,
    diverged: Bool[Array, ""],
) -> Bool[Array, ""]:
    """Tells whether the run ends with this epoch, counted from 1."""
    return (wait >= patience) | (epoch >= max_epochs) | diverged


def unless_stopped(before: State, after: State) -> State:
    """Returns the state after an epoch; the one before it where the run had stopped by then."""
    return _choose(before.stopped, before, after)


def _choose(condition: Bool[Array, ""], one, other):
    """Selects a whole pytree."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), one, other)
