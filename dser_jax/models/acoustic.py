"""Networks that encode speech: from acoustic features to one vector an utterance."""

from __future__ import annotations

from flax import linen as nn
from jaxtyping import Array, Bool, Float

from dser_jax.models.layers import LSTM, BatchNorm, Conv, dense


class AcousticLSTM(nn.Module):
    """Batch normalization, stacked LSTM layers, and all their steps side by side (Fig. 2, left).

    Functionals enter as one step (1, feat). On the 68 of pyAudioAnalysis, with three heads, it has
    the 1,387,403 trainable parameters that Fig. 2 prints.
    """

    units: int
    layers: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "utt step feat"], real: Bool[Array, "utt"], train: bool
    ) -> Float[Array, "utt encoded"]:
        """Encodes features; rows that are not `real` stay out of the batch's statistics."""
        x = BatchNorm(name="input_norm")(x, real, train)
        for layer in range(self.layers):
            x = LSTM(self.units, name=f"lstm_{layer}")(x)
        return x.reshape(x.shape[0], -1)


class AcousticCNN(nn.Module):
    """Batch normalization, stacked convolutions, and all their steps side by side (Fig. 2, right).

    Functionals enter as so many steps of one channel. On the 68 of pyAudioAnalysis, with three
    heads, it has the 1,348,613 trainable parameters that Fig. 2 prints.
    """

    units: int
    taps: tuple[int, ...]

    @nn.compact
    def __call__(
        self, x: Float[Array, "utt step feat"], real: Bool[Array, "utt"], train: bool
    ) -> Float[Array, "utt encoded"]:
        """Encodes features; rows that are not `real` stay out of the batch's statistics."""
        if x.shape[1] == 1:
            x = x.swapaxes(1, 2)
        x = BatchNorm(name="input_norm")(x, real, train)
        for layer, taps in enumerate(self.taps):
            x = nn.relu(Conv(self.units, taps, "valid", name=f"conv_{layer}")(x))
        return x.reshape(x.shape[0], -1)


class AcousticDense(nn.Module):
    """Batch normalization and dense ReLU layers on each step, their results side by side."""

    units: int
    layers: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "utt step feat"], real: Bool[Array, "utt"], train: bool
    ) -> Float[Array, "utt encoded"]:
        """Encodes features; rows that are not `real` stay out of the batch's statistics."""
        x = BatchNorm(name="input_norm")(x, real, train)
        for layer in range(self.layers):
            x = nn.relu(dense(self.units, f"dense_{layer}")(x))
        return x.reshape(x.shape[0], -1)
