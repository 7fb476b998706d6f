"""What recordings lie in, and whether they are as long as that says. Open `table.py` first."""

from dser_jax.features.containers.length import Length
from dser_jax.features.containers.table import KNOWN, examine

__all__ = ["KNOWN", "Length", "examine"]
