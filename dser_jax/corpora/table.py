"""Any corpus that comes as one table: a CSV, a TSV, or an audformat table saved as CSV.

Columns are found by name, never by position, since every corpus has an order of its own.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from dser_jax.corpora.reading import (
    Place,
    found,
    gather,
    is_empty,
    place_ids,
    read_label,
    read_speaker,
    read_split,
)
from dser_jax.corpora.utterances import ATTRS, Corpus, Utterance
from dser_jax.system import BadInput, DataError

FIELDS = ("id", "file", "start", "end", "transcript", "speaker", "session", "split", *ATTRS)
"""The columns that are read, each under this name in any case, or under one given in `columns`."""

_TIMEDELTA = re.compile(r"(?:(\d+) days? ?)?(?:\+?(\d+):(\d\d):(\d\d(?:\.\d+)?))?")


class _Row(NamedTuple):
    """A row of the table: where it is, and its cells by field."""

    line: int
    cells: dict[str, str]


class _Table(NamedTuple):
    """The rows of a file, cut down to the fields that it has something in."""

    file: Path
    rows: list[_Row]
    fields: tuple[str, ...]
    scale: tuple[float, float]


def load_table(
    path: str | Path,
    *,
    scale: tuple[float, float],
    columns: Mapping[str, str] | None = None,
    audio_root: str | Path | None = None,
    name: str | None = None,
    bad: BadInput | None = None,
) -> Corpus:
    """Reads a table with one utterance a row, in its own order.

    The table needs a column of recordings (`file`) or of words (`transcript`), and one of the three
    attributes; every other field may be absent. A column without a single value counts as absent.
    An attribute may be missing in some rows: empty, or nan.

    Args:
      path: Comma-separated, or tab-separated if its name ends in .tsv; UTF-8; begins with a header.
      scale: Lowest and highest label, e.g. (1, 5).
      columns: For each field that has another name in this table, its name there, e.g.
        {"valence": "V", "transcript": "text"}. The fields are those of `FIELDS`.
      audio_root: The folder that `file` is relative to; the table's own by default.
      name: The corpus' name; that of the file by default.
      bad: Decides whether bad input raises, the default, or is left out and listed.

    Returns:
      The corpus. Without a column `id`, an utterance's id is the stem of its recording, or its path
      where stems repeat, followed by start and end if it is a part of one; without recordings, its
      number.

    Raises:
      DataError: Names the file, the line and what was expected there.
    """
    path, bad = Path(path), bad or BadInput()
    table = _read(path, columns or {}, scale, bad)
    audio_root = path.parent if audio_root is None else Path(audio_root)
    ids = _ids(table)
    utterances: dict[str, Utterance] = {}
    parse = partial(_parse, table=table, audio_root=audio_root)
    gather(utterances, zip(table.rows, ids, strict=True), parse, bad)
    if not utterances:
        raise DataError(
            "no utterances here", file=path, expected="at least one row that can be used"
        )
    return Corpus(
        name=path.stem if name is None else name,
        utterances=tuple(utterances.values()),
        scale=(float(scale[0]), float(scale[1])),
        found=(
            f"{len(utterances)} utterances; columns read: {', '.join(table.fields)}",
            *found(list(utterances.values())),
        ),
    )


def _read(
    path: Path, columns: Mapping[str, str], scale: tuple[float, float], bad: BadInput
) -> _Table:
    """Reads the file and settles which of its columns is which field."""
    if not scale[0] < scale[1]:
        raise DataError("not a scale", value=scale, expected="the lowest and the highest label")
    lines = _records(path)
    header = [cell.strip() for cell in next(lines, (1, []))[1]]
    if not any(header):
        raise DataError("an empty table", file=path, expected="a header and one row an utterance")
    _check_cells(header, header, path, 1)
    places = _places(path, header, columns)
    rows: list[_Row] = []
    for line, cells in lines:
        if not any(cell.strip() for cell in cells):  # spreadsheets append such rows
            continue
        try:
            _check_cells(cells, header, path, line)
        except DataError as error:
            bad(error)
        else:
            rows.append(_Row(line, {field: cells[at].strip() for field, at in places.items()}))
    if not rows:
        raise DataError("no rows below the header", file=path, expected="one row an utterance")
    fields = tuple(f for f in FIELDS if any(not is_empty(row.cells.get(f, "")) for row in rows))
    there = f"the columns here are {', '.join(header)}"
    if "file" not in fields and "transcript" not in fields:
        raise DataError(
            "neither recordings nor words",
            file=path,
            expected=f"a column file or transcript, or `columns` to name one; {there}",
        )
    if not any(attr in fields for attr in ATTRS):
        raise DataError(
            "no labels",
            file=path,
            expected=f"a column valence, arousal or dominance, or `columns` to name one; {there}",
        )
    return _Table(path, rows, fields, scale)


def _check_cells(cells: list[str], header: list[str], path: Path, line: int) -> None:
    """Raises if a record was torn, or holds a byte that is no text."""
    for cell in cells:
        # `_records` reads a byte that is not UTF-8 as a lone surrogate, which no text can hold.
        if any("\ud800" <= character <= "\udfff" for character in cell):
            value = cell.encode("utf-8", "surrogateescape")
            problem, expected = "a byte that is not UTF-8", "a table saved as UTF-8"
            raise DataError(problem, file=path, line=line, value=value, expected=expected)
    if len(cells) != len(header):
        raise DataError(
            "a row with the wrong number of cells",
            file=path,
            line=line,
            value=len(cells),
            expected=f"{len(header)}, as in the header",
        )


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yields each record with the line on which it begins; cells may hold line feeds."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read this table: {error.strerror}", file=path) from error
    # A byte that is not UTF-8 becomes a lone surrogate, so that `_check_cells` can name its line.
    text = data.decode("utf-8-sig", "surrogateescape")
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            expected = "a CSV whose quotes are closed and doubled inside quotes"
            raise DataError(str(error), file=path, line=line, expected=expected) from error
        if cells:
            yield line, cells
        line = reader.line_num + 1


def _places(path: Path, header: list[str], columns: Mapping[str, str]) -> dict[str, int]:
    """Finds the position of each field: by the name given for it, else by its own."""
    unknown = sorted(set(columns) - set(FIELDS))
    if unknown:
        fields = ", ".join(FIELDS)
        raise DataError("no such field", value=unknown[0], expected=f"`columns` to be for {fields}")
    places = {}
    for field in FIELDS:
        name = columns.get(field, field)
        same = [at for at, column in enumerate(header) if column == name]
        same = same or [at for at, column in enumerate(header) if column.lower() == name.lower()]
        if len(same) > 1:
            problem = f"{len(same)} columns for {field}"
            raise DataError(
                problem, file=path, line=1, value=name, expected="one column of that name"
            )
        if same:
            places[field] = same[0]
        elif field in columns:
            raise DataError(
                f"no such column for {field}",
                file=path,
                line=1,
                value=name,
                expected=f"one of {', '.join(header)}",
            )
    return places


def _parse(named: tuple[_Row, str], *, table: _Table, audio_root: Path) -> Utterance:
    """Reads one row."""
    row, id = named
    text = {field: row.cells[field] for field in table.fields}
    for field in ("file", "split", "transcript"):
        if text.get(field) == "":
            expected = f"a {field} in every row, or in none"
            raise _error(table, row, f"this row has no {field}", None, expected)
    file, part = text.get("file"), text.get("split")
    split = None if part is None else read_split(part)
    if part is not None and split is None:
        raise _error(table, row, "no such split", part, "train, validation (dev) or test")
    if not id:
        raise _error(table, row, "this row has no id", None, "an id in every row")
    start, end = (_seconds(text.get(field), field, table, row) for field in ("start", "end"))
    if end is not None and end <= (start or 0.0):
        raise _error(
            table, row, "ends before it starts", row.cells["end"], f"an end after {start or 0:g} s"
        )
    valence, arousal, dominance = (_label(text.get(attr), attr, table, row) for attr in ATTRS)
    return Utterance(
        id=id,
        speaker=read_speaker(text.get("speaker", "")),
        session=text.get("session") or None,
        file=None if file is None else audio_root / file,
        start=start,
        end=end,
        transcript=text.get("transcript"),
        valence=valence,
        arousal=arousal,
        dominance=dominance,
        split=split,
        source=f"{table.file}:{row.line}",
    )


def _label(value: str | None, attr: str, table: _Table, row: _Row) -> float:
    """Reads a label; NaN where there is none."""
    if value is None or is_empty(value):
        return math.nan
    expected = f"a number from {table.scale[0]:g} to {table.scale[1]:g}"
    return read_label(
        value,
        table.scale,
        lambda problem: _error(table, row, f"the {attr} is {problem}", value, expected),
    )


def _seconds(value: str | None, field: str, table: _Table, row: _Row) -> float | None:
    """Reads seconds, or a time such as pandas writes it; None where there is none."""
    if value is None or is_empty(value):
        return None
    match = _TIMEDELTA.fullmatch(value)
    if match is not None:
        days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    try:
        time = float(value)
    except ValueError:
        time = math.nan
    if not 0 <= time < math.inf:
        expected = "seconds, or a time such as 0 days 00:00:01.500000"
        raise _error(table, row, f"the {field} is not a time", value, expected)
    return time


def _ids(table: _Table) -> list[str]:
    """Gives each row its id; what is wrong with times is left to `_parse`."""
    cells = [row.cells for row in table.rows]
    if "id" in table.fields:
        return [row["id"] for row in cells]
    if "file" not in table.fields:
        width = len(str(len(cells)))
        return [f"{number:0{width}d}" for number in range(1, len(cells) + 1)]
    places = []
    for row in table.rows:
        times: list[float | None] = []
        for field in ("start", "end"):
            try:
                times.append(_seconds(row.cells.get(field), field, table, row))
            except DataError:
                times.append(None)
        places.append(Place(row.cells["file"], *times))
    return place_ids(places)


def _error(table: _Table, row: _Row, problem: str, value: object, expected: str) -> DataError:
    return DataError(problem, file=table.file, line=row.line, value=value, expected=expected)
