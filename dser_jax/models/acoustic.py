"""Networks that encode speech: from acoustic features to one vector an utterance.

They encode features of words as well, where a data set has those in the place of tokens.

Each is called with the features, the number of frames of each utterance, which rows are no filling,
and whether it is being trained. Frames are padded in front.
"""

from __future__ import annotations

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Bool, Float, Int

from dser_jax.models.layers import LSTM, BatchNorm, Conv, dense
from dser_jax.models.pooling import AttentiveStatistics, NormedDense, even, statistics
from dser_jax.models.sequences import arrange, every_step, real_steps


class AcousticLSTM(nn.Module):
    """Batch normalization, stacked LSTM layers, and all their steps side by side (Fig. 2, left).

    Functionals enter as one step (1, feat). On the 68 of pyAudioAnalysis, with three heads, it has
    the 1,387,403 trainable parameters that Fig. 2 prints.

    Attributes:
      units, layers: Width and number of the layers.
      padding: "keras": frames of padding are normalized and fed like any other. "masked": they
        stay out of the statistics, and their states are zero.
      half: Whether recurrent products take bfloat16.
    """

    units: int
    layers: int
    padding: str = "keras"
    half: bool = False

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "utt step feat"],
        lengths: Int[Array, " utt"],
        real: Bool[Array, " utt"],
        train: bool,
    ) -> Float[Array, "utt encoded"]:
        """Encodes features; rows that are not `real` stay out of the batch's statistics."""
        count, steps = x.shape[:2]
        real = real[:, None]
        if self.padding == "masked":
            real = real & real_steps(lengths, steps)
        norm, padding = BatchNorm(name="input_norm"), None
        if self.padding == "masked" or steps == 1:
            x = norm(x, real, train)
        else:  # a row of nothing but padding goes along, to see what becomes of it
            x = jnp.concatenate([x, jnp.zeros_like(x[:1])])
            x = norm(x, jnp.concatenate([real, jnp.zeros_like(real[:1])]), train)
            x, padding = x[:-1], x[-1, 0]
        sequences = arrange(x, lengths, padding)
        for layer in range(self.layers):
            sequences = LSTM(self.units, self.half, name=f"lstm_{layer}")(sequences)
        return every_step(sequences).reshape(count, -1)


class AcousticCNN(nn.Module):
    """Batch normalization, stacked convolutions, and all their steps side by side (Fig. 2, right).

    Functionals enter as so many steps of one channel. On the 68 of pyAudioAnalysis, with three
    heads, it has the 1,348,613 trainable parameters that Fig. 2 prints.
    """

    units: int
    taps: tuple[int, ...]

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "utt step feat"],
        lengths: Int[Array, " utt"],
        real: Bool[Array, " utt"],
        train: bool,
    ) -> Float[Array, "utt encoded"]:
        """Encodes features; rows that are not `real` stay out of the batch's statistics."""
        if x.shape[1] == 1:
            x = x.swapaxes(1, 2)
        x = BatchNorm(name="input_norm")(x, real[:, None], train)
        for layer, taps in enumerate(self.taps):
            x = nn.relu(Conv(self.units, taps, "valid", name=f"conv_{layer}")(x))
        return x.reshape(x.shape[0], -1)


class AcousticDense(nn.Module):
    """Batch normalization and dense ReLU layers on each step, their results side by side."""

    units: int
    layers: int

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "utt step feat"],
        lengths: Int[Array, " utt"],
        real: Bool[Array, " utt"],
        train: bool,
    ) -> Float[Array, "utt encoded"]:
        """Encodes features; rows that are not `real` stay out of the batch's statistics."""
        x = BatchNorm(name="input_norm")(x, real[:, None], train)
        for layer in range(self.layers):
            x = nn.relu(dense(self.units, f"dense_{layer}")(x))
        return x.reshape(x.shape[0], -1)


class AcousticMLP(nn.Module):
    """Dense layers with layer norm on functionals, or on means and deviations over frames."""

    units: int
    layers: int

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "utt step feat"],
        lengths: Int[Array, " utt"],
        real: Bool[Array, " utt"],
        train: bool,
    ) -> Float[Array, "utt encoded"]:
        """Encodes features; nothing depends on the rest of the batch."""
        steps = x.shape[1]
        pooled = x[:, 0] if steps == 1 else statistics(x, even(real_steps(lengths, steps)))
        return NormedDense(self.units, self.layers, name="layers")(pooled)


class AcousticAttention(nn.Module):
    """Attentive statistics of dense ReLU codes of each frame, then a dense layer with its norm."""

    units: int

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "utt step feat"],
        lengths: Int[Array, " utt"],
        real: Bool[Array, " utt"],
        train: bool,
    ) -> Float[Array, "utt encoded"]:
        """Encodes features; nothing depends on the rest of the batch."""
        codes = nn.relu(dense(self.units, "frame")(x))
        there = real_steps(lengths, x.shape[1])
        pooled = AttentiveStatistics(self.units, name="pooling")(codes, there)
        return NormedDense(self.units, 1, name="layers")(pooled)
