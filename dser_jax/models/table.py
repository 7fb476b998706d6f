"""Networks: encoders of speech and text, one file a modality, and what joins them.

A new encoder is a Linen module with the call of its table's others, and a line in that table.
"""

from __future__ import annotations

from collections.abc import Callable

from flax import linen as nn

from dser_jax.config import Config
from dser_jax.models.acoustic import AcousticCNN, AcousticDense, AcousticLSTM
from dser_jax.models.network import Batch, Network, Rates
from dser_jax.models.text import TextCNN, TextDense, TextLSTM
from dser_jax.system import DserError

__all__ = ["MODELS", "Batch", "Network", "Rates", "make_network"]

MODELS = {
    "acoustic": {
        "lstm": lambda config: AcousticLSTM(
            config.units, config.layers, config.padding, config.half_recurrence
        ),
        "cnn": lambda config: AcousticCNN(config.units, config.taps),
        "dense": lambda config: AcousticDense(config.units, config.layers),
    },
    "text": {
        "lstm": lambda config, words, dim: TextLSTM(
            words,
            dim,
            config.units,
            config.layers,
            config.text_dense,
            config.padding,
            config.half_recurrence,
        ),
        "cnn": lambda config, words, dim: TextCNN(
            words, dim, config.units, config.taps, config.text_dense
        ),
        "dense": lambda config, words, dim: TextDense(
            words, dim, config.units, config.layers, config.text_dense
        ),
    },
}
"""Makes the encoder of a modality and name from a configuration; any two can be fused."""


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
        acoustic = _maker("acoustic", config.acoustic)(config)
    if config.text is not None:
        text = _maker("text", config.text)(config, words, embedding_dim)
    return Network(acoustic, text, config.fusion)


def _maker(modality: str, name: str) -> Callable[..., nn.Module]:
    table = MODELS[modality]
    if name not in table:
        raise DserError(f"no {modality} network is called {name!r}; there are {', '.join(table)}")
    return table[name]
