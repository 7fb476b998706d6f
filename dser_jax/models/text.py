"""Networks that encode text: from tokens to one vector an utterance."""

from __future__ import annotations

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, Int

from dser_jax.models.layers import LSTM, Conv, dense
from dser_jax.models.pooling import AttentiveStatistics, NormedDense, even, statistics
from dser_jax.models.sequences import Steps, feed, find_places, last_step, token_lengths


def uniform_embedding(key, shape, dtype=jnp.float32):
    """Draws from (-0.05, 0.05), as Keras' embeddings start."""
    return nn.initializers.uniform(0.1)(key, shape, dtype) - 0.05


class Embedding(nn.Module):
    """A trainable table of word vectors; row 0 is the padding's, and is trained as any other.

    Attributes:
      words: Rows of the table, the padding's included.
      dim: Width of a vector.
    """

    words: int
    dim: int

    @nn.compact
    def __call__(self, tokens: Int[Array, "*shape"]) -> Float[Array, "*shape dim"]:
        """Looks up the vector of each word; zero beyond the last word."""
        table = self.param("embedding", uniform_embedding, (self.words, self.dim))
        return jnp.take(table, tokens, axis=0, mode="fill", fill_value=0)


class TextLSTM(nn.Module):
    """Embedding, stacked LSTM layers of which the last gives its last state, a dense layer.

    Attributes:
      words, embedding_dim: Rows of the embedding, and their width.
      units, layers: Width and number of the layers.
      dense_width: Width of the dense layer.
      padding: "keras": the padding in front is fed to the network like a word, as the authors did
        (Section IV.A). "masked": it is skipped.
      half: Whether recurrent products take bfloat16.
    """

    words: int
    embedding_dim: int
    units: int
    layers: int
    dense_width: int
    padding: str = "keras"
    half: bool = False

    @nn.compact
    def __call__(self, tokens: Int[Array, "utt token"]) -> Float[Array, "utt encoded"]:
        """Encodes token sequences."""
        fed = self.padding == "keras"
        places = find_places(token_lengths(tokens), tokens.shape[1], fed)
        embedding = Embedding(self.words, self.embedding_dim, name="embedding")
        padding = None
        if fed:
            padding = feed(embedding(jnp.zeros((1, 1), tokens.dtype))[0, 0], places)
        nothing = self.words  # is no word: its vector is zero, and has no gradient
        sequences = Steps(embedding(places.lay(tokens, nothing)), places, padding)
        for layer in range(self.layers):
            sequences = LSTM(self.units, self.half, name=f"lstm_{layer}")(sequences)
        return dense(self.dense_width, "dense")(last_step(sequences))


class TextCNN(nn.Module):
    """Embedding, convolutions that keep the length, all steps side by side, a dense layer."""

    words: int
    embedding_dim: int
    units: int
    taps: tuple[int, ...]
    dense_width: int

    @nn.compact
    def __call__(self, tokens: Int[Array, "utt token"]) -> Float[Array, "utt encoded"]:
        """Encodes token sequences."""
        x = Embedding(self.words, self.embedding_dim, name="embedding")(tokens)
        for layer, taps in enumerate(self.taps):
            x = nn.relu(Conv(self.units, taps, "same", name=f"conv_{layer}")(x))
        return dense(self.dense_width, "dense")(x.reshape(x.shape[0], -1))


class TextDense(nn.Module):
    """Embedding, dense ReLU layers on each word, all words side by side, a dense layer."""

    words: int
    embedding_dim: int
    units: int
    layers: int
    dense_width: int

    @nn.compact
    def __call__(self, tokens: Int[Array, "utt token"]) -> Float[Array, "utt encoded"]:
        """Encodes token sequences."""
        x = Embedding(self.words, self.embedding_dim, name="embedding")(tokens)
        for layer in range(self.layers):
            x = nn.relu(dense(self.units, f"dense_{layer}")(x))
        return dense(self.dense_width, "dense_last")(x.reshape(x.shape[0], -1))


class TextMLP(nn.Module):
    """Embedding, means and deviations over the words, dense layers with layer normalization."""

    words: int
    embedding_dim: int
    units: int
    layers: int

    @nn.compact
    def __call__(self, tokens: Int[Array, "utt token"]) -> Float[Array, "utt encoded"]:
        """Encodes token sequences."""
        x = Embedding(self.words, self.embedding_dim, name="embedding")(tokens)
        return NormedDense(self.units, self.layers, name="layers")(statistics(x, even(tokens != 0)))


class TextAttention(nn.Module):
    """Embedding, attentive statistics over the words, a dense layer with its norm."""

    words: int
    embedding_dim: int
    units: int

    @nn.compact
    def __call__(self, tokens: Int[Array, "utt token"]) -> Float[Array, "utt encoded"]:
        """Encodes token sequences."""
        x = Embedding(self.words, self.embedding_dim, name="embedding")(tokens)
        pooled = AttentiveStatistics(self.units, name="pooling")(x, tokens != 0)
        return NormedDense(self.units, 1, name="layers")(pooled)
