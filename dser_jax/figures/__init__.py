"""Figures of a journal."""

from dser_jax.figures.curves import learning_curves
from dser_jax.figures.scatter import gold_vs_pred

__all__ = ["gold_vs_pred", "learning_curves"]
