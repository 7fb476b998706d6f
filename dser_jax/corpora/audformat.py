"""Databases in audformat: a folder with `db.yaml` and tables, whose columns are found by name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from dser_jax.corpora.database import (
    FIELDS,
    HEADER,
    columns_of,
    open_database,
    scale_of,
    tables_with_labels,
)
from dser_jax.corpora.reading import (
    Place,
    found,
    gather,
    place_ids,
    read_speaker,
    read_split,
    read_turned,
)
from dser_jax.corpora.scales import (
    Scale,
    check_scale,
    ends_of,
    settled,
    told_turned,
)
from dser_jax.corpora.tables.cells import fold_space, is_missing
from dser_jax.corpora.utterances import ATTRS, Corpus, Utterance
from dser_jax.system import BadInput, DataError, plural


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
    scale: Scale | None = None,
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
      scale: Lowest and highest label, of all or by attribute, as `load_table` takes it; by default
        what the labels' schemes say.
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
    database = open_database(root)
    chosen = tables_with_labels(database, tables, columns, root)
    scale = scale or scale_of(database, chosen, columns, root)
    fields = {field for name in chosen for field in columns_of(database[name], columns)}
    attrs = [attr for attr in ATTRS if attr in fields]
    check_scale(scale, attrs)
    labelled: dict[Place, _Given] = {}
    beside: dict[Place, _Given] = {}
    for name in database.tables:
        fields = columns_of(database[name], columns)
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
    parse = partial(_parse, labelled=labelled, beside=beside, scale=scale, root=root)
    gather(utterances, rows, parse, bad)
    if not utterances:
        raise DataError("no utterances here", file=root, expected="rows that have labels")
    of_tables = ", ".join(f"{name} ({plural(len(database[name]), 'row')})" for name in chosen)
    kept = tuple(utterances.values())
    said = f"{plural(len(kept), 'utterance')}; labels from {of_tables}"
    lines = (said, *told_turned(scale, attrs), *found(kept))
    return Corpus(database.name, kept, settled(scale, attrs), lines)


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
    scale: Scale,
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
        found = fold_space(str(cells[field].value)) if field in cells else ""
        return None if not found or (field != "transcript" and is_missing(found)) else found

    labels: dict[str, Any] = {}
    for attr in ATTRS:
        if attr not in cells:
            labels[attr] = math.nan
            continue

        def wrong(problem: str, expected: str, attr: str = attr) -> DataError:
            return DataError(
                f"the {attr} is {problem}",
                file=cells[attr].source,
                value=str(cells[attr].value),
                expected=expected,
            )

        labels[attr] = read_turned(str(cells[attr].value), ends_of(scale, attr), wrong)
    part = text("split")
    split = None if part is None else read_split(part)
    if part is not None and split is None:
        expected = "train, validation (dev) or test"
        raise DataError("no such split", file=cells["split"].source, value=part, expected=expected)
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
