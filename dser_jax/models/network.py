"""The whole network: one half or both, their fusion, and a head for each attribute."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Bool, Float, Int

from dser_jax.corpora import ATTRS
from dser_jax.models.layers import Dropout, dense


class Batch(NamedTuple):
    """Utterances as a network sees them; a half that is absent is None.

    Attributes:
      acoustic: Acoustic features, standardized, padded in front; one step for functionals.
      tokens: Word numbers, 0 for padding, padded in front.
      real: False for rows that only fill up the batch.
      frames: Steps of each utterance that are no padding; None if all are.
    """

    acoustic: Float[Array, "utt step feat"] | None
    tokens: Int[Array, "utt token"] | None
    real: Bool[Array, " utt"]
    frames: Int[Array, " utt"] | None = None


class Rates(NamedTuple):
    """Dropout rates in [0, 1): before the heads or the concatenation, and after the fusion."""

    acoustic: Float[Array, ""]
    text: Float[Array, ""]
    fusion: Float[Array, ""]


class Network(nn.Module):
    """Predicts valence, arousal and dominance on [-1, 1] from speech, text or both (Fig. 2, 3).

    One half alone goes to the heads after its dropout. Two halves are concatenated (eq. 1), pass
    two dense ReLU layers and a dropout, and then the heads: one linear unit an attribute.

    Attributes:
      acoustic: Encoder of speech, or None.
      text: Encoder of text, or None.
      fusion: Widths of the dense layers after the concatenation.
    """

    acoustic: nn.Module | None
    text: nn.Module | None
    fusion: tuple[int, ...]

    @nn.compact
    def __call__(self, batch: Batch, rates: Rates, train: bool) -> Float[Array, "utt attr"]:
        """Predicts; dropout and the batch's own statistics act in training only."""
        halves = []
        if self.acoustic is not None:
            x, frames = jnp.asarray(batch.acoustic), batch.frames
            if frames is None:
                frames = jnp.full(x.shape[0], x.shape[1])
            encoded = self.acoustic(x, frames, batch.real, train)
            halves.append(Dropout(name="acoustic_dropout")(encoded, rates.acoustic, train))
        if self.text is not None:
            encoded = self.text(batch.tokens)
            halves.append(Dropout(name="text_dropout")(encoded, rates.text, train))
        x = jnp.concatenate(halves, axis=-1)
        if len(halves) == 2:
            for i, width in enumerate(self.fusion):
                x = nn.relu(dense(width, f"fusion_{i}")(x))
            x = Dropout(name="fusion_dropout")(x, rates.fusion, train)
        return jnp.concatenate([dense(1, attr)(x) for attr in ATTRS], axis=-1)
