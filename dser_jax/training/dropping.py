"""What training takes away from a batch: a half of some utterances, and words of all of them.

What is taken away looks like what is missing in a data set that keeps rows without words or speech:
functionals are at the mean, sequences have no frame, words are none. So a network that was trained
with it predicts from speech, from words, or from both.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, PRNGKeyArray

from dser_jax.models import Batch
from dser_jax.training.hparams import HParams


def drop_inputs(batch: Batch, hparams: HParams, words: int, key: PRNGKeyArray) -> Batch:
    """Takes speech or words from some utterances, and some words from all.

    Args:
      batch: Of training.
      hparams: Has the rates, `modality_dropout` and `embedding_dropout`.
      words: Size of the vocabulary, padding included; 0 without one.
      key: From which it is drawn.
    """
    modality_key, word_key = jax.random.split(jax.random.fold_in(key, 1))
    if batch.tokens is not None and words:
        tokens = jnp.asarray(batch.tokens)
        left_out = jax.random.uniform(word_key, (words,)) < hparams.embedding_dropout
        # The number behind the last word is no word: its vector is zero, and is not trained.
        batch = batch._replace(tokens=jnp.where(left_out[tokens] & (tokens > 0), words, tokens))
    if batch.acoustic is None or (batch.tokens is None and batch.text is None):
        return batch
    drawn = jax.random.uniform(modality_key, batch.real.shape)
    rate = jnp.asarray(hparams.modality_dropout)
    mute = drawn < rate / 2
    return _without_text(_without_speech(batch, mute), ~mute & (drawn < rate))


def _without_speech(batch: Batch, which: Bool[Array, " utt"]) -> Batch:
    x = jnp.where(which[:, None, None], 0.0, jnp.asarray(batch.acoustic))
    frames = None if batch.frames is None else jnp.where(which, 0, batch.frames)
    return batch._replace(acoustic=x, frames=frames)


def _without_text(batch: Batch, which: Bool[Array, " utt"]) -> Batch:
    if batch.tokens is not None:
        return batch._replace(tokens=jnp.where(which[:, None], 0, batch.tokens))
    x = jnp.where(which[:, None, None], 0.0, jnp.asarray(batch.text))
    frames = None if batch.text_frames is None else jnp.where(which, 0, batch.text_frames)
    return batch._replace(text=x, text_frames=frames)
