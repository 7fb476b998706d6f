"""What is to be predicted: wav files, folders of them, or the rows of a CSV."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dser_jax.corpora import find_files
from dser_jax.system import DataError, DserError

SUFFIXES = (".wav", ".flac")
"""How the names of recordings in a folder end, in any case."""
TABLES = (".csv", ".tsv")
FIELDS = {
    "file": ("file",),
    "start": ("start",),
    "end": ("end",),
    "transcript": ("transcript", "text"),
}
"""The columns of a CSV that are read, and what they may be called, in any case."""

_EMPTY = ("", "nan", "nat", "none", "null", "na", "<na>")


@dataclass(frozen=True)
class Piece:
    """An utterance to predict, or a recording that is not cut yet.

    Attributes:
      file: The recording; None for words alone.
      start, end: Part of it in seconds; None for its beginning and its end.
      text: What is said, where it is known.
      row: The cells of its row, where it comes from a CSV.
      problem: Why it cannot be predicted, if it cannot.
    """

    file: Path | None = None
    start: float | None = None
    end: float | None = None
    text: str | None = None
    row: tuple[str, ...] | None = None
    problem: str | None = None

    def failed(self, problem: object) -> Piece:
        """Returns the piece with what is wrong with it."""
        return dataclasses.replace(self, problem=str(problem))


@dataclass(frozen=True)
class Asked:
    """What to predict.

    Attributes:
      pieces: One each.
      header: Names of the CSV's columns; None without a CSV.
    """

    pieces: tuple[Piece, ...]
    header: tuple[str, ...] | None = None


def find(
    paths: Sequence[Path],
    texts: Sequence[str] = (),
    *,
    columns: Mapping[str, str] | None = None,
    audio_root: Path | None = None,
) -> Asked:
    """Finds what is to be predicted.

    Words come from `texts`, else from the CSV, else from a file beside the recording that has its
    name and ends in .txt.

    Args:
      paths: Recordings, folders that are searched for some, or one CSV.
      texts: What is said, one for each recording; or, without any recording, what is written.
      columns: For fields of a CSV that have another name there, that name.
      audio_root: The folder that a CSV's files are relative to; its own by default.

    Raises:
      DserError: There is nothing, or the texts are not as many as the recordings.
    """
    tables = [path for path in paths if path.suffix.lower() in TABLES]
    if tables and len(paths) > 1:
        raise DserError(f"{tables[0]}: give one table, or recordings, and not both")
    if tables:
        asked = _from_table(tables[0], columns or {}, audio_root)
    else:
        files = [file for path in paths for file in _files(path)]
        asked = Asked(tuple(Piece(file) for file in files))
        if not files:
            asked = Asked((Piece(),) * len(texts))
    if not asked.pieces:
        raise DserError("nothing to predict: give recordings, a folder, a CSV, or --text")
    pieces = list(asked.pieces)
    if texts and len(texts) != len(pieces):
        raise DserError(f"{len(texts)} texts for {len(pieces)} recordings: give one for each")
    for i, piece in enumerate(pieces):
        if texts:
            pieces[i] = dataclasses.replace(piece, text=texts[i])
        elif piece.text is None and piece.file is not None and asked.header is None:
            pieces[i] = _with_file_beside(piece, piece.file)
    return dataclasses.replace(asked, pieces=tuple(pieces))


def _files(path: Path) -> list[Path]:
    """Lists the recordings that a path stands for."""
    if not path.is_dir():
        return [path]
    found = find_files(path, SUFFIXES)
    if not found:
        raise DserError(f"{path}: no recording in this folder; expected files *.wav")
    return found


def _with_file_beside(piece: Piece, file: Path) -> Piece:
    """Reads the words from the file beside the recording, if there is one."""
    beside = file.with_suffix(".txt")
    if not beside.is_file():
        return piece
    try:
        return dataclasses.replace(piece, text=" ".join(beside.read_text("utf-8-sig").split()))
    except (OSError, UnicodeDecodeError) as error:
        return piece.failed(DataError(f"cannot be read ({error})", file=beside))


def _from_table(path: Path, columns: Mapping[str, str], audio_root: Path | None) -> Asked:
    """Reads a CSV; a row that cannot be used is a piece with a problem."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
            rows = [row for row in csv.reader(file, delimiter=delimiter, strict=True) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot be read ({error})", file=path, expected="a CSV in UTF-8") from None
    header, rows = (tuple(rows[0]), rows[1:]) if rows else ((), [])
    places = _places(path, header, columns)
    if not rows or not places.keys() & {"file", "transcript"}:
        raise DataError(
            "no rows that can be predicted",
            file=path,
            value=", ".join(header),
            expected="a header with a column file or transcript, or --column to name one, and rows",
        )
    root = path.parent if audio_root is None else audio_root
    pieces = [_piece(path, row, len(header), places, root) for row in rows]
    return Asked(tuple(pieces), header)


def _places(path: Path, header: Sequence[str], columns: Mapping[str, str]) -> dict[str, int]:
    """Finds the position of each field."""
    unknown = sorted(columns.keys() - FIELDS.keys())
    if unknown:
        raise DserError(f"--column {unknown[0]}=...: expected one of {', '.join(FIELDS)}")
    places = {}
    lower = [name.strip().lower() for name in header]
    for field, usual in FIELDS.items():
        if field in columns and columns[field] not in header:
            raise DataError(
                f"no such column for {field}",
                file=path,
                line=1,
                value=columns[field],
                expected=f"one of {', '.join(header)}",
            )
        if field in columns:
            places[field] = header.index(columns[field])
        else:
            there = [lower.index(name) for name in usual if name in lower]
            places |= {field: there[0]} if there else {}
    return places


def _piece(
    path: Path, row: Sequence[str], width: int, places: Mapping[str, int], root: Path
) -> Piece:
    """Reads a row."""
    if len(row) != width:
        kept = tuple([*row, *[""] * width][:width])
        return Piece(row=kept).failed(f"{len(row)} cells; expected {width}, as in the header")
    cells = {field: row[at].strip() for field, at in places.items()}
    cells = {field: cell for field, cell in cells.items() if cell.lower() not in _EMPTY}
    piece = Piece(
        file=root / cells["file"] if "file" in cells else None,
        text=cells.get("transcript"),
        row=tuple(row),
    )
    start, end = (_seconds(cells[f]) if f in cells else None for f in ("start", "end"))
    for field, time in (("start", start), ("end", end)):
        if field in cells and time is None:
            what = f"the {field} is not a time"
            expected = "seconds, or a time such as 0 days 00:00:01.500000"
            return piece.failed(DataError(what, file=path, value=cells[field], expected=expected))
    return dataclasses.replace(piece, start=start, end=end)


def _seconds(cell: str) -> float | None:
    """Reads seconds, or a time as pandas writes it; None where it is neither."""
    try:
        value = float(cell)
    except ValueError:
        import pandas

        try:
            value = pandas.Timedelta(cell).total_seconds()
        except ValueError:
            return None
    return value if math.isfinite(value) and value >= 0 else None
