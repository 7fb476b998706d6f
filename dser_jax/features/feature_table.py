"""A CSV file of features: openSMILE's, or any other with a row an utterance or a frame."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from dser_jax.corpora import (
    DECIMALS,
    Dialect,
    Sheet,
    SheetRow,
    fold_space,
    is_missing,
    name_of,
    open_sheet,
    read_number,
    read_seconds,
)
from dser_jax.system import DataError

_NAMES = ("name", "file")
_TIMES = ("frametime", "start")
_OTHERS = ("end", "frameindex", "class")


@dataclass
class FeatureTable:
    """The rows of a CSV file.

    Attributes:
      said: How it is written, and how many rows it has.
      columns: Names of the features.
      names: Of the recordings, row by row; empty without such a column.
      times: In seconds, NaN where there is none; empty without such a column.
      values: The features.
    """

    said: str
    columns: tuple[str, ...]
    names: list[str]
    times: list[float]
    values: Float32[np.ndarray, "row feat"]


def read_features(path: Path, dialect: Dialect) -> FeatureTable:
    """Reads a CSV file with a header.

    Raises:
      DataError: It has no features, or something in their columns that is no number.
    """
    sheet = open_sheet(path, dialect)
    fields = [_unquoted(cell) for cell in sheet.header]
    lower = [name.lower() for name in fields]
    name_at = next((lower.index(name) for name in _NAMES if name in lower), None)
    time_at = next((lower.index(name) for name in _TIMES if name in lower), None)
    known = {*_NAMES, *_TIMES, *_OTHERS}
    at = [i for i, name in enumerate(lower) if name not in known]
    if not at:
        raise DataError(
            "no columns of features",
            file=path,
            value=", ".join(fields),
            expected="a header with the features' names",
        )
    if sheet.headless():
        raise DataError(
            "a first line of numbers",
            file=path,
            line=sheet.top,
            value=", ".join(fields[:3]) + ", ...",
            expected="a header with the features' names; has the table none?",
        )
    numbers = at if time_at is None else [*at, time_at]
    cells = ((row.line, row.cells[i].strip()) for row in _usable(sheet) for i in numbers)
    sheet = sheet.with_decimal((), cells)
    decimal = sheet.dialect.decimal or "."
    names, times, values = [], [], []
    for row in _usable(sheet):
        features = ((fields[i], row.cells[i]) for i in at)
        values.append([_number(path, row.line, *each, decimal) for each in features])
        if name_at is not None:
            names.append(_unquoted(row.cells[name_at]))
        if time_at is not None:
            times.append(_time(path, row.line, row.cells[time_at], decimal))
    matrix = np.array(values, np.float32).reshape(len(values), len(at))
    said = sheet.said(len(values))
    return FeatureTable(said, tuple(fields[i] for i in at), names, times, matrix)


def _usable(sheet: Sheet) -> Iterator[SheetRow]:
    """Yields the rows of a table of which none may be torn."""
    for row in sheet.rows():
        if row.problem is not None:
            raise row.problem
        yield row


def _unquoted(cell: str) -> str:
    """Strips the single quotes in which openSMILE writes names."""
    return cell.strip().strip("'")


def _number(path: Path, line: int, column: str, cell: str, decimal: str) -> float:
    """Reads a feature; what is not finite is left to `_problem`."""
    number = read_number(cell, decimal)
    if number is not None:
        return number
    text = fold_space(cell).lower()
    if is_missing(text):
        return math.nan
    if text.lstrip("+-") in ("inf", "infinity"):
        return float(text)
    raise DataError(
        f"a value of {column} that is no number",
        file=path,
        line=line,
        value=cell,
        expected=f"numbers with a decimal {name_of(DECIMALS, decimal)}",
    )


def _time(path: Path, line: int, cell: str, decimal: str) -> float:
    """Reads a time in seconds; NaN where there is none."""
    text = fold_space(cell)
    seconds = read_seconds(text, decimal)
    if seconds is None and not is_missing(text):
        expected = "seconds, or a time such as 0 days 00:00:01.500000"
        raise DataError("not a time", file=path, line=line, value=cell, expected=expected)
    return math.nan if seconds is None else seconds


def recordings(table: FeatureTable) -> list[list[int]]:
    """Parts rows into recordings: where the name changes, or the time starts again."""
    groups: list[list[int]] = []
    for i in range(len(table.values)):
        same = i > 0 and (not table.names or table.names[i] == table.names[i - 1])
        later = i > 0 and bool(table.times) and table.times[i] > table.times[i - 1]
        if same and (later or not table.times) and (table.names or table.times):
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups
