"""The context of a data set: vectors of its turns, and which turns come before which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int, Int32

from dser_jax.config import Config
from dser_jax.data.dialogues.order import (
    Before,
    Grid,
    Turn,
    before_of,
    causal_means,
    grid_of,
    groups_in,
    groups_of,
)
from dser_jax.data.dialogues.vectors import (
    TurnVectors,
    Vectors,
    fit_words,
    mean_frames,
    mean_layers,
    scale_of,
)
from dser_jax.data.inputs import feature_name, folds_signs, need_dialogues
from dser_jax.data.prepared import Prepared, has_features

OfText = tuple[
    Float32[np.ndarray, "utt text_step text_feat"], Int32[np.ndarray, " utt"] | None, int
]
"""Features of text: standardized, their frames, and their layers."""


Lengths = Int32[np.ndarray, " utt"]


class Context(NamedTuple):
    """What a network is told of the turns before; nothing, without a context.

    Attributes:
      turns, dialogues, before: As `Data` has them.
      make: What made the vectors of the turns.
    """

    turns: Vectors | None = None
    dialogues: tuple[Grid, ...] = ()
    before: Before | None = None
    make: TurnVectors | None = None

    def seen(self, half_life: float) -> tuple[Float32[np.ndarray, "..."] | None, Lengths | None]:
        """Returns what a network sees of the turns before each row: `Batch.context`, `Batch.turns`.

        Args:
          half_life: Of means, in turns.

        Returns:
          The means, [utt, width]; or the turns, [utt, turn, width], and how many of each are no
          padding. None and None without a context.
        """
        if self.turns is None:
            return None, None
        count, width = self.turns.shape
        if self.before is not None:
            known = np.nan_to_num(np.append(self.turns, np.zeros((1, width), np.float32), axis=0))
            return known[self.before], (self.before < count).sum(1).astype(np.int32)
        means = [
            causal_means(self.turns, groups_in(grid, count), half_life) for grid in self.dialogues
        ]
        return np.concatenate(means, axis=1).astype(np.float32), None


def make_context(
    prepared: Prepared,
    config: Config,
    fit_rows: Int[np.ndarray, " rows"],
    acoustic: Float32[np.ndarray, "utt step feat"] | None,
    frames: Int32[np.ndarray, " utt"] | None,
    text: OfText | None,
) -> Context:
    """Makes vectors of all turns from what the network reads of them, and lays the turns out.

    Args:
      prepared: The data set.
      config: What the network reads, and which context it has.
      fit_rows: The rows that scales and words are learned from.
      acoustic: Standardized features; None if it reads no speech.
      frames: Steps of each that are no padding; None for functionals.
      text: Features of text; None if it reads none.

    Raises:
      DserError: There are no dialogues, or nothing to make vectors of.
    """
    need_dialogues(prepared)
    utterances = prepared.utterances
    speech_means = text_means = None
    speech_scale = text_scale = words = None
    if acoustic is not None:
        there = _there(prepared, feature_name(prepared, config))
        speech_means = mean_frames(acoustic, frames, there)
        speech_scale = scale_of(speech_means[fit_rows])
    transcripts = [utterance.transcript for utterance in utterances]
    if text is not None:
        features, text_frames, layers = text
        there = _there(prepared, config.vectors)
        text_means = mean_layers(mean_frames(features, text_frames, there), layers)
        text_scale = scale_of(text_means[fit_rows])
    elif config.text is not None:
        words = fit_words(transcripts, fit_rows, folds_signs(prepared, config))
    make = TurnVectors(speech_scale, text_scale, words)
    turns = make(speech_means, text_means, transcripts)
    return laid_out(config, turns, utterances)._replace(make=make)


def laid_out(config: Config, turns: Vectors, places: Sequence[Turn]) -> Context:
    """Lays turns out as the context of a configuration needs them.

    Args:
      config: Says which.
      turns: A vector of each utterance; NaN where it has none.
      places: Which dialogue each is of, and where it is in it.
    """
    if config.context == "recurrent":
        there = np.asarray(~np.isnan(turns).all(axis=1))
        before = before_of(groups_of(places), there, config.context_turns)
        return Context(turns, before=before)
    grids = [grid_of(groups_of(places, same), len(turns)) for same in kinds_of(config)]
    return Context(turns, tuple(grids))


def kinds_of(config: Config) -> list[bool]:
    """Returns for each mean of a context whether it is of the same speaker's turns alone."""
    return {"all": [False], "same": [True], "both": [False, True]}.get(config.context, [])


def _there(prepared: Prepared, name: str) -> Bool[np.ndarray, " utt"]:
    return has_features(*prepared.feature(name))
