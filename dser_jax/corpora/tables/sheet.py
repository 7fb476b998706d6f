"""A table as it stands in a file: a header, rows of cells, and the lines on which they begin."""

from __future__ import annotations

import csv
import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from dser_jax.corpora.tables.cells import fold_space, is_missing, read_number
from dser_jax.corpora.tables.dialect import (
    DECIMALS,
    RECOGNISED,
    SEPARATORS,
    Dialect,
    Lines,
    Recognised,
    cells_of,
    decimal_sign,
    name_of,
    recognise,
    words,
)
from dser_jax.system import DataError, DserError, plural

WORDS = ("transcript",)
"""Fields in which `nan`, `None` and the like are words as all others."""
VERBATIM = ("file",)
"""Fields in which white space counts: a file may be called `a  b.wav`."""

_HINT = re.compile(r"sep=(.)", re.IGNORECASE)  # Excel's first line, which is no row.


class SheetRow(NamedTuple):
    """A row: where it begins, its cells as they stand, and why it cannot be used, if it cannot."""

    line: int
    cells: list[str]
    problem: DataError | None = None


@dataclass(frozen=True)
class Sheet:
    """A table that has been opened.

    Attributes:
      file: Where it is.
      header: The columns' names as they stand.
      known: How it is written; the decimal sign is None until `with_decimal` has seen numbers.
      top: The line of the header.
      trusted: Whether somebody said that cells are quoted, so that those that span lines are meant.
      lines: Those of the file.
    """

    file: Path
    header: tuple[str, ...]
    known: Recognised
    top: int
    trusted: bool
    lines: Lines

    @property
    def dialect(self) -> Dialect:
        """How it is written."""
        return self.known.dialect

    def rows(self) -> Iterator[SheetRow]:
        """Yields the rows below the header that hold anything.

        Raises:
          DataError: A quoted cell does not end, or ends on a later line and holds separators, so
            that it may have swallowed rows.
        """
        records = self._records()
        next(records, None)
        for line, cells in records:
            # Spreadsheets append rows of empty cells.
            if any(cell and not cell.isspace() for cell in cells):
                yield SheetRow(line, cells, self._problem(line, cells))

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """Yields the header and the rows, also blank ones, with the line on which each begins."""
        separator, quoting = str(self.dialect.separator), bool(self.dialect.quoting)
        below = ((number, line) for number, line in self.lines if number >= self.top)
        if self.known.by_line:
            for number, line in below:
                # In the only column nobody can tell a carriage return from the end of a row.
                alone = len(self.header) == 1 and "\r" in line
                yield number, line.split("\r") if alone else cells_of(line, separator, quoting)
            return
        text = (line.replace("\r", " ") + "\n" for _, line in below)
        reader = csv.reader(text, delimiter=separator, strict=True)
        line = self.top
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise self._torn(line, str(error)) from error
            self._check_spans(line, cells)
            yield line, cells
            line = self.top + reader.line_num

    def _check_spans(self, line: int, cells: Sequence[str]) -> None:
        """Raises if a quoted cell looks as if it had swallowed rows."""
        for cell in cells:
            swallows = str(self.dialect.separator) in cell or len(self.header) == 1
            if "\n" in cell and swallows and not self.trusted:
                end = line + cell.count("\n")
                raise self._torn(line, f"a quoted cell that goes on to line {end}", cell)
            line += cell.count("\n")

    def _torn(self, line: int, problem: str, cell: str | None = None) -> DataError:
        way = "quotes that are closed, and doubled inside quotes; --quoting none takes quotes for "
        way += "characters as all others"
        if cell is not None:
            cell = cell.split("\n", 1)[0]
            way += ", --quoting double reads the cell as it is"
        return DataError(problem, file=self.file, line=line, value=cell, expected=way)

    def _problem(self, line: int, cells: Sequence[str]) -> DataError | None:
        """Tells whether a row was torn, or holds what is no text."""
        problem = _no_text(cells, self.file, line, self.lines.encoding)
        if problem is not None:
            return problem
        if len(cells) != len(self.header):
            how = words(self.known, len(self.header))
            return DataError(
                "a row with the wrong number of cells",
                file=self.file,
                line=line,
                value=len(cells),
                expected=f"{len(self.header)}, as in the header; it is read as {how}, and "
                "--separator or --quoting says otherwise",
            )
        return None

    def find(
        self, fields: Mapping[str, Sequence[str]], columns: Mapping[str, str]
    ) -> dict[str, int]:
        """Finds the column of each field.

        Args:
          fields: For each field the names that it may have, in any case.
          columns: For fields with another name in this table, that name.

        Raises:
          DataError: A column of `columns` is not there, or there are several for one field.
        """
        places = {}
        header = [fold_space(name) for name in self.header]
        for field, usual in fields.items():
            names = [fold_space(columns[field])] if field in columns else usual
            for name in names:
                same = [at for at, column in enumerate(header) if column == name]
                same = same or [
                    at for at, column in enumerate(header) if column.lower() == name.lower()
                ]
                if len(same) > 1:
                    raise DataError(
                        f"{len(same)} columns for {field}",
                        file=self.file,
                        line=self.top,
                        value=name,
                        expected="one column of that name",
                    )
                if same:
                    places[field] = same[0]
                    break
            else:
                if field in columns:
                    raise DataError(
                        f"no such column for {field}",
                        file=self.file,
                        line=self.top,
                        value=columns[field],
                        expected=f"one of {', '.join(header)}",
                    )
        return places

    def text(self, cell: str, field: str = "") -> str:
        """Reads a cell: white space folded, "" where it holds nothing.

        In a transcript `nan` and the like are words; they hold nothing in any other column.
        """
        text = cell.strip() if field in VERBATIM else fold_space(cell)
        missing = text in self.dialect.missing or (field not in WORDS and is_missing(text))
        return "" if missing else text

    def doubtful(self, transcripts: Iterable[str]) -> Iterator[str]:
        """Tells of transcripts that are words here and hold nothing in other tables."""
        cells = [text for text in transcripts if text and is_missing(text)]
        if cells:
            kinds = " ".join(sorted(set(cells)))
            few = plural(len(cells), "transcript")
            yield (
                f"{self.file.name}: {few} taken for what was said: {kinds}; "
                f"--missing {kinds} takes them for none"
            )

    def with_decimal(
        self, small: Iterable[tuple[int, str]], others: Iterable[tuple[int, str]] = ()
    ) -> Sheet:
        """Recognises the decimal sign from numbers, unless it has been named.

        Args:
          small: Lines, and numbers as `text` reads them, of which none is as high as 1,000.
          others: The same of numbers that may be higher.
        """
        if self.dialect.decimal is not None:
            return self
        sign = decimal_sign(small, self.file, small=True) or decimal_sign(others, self.file) or "."
        dialect = dataclasses.replace(self.dialect, decimal=sign)
        return dataclasses.replace(self, known=self.known._replace(dialect=dialect))

    @property
    def decimal_name(self) -> str:
        """The decimal sign in words."""
        return name_of(DECIMALS, self.dialect.decimal or ".")

    def headless(self) -> bool:
        """Tells whether the header looks like a row: it has a number that is not a mere count."""
        numbers = [read_number(name) is not None for name in self.header]
        return any(n and not c.isdecimal() for n, c in zip(numbers, self.header, strict=True))

    def said(self, count: int) -> str:
        """Says what was recognised, and how many rows were read."""
        how = words(self.known, len(self.header))
        return f"{self.file.name}: {count:,} row{'s' * (count != 1)}, {how}"


def open_sheet(file: Path, dialect: Dialect = RECOGNISED) -> Sheet:
    """Opens a table and recognises how it is written.

    Args:
      file: The table.
      dialect: What is known of it.

    Raises:
      DataError: It cannot be read, has no header, or can be read in more than one way.
      DserError: There is no such separator, decimal sign or encoding.
    """
    signs = SEPARATORS.values()
    if dialect.separator not in (None, *signs) or dialect.decimal not in (None, ".", ","):
        raise DserError(f"{dialect.separator!r} and {dialect.decimal!r}: no separator or decimal")
    lines = Lines(file, dialect.encoding)
    top = 1
    hint = _HINT.fullmatch(next((line for _, line in lines), "").strip(" "))
    if hint is not None and hint[1] in signs:
        top, dialect = 2, dataclasses.replace(dialect, separator=dialect.separator or hint[1])
    known = recognise(lines, dialect)
    sheet = Sheet(file, (), known, top, dialect.quoting is True, lines)
    for line, cells in sheet._records():
        if not any(map(fold_space, cells)):
            continue
        problem = _no_text(cells, file, line, lines.encoding)
        if problem is not None:
            raise problem
        return dataclasses.replace(sheet, header=tuple(cells), top=line)
    raise DataError("an empty table", file=file, expected="a header and a row for each utterance")


def _no_text(cells: Sequence[str], file: Path, line: int, encoding: str) -> DataError | None:
    """Tells of a byte that is no text in this encoding, or of a zero, which no text has."""
    for cell in cells:
        if "\0" in cell:
            return DataError(
                "a byte of zero, which no text has",
                file=file,
                line=line,
                value=cell,
                expected=f"a table in {encoding}; --encoding utf-16-le reads one of UTF-16",
            )
        if not cell.isascii() and any("\ud800" <= character <= "\udfff" for character in cell):
            name = encoding.removesuffix("-sig")
            return DataError(
                f"a byte that is not {name.upper()}",
                file=file,
                line=line,
                value=cell.encode("utf-8", "surrogateescape"),
                expected=f"a table saved as {name.upper()}, or its encoding, as in "
                "--encoding cp1252",
            )
    return None
