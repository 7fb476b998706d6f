"""The tables that features come in: openSMILE's, pandas', and those of one's own."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float64

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
from dser_jax.features.imported.columns import ENDS, NAMES, OTHERS, TIMES, is_index
from dser_jax.system import DataError

_SHOWN = 4
"""So many cells of a header are quoted."""


@dataclass
class FeatureTable:
    """The rows of a table of features.

    Attributes:
      said: How it is written, and how many rows it has.
      columns: Names of the columns of numbers.
      values: These numbers; NaN where a cell holds nothing.
      names: Columns that may say of which utterance each row is, by what they are called.
      starts, ends: Times of each row in seconds, NaN where there is none; empty without a column.
    """

    said: str
    columns: tuple[str, ...]
    values: Float64[np.ndarray, "row column"]
    names: dict[str, list[str]] = field(default_factory=dict)
    starts: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)


def read_features(path: Path, name: str, dialect: Dialect, header: bool) -> FeatureTable:
    """Reads a table of features.

    Args:
      path: The table.
      name: What the features are called, for columns without names.
      dialect: What is known of how it is written.
      header: Whether its first line names the columns.

    Raises:
      DataError: It has no features, or something in their columns that is no number.
    """
    sheet = open_sheet(path, dialect)
    fields = [_bare(cell) for cell in sheet.header]
    if header:
        _check_header(sheet, fields)
    else:
        fields = _numbered(fields, name)
    _check_names(sheet, fields)
    first = next(_rows(sheet, header), SheetRow(sheet.top, [""] * len(fields)))
    kinds = [_kind(*pair) for pair in zip(fields, first.cells, strict=True)]
    at = [i for i, kind in enumerate(kinds) if kind == "number"]
    if not at:
        raise DataError(
            "no columns of features",
            file=path,
            value=", ".join(fields),
            expected="a header with the features' names",
        )
    times = {kind: kinds.index(kind) for kind in ("start", "end") if kind in kinds}
    numbers = (*at, *times.values())
    cells = ((row.line, fold_space(row.cells[i])) for row in _rows(sheet, header) for i in numbers)
    sheet = sheet.with_decimal((), cells)
    decimal = sheet.dialect.decimal or "."
    # Frames of a whole corpus are hundreds of millions of numbers: nothing else is kept of them.
    values, seen = array("d"), dict[str, str]()
    table = FeatureTable("", tuple(fields[i] for i in at), np.empty((0, len(at))))
    for row in _rows(sheet, header):
        values.extend(_number(sheet, row.line, fields[i], row.cells[i], decimal) for i in at)
        for i, kind in enumerate(kinds):
            if kind == "name":
                text = _bare(row.cells[i])
                table.names.setdefault(fields[i], []).append(seen.setdefault(text, text))
        for kind, i in times.items():
            into = table.starts if kind == "start" else table.ends
            into.append(_time(sheet, row.line, row.cells[i], decimal))
    table.values = np.array(values).reshape(-1, len(at))
    table.said = sheet.said(len(table.values))
    return table


def _rows(sheet: Sheet, header: bool) -> Iterator[SheetRow]:
    """Yields the rows of a table of which none may be torn; without a header its first is one."""
    if not header:
        yield SheetRow(sheet.top, list(sheet.header))
    for row in sheet.rows():
        if row.problem is not None:
            raise row.problem
        yield row


def _bare(cell: str) -> str:
    """Strips the single quotes in which openSMILE writes names."""
    return cell.strip().strip("'")


def _check_header(sheet: Sheet, fields: Sequence[str]) -> None:
    """Refuses a first line of numbers; but pandas calls columns 0, 1, 2, ... by default."""
    known = {*NAMES, *TIMES, *ENDS, *OTHERS}
    if any(name.lower() in known or (name and is_index(name)) for name in fields):
        return
    numbers = [name for name in fields if read_number(name) is not None]
    counted = [[str(i + first) for i in range(len(numbers))] for first in (0, 1)]
    most = len(numbers) > len(fields) / 2 or len(fields) - len(numbers) == 1
    if numbers and most and numbers not in counted:
        raise DataError(
            "no header? the first line has numbers where the features' names should be",
            file=sheet.file,
            line=sheet.top,
            value=", ".join(fields[:_SHOWN]) + (", ..." if len(fields) > _SHOWN else ""),
            expected="a name for each column; or --no-header, which numbers the columns",
        )


def _numbered(cells: Sequence[str], name: str) -> list[str]:
    """Names the columns of a table without a header: the first that is no number has names."""
    texts = [i for i, cell in enumerate(cells) if cell and _is_text(cell)]
    numbers = iter(range(len(cells)))
    named = {texts[0]: NAMES[0]} if texts else {}
    return [named.get(i) or f"{name}_{next(numbers)}" for i in range(len(cells))]


def _kind(name: str, cell: str) -> str:
    """Tells what a column is for, from its name and its first cell."""
    lower = name.lower()
    for kind, known in (("name", NAMES), ("start", TIMES), ("end", ENDS), ("other", OTHERS)):
        if lower in known:
            return kind
    # pandas writes an index of names without saying what it is.
    return "name" if is_index(name) and _is_text(cell) else "number"


def _is_text(cell: str) -> bool:
    """Tells whether a cell is neither a number nor empty, whatever the decimal sign."""
    return not is_missing(fold_space(cell)) and all(
        read_number(cell, decimal) is None for decimal in DECIMALS.values()
    )


def _check_names(sheet: Sheet, fields: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in fields:
        if name in seen and not is_index(name):
            raise DataError("two columns of one name", file=sheet.file, line=sheet.top, value=name)
        seen.add(name)


def _number(sheet: Sheet, line: int, column: str, cell: str, decimal: str) -> float:
    """Reads a feature; one that is not finite is for the loader to refuse."""
    number = read_number(cell, decimal)
    if number is not None:
        return number
    text = fold_space(cell).lower()
    if is_missing(text):
        return math.nan
    if text.lstrip("+-") in ("inf", "infinity"):
        return float(text)
    raise DataError(
        f"a value of {column or 'a column without a name'} that is no number",
        file=sheet.file,
        line=line,
        value=cell,
        expected=f"numbers with a decimal {name_of(DECIMALS, decimal)}; names stand in a column "
        f"{', '.join(NAMES[:-1])} or {NAMES[-1]}",
    )


def _time(sheet: Sheet, line: int, cell: str, decimal: str) -> float:
    text = fold_space(cell)
    seconds = read_seconds(text, decimal)
    if seconds is None and not is_missing(text):
        expected = "seconds, or a time such as 0 days 00:00:01.500000"
        raise DataError("not a time", file=sheet.file, line=line, value=cell, expected=expected)
    return math.nan if seconds is None else seconds
