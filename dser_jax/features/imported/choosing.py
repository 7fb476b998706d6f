"""The columns of a table that are features, once it is known whose its rows are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dser_jax.features.imported.columns import count_up, is_index, is_whole, number_rows
from dser_jax.features.imported.matching import Found
from dser_jax.features.imported.reading import FeatureTable
from dser_jax.system import DataError


def choose_features(
    path: Path, table: FeatureTable, found: Found, keep: Sequence[bool], said: list[str]
) -> list[int]:
    """Chooses the columns of numbers that do not merely number the rows.

    Args:
      path: The file, for messages.
      table: What it holds.
      found: Whose its rows are.
      keep: Which rows of the original table are kept.
      said: Takes what is left out, for people.

    Raises:
      DataError: Rows are numbered in another order than the table's, or there are no features.
    """
    chosen = []
    for i, column in enumerate(table.columns):
        values, name = table.values[:, i], repr(column) if column else "a column without a name"
        if len(values) and np.isnan(values).all():
            what = f"nothing in {name}"
            raise DataError(what, file=path, expected="numbers, or a file without it")
        if _numbers(path, name, column, values, found, keep):
            said.append(f"{path.name}: {name} numbers the rows, and is left out")
        else:
            chosen.append(i)
    if not chosen:
        raise DataError("no features but the numbers of the rows", file=path)
    return chosen


def _numbers(
    path: Path, name: str, column: str, values: np.ndarray, found: Found, keep: Sequence[bool]
) -> bool:
    """Tells whether a column numbers rows; refuses one that says that they are others."""
    if not is_index(column):
        return found.kind == "hsf" and number_rows(values)
    if is_whole(values) and (found.by_name or _go_with(values, found, keep)):
        return True
    if column.lower() == "index" and not is_whole(values):
        return False
    raise DataError(
        f"{name} does not number the rows of the table one after the other",
        file=path,
        value=", ".join(f"{value:g}" for value in values[:4]),
        expected="rows in the table's order, or a name for what is a feature",
    )


def _go_with(values: np.ndarray, found: Found, keep: Sequence[bool]) -> bool:
    """Tells whether numbers go up; where rows are left out, as those that are left, or anew."""
    left = np.flatnonzero(keep)
    if found.kind != "hsf" or len(values) == len(keep) or not count_up(values):
        return count_up(values)
    anew = np.arange(len(left))
    fitting = (rows + first for rows in (left, anew) for first in (0, 1))
    return any(np.array_equal(values, rows) for rows in fitting)
