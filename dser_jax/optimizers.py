"""The table of optimizers, under the name that the documents give it; see `training`."""

from dser_jax.training import OPTIMIZERS

__all__ = ["OPTIMIZERS"]
