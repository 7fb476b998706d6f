"""`utterances.csv`: the table of utterances as a prepared folder has it."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from dser_jax.corpora import ATTRS, Scale, Utterance, scale_as_json
from dser_jax.system import DataError

TABLE = "utterances.csv"
COLUMNS = (
    *("id", "speaker", "session", "file", "start", "end", "transcript"),
    *(*ATTRS, "split", "source"),
)

DIALOGUE = ("dialogue", "turn")
"""Columns that a table has besides, where any row is a turn of a dialogue."""

_BYTES = "surrogateescape"
"""What becomes of the names of files that are no text: they are read back as they were."""


def write_table(file: BinaryIO, utterances: Sequence[Utterance]) -> None:
    """Writes the table; an empty cell is None or NaN, and numbers keep every digit."""
    text = io.TextIOWrapper(file, encoding="utf-8", errors=_BYTES, newline="")
    writer = csv.writer(text, lineterminator="\n")
    columns = (*COLUMNS, *DIALOGUE) if dialogue_names(utterances) else COLUMNS
    writer.writerow(columns)
    for utt in utterances:
        cells = (getattr(utt, column) for column in columns)
        writer.writerow([_cell(value) for value in cells])
    text.detach()


def dialogue_names(utterances: Iterable[Utterance]) -> set[str]:
    """Names the dialogues of which any row is a turn."""
    return {utterance.dialogue for utterance in utterances if utterance.dialogue is not None}


def _cell(value: object) -> str:
    """Writes a value so that it reads back the same."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return repr(float(value)) if isinstance(value, (int, float)) else str(value)


def read_table(path: Path) -> tuple[Utterance, ...]:
    """Reads what `write_table` wrote.

    Raises:
      DataError: It cannot be read, or is no such table.
    """
    try:
        with path.open(encoding="utf-8", errors=_BYTES, newline="") as file:
            reader = csv.DictReader(file, strict=True)
            if tuple(reader.fieldnames or ()) not in (COLUMNS, (*COLUMNS, *DIALOGUE)):
                raise DataError(
                    "not a table of utterances",
                    file=path,
                    value=",".join(reader.fieldnames or ()),
                    expected=",".join(COLUMNS),
                )
            return tuple(_utterance(row) for row in reader)
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise DataError(f"cannot be read ({error})", file=path) from None


def _utterance(row: dict[str, str]) -> Utterance:
    """Restores one utterance from its cells."""
    return Utterance(
        id=row["id"],
        speaker=row["speaker"] or None,
        session=row["session"] or None,
        file=Path(row["file"]) if row["file"] else None,
        start=_number(row["start"]),
        end=_number(row["end"]),
        transcript=row["transcript"] or None,
        **{attr: math.nan if (label := _number(row[attr])) is None else label for attr in ATTRS},
        split=row["split"] or None,
        source=row["source"],
        dialogue=row.get("dialogue") or None,
        turn=_number(row.get("turn") or ""),
    )


def _number(cell: str) -> float | None:
    """Reads a number; None of an empty cell."""
    if not cell:
        return None
    number = float(cell)
    if not math.isfinite(number):
        raise ValueError(f"{cell} is no number that was written")
    return number


def table_sha256(utterances: Sequence[Utterance], scale: Scale) -> str:
    """Fingerprints a table: all of it but the folders in which the recordings lie."""
    digest = hashlib.sha256(json.dumps(scale_as_json(scale)).encode())
    for utt in utterances:
        digest.update(b"\n" + json.dumps(row_key(utt)).encode())
    return digest.hexdigest()


def turns_sha256(utterances: Sequence[Utterance]) -> str:
    """Fingerprints which rows are turns of which dialogue, and where in it."""
    turns = [[utt.dialogue or "", _cell(utt.turn)] for utt in utterances]
    return hashlib.sha256(json.dumps(turns).encode()).hexdigest()


def row_key(utt: Utterance) -> list[str]:
    """Returns what makes a row the same row, wherever the corpus lies; as `KEYS` names it."""
    cells = {column: _cell(getattr(utt, column)) for column in COLUMNS if column != "source"}
    key = list((cells | {"file": utt.file.name if utt.file else ""}).values())
    # Of a row that is in no dialogue it is what it was before there were dialogues.
    return key if utt.dialogue is None else [*key, utt.dialogue, _cell(utt.turn)]


KEYS = (*(column for column in COLUMNS if column != "source"), *DIALOGUE)
"""The columns that a row's key is made of."""


def without_dialogues(utterances: Sequence[Utterance]) -> list[Utterance]:
    """Returns the rows as they were before dialogues were known."""
    return [dataclasses.replace(utt, dialogue=None, turn=None) for utt in utterances]
