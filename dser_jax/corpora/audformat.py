"""Databases in audformat: a folder with `db.yaml` and tables, whose columns are found by name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from dser_jax.corpora.reading import (
    Place,
    found,
    gather,
    place_ids,
    read_label,
    read_speaker,
    read_split,
)
from dser_jax.corpora.utterances import ATTRS, Corpus, Utterance
from dser_jax.system import BadInput, DataError, DserError

HEADER = "db.yaml"
FIELDS = (*ATTRS, "transcript", "speaker", "session", "split")
"""What columns may hold, each under this name in any case, or under one given in `columns`."""

_OTHER_NAMES = {"transcript": "transcription"}


class _Cell(NamedTuple):
    """A value, and the table and row that have it."""

    value: Any
    source: str


class _Given(NamedTuple):
    """What tables say of a recording or a part of one: cells by field, and the first row."""

    source: str
    cells: dict[str, _Cell]
    conflicts: list[DataError]


def load_audformat(
    root: str | Path,
    *,
    tables: Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
    scale: tuple[float, float] | None = None,
    bad: BadInput | None = None,
) -> Corpus:
    """Reads an audformat database: whole recordings, or parts of them.

    Labels come from all tables that have some, or from those that are named; so does the split,
    which is a table's (train, dev or test) or a column. Words, speakers and sessions may be in any
    table, of the recording or of its part.

    Args:
      root: The folder with `db.yaml`, to which the recordings' paths are relative.
      tables: Names of tables to read labels and splits from; all if none are named.
      columns: For each field that has another name in this database, its name there, e.g.
        {"arousal": "activation"}. The fields are those of `FIELDS`.
      scale: Lowest and highest label; by default what the labels' schemes say.
      bad: Decides whether bad input raises, the default, or is left out and listed.

    Returns:
      The corpus, in the order of the tables.

    Raises:
      DataError: Names the table, the row and what was expected there.
      DserError: audformat is not installed.
    """
    root, columns, bad = Path(root), dict(columns or {}), bad or BadInput()
    if unknown := sorted(set(columns) - set(FIELDS)):
        fields = ", ".join(FIELDS)
        raise DataError("no such field", value=unknown[0], expected=f"`columns` to be for {fields}")
    database = _open(root)
    chosen = _with_labels(database, tables, columns, root)
    scale = scale or _scale(database, chosen, columns, root)
    if not scale[0] < scale[1]:
        raise DataError("not a scale", value=scale, expected="the lowest and the highest label")
    labelled: dict[Place, _Given] = {}
    beside: dict[Place, _Given] = {}
    for name in database.tables:
        fields = _fields(database[name], columns)
        trusted = not tables or name in tables
        labels = {field: fields[field] for field in fields if field in ATTRS and trusted}
        others = {field: fields[field] for field in fields if field not in ATTRS}
        if not trusted:
            others.pop("split", None)
        _read(database, name, labels, root, labelled)
        _read(database, name, others, root, beside, with_split=trusted)
    places = list(labelled)
    rows = zip(places, place_ids(places), strict=True)
    utterances: dict[str, Utterance] = {}
    spoken = any("transcript" in given.cells for given in beside.values())
    parse = partial(_parse, labelled=labelled, beside=beside, spoken=spoken, scale=scale, root=root)
    gather(utterances, rows, parse, bad)
    if not utterances:
        raise DataError("no utterances here", file=root, expected="rows that have labels")
    of_tables = ", ".join(f"{name} ({len(database[name])} rows)" for name in chosen)
    kept = tuple(utterances.values())
    lines = (f"{len(kept)} utterances; labels from {of_tables}", *found(kept))
    return Corpus(database.name, kept, (float(scale[0]), float(scale[1])), lines)


def _open(root: Path):
    """Opens the database."""
    if not (root / HEADER).is_file():
        problem = "no audformat database here" if root.is_dir() else "no such folder"
        raise DataError(problem, file=root, expected=f"a folder with {HEADER}")
    try:
        import audformat
    except ImportError as error:
        raise DserError("audformat is missing: pip install 'dser_jax[audformat]'") from error
    try:
        return audformat.Database.load(str(root), load_data=True)
    except Exception as error:  # The library lets through whatever YAML, pandas and Arrow raise.
        raise DataError(
            f"cannot be read ({type(error).__name__}: {error})",
            file=root / HEADER,
            expected="an audformat database with all of its tables",
        ) from error


def _fields(table, columns: Mapping[str, str]) -> dict[str, str]:
    """Finds a table's column for each field."""
    places = {}
    for field in FIELDS:
        names = [columns[field]] if field in columns else [field, _OTHER_NAMES.get(field, field)]
        same = [column for name in names for column in table.columns if column == name]
        same += [c for name in names for c in table.columns if c.lower() == name.lower()]
        if same:
            places[field] = same[0]
    return places


def _with_labels(
    database, tables: Sequence[str], columns: Mapping[str, str], root: Path
) -> list[str]:
    """Names the tables that labels are read from."""

    def error(problem: str, value: str | None, expected: str) -> DataError:
        return DataError(problem, file=root / HEADER, value=value, expected=expected)

    for name in tables:
        if name not in database.tables:
            raise error("no such table", name, f"one of {', '.join(database.tables)}")
    there = "; ".join(f"{name}: {', '.join(database[name].columns)}" for name in database.tables)
    fields = {name: _fields(database[name], columns) for name in database.tables}
    for field, column in columns.items():
        if not any(field in found for found in fields.values()):
            raise error(f"no such column for {field}", column, f"one of the tables' ({there})")
    chosen = [name for name in tables or fields if any(attr in fields[name] for attr in ATTRS)]
    if not chosen:
        expected = f"a column valence, arousal or dominance, or `columns` to name one ({there})"
        raise error("no labels", ", ".join(tables) or None, expected)
    return chosen


def _scale(
    database, chosen: Sequence[str], columns: Mapping[str, str], root: Path
) -> tuple[float, float]:
    """Takes the scale from the schemes of the labels, which must agree."""
    scales = set()
    for name in chosen:
        for field, column in _fields(database[name], columns).items():
            if field in ATTRS:
                scheme = database.schemes.get(database[name][column].scheme_id)
                scales.add((getattr(scheme, "minimum", None), getattr(scheme, "maximum", None)))
    low, high = scales.pop() if len(scales) == 1 else (None, None)
    if low is None or high is None:
        raise DataError(
            "the labels' schemes do not tell one scale",
            file=root / HEADER,
            expected="minimum and maximum, the same for all; or --scale, as in --scale 1 5",
        )
    return low, high


def _read(
    database,
    name: str,
    fields: Mapping[str, str],
    root: Path,
    into: dict[Place, _Given],
    with_split: bool = False,
) -> None:
    """Notes what the rows of a table say, by recording or part of one."""
    table = database[name]
    split = None
    if with_split and table.split_id is not None:
        # A split has a type, but of several test sets only the names tell which is which.
        split = read_split(table.split_id) or read_split(database.splits[table.split_id].type)
    if not fields and split is None:
        return
    values = {field: _values(database, table, column) for field, column in fields.items()}
    for number, key in enumerate(table.index):
        file, start, end = (key, None, None) if isinstance(key, str) else key
        place = Place(file, _seconds(start) or None, _seconds(end))
        source = f"{root / HEADER}: row {number + 1} of the table {name}"
        given = into.setdefault(place, _Given(source, {}, []))
        here = {field: column[number] for field, column in values.items()}
        if split is not None:
            here["split"] = split
        for field, value in here.items():
            if value is None:
                continue
            first = given.cells.setdefault(field, _Cell(value, source))
            if first.value != value:
                given.conflicts.append(
                    DataError(
                        f"another {field} for the same recording",
                        file=source,
                        value=value,
                        expected=f"{first.value!r}, as {first.source} has it; or --table to name"
                        " the tables to read",
                    )
                )


def _values(database, table, column: str) -> list[Any]:
    """Returns a column's values, None where there is none; labels that stand for a text as it."""
    import pandas

    scheme = database.schemes.get(table[column].scheme_id)
    labels = getattr(scheme, "labels", None)
    texts = labels if isinstance(labels, dict) else {}
    missing = pandas.isna(table[column].get())
    found = [None if lacks else v for v, lacks in zip(table[column].get(), missing, strict=True)]
    return [texts[v] if isinstance(texts.get(v), str) else v for v in found]


def _seconds(time) -> float | None:
    """Reads a time of an index; None for the end of a recording that is not cut."""
    import pandas

    return None if time is None or pandas.isna(time) else time.total_seconds()


def _parse(
    row: tuple[Place, str],
    *,
    labelled: Mapping[Place, _Given],
    beside: Mapping[Place, _Given],
    spoken: bool,
    scale: tuple[float, float],
    root: Path,
) -> Utterance:
    """Puts together what the tables say of one recording or part."""
    place, id = row
    whole = Place(place.file)
    givens = [labelled[place], *(beside[at] for at in {place: 0, whole: 0} if at in beside)]
    for conflict in (conflict for given in givens for conflict in given.conflicts):
        raise conflict
    # What is said of the part itself goes before what is said of the whole recording.
    cells = {field: cell for given in reversed(givens) for field, cell in given.cells.items()}
    source = givens[0].source

    def text(field: str) -> str | None:
        return str(cells[field].value).strip() or None if field in cells else None

    labels: dict[str, Any] = {}
    for attr in ATTRS:
        if attr not in cells:
            labels[attr] = math.nan
            continue

        def wrong(problem: str, attr: str = attr) -> DataError:
            return DataError(
                f"the {attr} is {problem}",
                file=cells[attr].source,
                value=str(cells[attr].value),
                expected=f"a number from {scale[0]:g} to {scale[1]:g}",
            )

        labels[attr] = read_label(str(cells[attr].value), scale, wrong)
    part = text("split")
    split = None if part is None else read_split(part)
    if part is not None and split is None:
        expected = "train, validation (dev) or test"
        raise DataError("no such split", file=cells["split"].source, value=part, expected=expected)
    if spoken and "transcript" not in cells:
        expected = "a transcript in every row, or in none"
        raise DataError("no transcript of this utterance", file=source, value=id, expected=expected)
    return Utterance(
        id=id,
        speaker=read_speaker(text("speaker") or ""),
        session=text("session"),
        file=root / place.file,
        start=place.start,
        end=place.end,
        transcript=text("transcript"),
        **labels,
        split=split,
        source=source,
    )
