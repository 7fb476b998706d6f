"""What baselines see: functionals of the speech, and tf-idf of the words."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Int
from scipy import sparse

from dser_jax.config import Config
from dser_jax.data import Dataset, Prepared, folds_signs, functionals, rows_to_fit, speech_of
from dser_jax.features import Tokenizer
from dser_jax.stats.baselines.context import context_block
from dser_jax.system import DserError

Block = np.ndarray | sparse.csr_matrix
"""Inputs of all utterances, [utt, column]."""


def blocks_of(
    prepared: Prepared, dataset: Dataset, config: Config, speech: bool, text: bool
) -> list[Block]:
    """Makes the inputs of all rows, each half scaled to a variance of 1, summed over its columns.

    So neither half is penalised more for the number or the unit of its columns, and settings mean
    the same for all inputs. The turns before, of a configuration that has a context, are one more.
    """
    fit_rows = rows_to_fit(dataset.split, len(dataset.ids), config.protocol)
    blocks: list[Any] = []
    spoken = None
    if speech:
        values, there = functionals(*speech_of(prepared, config))
        known = values[fit_rows[there[fit_rows]]]
        mean, deviation = known.mean(0), known.std(0)
        varies = deviation > 1e-6 * np.abs(mean)  # float32 features: less than that is rounding
        spoken = scaled = (values - mean)[:, varies] / deviation[varies]
        blocks.append(np.where(there[:, None], scaled, 0.0))  # Else at the mean, as for networks.
    if text:
        blocks.append(_tf_idf(prepared, fit_rows, folds_signs(prepared, config)))
    if config.context and (speech or text):
        blocks.append(context_block(prepared, config, fit_rows, spoken, text))
    return [block / np.sqrt(_variance(block[fit_rows]) or 1.0) for block in blocks]


def _tf_idf(
    prepared: Prepared, fit_rows: Int[np.ndarray, " rows"], folds: bool
) -> sparse.csr_matrix:
    """Weighs the words, those that a network's tokenizer finds, and learns them where it does."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = [utterance.transcript or "" for utterance in prepared.utterances]
    vectorizer = TfidfVectorizer(analyzer=Tokenizer((), folds).split)
    try:
        vectorizer.fit([texts[i] for i in fit_rows])
    except ValueError as error:
        raise DserError(f"tf-idf of the transcripts: {error}") from error
    return sparse.csr_matrix(vectorizer.transform(texts))


def _variance(block: Block) -> float:
    """Sums the variances of the columns."""
    squares = block.multiply(block) if hasattr(block, "multiply") else block * block
    return float((squares.mean(0) - np.square(block.mean(0))).sum())
