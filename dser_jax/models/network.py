"""The whole network: one half or both, their fusion, and a head for each attribute."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Bool, Float, Int

from dser_jax.corpora import ATTRS
from dser_jax.models.layers import Dropout, dense
from dser_jax.models.pooling import LayerMix

HEADS = ATTRS
"""Names of the layers that belong to one task each; the tasks share all others."""


class Batch(NamedTuple):
    """Utterances as a network sees them; a half that is absent is None.

    Attributes:
      acoustic: Acoustic features, standardized, padded in front; one step for functionals.
      tokens: Word numbers, 0 for padding, padded in front.
      real: False for rows that only fill up the batch.
      frames: Steps of each utterance that are no padding; None if all are.
      text: Features of its words, in the place of tokens; like acoustic ones.
      text_frames: Steps of these that are no padding; None if all are.
      context: The mean of the turns before, or these turns, padded in front.
      turns: How many turns these are that are no padding; None for a mean.
    """

    acoustic: Float[Array, "utt step feat"] | None
    tokens: Int[Array, "utt token"] | None
    real: Bool[Array, " utt"]
    frames: Int[Array, " utt"] | None = None
    text: Float[Array, "utt text_step text_feat"] | None = None
    text_frames: Int[Array, " utt"] | None = None
    context: Float[Array, "utt *turns width"] | None = None
    turns: Int[Array, " utt"] | None = None


class Rates(NamedTuple):
    """Dropout rates in [0, 1): before the heads or the concatenation, and after the fusion."""

    acoustic: Float[Array, ""]
    text: Float[Array, ""]
    fusion: Float[Array, ""]


class Network(nn.Module):
    """Predicts valence, arousal and dominance on [-1, 1] from speech, text or both (Fig. 2, 3).

    One half alone goes to the heads after its dropout. Two halves are concatenated (eq. 1), pass
    two dense ReLU layers and a dropout, and then the heads: one linear unit an attribute. The turns
    before, where a network sees them, are one more half, whose dropout has the fusion's rate.

    Attributes:
      acoustic: Encoder of speech, or None.
      text: Encoder of text, or None; one of features where a batch has those of its words.
      fusion: Widths of the dense layers after the concatenation.
      mixed: Layers of the features of speech, and of text, that enter as their learned mean; 1
        where features enter as they are.
      context: Encoder of the turns before, or None.
      head_scale: What the heads' first kernels are multiplied by.
    """

    acoustic: nn.Module | None
    text: nn.Module | None
    fusion: tuple[int, ...]
    mixed: tuple[int, int] = (1, 1)
    context: nn.Module | None = None
    head_scale: float = 1.0

    @nn.compact
    def __call__(self, batch: Batch, rates: Rates, train: bool) -> Float[Array, "utt attr"]:
        """Predicts; dropout and the batch's own statistics act in training only."""
        halves = []
        if self.acoustic is not None:
            x = _mixed(jnp.asarray(batch.acoustic), self.mixed[0], "acoustic_mix")
            encoded = self.acoustic(x, _lengths(x, batch.frames), batch.real, train)
            halves.append(Dropout(name="acoustic_dropout")(encoded, rates.acoustic, train))
        if self.text is not None:
            if batch.text is None:
                encoded = self.text(batch.tokens)
            else:
                x = _mixed(jnp.asarray(batch.text), self.mixed[1], "text_mix")
                encoded = self.text(x, _lengths(x, batch.text_frames), batch.real, train)
            halves.append(Dropout(name="text_dropout")(encoded, rates.text, train))
        if self.context is not None:
            encoded = self.context(batch.context, batch.turns)
            halves.append(Dropout(name="context_dropout")(encoded, rates.fusion, train))
        x = jnp.concatenate(halves, axis=-1)
        if len(halves) > 1:
            for i, width in enumerate(self.fusion):
                x = nn.relu(dense(width, f"fusion_{i}")(x))
            x = Dropout(name="fusion_dropout")(x, rates.fusion, train)
        return jnp.concatenate([dense(1, attr, self.head_scale)(x) for attr in HEADS], axis=-1)


def _lengths(x: Float[Array, "utt step feat"], frames: Int[Array, " utt"] | None) -> Array:
    """Returns how many steps of each utterance are no padding."""
    return jnp.full(x.shape[0], x.shape[1]) if frames is None else frames


def _mixed(x: Float[Array, "utt step all"], layers: int, name: str) -> Float[Array, "utt step _"]:
    return LayerMix(layers, name=name)(x) if layers > 1 else x
