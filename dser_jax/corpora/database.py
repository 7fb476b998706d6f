"""An audformat database, opened: which of its tables and columns have what, and their scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dser_jax.corpora.scales import Ends, Scale
from dser_jax.corpora.utterances import ATTRS
from dser_jax.system import DataError, DserError

HEADER = "db.yaml"
FIELDS = (*ATTRS, "transcript", "speaker", "session", "split")
"""What columns may hold, each under this name in any case, or under one given in `columns`."""

_OTHER_NAMES = {"transcript": "transcription"}


def open_database(root: Path):
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


def columns_of(table, columns: Mapping[str, str]) -> dict[str, str]:
    """Finds a table's column for each field."""
    places = {}
    for field in FIELDS:
        names = [columns[field]] if field in columns else [field, _OTHER_NAMES.get(field, field)]
        same = [column for name in names for column in table.columns if column == name]
        same += [c for name in names for c in table.columns if c.lower() == name.lower()]
        if same:
            places[field] = same[0]
    return places


def tables_with_labels(
    database, tables: Sequence[str], columns: Mapping[str, str], root: Path
) -> list[str]:
    """Names the tables that labels are read from."""

    def error(problem: str, value: str | None, expected: str) -> DataError:
        return DataError(problem, file=root / HEADER, value=value, expected=expected)

    for name in tables:
        if name not in database.tables:
            raise error("no such table", name, f"one of {', '.join(database.tables)}")
    there = "; ".join(f"{name}: {', '.join(database[name].columns)}" for name in database.tables)
    fields = {name: columns_of(database[name], columns) for name in database.tables}
    for field, column in columns.items():
        if not any(field in found for found in fields.values()):
            raise error(f"no such column for {field}", column, f"one of the tables' ({there})")
    chosen = [name for name in tables or fields if any(attr in fields[name] for attr in ATTRS)]
    if not chosen:
        expected = f"a column valence, arousal or dominance, or `columns` to name one ({there})"
        raise error("no labels", ", ".join(tables) or None, expected)
    return chosen


def scale_of(database, chosen: Sequence[str], columns: Mapping[str, str], root: Path) -> Scale:
    """Takes the scale of each attribute from the schemes of its labels, which must agree."""
    scales: dict[str, Ends] = {}
    for name in chosen:
        for field, column in columns_of(database[name], columns).items():
            if field not in ATTRS:
                continue
            scheme = database.schemes.get(database[name][column].scheme_id)
            low, high = getattr(scheme, "minimum", None), getattr(scheme, "maximum", None)
            if low is None or high is None or scales.setdefault(field, (low, high)) != (low, high):
                raise DataError(
                    f"the schemes of the labels do not tell one scale for {field}",
                    file=root / HEADER,
                    expected="minimum and maximum, the same in all tables; or --scale, as in "
                    "--scale 1 5",
                )
    return scales
