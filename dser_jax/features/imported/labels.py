"""Labels among the features: a column that says what is to be predicted, under any name."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64

from dser_jax.corpora import ATTRS, Utterance
from dser_jax.features.imported.columns import LABELS
from dser_jax.features.imported.loading import Imported

EQUAL_ROWS, AFFINE_ROWS = 3, 5
"""In so many rows a column that equals labels, or is a line through them, is no chance; for the
latter one more for each further label that takes part."""

ROUNDED_ROWS, STEPPED_ROWS = 20, 40
"""In so many rows neither is one that is a line but for rounding, of little or of much."""

EXACT, ROUNDED = 1e-6, 1e-3
"""Shares of a column's variance that the line may leave."""

DECIMALS = (0, 1, 2, 3)
"""Places behind the point to which a column may have been rounded."""

_CHUNK = 512
"""Columns that are held against the labels at a time."""


class Disguise(NamedTuple):
    """A column that is a label, and how that was seen: "is named", "equals", "follows"."""

    column: str
    how: str
    attribute: str


class Means(NamedTuple):
    """What utterances have of each column.

    Attributes:
      rows: The positions of the utterances.
      values: The mean over the frames, of each utterance and column.
      steady: Whether a column is the same in all frames of an utterance, whichever that is.
    """

    rows: list[int]
    values: Float64[np.ndarray, "utt feat"]
    steady: Bool[np.ndarray, " feat"]


def means_of(found: Imported) -> Means:
    """Returns the means of the utterances that have features which can be used."""
    rows, parts = [], []
    steady = np.ones(len(found.columns), bool)
    for i, part in enumerate(found.utterances):
        if part is not None and i not in found.problems:
            same = (part == part[0]).all(0)
            steady &= same
            rows.append(i)
            parts.append(np.where(same, part[0], part.mean(0, dtype=np.float64)))
    return Means(rows, np.array(parts, float).reshape(len(rows), len(found.columns)), steady)


def find_labels(found: Imported, utterances: Sequence[Utterance]) -> list[Disguise]:
    """Finds columns that are named as labels, equal them, or follow them.

    One follows them that is a weighted sum of one, two or all three attributes and a constant, as
    their mean is, exactly or rounded. Of sequences the means over the frames are looked at, so
    that constants are seen.
    """
    seen = [
        Disguise(column, "is named", LABELS[column.lower()])
        for column in found.columns
        if column.lower() in LABELS
    ]
    means = means_of(found)
    labels = np.array([[getattr(utterances[i], a) for a in ATTRS] for i in means.rows], float)
    labels = labels.reshape(-1, len(ATTRS))
    for start in range(0, len(found.columns), _CHUNK):
        part = means.values[:, start : start + _CHUNK]
        seen += [Disguise(found.columns[start + at], *how) for at, *how in _follow(part, labels)]
    first: dict[str, Disguise] = {}
    for each in seen:
        first.setdefault(each.column, each)
    return list(first.values())


def _follow(
    columns: Float64[np.ndarray, "utt feat"], labels: Float64[np.ndarray, "utt attr"]
) -> Iterator[tuple[int, str, str]]:
    """Yields columns that equal or follow labels, of which; those that fewer explain come first."""
    finite = np.isfinite(columns)
    alike: dict[bytes, list[int]] = {}
    for at in range(columns.shape[1]):
        alike.setdefault(finite[:, at].tobytes(), []).append(at)
    for count in range(1, len(ATTRS) + 1):
        for attrs in itertools.combinations(range(len(ATTRS)), count):
            known = np.isfinite(labels[:, attrs]).all(1)
            names = " and ".join(ATTRS[attr] for attr in attrs)
            for ats in alike.values():
                rows = known & finite[:, ats[0]]
                y, x = labels[rows][:, list(attrs)], columns[rows][:, ats]
                if len(y) < EQUAL_ROWS or (np.ptp(y, axis=0) < 1e-6).any():
                    continue
                equal = np.zeros(len(ats), bool)
                if count == 1:
                    equal |= (np.abs(x - y) <= 1e-6 * np.abs(y)).all(0)
                follows = _is_sum(x, y)
                for place in np.flatnonzero(equal | follows):
                    yield ats[place], "equals" if equal[place] else "follows", names


def _is_sum(
    columns: Float64[np.ndarray, "utt feat"], labels: Float64[np.ndarray, "utt attr"]
) -> Bool[np.ndarray, " feat"]:
    """Tells which columns are a weighted sum of labels and a constant, but for rounding."""
    count = len(labels)
    few = count < AFFINE_ROWS + labels.shape[1] - 1
    off = columns - columns.mean(0)
    spread = (off * off).sum(0)
    varies = spread > 1e-12 * (columns * columns).sum(0)
    if few or not varies.any():
        return np.zeros(columns.shape[1], bool)
    basis, sizes, _ = np.linalg.svd(labels - labels.mean(0), full_matrices=False)
    basis = basis[:, sizes > 1e-9 * sizes[0]]
    left = 1.0 - ((basis.T @ off) ** 2).sum(0) / np.where(varies, spread, 1.0)
    sums = left < (ROUNDED if count >= ROUNDED_ROWS else EXACT)
    if count >= STEPPED_ROWS:
        for at in np.flatnonzero(varies & ~sums & (left < 0.2)):
            rest = off[:, at] - basis @ (basis.T @ off[:, at])
            sums[at] = _is_rounding(columns[:, at], rest)
    return varies & sums


def _is_rounding(column: Float64[np.ndarray, " utt"], rest: Float64[np.ndarray, " utt"]) -> bool:
    """Tells whether what is left of a column is what rounding does to its numbers.

    These then are multiples of a step, from which no rest is far; they are of several steps, as
    what takes few values is near anything.
    """
    for decimals in DECIMALS:
        steps = column * 10**decimals
        if (np.abs(steps - np.rint(steps)) <= 1e-6 * np.abs(steps)).all():
            return bool(steps.std() >= 1 and np.abs(rest).max() * 10**decimals <= 0.75)
    return False
