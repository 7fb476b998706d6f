"""What baselines see: functionals of speech and of features of text, tf-idf of the words."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse

from dser_jax.config import Config, side_by_side
from dser_jax.data import (
    Dataset,
    Prepared,
    folds_signs,
    functionals,
    moments,
    rows_to_fit,
    speech_of,
)
from dser_jax.features import Tokenizer
from dser_jax.stats.baselines.context import context_block
from dser_jax.stats.baselines.models import Block
from dser_jax.stats.baselines.planning import Baseline
from dser_jax.system import DserError


def blocks_of(prepared: Prepared, dataset: Dataset, baseline: Baseline) -> list[Block]:
    """Makes the inputs of all rows, each block scaled to a variance of 1, summed over its columns.

    So no block is penalised more for the number or the unit of its columns, and settings mean the
    same for all inputs. Blocks are: functionals of the speech, one for each set of them that
    stands beside others; of features of text; tf-idf of the words; and, of a configuration that
    has a context, the turns before.
    """
    config = baseline.config
    fit_rows = rows_to_fit(dataset.split, len(dataset.ids), config.protocol)
    blocks: list[Any] = []
    spoken = said = None
    if baseline.speech:
        found, there = functionals(*speech_of(prepared, config))
        sets = [
            _standardized(values, there, fit_rows)[0] for values in _sets(prepared, config, found)
        ]
        # Else at the mean, as for networks.
        blocks += [np.where(there[:, None], values, 0.0) for values in sets]
        spoken = np.concatenate(sets, axis=1)
    if baseline.text and baseline.said:
        said, there = _standardized(*functionals(*prepared.feature(baseline.said)), fit_rows)
        blocks.append(np.where(there[:, None], said, 0.0))
    if baseline.text and baseline.counted:
        blocks.append(_tf_idf(prepared, fit_rows, folds_signs(prepared, config)))
    if config.context and (baseline.speech or baseline.text):
        counted = baseline.text and said is None  # As a network's context has either.
        blocks.append(context_block(prepared, config, fit_rows, spoken, said, counted))
    return [block / np.sqrt(_variance(block[fit_rows]) or 1.0) for block in blocks]


def _sets(
    prepared: Prepared, config: Config, values: Float[np.ndarray, "utt column"]
) -> list[Float[np.ndarray, "utt _"]]:
    """Parts functionals into those of each set that stands beside others."""
    names = side_by_side(config.features)
    widths = [len(prepared.manifest["features"][name]["columns"]) for name in names]
    return np.split(values, np.cumsum(widths)[:-1], axis=1)


def _standardized(
    values: Float[np.ndarray, "utt column"],
    there: Bool[np.ndarray, " utt"],
    fit_rows: Int[np.ndarray, " rows"],
) -> tuple[Float[np.ndarray, "utt varying"], Bool[np.ndarray, " utt"]]:
    """Standardizes the columns that vary; returns also which rows have any.

    Where none varies, it is one column of zeros.
    """
    mean, deviation, varies = moments(values[fit_rows[there[fit_rows]]])
    if not varies.any():
        return np.zeros((len(values), 1)), there
    return (values - mean)[:, varies] / deviation[varies], there


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
