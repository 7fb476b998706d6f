"""The runs of a journal in the tools that some groups keep all of theirs in."""

from dser_jax.report.trackers.tensorboard import to_tensorboard
from dser_jax.report.trackers.tracked import Tracked, tracked
from dser_jax.report.trackers.wandb import to_wandb

__all__ = ["Tracked", "to_tensorboard", "to_wandb", "tracked"]
