"""`dser prepare`: a corpus on disk to a folder to train from. Open `command.py` first."""

from dser_jax.commands.prepare.command import add, run
from dser_jax.commands.prepare.loading import CORPORA

__all__ = ["CORPORA", "add", "run"]
