"""A vector of each turn, from what is said and how, for those that come after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Int
from scipy import sparse

from dser_jax.features import Tokenizer
from dser_jax.system import DserError

COMPONENTS = 100
"""Words are as many numbers at most."""

Vectors = Float32[np.ndarray, "utt width"]
"""NaN where a turn has no speech, or no words."""


@dataclass(frozen=True)
class Words:
    """Words weighted by tf-idf, cut down to a few numbers (latent semantic analysis).

    Attributes:
      terms: The words, in lower case, in the order of the rows of `components`.
      weights: Inverse document frequencies, ln((1 + n) / (1 + df)) + 1.
      components: What takes a row of unit length to its numbers, scale included.
      folds: Whether typographic signs count as those that ASCII has for them.
    """

    terms: tuple[str, ...]
    weights: Float32[np.ndarray, " term"]
    components: Float32[np.ndarray, "term component"]
    folds: bool = False

    def __call__(self, texts: Sequence[str | None]) -> Vectors:
        """Returns a row for each text; NaN for one without a word."""
        split = Tokenizer((), self.folds).split
        words = [split(text or "") for text in texts]
        found = _tf_idf(words, self.terms, self.weights) @ self.components
        silent = np.array([not each for each in words], bool)
        return np.where(silent[:, None], np.float32(np.nan), found).astype(np.float32)


@dataclass(frozen=True)
class TurnVectors:
    """Makes the vectors of turns: parts side by side, each of a variance of 1 on the whole.

    Attributes:
      speech: What the standardized acoustic features are multiplied by; None without speech.
      text: The same of features of text; None without those.
      words: What makes numbers of words; None without words, or where there are features of text.

    Raises:
      DserError: There is none of them.
    """

    speech: float | None = None
    text: float | None = None
    words: Words | None = None

    def __post_init__(self) -> None:
        """Refuses what has nothing to make a vector of."""
        if self.speech is None and self.text is None and self.words is None:
            raise DserError("the transcripts have too few words to make a context of")

    def __call__(
        self,
        speech: Float[np.ndarray, "utt feat"] | None,
        text: Float[np.ndarray, "utt text_feat"] | None,
        transcripts: Sequence[str | None],
    ) -> Vectors:
        """Returns a vector for each turn.

        Args:
          speech: Standardized features, of sequences their means over the frames; NaN where there
            are none. None if the model reads no speech.
          text: Likewise, of text.
          transcripts: What is said.
        """
        parts: list[Any] = []
        if self.speech is not None and speech is not None:
            parts.append(speech * np.float32(self.speech))
        if self.text is not None and text is not None:
            parts.append(text * np.float32(self.text))
        if self.words is not None:
            parts.append(self.words(transcripts))
        return np.concatenate(parts, axis=1).astype(np.float32)


def mean_frames(
    features: Float[np.ndarray, "utt step feat"],
    frames: Int[np.ndarray, " utt"] | None,
    there: Bool[np.ndarray, " utt"] | None = None,
) -> Vectors:
    """Averages features over the frames of each utterance, which are padded in front with zeros.

    Args:
      features: Standardized.
      frames: How many are no padding; None for functionals, which are returned as they are.
      there: Which utterances have features; by default those with frames.

    Returns:
      NaN for utterances without features.
    """
    if frames is None:
        means = np.asarray(features[:, 0], np.float32)
    else:
        there = np.asarray(frames) > 0 if there is None else there
        means = features.sum(1) / np.maximum(frames, 1)[:, None]
    if there is None:
        return means
    return np.where(there[:, None], means, np.float32(np.nan)).astype(np.float32)


def mean_layers(values: Vectors, layers: int) -> Float32[np.ndarray, "utt _"]:
    """Averages features of several layers of an encoder, which stand side by side."""
    return values.reshape(len(values), layers, -1).mean(1)


def fit_words(
    transcripts: Sequence[str | None], rows: Int[np.ndarray, " rows"], folds: bool
) -> Words | None:
    """Learns words and their weights from some rows; None where these have no two words.

    Args:
      transcripts: Of all rows.
      rows: Which to learn from.
      folds: As of `Words`.
    """
    from sklearn.decomposition import TruncatedSVD

    split = Tokenizer((), folds).split
    words = [each for row in rows if (each := split(transcripts[row] or ""))]
    counts = Counter(word for each in words for word in set(each))
    terms = tuple(sorted(counts))
    most = min(COMPONENTS, len(terms) - 1, len(words))
    if most < 1:
        return None
    seen = np.array([counts[term] for term in terms])
    weights = (np.log((1 + len(words)) / (1 + seen)) + 1).astype(np.float32)
    matrix = _tf_idf(words, terms, weights)
    svd = TruncatedSVD(most, random_state=0).fit(matrix.astype(np.float64))
    components = np.asarray(svd.components_).T
    scale = scale_of(np.asarray(matrix @ components))
    return Words(terms, weights, (components * scale).astype(np.float32), folds)


def scale_of(values: Float[np.ndarray, "rows column"]) -> float:
    """Returns what to multiply values by, so that their variances are 1 in the mean over columns.

    Rows that have a NaN do not count.
    """
    rows = np.asarray(values, np.float64)[~np.isnan(values).any(axis=1)]
    variance = float(rows.var(0).mean()) if rows.size else 0.0
    return float(1.0 / np.sqrt(variance)) if variance > 1e-12 else 1.0


def _tf_idf(
    texts: Sequence[Sequence[str]], terms: Sequence[str], weights: Float[np.ndarray, " term"]
) -> sparse.csr_matrix:
    """Weighs the words of texts, each of which then has unit length, or none."""
    column = {term: at for at, term in enumerate(terms)}
    counts = [Counter(column[word] for word in words if word in column) for words in texts]
    ends = np.concatenate([[0], np.cumsum([len(each) for each in counts])])
    columns = np.fromiter((at for each in counts for at in each), np.int64, ends[-1])
    values = np.fromiter((n for each in counts for n in each.values()), np.float64, ends[-1])
    values *= weights[columns]
    rows = np.repeat(np.arange(len(texts)), np.diff(ends))
    length = np.sqrt(np.bincount(rows, values**2, len(texts)))
    values /= np.maximum(length, 1e-12)[rows]
    return sparse.csr_matrix((values, columns, ends), (len(texts), len(terms)))
