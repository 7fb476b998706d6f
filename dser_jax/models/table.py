"""Networks: encoders of speech and text, one file a modality, and what joins them.

A new encoder is a Linen module with the call of its table's others, and a line in that table.
"""

from __future__ import annotations

from collections.abc import Callable

from flax import linen as nn

from dser_jax.config import Config
from dser_jax.models.acoustic import (
    AcousticAttention,
    AcousticCNN,
    AcousticDense,
    AcousticLSTM,
    AcousticMLP,
)
from dser_jax.models.context import MeanContext, RecurrentContext
from dser_jax.models.network import Batch, Network, Rates
from dser_jax.models.text import TextAttention, TextCNN, TextDense, TextLSTM, TextMLP
from dser_jax.system import DserError

__all__ = ["MODELS", "Batch", "Network", "Rates", "make_network"]

MODELS = {
    "acoustic": {
        "lstm": lambda config: AcousticLSTM(
            config.units, config.layers, config.padding, config.half_recurrence
        ),
        "cnn": lambda config: AcousticCNN(config.units, config.taps),
        "dense": lambda config: AcousticDense(config.units, config.layers),
        "mlp": lambda config: AcousticMLP(config.units, config.layers),
        "attention": lambda config: AcousticAttention(config.units),
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
        "mlp": lambda config, words, dim: TextMLP(words, dim, config.units, config.layers),
        "attention": lambda config, words, dim: TextAttention(words, dim, config.units),
    },
}
"""Makes the encoder of a modality and name from a configuration; any two can be fused.

A text half that reads features of words, not tokens, has one of the first table's.
"""


def make_network(
    config: Config,
    words: int = 0,
    embedding_dim: int = 0,
    layers: tuple[int, int] = (1, 1),
) -> Network:
    """Makes the network that a configuration names.

    Args:
      config: Names the encoders and their widths.
      words: Size of the vocabulary, padding included; 0 for a text half that reads features.
      embedding_dim: Width of the word vectors; only for a text half that reads words.
      layers: Layers that stand side by side in the features of speech, and in those of text.

    Raises:
      DserError: An encoder of that name does not exist.
    """
    acoustic = text = None
    if config.acoustic is not None:
        acoustic = _maker("acoustic", config.acoustic)(config)
    if config.text is not None and words:
        text = _maker("text", config.text)(config, words, embedding_dim)
    elif config.text is not None:
        text = _maker("acoustic", config.text)(config)
    context = MeanContext(config.units) if config.fades else None
    if config.context == "recurrent":
        context = RecurrentContext(config.units, config.half_recurrence)
    mixed = layers if config.mix_layers else (1, 1)
    return Network(acoustic, text, config.fusion, mixed, context, config.head_scale)


def _maker(modality: str, name: str) -> Callable[..., nn.Module]:
    table = MODELS[modality]
    if name not in table:
        raise DserError(f"no {modality} network is called {name!r}; there are {', '.join(table)}")
    return table[name]
