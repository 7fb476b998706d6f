"""Acoustic features that exist already: a row an utterance, or several frames each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float32

from dser_jax.corpora import RECOGNISED, Dialect, Utterance
from dser_jax.features.imported.choosing import choose_features
from dser_jax.features.imported.columns import number_rows
from dser_jax.features.imported.matching import match, match_by_order
from dser_jax.features.imported.reading import read_features
from dser_jax.features.sets import FEATURES
from dser_jax.system import DataError, kind_of, unread

Rows = Float32[np.ndarray, "_ feat"]

_IMPORTED = "imported from "
MARK = " (imported)"
"""Stands behind a name that extracted features have, too, where tables name the inputs."""


def imported_from(path: Path) -> str:
    """Says where features come from that were not extracted here, as manifests have it."""
    return _IMPORTED + path.name


def is_imported(source: str) -> bool:
    """Tells from what a manifest says of features whether they were extracted elsewhere."""
    return source.startswith(_IMPORTED)


def shown_name(name: str, source: str) -> str:
    """Names features as tables do: others that go by the name of extracted ones are marked."""
    return name + MARK if name in FEATURES and is_imported(source) else name


@dataclass
class Imported:
    """Features of a file, in the order of the table.

    Attributes:
      kind: "hsf" for one row an utterance, "lld" for several frames.
      columns: Names of the features.
      utterances: `[1, feat]` or `[frame, feat]` for each utterance; None where there is nothing, as
        for those that are not kept.
      missing: What to say of kept utterances that have nothing, by their position.
      problems: The errors of utterances that cannot be used, likewise.
      said: What was done to them, for people.
    """

    kind: Literal["hsf", "lld"]
    columns: tuple[str, ...]
    utterances: list[Rows | None]
    missing: dict[int, DataError] = field(default_factory=dict)
    problems: dict[int, DataError] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)


class _Read(NamedTuple):
    """Features of a file, before what is missing and what is wrong is told apart."""

    kind: Literal["hsf", "lld"]
    columns: tuple[str, ...]
    utterances: list[Rows | None]
    said: list[str]


def load_imported(
    path: Path,
    name: str,
    utterances: Sequence[Utterance],
    dialect: Dialect = RECOGNISED,
    *,
    keep: Sequence[bool] | None = None,
    header: bool = True,
) -> Imported:
    """Reads features, and finds out which utterance each belongs to.

    By name, where the file has names (a column `file`, `filename`, `path`, `id` or `name`); else
    by order: a row for each row of the table, or for each that is kept.

    Args:
      path: A `.npy` array `[utt, feat]` or `[utt, frame, feat]`, or a CSV file, e.g. openSMILE's.
      name: What they are called, for columns that have no names.
      utterances: The table, with what was left out of it; of that only the id may be known.
      dialect: What is known of how a CSV is written.
      keep: A flag for each utterance; by default all are kept.
      header: Whether a CSV begins with the names of its columns.

    Raises:
      DataError: Neither names nor number of rows are the table's; it is not such a file.
    """
    keep = [True] * len(utterances) if keep is None else list(keep)
    expected = "features as .npy or CSV"
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise DataError("a pipe or a device, not a file", file=path, expected=expected)
    try:
        with path.open("rb") as file:
            begin = file.read(12)
    except OSError as error:
        raise unread(path, error, expected) from None
    if begin.startswith(b"\x93NUMPY"):
        read = _from_npy(path, name, keep)
    elif kind := kind_of(begin):
        raise DataError(kind, file=path, expected=expected)
    else:
        read = _from_csv(path, name, utterances, keep, dialect, header)
    found = Imported(read.kind, read.columns, read.utterances, said=read.said)
    if any(part is None and flag for part, flag in zip(read.utterances, keep, strict=True)):
        _must_end(path)
    for i, utt in enumerate(utterances):
        rows = found.utterances[i]
        who = f"utterance {utt.id}"
        if not keep[i]:
            found.utterances[i] = None
        elif rows is None:
            problem = f"no row for {who}, though others have theirs"
            found.missing[i] = DataError(problem, file=path, expected=_named(utt))
        elif len(rows) == 0 or np.isnan(rows).all():
            found.utterances[i] = None
            value = "only NaN" if len(rows) else "only zeros"
            problem = f"row {i + 1} ({who}) has no features"
            found.missing[i] = DataError(problem, file=path, value=value, expected="numbers")
        elif not np.isfinite(rows).all():
            where = f"row {i + 1} ({who}) cannot be used"
            value, expected = _not_finite(rows, read.columns), "finite features, in float32"
            found.problems[i] = DataError(where, file=path, value=value, expected=expected)
    return found


def _must_end(path: Path) -> None:
    """Makes sure that a file that lacks rows was not cut off, with half a number at its end."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4))
        end = file.read().rstrip(b"\0")
    if not end.endswith((b"\n", b"\r")):
        raise DataError(
            "has no rows for some utterances, and does not end with the end of a line",
            file=path,
            expected="the whole file; or, if it is whole, a line feed behind its last line",
        )


def _named(utt: Utterance) -> str:
    names = dict.fromkeys([*([utt.file.stem] if utt.file else []), utt.id])
    return f"a row named {' or '.join(map(repr, names))}"


def _not_finite(rows: Rows, columns: tuple[str, ...]) -> str:
    frame, column = np.argwhere(~np.isfinite(rows))[0]
    where = f" of frame {frame}" if len(rows) > 1 else ""
    return f"{rows[frame, column]} as {columns[column]}{where}"


def _float32(values: np.ndarray) -> Float32[np.ndarray, "..."]:
    """Copies numbers; those that float32 cannot hold become infinite."""
    with np.errstate(over="ignore"):
        return np.array(values, np.float32)


def _from_csv(
    path: Path,
    name: str,
    utterances: Sequence[Utterance],
    keep: Sequence[bool],
    dialect: Dialect,
    header: bool,
) -> _Read:
    table = read_features(path, name, dialect, header)
    said = [table.said]
    found = match(path, table, utterances, keep, said)
    chosen = choose_features(path, table, found, keep, said)
    matrix = _float32(table.values[:, chosen])
    parts = [None if rows is None else matrix[rows.start : rows.stop] for rows in found.rows]
    return _Read(found.kind, tuple(table.columns[i] for i in chosen), parts, said)


def _from_npy(path: Path, name: str, keep: Sequence[bool]) -> _Read:
    array = _open(path)
    said: list[str] = []
    places = match_by_order(path, len(array), keep, "rows", said)
    chosen = list(range(array.shape[-1]))
    if array.ndim == 2:
        chosen = [i for i in chosen if not number_rows(array[:, i])]
        if left := sorted({*range(array.shape[-1])} - {*chosen}):
            said.append(f"{path.name}: column {left[0]} numbers the rows, and is left out")
    if not chosen:
        raise DataError("no features but the numbers of the rows", file=path)
    columns = tuple(f"{name}_{i}" for i in chosen)
    parts: list[Rows | None] = [None] * len(keep)
    if array.ndim == 2:
        for i, row in enumerate(places):
            if row is not None:
                parts[i] = _float32(array[row][None, chosen])
        return _Read("hsf", columns, parts, said)
    front = back = kept = 0
    for i, row in enumerate(places):
        if row is not None:
            frames, cut = _trim(_float32(array[row]))
            parts[i] = frames
            front, back, kept = front + cut[0], back + cut[1], kept + len(frames)
    if front or back:
        said.append(
            f"{name}: trimmed padding of zeros, {front} frames in front and {back} at the back; "
            f"{kept} frames stay"
        )
    return _Read("lld", columns, parts, said)


def _open(path: Path) -> np.ndarray:
    """Opens an array of features."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # NumPy lets through whatever a damaged header raises.
        why = f"{type(error).__name__}: {error}"
        raise DataError(f"not an array of numbers ({why})", file=path) from None
    whole = getattr(array, "offset", 0) + array.nbytes
    if array.nbytes and path.stat().st_size != whole:
        raise DataError(
            "an array of another length than its header says",
            file=path,
            value=f"{path.stat().st_size:,} bytes",
            expected=f"{whole:,}",
        )
    if array.ndim not in (2, 3) or array.dtype.kind not in "fiu" or 0 in array.shape[1:]:
        raise DataError(
            "not an array of features",
            file=path,
            value=f"{array.dtype} {list(array.shape)}",
            expected="numbers [utt, feat] or [utt, frame, feat]",
        )
    return array


def _trim(frames: Rows) -> tuple[Rows, tuple[int, int]]:
    """Cuts frames of zeros, or of NaN, off both ends; returns how many at each."""
    some = np.flatnonzero(~((frames == 0).all(axis=1) | np.isnan(frames).all(axis=1)))
    if len(some) == 0:
        return frames[:0], (len(frames), 0)
    first, last = int(some[0]), int(some[-1]) + 1
    return frames[first:last], (first, len(frames) - last)
