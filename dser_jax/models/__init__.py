"""Networks: encoders of speech and text, one file a modality, and what joins them.

A new encoder is a Linen module with the call of its table's others, and a line in that table.
"""

from __future__ import annotations

from dser_jax.config import Config
from dser_jax.errors import DserError
from dser_jax.models.acoustic import AcousticLSTM
from dser_jax.models.network import Batch, Network, Rates
from dser_jax.models.text import TextLSTM

__all__ = ["ACOUSTIC", "TEXT", "Batch", "Network", "Rates", "make_network"]

ACOUSTIC = {"lstm": lambda config: AcousticLSTM(config.units, config.layers)}
TEXT = {
    "lstm": lambda config, words, dim: TextLSTM(
        words, dim, config.units, config.layers, config.text_dense
    )
}


def make_network(config: Config, words: int = 0, embedding_dim: int = 0) -> Network:
    """Makes the network that a configuration names.

    Args:
      config: Names the encoders and their widths.
      words: Size of the vocabulary, padding included; only for a text half.
      embedding_dim: Width of the word vectors; only for a text half.

    Raises:
      DserError: An encoder of that name does not exist.
    """
    acoustic = text = None
    if config.acoustic is not None:
        acoustic = _entry(ACOUSTIC, config.acoustic, "acoustic")(config)
    if config.text is not None:
        text = _entry(TEXT, config.text, "text")(config, words, embedding_dim)
    return Network(acoustic, text, config.fusion)


def _entry(table: dict, name: str, kind: str):
    if name not in table:
        raise DserError(f"no {kind} network is called {name!r}; there are {', '.join(table)}")
    return table[name]
