"""What is to be predicted: wav files, folders of them, or the rows of a CSV."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dser_jax.corpora import (
    RECOGNISED,
    TIMES,
    Dialect,
    Sheet,
    SheetRow,
    find_files,
    fold_space,
    marked_encoding,
    open_sheet,
    read_seconds,
    read_turn,
    settle_turns,
)
from dser_jax.system import DataError, DserError, plural

SUFFIXES = (".wav", ".flac")
"""How the names of recordings in a folder end, in any case."""
TABLES = (".csv", ".tsv")
FIELDS = {
    "file": ("file",),
    "start": ("start",),
    "end": ("end",),
    "transcript": ("transcript", "text"),
    "speaker": ("speaker",),
    "dialogue": ("dialogue",),
    "turn": ("turn",),
}
"""The columns of a CSV that are read, and what they may be called, in any case."""


@dataclass(frozen=True)
class Piece:
    """An utterance to predict, or a recording that is not cut yet.

    Attributes:
      file: The recording; None for words alone.
      start, end: Part of it in seconds; None for its beginning and its end.
      text: What is said, where it is known.
      row: The cells of its row, where it comes from a CSV.
      problem: Why it cannot be predicted, if it cannot.
      speaker: Who speaks, where that is known.
      dialogue, turn: What it is a turn of, and its place there; None for one on its own.
    """

    file: Path | None = None
    start: float | None = None
    end: float | None = None
    text: str | None = None
    row: tuple[str, ...] | None = None
    problem: str | None = None
    speaker: str | None = None
    dialogue: str | None = None
    turn: float | None = None

    def failed(self, problem: object) -> Piece:
        """Returns the piece with what is wrong with it."""
        return dataclasses.replace(self, problem=str(problem))


@dataclass(frozen=True)
class Asked:
    """What to predict.

    Attributes:
      pieces: One each.
      header: Names of the CSV's columns; None without a CSV.
      said: What was found, for people.
    """

    pieces: tuple[Piece, ...]
    header: tuple[str, ...] | None = None
    said: tuple[str, ...] = ()


def find(
    paths: Sequence[Path],
    texts: Sequence[str] = (),
    *,
    columns: Mapping[str, str] | None = None,
    audio_root: Path | None = None,
    dialect: Dialect = RECOGNISED,
) -> Asked:
    """Finds what is to be predicted.

    Words come from `texts`, else from the CSV, else from a file beside the recording that has its
    name and ends in .txt. What is blank there is no words.

    Args:
      paths: Recordings, folders that are searched for some, or one CSV.
      texts: What is said, one for each recording; or, without any recording, what is written.
      columns: For fields of a CSV that have another name there, that name.
      audio_root: The folder that a CSV's files are relative to; its own by default.
      dialect: What is known of how the CSV is written.

    Raises:
      DserError: There is nothing, or the texts are not as many as the recordings.
    """
    tables = [path for path in paths if path.suffix.lower() in TABLES]
    if tables and len(paths) > 1:
        raise DserError(f"{tables[0]}: give one table, or recordings, and not both")
    if tables:
        asked = _from_table(tables[0], columns or {}, audio_root, dialect)
    else:
        files = [file for path in paths for file in _files(path)]
        asked = Asked(tuple(Piece(file) for file in files))
        if not files:
            asked = Asked((Piece(),) * len(texts))
    if not asked.pieces:
        raise DserError("nothing to predict: give recordings, a folder, a CSV, or --text")
    pieces = list(asked.pieces)
    if texts and len(texts) != len(pieces):
        raise DserError(
            f"{plural(len(texts), 'text')} for {plural(len(pieces), 'recording')}: give one each"
        )
    for i, piece in enumerate(pieces):
        if texts:
            pieces[i] = dataclasses.replace(piece, text=fold_space(texts[i]) or None)
        elif piece.text is None and piece.file is not None and asked.header is None:
            pieces[i] = _with_file_beside(piece, piece.file, dialect.encoding)
    return dataclasses.replace(asked, pieces=tuple(pieces))


def _files(path: Path) -> list[Path]:
    """Lists the recordings that a path stands for."""
    if not os.path.isdir(path):  # No name is too long for it, unlike `Path`'s.
        return [path]
    found = find_files(path, SUFFIXES)
    if not found:
        raise DserError(f"{path}: no recording in this folder; expected files *.wav")
    return found


def _with_file_beside(piece: Piece, file: Path, encoding: str | None) -> Piece:
    """Reads the words from the file beside the recording, if there is one."""
    beside = file.with_suffix(".txt")
    if not os.path.isfile(beside):
        return piece
    try:
        data = beside.read_bytes()
        text = data.decode(marked_encoding(data) or encoding or "utf-8")
    except (OSError, UnicodeError, LookupError) as error:
        expected = "text in UTF-8, or --encoding"
        return piece.failed(DataError(f"cannot be read ({error})", file=beside, expected=expected))
    return dataclasses.replace(piece, text=fold_space(text) or None)


def _from_table(
    path: Path, columns: Mapping[str, str], audio_root: Path | None, dialect: Dialect
) -> Asked:
    """Reads a CSV; a row that cannot be used is a piece with a problem."""
    if unknown := sorted(columns.keys() - FIELDS.keys()):
        raise DserError(f"--column {unknown[0]}=...: expected one of {', '.join(FIELDS)}")
    sheet = open_sheet(path, dialect)
    places = sheet.find(FIELDS, columns)
    rows = list(sheet.rows())
    if not rows or not places.keys() & {"file", "transcript"}:
        raise DataError(
            "no rows that can be predicted",
            file=path,
            value=", ".join(sheet.header),
            expected="a header with a column file or transcript, or --column to name one, and rows",
        )
    cells = [
        {} if row.problem else {f: sheet.text(row.cells[at], f) for f, at in places.items()}
        for row in rows
    ]
    numbers = (*TIMES, "turn")
    times = (cell.get(field, "") for cell in cells for field in numbers)
    lines = (row.line for row in rows for _ in numbers)
    sheet = sheet.with_decimal((), zip(lines, times, strict=True))
    root = path.parent if audio_root is None else audio_root
    pieces = [_piece(sheet, *both, root) for both in zip(rows, cells, strict=True)]
    doubts = sheet.doubtful(cell.get("transcript", "") for cell in cells)
    pieces, told = settle_turns(pieces, any(cell.get("turn") for cell in cells))
    return Asked(tuple(pieces), sheet.header, (sheet.said(len(rows)), *doubts, *told))


def _piece(sheet: Sheet, row: SheetRow, cells: Mapping[str, str], root: Path) -> Piece:
    """Reads a row."""
    width = len(sheet.header)
    if row.problem is not None:
        return Piece(row=tuple([*row.cells, *[""] * width][:width])).failed(row.problem)
    piece = Piece(
        file=root / cells["file"] if cells.get("file") else None,
        text=cells.get("transcript") or None,
        row=tuple(row.cells),
        speaker=cells.get("speaker") or None,
        dialogue=cells.get("dialogue") or None,
    )
    times: list[float | None] = []
    for field in TIMES:
        cell = cells.get(field)
        times.append(read_seconds(cell, sheet.dialect.decimal or ".") if cell else None)
        if cell and times[-1] is None:
            what = f"the {field} is not a time"
            expected = "seconds, or a time such as 0 days 00:00:01.500000"
            return piece.failed(
                DataError(what, file=sheet.file, line=row.line, value=cell, expected=expected)
            )
    turn = None
    if cell := cells.get("turn"):
        turn = read_turn(cell, sheet.dialect.decimal or ".")
        if turn is None:
            what, expected = "the turn is no place in a dialogue", "a number or a time"
            return piece.failed(
                DataError(what, file=sheet.file, line=row.line, value=cell, expected=expected)
            )
    return dataclasses.replace(piece, start=times[0], end=times[1], turn=turn)
