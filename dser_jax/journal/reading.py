"""A journal as a reader sees it, which neither changes nor locks it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dser_jax.journal.files import (
    MANIFEST_LOST,
    RUN_LOST,
    TRUTH_LOST,
    Arrays,
    Row,
    array_file,
    load_arrays,
    parse_rows,
    read_bytes,
    read_manifest,
)
from dser_jax.system import DataError, DserError, plural

SCHEMA = 1
"""The format of the folder; raised when an older reader would misread a newer folder."""


@dataclass(frozen=True)
class JournalView:
    """A journal as a reader sees it; it may still be growing.

    Attributes:
      folder: Where it lies.
      manifest: What it was made with and for.
      rows: The finished runs, in the order in which they were planned; others come after them, in
        the order in which they finished.
      notices: What was amiss, for the user to read.
    """

    folder: Path
    manifest: dict[str, Any]
    rows: tuple[Row, ...]
    notices: tuple[str, ...] = ()

    def arrays(self, run: str) -> Arrays:
        """Loads the arrays of a run; DataError if the file is missing or damaged."""
        return load_arrays(array_file(self.folder / "arrays", run), RUN_LOST)

    def truth(self, key: str) -> Arrays:
        """Loads the labels and ids that runs with this key predict; DataError as above."""
        return load_arrays(array_file(self.folder / "truth", key), TRUTH_LOST)


def read_journal(folder: str | os.PathLike) -> JournalView:
    """Reads a journal without changing or locking it, also while a sweep writes to it.

    Raises:
      DserError: if there is no journal, or one of another schema.
      DataError: if a line before the last is damaged; names the file and the line.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    if manifest is None and (folder / "rows.jsonl").exists():
        raise DserError(
            f"{folder / 'manifest.json'} is missing, and there are rows; the command "
            "of the sweep, again, writes it anew where all of them are its own"
        )
    if manifest is None:
        raise DserError(
            f"{folder} holds no journal: {folder / 'manifest.json'} is missing; expected what "
            "`dser sweep --out` named"
        )
    if is_prepared(manifest):
        raise DserError(
            f"{folder} is a prepared data set; expected the journal of a sweep, which "
            "`dser sweep --out` named"
        )
    check_schema(folder, manifest)
    path = folder / "rows.jsonl"
    rows, _, notices = parse_rows(path, read_bytes(path), planned_runs(manifest))
    notices += missing_weights(folder, rows)
    return JournalView(folder, manifest, as_planned(rows, manifest), tuple(notices))


def planned_runs(manifest: Mapping[str, Any]) -> list[str] | None:
    """Returns the ids of the runs of a sweep, of which a journal may be a part.

    Returns:
      None where only their number is known.
    """
    planned = manifest.get("planned_whole", manifest.get("planned"))
    return planned if isinstance(planned, list) else None


def missing_weights(folder: Path, rows: Sequence[Row]) -> list[str]:
    """Says of how many runs the weights were kept and are no longer there."""
    kept = [folder / "params" / row["run"] for row in rows if row.get("weights")]
    return _lost([path for path in kept if not path.is_dir()], "weights")


def missing_arrays(folder: Path, rows: Sequence[Row]) -> list[str]:
    """Says of how many runs the arrays are not there."""
    there = set(os.listdir(folder / "arrays"))
    lost = [row["run"] for row in rows if f"{row['run']}.npz" not in there]
    return _lost([folder / "arrays" / f"{run}.npz" for run in lost], "arrays")


def _lost(paths: Sequence[Path], what: str) -> list[str]:
    runs = plural(len(paths), "run")
    again = f"the {what} of {runs} are lost; a sweep with --retry-failed has them done again"
    return [f"{path} is missing; {again}" for path in paths[:1]]


def refuse_prepared(folder: Path) -> None:
    """Makes sure that a folder in which runs are to lie is no prepared data set.

    Raises:
      DserError: It is one.
    """
    if folder.is_dir() and is_prepared(read_manifest(folder) or {}):
        raise DserError(
            f"{folder} is a prepared data set, which gets no runs; choose another --out"
        )


def is_prepared(manifest: Mapping[str, Any]) -> bool:
    """Tells whether a manifest is that of a prepared data set, and of no journal."""
    return "utterances_sha256" in manifest


def check_schema(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Makes sure that this version reads the format of a folder; DataError if it does not."""
    found = manifest.get("schema")
    if found != SCHEMA:
        raise DataError(
            "the journal has another format, written by another version of dser_jax",
            file=folder / "manifest.json",
            value=found,
            expected=f"schema {SCHEMA}",
        )
    for name, value in manifest.items():
        if value is not None and not _is_usual(name, value):
            raise DataError(
                f"nothing that a journal has under {name!r}",
                file=folder / "manifest.json",
                value=repr(value)[:60],
                expected=MANIFEST_LOST,
            )


_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("planned_whole", "part", "parts", "resumed", "extended"), (list,)),
    **dict.fromkeys(("skipped", "configs", "baselines", "steps"), (list,)),
    **dict.fromkeys(("plan", "search", "versions", "inputs", "imported", "arms", "paces"), (dict,)),
    **dict.fromkeys(("command", "created", "data"), (str,)),
    "planned": (int, list),
}
"""What a manifest may have, as its readers take it."""
_EACH = {
    **dict.fromkeys(("planned", "planned_whole", "baselines", "steps"), str),
    **{"part": int, "resumed": dict, "parts": dict},
}
"""And in the lists of it."""


def _is_usual(name: str, value: object) -> bool:
    if name == "part" and isinstance(value, list) and len(value) != 2:
        return False
    each = value if name in _EACH and isinstance(value, list) else ()
    return isinstance(value, _TYPES.get(name, object)) and all(
        isinstance(one, _EACH[name]) for one in each
    )


def as_planned(rows: Sequence[Row], manifest: Mapping[str, Any]) -> tuple[Row, ...]:
    """Orders rows as the manifest's `planned` lists their runs, where it lists them."""
    planned = manifest.get("planned")
    if not isinstance(planned, list):
        return tuple(rows)
    place = {run: number for number, run in enumerate(planned)}
    return tuple(sorted(rows, key=lambda row: place.get(row["run"], len(place))))
