"""What a network makes of the turns before: one vector an utterance."""

from __future__ import annotations

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, Int

from dser_jax.models.layers import LSTM, dense
from dser_jax.models.sequences import arrange, last_step


class MeanContext(nn.Module):
    """A dense ReLU layer on the mean of the turns before."""

    units: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "utt width"], lengths: Int[Array, " utt"] | None
    ) -> Float[Array, "utt encoded"]:
        """Encodes means; there are no lengths."""
        return nn.relu(dense(self.units, "dense")(x))


class RecurrentContext(nn.Module):
    """An LSTM over the turns before, and a dense ReLU layer on its last state.

    Attributes:
      units: Width of both.
      half: Whether the recurrent product takes bfloat16.
    """

    units: int
    half: bool = False

    @nn.compact
    def __call__(
        self, x: Float[Array, "utt turn width"], lengths: Int[Array, " utt"] | None
    ) -> Float[Array, "utt encoded"]:
        """Encodes turns, of which there are `lengths`, at the end; without any the state is 0."""
        assert lengths is not None
        states = LSTM(self.units, self.half, name="lstm")(arrange(x, jnp.asarray(lengths)))
        return nn.relu(dense(self.units, "dense")(last_step(states)))
