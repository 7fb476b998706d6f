"""How a table is written: its separator, quotes, decimal sign and encoding, as far as they show."""

from __future__ import annotations

import codecs
import csv
import dataclasses
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from dser_jax.system import DataError, DserError, kind_of, unread

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
DECIMALS = {"point": ".", "comma": ","}
QUOTING = {"double": True, "none": False}

_SIGNS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # Begins as that of UTF-16 does.
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_POINT = re.compile(r"[-+\u2212]?(\d+\.\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_COMMA = re.compile(r"[-+\u2212]?(\d+,\d*|,\d+)([eE][-+]?\d+)?", re.ASCII)
_GROUPED = re.compile(r"[-+\u2212]?[1-9]\d{0,2}(,\d{3})+", re.ASCII)


@dataclass(frozen=True)
class Dialect:
    """How a table is written. What is None is recognised.

    Attributes:
      separator: What parts cells: a comma, a semicolon, a tab or a bar.
      quoting: Whether a cell may stand in double quotes, which it doubles where it has some itself;
        otherwise quotes are characters like all others.
      decimal: The decimal sign of numbers, "." or ",".
      encoding: Python's name of it. Only UTF-8, and UTF-16 and UTF-32 that begin with their mark,
        are recognised: any bytes at all are text in Latin-1 and its like.
      missing: Cells that hold nothing, in whichever column, beside those that tables usually write.
    """

    separator: str | None = None
    quoting: bool | None = None
    decimal: str | None = None
    encoding: str | None = None
    missing: tuple[str, ...] = ()


class Recognised(NamedTuple):
    """What shows of a table without knowing its columns.

    Attributes:
      dialect: How it is written.
      by_line: Whether each line is a row: whether no quoted cell spans several.
      quotes: Whether there is a double quote at all.
    """

    dialect: Dialect
    by_line: bool
    quotes: bool


RECOGNISED = Dialect()
"""Nothing is known beforehand."""


_TABLE = "a table as text, saved as CSV"


class Lines:
    """The lines of a text file, numbered from 1, without their ends, as often as they are wanted.

    Lines end at line feeds, with carriage returns before them or not; in a file without any line
    feed, at carriage returns. A byte that is no text becomes a lone surrogate.
    """

    def __init__(self, file: Path, encoding: str | None = None) -> None:
        self.file = file
        self._data: bytes | None = None
        try:
            if not file.is_file() and file.exists() and not file.is_dir():
                self._data = file.read_bytes()  # A pipe's can be read only once.
            with self._opened() as opened:
                sign = opened.read(12)
        except OSError as error:
            raise unread(file, error, _TABLE) from error
        if kind := kind_of(sign):
            raise DataError(f"{kind}, and no text", file=file, expected=_TABLE)
        marked = marked_encoding(sign)
        self.encoding = _named(encoding, marked, file) or marked or "utf-8-sig"

    def _opened(self) -> io.BufferedReader:
        if self._data is None:
            return self.file.open("rb")
        return io.BufferedReader(io.BytesIO(self._data))

    def __iter__(self) -> Iterator[tuple[int, str]]:
        how = {"encoding": self.encoding, "errors": "surrogateescape", "newline": "\n"}
        try:
            with io.TextIOWrapper(self._opened(), **how) as file:
                lines = map(_without_end, file)
                first = next(lines, "").removeprefix("\ufeff")
                second = next(lines, None)
                if second is None:
                    yield from enumerate(first.split("\r"), 1)
                    return
                yield from enumerate(itertools.chain([first, second], lines), 1)
        except OSError as error:
            raise unread(self.file, error, _TABLE) from error
        except UnicodeError as error:
            raise DataError(
                f"bytes that are no text ({error})",
                file=self.file,
                expected=f"text in {self.encoding}; --encoding names another",
            ) from error


def marked_encoding(data: bytes) -> str | None:
    """Returns the encoding whose byte order mark a text begins with, if it begins with one."""
    return next((name for mark, name in _SIGNS if data.startswith(mark)), None)


def _without_end(line: str) -> str:
    return line.removesuffix("\n").rstrip("\r")


def _named(encoding: str | None, marked: str | None, file: Path) -> str | None:
    """Makes sure that an encoding exists, and that the file does not say that it has another."""
    if encoding is None:
        return None
    try:
        "x".encode(encoding)
        name = codecs.lookup(encoding).name
    except (LookupError, UnicodeError):
        raise DserError(
            f"no encoding is called {encoding!r}; there are utf-8, utf-16, cp1252, latin-1, ..."
        ) from None
    if marked is not None and not marked.startswith(name) and not name.startswith(marked):
        raise DataError(
            f"not in {encoding}", file=file, expected=f"{marked}, whose mark the file begins with"
        )
    return "utf-8-sig" if name == "utf-8" else marked or name


def cells_of(line: str, separator: str, quoting: bool) -> list[str]:
    """Parts a line.

    Raises:
      csv.Error: With quoting, a quoted cell does not end on this line, or goes on behind its quote.
    """
    line = line.replace("\r", " ")
    if not quoting or '"' not in line:
        return line.split(separator)
    return next(csv.reader([line], delimiter=separator, strict=True))


def _fits(line: str, separator: str) -> list[str]:
    """Parts a line with quotes, or without where that is impossible."""
    try:
        return cells_of(line, separator, quoting=True)
    except csv.Error:
        return line.split(separator)


def recognise(lines: Lines, dialect: Dialect) -> Recognised:
    """Recognises what a dialect leaves open but for the decimal sign, which only numbers show.

    Args:
      lines: Those of the table.
      dialect: What is known.

    Raises:
      DataError: Several separators fit.
    """
    separator = dialect.separator or _separator(lines)
    quoting, by_line, quotes = dialect.quoting, True, False
    for _, line in lines:
        if '"' in line:
            quotes = True
            by_line = quoting is False or _closes(line, separator)
            if not by_line:
                break
    # Tables parted by tabs are seldom quoted: one stray quote tells that this one is not.
    if quoting is None:
        quoting = by_line or separator != "\t"
    found = dataclasses.replace(
        dialect, separator=separator, quoting=quoting, encoding=lines.encoding
    )
    return Recognised(found, by_line or not quoting, quotes)


def _closes(line: str, separator: str) -> bool:
    """Tells whether each quoted cell that begins on a line ends on it."""
    try:
        cells_of(line, separator, quoting=True)
    except csv.Error:
        return False
    return True


def _separator(lines: Lines) -> str:
    """Recognises the separator: the one in the header or, of several, the one that rows fit."""
    filled = ((number, line) for number, line in lines if line.strip())
    number, header = next(filled, (1, ""))
    widths = {sign: len(_fits(header, sign)) for sign in SEPARATORS.values()}
    widths = {sign: width for sign, width in widths.items() if width > 1}
    if len(widths) < 2:
        usual = "\t" if lines.file.suffix.lower() == ".tsv" else ","
        return next(iter(widths), usual)
    rows, fitting = 0, dict.fromkeys(widths, 0)
    for _, line in filled:
        rows += 1
        for sign, width in widths.items():
            fitting[sign] += len(_fits(line, sign)) == width
    for least in (rows, 1):
        fit = [sign for sign, count in fitting.items() if count >= least]
        if len(fit) == 1:
            return fit[0]
    names = " or ".join(name_of(SEPARATORS, sign) for sign in widths)
    raise DataError(
        "more than one separator fits this table",
        file=lines.file,
        line=number,
        value=header,
        expected=f"to be told: --separator {names}",
    )


def decimal_sign(
    cells: Iterable[tuple[int, str]], file: Path, *, small: bool = False
) -> str | None:
    """Recognises the decimal sign from the first number that shows it; None where none does.

    Args:
      cells: Lines and what stands there in columns of numbers, as many as it takes.
      file: Where they stand.
      small: Whether all numbers are below 1,000, so that no comma groups thousands.

    Raises:
      DataError: The commas may be decimal signs or may group thousands.
    """
    doubtful: tuple[int, str] | None = None
    for line, cell in cells:
        if _POINT.fullmatch(cell):
            return "."
        if _COMMA.fullmatch(cell):
            if small or not _GROUPED.fullmatch(cell):
                return ","
            doubtful = doubtful or (line, cell)
    if doubtful is None:
        return None
    problem = "a comma that may be a decimal sign or group thousands"
    expected = "to be told: --decimal comma, or numbers without groups"
    raise DataError(problem, file=file, line=doubtful[0], value=doubtful[1], expected=expected)


def words(known: Recognised, width: int) -> str:
    """Says how a table of so many columns is written, e.g. "tab, no quoting, UTF-8"."""
    dialect = known.dialect
    parts = [name_of(SEPARATORS, dialect.separator) if width > 1 else "one column"]
    if known.quotes:
        parts.append("quoted cells" if dialect.quoting else "no quoting")
    if dialect.decimal == ",":
        parts.append("decimal commas")
    encoding = (dialect.encoding or "").removesuffix("-sig")
    return ", ".join([*parts, encoding.upper() if encoding.startswith("utf") else encoding])


def name_of(names: Mapping[str, str], sign: str | None) -> str:
    """Returns what a sign is called in `SEPARATORS` or `DECIMALS`."""
    return next(name for name, each in names.items() if each == sign)
