"""Acoustic features that exist already: a row an utterance, or several frames each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float32

from dser_jax.corpora import RECOGNISED, Dialect, Utterance
from dser_jax.features.feature_table import read_features, recordings
from dser_jax.system import DataError

Rows = Float32[np.ndarray, "_ feat"]


@dataclass
class Imported:
    """Features of a file, in the order of the table.

    Attributes:
      kind: "hsf" for one row an utterance, "lld" for several frames.
      columns: Names of the features.
      utterances: `[1, feat]` or `[frame, feat]` for each utterance.
      problems: The errors of utterances that cannot be used, by their position.
      said: What was done to them, for people.
    """

    kind: Literal["hsf", "lld"]
    columns: tuple[str, ...]
    utterances: list[Rows]
    problems: dict[int, DataError] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)


def load_imported(
    path: Path, name: str, utterances: Sequence[Utterance], dialect: Dialect = RECOGNISED
) -> Imported:
    """Reads row-aligned features.

    Args:
      path: A `.npy` array `[utt, feat]` or `[utt, frame, feat]`, or a CSV file of openSMILE.
      name: What they are called, for the columns of a `.npy`, which has no names.
      utterances: The table: row i of the file belongs to utterance i.
      dialect: What is known of how a CSV file is written.

    Raises:
      DataError: Another number of utterances than the table has; names that are not the table's;
        not such a file.
    """
    if not path.is_file():
        raise DataError("no such file", file=path, expected="features as .npy or openSMILE's CSV")
    with path.open("rb") as file:
        magic = file.read(6)
    if magic == b"\x93NUMPY":
        found = _from_npy(path, name, utterances)
    else:
        found = _from_csv(path, utterances, dialect)
    for i, (utt, rows) in enumerate(zip(utterances, found.utterances, strict=True)):
        problem = _problem(rows, found.columns)
        if problem:
            value, expected = problem
            what = f"row {i + 1} (utterance {utt.id}) cannot be used"
            found.problems[i] = DataError(what, file=path, value=value, expected=expected)
    return found


def _problem(rows: Rows, columns: tuple[str, ...]) -> tuple[str, str] | None:
    """Returns what is wrong with an utterance's features, and what would be right."""
    if len(rows) == 0:
        return "only zeros", "a frame that is more than padding"
    wrong = ~np.isfinite(rows)
    if wrong.any():
        frame, column = np.argwhere(wrong)[0]
        where = f" of frame {frame}" if len(rows) > 1 else ""
        return f"{rows[frame, column]} as {columns[column]}{where}", "finite features"
    return None


def _count_must_be(
    path: Path, found: int, utterances: Sequence[Utterance], what: str, hint: str = ""
) -> None:
    if found != len(utterances):
        raise DataError(
            f"not the {what} of this table",
            file=path,
            value=f"{found}",
            expected=f"{len(utterances)}, one for each utterance, in the table's order{hint}",
        )


def _from_npy(path: Path, name: str, utterances: Sequence[Utterance]) -> Imported:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"not an array of numbers ({error})", file=path) from None
    if array.ndim not in (2, 3) or array.dtype.kind not in "fiu" or array.shape[-1] == 0:
        raise DataError(
            "not an array of features",
            file=path,
            value=f"{array.dtype} {list(array.shape)}",
            expected="numbers [utt, feat] or [utt, frame, feat]",
        )
    _count_must_be(path, len(array), utterances, "rows")
    columns = tuple(f"{name}_{i}" for i in range(array.shape[-1]))
    if array.ndim == 2:
        return Imported("hsf", columns, [np.array(row[None], np.float32) for row in array])
    trimmed = [_trim(np.array(frames, np.float32)) for frames in array]
    front = sum(cut[0] for _, cut in trimmed)
    back = sum(cut[1] for _, cut in trimmed)
    said = []
    if front or back:
        kept = sum(len(frames) for frames, _ in trimmed)
        said.append(
            f"{name}: trimmed padding of zeros, {front} frames in front and {back} at the back; "
            f"{kept} frames stay"
        )
    return Imported("lld", columns, [frames for frames, _ in trimmed], said=said)


def _trim(frames: Rows) -> tuple[Rows, tuple[int, int]]:
    """Cuts frames of zeros off both ends; returns how many at each."""
    some = np.flatnonzero((frames != 0).any(axis=1))
    if len(some) == 0:
        return frames[:0], (len(frames), 0)
    first, last = int(some[0]), int(some[-1]) + 1
    return frames[first:last], (first, len(frames) - last)


def _from_csv(path: Path, utterances: Sequence[Utterance], dialect: Dialect) -> Imported:
    table = read_features(path, dialect)
    kind: Literal["hsf", "lld"] = "hsf"
    groups = [[i] for i in range(len(table.values))]
    if len(groups) != len(utterances):
        kind, groups = "lld", recordings(table)
        one_each = len(groups) == len(table.values)
        hint = "; has the file no header?" if all(map(str.isdecimal, table.columns)) else ""
        what = "rows" if one_each else "recordings"
        _count_must_be(path, len(groups), utterances, what, hint)
    parts = [table.values[group[0] : group[-1] + 1] for group in groups]
    said = [table.said]
    if table.names:
        order = _order(path, [table.names[group[0]] for group in groups], utterances)
        if order != list(range(len(parts))):
            parts = [parts[i] for i in order]
            said.append(f"{path.name}: rows put in the order of the table, by their names")
    return Imported(kind, table.columns, parts, said=said)


def _order(path: Path, names: list[str], utterances: Sequence[Utterance]) -> list[int]:
    """Returns which recording of the file belongs to each utterance.

    By name, where the names are those of the recordings or the ids; by position, where they say
    nothing, as openSMILE's default `unknown`.
    """
    stems = [Path(name.replace("\\", "/")).stem for name in names]
    wanted = [(utt.file.stem if utt.file else utt.id, utt.id) for utt in utterances]
    positions = list(range(len(names)))
    if all(stem in pair for stem, pair in zip(stems, wanted, strict=True)):
        return positions
    by_stem = {stem: i for i, stem in enumerate(stems)}
    if len(by_stem) < len(stems) or not any(
        stem in by_stem or id in by_stem for stem, id in wanted
    ):
        if len(by_stem) == 1:
            return positions
        expected = f"names of the table, as {wanted[0][1]!r}; or one name for all, to go by order"
        at = next(i for i, pair in enumerate(wanted) if stems[i] not in pair)
        raise DataError(
            f"row {at + 1} has a name that is not that of the table's row",
            file=path,
            value=names[at],
            expected=expected,
        )
    order = []
    for i, (stem, id) in enumerate(wanted):
        if id not in by_stem and stem not in by_stem:
            raise DataError(
                f"no row for utterance {id}, though others have theirs",
                file=path,
                expected=f"a row named {stem!r} or {id!r} for row {i + 1} of the table",
            )
        order.append(by_stem[id] if id in by_stem else by_stem[stem])
    return order
