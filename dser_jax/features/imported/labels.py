"""Labels among the features: a column that says what is to be predicted, under any name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from dser_jax.corpora import ATTRS, Utterance
from dser_jax.features.imported.columns import LABELS
from dser_jax.features.imported.loading import Imported

EQUAL_ROWS, AFFINE_ROWS = 3, 5
"""In so many rows a column that equals labels, or is a line through them, is no chance."""

ROUNDED_ROWS = 20
"""In so many rows neither is one that is a line but for rounding."""

EXACT, ROUNDED = 1e-6, 1e-3
"""Shares of a column's variance that the line may leave."""

_CHUNK = 512
"""Columns that are held against the labels at a time."""


class Disguise(NamedTuple):
    """A column that is a label, and how that was seen: "is named", "equals", "follows"."""

    column: str
    how: str
    attribute: str


def find_labels(found: Imported, utterances: Sequence[Utterance]) -> list[Disguise]:
    """Finds columns that are named as labels, equal them, or are a line through them.

    Of sequences the means over the frames are looked at, so that constants are seen.
    """
    seen = [
        Disguise(column, "is named", LABELS[column.lower()])
        for column in found.columns
        if column.lower() in LABELS
    ]
    rows, parts = [], []
    for i, part in enumerate(found.utterances):
        if part is not None and i not in found.problems:
            rows.append(i)
            parts.append(part.mean(0, dtype=np.float64))
    means = np.array(parts).reshape(len(rows), len(found.columns))
    for attr in ATTRS:
        labels = np.array([getattr(utterances[i], attr) for i in rows], float)
        seen += [Disguise(found.columns[at], how, attr) for at, how in _follows(means, labels)]
    first: dict[str, Disguise] = {}
    for each in seen:
        first.setdefault(each.column, each)
    return list(first.values())


def _follows(
    columns: Float64[np.ndarray, "utt feat"], labels: Float64[np.ndarray, " utt"]
) -> Iterator[tuple[int, str]]:
    """Yields the columns that equal labels, or follow them on a line, where both are known."""
    for start in range(0, columns.shape[1], _CHUNK):
        part = columns[:, start : start + _CHUNK]
        both = np.isfinite(part) & np.isfinite(labels)[:, None]
        x, y = np.where(both, part, 0.0), np.where(both, labels[:, None], 0.0)
        count = both.sum(0)
        x_off = np.where(both, x - x.sum(0) / np.maximum(count, 1), 0.0)
        y_off = np.where(both, y - y.sum(0) / np.maximum(count, 1), 0.0)
        xx, yy, xy = (x_off * x_off).sum(0), (y_off * y_off).sum(0), (x_off * y_off).sum(0)
        varies = (yy > 1e-12) & (xx > 1e-12 * (x * x).sum(0))
        left = 1.0 - xy**2 / np.where(varies, xx * yy, 1.0)
        equal = varies & (count >= EQUAL_ROWS) & (np.abs(x - y) <= 1e-6 * np.abs(y)).all(0)
        line = (count >= AFFINE_ROWS) & (left < EXACT)
        line |= (count >= ROUNDED_ROWS) & (left < ROUNDED)
        for at in np.flatnonzero(varies & (equal | line)):
            yield start + int(at), "equals" if equal[at] else "follows"
