"""What baselines see of the turns before: the means that a network sees, of a fixed half-life."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from dser_jax.config import HALF_LIFE, Config
from dser_jax.data import Prepared, TurnVectors, fit_words, folds_signs, laid_out, scale_of


def kind_of(config: Config) -> Config:
    """Returns a configuration whose context a baseline can have: a mean, for a recurrent one."""
    return replace(config, context="all") if config.context == "recurrent" else config


def context_block(
    prepared: Prepared,
    config: Config,
    fit_rows: Int[np.ndarray, " rows"],
    speech: Float[np.ndarray, "utt column"] | None,
    said: Float[np.ndarray, "utt said"] | None,
    text: bool,
) -> Float[np.ndarray, "utt width"]:
    """Averages over the turns before each row.

    Args:
      prepared: The data set.
      config: Which context.
      fit_rows: The rows that scales and words are learned from.
      speech: Standardized functionals, NaN where there are none; None if it sees no speech.
      said: The same of features of text.
      text: Whether it sees words.

    Raises:
      DserError: There is nothing to average.
    """
    utterances = prepared.utterances
    transcripts = [utterance.transcript for utterance in utterances]
    words = fit_words(transcripts, fit_rows, folds_signs(prepared, config)) if text else None
    scales = [None if each is None else scale_of(each[fit_rows]) for each in (speech, said)]
    make = TurnVectors(*scales, words=words)
    turns = make(speech, said, transcripts)
    means, _ = laid_out(kind_of(config), turns, utterances).seen(HALF_LIFE)
    assert means is not None
    return means.astype(np.float64)
