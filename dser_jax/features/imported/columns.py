"""Which columns of a file are features, and which only name or number its rows."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from dser_jax.corpora import ATTRS

NAMES = ("file", "filename", "path", "id", "name")
"""Columns that say which utterance a row is of."""

TIMES = ("frametime", "start")
ENDS = ("end",)
OTHERS = ("frameindex", "class")
"""Columns of openSMILE that are no features either."""

LABELS = {attr: attr for attr in ATTRS} | {
    "activation": "arousal",
    "emoval": "valence",
    "emoact": "arousal",
    "emodom": "dominance",
}
"""What columns of labels are called, and of which attribute they are."""

MANY = 10
"""In so many rows and more, a column that numbers them is no chance."""

_INDEX = re.compile(r"(?:index|unnamed: ?\d+(?:[.,]\d+)?|level_\d+|)")


def is_index(name: str) -> bool:
    """Tells whether pandas writes the numbers of rows under such a name, which may be none."""
    return _INDEX.fullmatch(name.strip().lower()) is not None


def is_whole(values: np.ndarray) -> bool:
    """Tells whether there are numbers, and all are whole."""
    return bool(len(values) and np.isfinite(values).all() and (values % 1 == 0).all())


def count_up(values: Sequence[float] | np.ndarray) -> bool:
    """Tells whether whole numbers go up from row to row, or begin again with the first of them."""
    numbers = np.asarray(values)
    if not is_whole(numbers):
        return False
    up, again = numbers[1:] > numbers[:-1], numbers[1:] == numbers[0]
    return bool((up | (again & (numbers[1:] < numbers[:-1]))).all())


def number_rows(values: Sequence[float] | np.ndarray) -> bool:
    """Tells whether a column goes by one step from row to row, in rows enough to be sure."""
    numbers = np.asarray(values, float)
    if len(numbers) < MANY or not np.isfinite(numbers).all():
        return False
    step = (numbers[-1] - numbers[0]) / (len(numbers) - 1)
    off = numbers - numbers[0] - step * np.arange(len(numbers))
    return bool(
        abs(step) > 1e-5 * np.abs(numbers).max() / len(numbers)
        and (np.abs(off) <= 1e-3 * abs(step)).all()
    )
