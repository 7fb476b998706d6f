"""The model card: `README.md` of a shared model. Open `writing.py` first."""

from dser_jax.share.card.writing import make_card

__all__ = ["make_card"]
