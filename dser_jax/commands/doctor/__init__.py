"""`dser doctor`: what would fail on this machine. Open `examination.py` first."""

from dser_jax.commands.doctor.command import add, run

__all__ = ["add", "run"]
