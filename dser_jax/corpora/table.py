"""Any corpus that comes as one table: a CSV, a TSV, or an audformat table saved as CSV.

Columns are found by name, never by position, since every corpus has an order of its own.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from dser_jax.corpora.reading import (
    Place,
    found,
    gather,
    place_ids,
    read_speaker,
    read_split,
    read_turned,
)
from dser_jax.corpora.scales import Scale, check_scale, ends_of, settled, told_turned
from dser_jax.corpora.tables.cells import read_seconds
from dser_jax.corpora.tables.dialect import RECOGNISED, Dialect
from dser_jax.corpora.tables.sheet import Sheet, open_sheet
from dser_jax.corpora.tables.turns import read_turn, settle_turns
from dser_jax.corpora.utterances import ATTRS, Corpus, Utterance
from dser_jax.system import BadInput, DataError, plural

FIELDS = (
    *("id", "file", "start", "end", "transcript", "speaker", "session", "dialogue", "turn"),
    *("split", *ATTRS),
)
"""The columns that are read, each under this name in any case, or under one given in `columns`."""

TIMES = ("start", "end")


class _Row(NamedTuple):
    """A row of the table: where it is, and its cells by field."""

    line: int
    cells: dict[str, str]


class _Table(NamedTuple):
    """The rows of a table that were not torn, cut down to the fields that have something in them.

    Attributes:
      lines: Those on which rows begin, torn ones among them.
      decimal_named: Whether the decimal sign was, instead of recognised.
    """

    sheet: Sheet
    lines: list[int]
    rows: list[_Row]
    fields: tuple[str, ...]
    scale: Scale
    decimal_named: bool

    @property
    def decimal(self) -> str:
        return self.sheet.dialect.decimal or "."

    def error(self, row: _Row, problem: str, value: object, expected: str) -> DataError:
        return DataError(
            problem, file=self.sheet.file, line=row.line, value=value, expected=expected
        )


def load_table(
    path: str | Path,
    *,
    scale: Scale,
    columns: Mapping[str, str] | None = None,
    audio_root: str | Path | None = None,
    name: str | None = None,
    bad: BadInput | None = None,
    dialect: Dialect = RECOGNISED,
) -> Corpus:
    """Reads a table with one utterance a row, in its own order.

    The table needs a column of recordings (`file`) or of words (`transcript`), and one of the three
    attributes; every other field may be absent. A column without a single value counts as absent.
    A recording, words or an attribute may be missing in some rows: empty, or nan.

    Args:
      path: The table; it begins with a header. How it is written is recognised, and said.
      scale: Lowest and highest label, e.g. (1, 5), or these by attribute. What runs the other way,
        as {"arousal": (5, 1), ...}, is turned, and so are its labels.
      columns: For each field that has another name in this table, its name there, e.g.
        {"valence": "V", "transcript": "text"}. The fields are those of `FIELDS`.
      audio_root: The folder that `file` is relative to; the table's own by default.
      name: The corpus' name; that of the file by default.
      bad: Decides whether bad input raises, the default, or is left out and listed.
      dialect: What is known of how the table is written.

    Returns:
      The corpus. Without a column `id`, an utterance's id is the stem of its recording, or its path
      where stems repeat, followed by start and end if it is a part of one; without recordings, its
      number, as where a row has no recording.

    Raises:
      DataError: Names the file, the line and what was expected there.
    """
    path, bad = Path(path), bad or BadInput()
    table = _read(path, columns or {}, scale, bad, dialect)
    audio_root = path.parent if audio_root is None else Path(audio_root)
    ids = _ids(table)
    utterances: dict[str, Utterance] = {}
    parse = partial(_parse, table=table, audio_root=audio_root)
    gather(utterances, zip(table.rows, ids, strict=True), parse, bad)
    if not utterances:
        raise DataError(
            "no utterances here", file=path, expected="at least one row that can be used"
        )
    kept, told = settle_turns(list(utterances.values()), "turn" in table.fields)
    labelled = [attr for attr in ATTRS if attr in table.fields]
    return Corpus(
        name=path.stem if name is None else name,
        utterances=tuple(kept),
        scale=settled(scale, labelled),
        found=(
            table.sheet.said(len(table.lines)),
            f"{plural(len(utterances), 'utterance')}; columns read: {', '.join(table.fields)}",
            *told_turned(scale, labelled),
            *table.sheet.doubtful(row.cells.get("transcript", "") for row in table.rows),
            *found(kept),
            *told,
        ),
        gaps=_gaps(table, kept),
    )


def _gaps(table: _Table, utterances: Collection[Utterance]) -> dict[int, str]:
    """Numbers the rows that were left out, and says where they are."""
    kept = {utterance.source for utterance in utterances}
    places = (f"{table.sheet.file}:{line}" for line in table.lines)
    return {number: place for number, place in enumerate(places) if place not in kept}


def _read(
    path: Path,
    columns: Mapping[str, str],
    scale: Scale,
    bad: BadInput,
    dialect: Dialect,
) -> _Table:
    """Reads the file and settles which of its columns is which field."""
    check_scale(scale)
    unknown = sorted(set(columns) - set(FIELDS))
    if unknown:
        fields = ", ".join(FIELDS)
        raise DataError("no such field", value=unknown[0], expected=f"`columns` to be for {fields}")
    sheet = open_sheet(path, dialect)
    places = sheet.find({field: (field,) for field in FIELDS}, columns)
    lines, rows = list[int](), list[_Row]()
    for row in sheet.rows():
        lines.append(row.line)
        if row.problem is not None:
            bad(row.problem)
            continue
        cells = {field: sheet.text(row.cells[at], field) for field, at in places.items()}
        rows.append(_Row(row.line, cells))
    if not rows:
        raise DataError("no rows below the header", file=path, expected="one row an utterance")
    fields = tuple(field for field in FIELDS if any(row.cells.get(field) for row in rows))
    _check_fields(sheet, fields)
    labelled = [attr for attr in ATTRS if attr in fields]
    check_scale(scale, labelled)
    if max(abs(end) for attr in labelled for end in ends_of(scale, attr)) < 1000:
        sheet = sheet.with_decimal(_numbers(rows, ATTRS), _numbers(rows, (*TIMES, "turn")))
    else:
        sheet = sheet.with_decimal((), _numbers(rows, (*ATTRS, *TIMES, "turn")))
    return _Table(sheet, lines, rows, fields, scale, dialect.decimal is not None)


def _numbers(rows: Sequence[_Row], fields: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yields what stands in columns of numbers, and its line."""
    for row in rows:
        for field in fields:
            if cell := row.cells.get(field):
                yield row.line, cell


def _check_fields(sheet: Sheet, fields: Sequence[str]) -> None:
    """Makes sure that there is something to predict, and something to predict it from."""
    there = f"the columns here are {', '.join(sheet.header)}"
    if sheet.headless():
        there += "; has the table no header?"
    if "file" not in fields and "transcript" not in fields:
        raise DataError(
            "neither recordings nor words",
            file=sheet.file,
            expected=f"a column file or transcript, or `columns` to name one; {there}",
        )
    if not any(attr in fields for attr in ATTRS):
        raise DataError(
            "no labels",
            file=sheet.file,
            expected=f"a column valence, arousal or dominance, or `columns` to name one; {there}",
        )


def _parse(named: tuple[_Row, str], *, table: _Table, audio_root: Path) -> Utterance:
    """Reads one row."""
    row, id = named
    text = {field: row.cells[field] for field in table.fields}
    if text.get("split") == "":
        expected = "a split in every row, or in none"
        raise table.error(row, "this row has no split", None, expected)
    file, part = text.get("file"), text.get("split")
    split = None if part is None else read_split(part)
    if part is not None and split is None:
        raise table.error(row, "no such split", part, "train, validation (dev) or test")
    if not id:
        raise table.error(row, "this row has no id", None, "an id in every row")
    start, end = (_seconds(text.get(field), field, table, row) for field in TIMES)
    if end is not None and end <= (start or 0.0):
        raise table.error(
            row, "ends before it starts", row.cells["end"], f"an end after {start or 0:g} s"
        )
    valence, arousal, dominance = (_label(text.get(attr), attr, table, row) for attr in ATTRS)
    return Utterance(
        id=id,
        speaker=read_speaker(text.get("speaker", "")),
        session=text.get("session") or None,
        file=audio_root / file if file else None,
        start=start,
        end=end,
        transcript=text.get("transcript") or None,
        valence=valence,
        arousal=arousal,
        dominance=dominance,
        split=split,
        source=f"{table.sheet.file}:{row.line}",
        dialogue=text.get("dialogue") or None,
        turn=_turn(text.get("turn"), table, row),
    )


def _label(value: str | None, attr: str, table: _Table, row: _Row) -> float:
    """Reads a label; NaN where there is none."""
    if not value:
        return math.nan
    wrong = partial(_wrong_label, value, attr, table, row)
    return read_turned(value, ends_of(table.scale, attr), wrong, table.decimal)


def _wrong_label(
    value: str, attr: str, table: _Table, row: _Row, problem: str, expected: str
) -> DataError:
    if table.decimal == "," or "," in value:
        expected += f" with a decimal {table.sheet.decimal_name}"
        expected += "" if table.decimal_named else ", unless --decimal says otherwise"
    return table.error(row, f"the {attr} is {problem}", value, expected)


def _seconds(value: str | None, field: str, table: _Table, row: _Row) -> float | None:
    """Reads a time; None where there is none."""
    if not value:
        return None
    time = read_seconds(value, table.decimal)
    if time is None:
        expected = "seconds, or a time such as 0 days 00:00:01.500000"
        raise table.error(row, f"the {field} is not a time", value, expected)
    return time


def _turn(value: str | None, table: _Table, row: _Row) -> float | None:
    """Reads the place of a turn in its dialogue; None where there is none."""
    if not value:
        return None
    place = read_turn(value, table.decimal)
    if place is None:
        raise table.error(row, "the turn is no place in a dialogue", value, "a number or a time")
    return place


def _ids(table: _Table) -> list[str]:
    """Gives each row its id; what is wrong with times is left to `_parse`."""
    cells = [row.cells for row in table.rows]
    if "id" in table.fields:
        return [row["id"] for row in cells]
    if "file" not in table.fields:
        width = len(str(len(cells)))
        return [f"{number:0{width}d}" for number in range(1, len(cells) + 1)]
    times = ([read_seconds(row.get(field, ""), table.decimal) for field in TIMES] for row in cells)
    ids = place_ids([Place(row["file"], *both) for row, both in zip(cells, times, strict=True)])
    numbers = range(1, len(cells) + 1)
    return [id if row["file"] else str(at) for at, row, id in zip(numbers, cells, ids, strict=True)]
