"""Figures of a journal."""

from dser_jax.report.figures.arms import difference_figure
from dser_jax.report.figures.curves import learning_curves
from dser_jax.report.figures.experiment import experiment_figures
from dser_jax.report.figures.gradients import gradient_figure
from dser_jax.report.figures.parts import part_figure
from dser_jax.report.figures.ranks import rank_figure
from dser_jax.report.figures.result import result_figure
from dser_jax.report.figures.scatter import gold_vs_pred
from dser_jax.report.figures.searched import search_figures
from dser_jax.report.figures.trials import trial_figure

__all__ = [
    "difference_figure",
    "experiment_figures",
    "gold_vs_pred",
    "gradient_figure",
    "learning_curves",
    "part_figure",
    "rank_figure",
    "result_figure",
    "search_figures",
    "trial_figure",
]
