"""The files of a journal, one by one: plain values, the manifest, the rows, the arrays."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dser_jax.system import (
    DataError,
    DserError,
    check_digests,
    parse_sealed,
    read_archive,
    read_sealed,
    replacing,
    unread,
)

Row = dict[str, Any]
Arrays = dict[str, NDArray]


MANIFEST_LOST = (
    "remove it, and repeat the command of the sweep, which writes it anew where all runs that are "
    "here are its own (of a search that is not known: choose another --out); or take it from a "
    "backup"
)
RUN_LOST = "what its run left; a sweep with --retry-failed has it done again"
TRUTH_LOST = "what the sweep wrote; its command, again, writes it anew"
"""What to do where such files are lost."""

MISSING = "missing"
"""What a `DataError` says of a file that is not there."""

SETTINGS_FOLDER, GRID_FOLDER = "settings", "grid"
"""Journals in the folder of an experiment with arms: of what these tried, and of fixed weights."""

WEIGHTS_DIGESTS = "checksums.json"
"""In the folder of the weights of a run: the digests of its other files."""


def differences(was: Any, now: Any, at: str = "") -> list[str]:
    """Lists where two plain values differ, one line a place."""
    if was == now:
        return []
    if isinstance(was, dict) and isinstance(now, dict):
        lines = []
        for key in {**was, **now}:
            place = f"{at}.{key}" if at else str(key)
            lines += differences(was.get(key), now.get(key), place)
        return lines
    if _are_objects(was) and _are_objects(now) and len(was) == len(now):
        pairs = enumerate(zip(was, now, strict=True), 1)
        return [line for n, (one, other) in pairs for line in differences(one, other, f"{at} {n}")]
    return [f"{at}: {_short(was)} before, {_short(now)} now"]


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _short(value: Any, limit: int = 100) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Reads `manifest.json`; None if there is none, DataError if it is damaged."""
    return read_sealed(folder / "manifest.json", MANIFEST_LOST)


def read_bytes(path: Path) -> bytes:
    """Reads a file; one that does not exist is empty."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise DserError(str(unread(path, error))) from error


class Rows(NamedTuple):
    """What was read of `rows.jsonl`.

    Attributes:
      rows: Each run once.
      lines: As the file has them.
      notices: What was amiss, in words.
    """

    rows: list[Row]
    lines: list[bytes]
    notices: list[str]


def parse_rows(
    path: Path, data: bytes, planned: Collection[str] | None = None, *, mend: bool = False
) -> Rows:
    """Parses what was read of `rows.jsonl`; leaves out a torn last line.

    Args:
      path: For messages.
      data: What was read.
      planned: The runs that may be there, beside baselines; None for any.
      mend: Whether damaged rows are left out, too, so that their runs are unfinished.

    Raises:
      DataError: if a line before the last is damaged, or of a run that was not planned; names the
        file and the line.
    """
    lines = [line + b"\n" for line in data.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    if not lines[-1]:
        lines.pop()
    known = None if planned is None else set(planned)
    found: dict[str, tuple[Row, bytes]] = {}
    notices: list[str] = []
    for number, line in enumerate(lines, 1):
        at = f"{path}:{number}"
        try:
            row = _parse_row(line, known)
        except ValueError as error:
            if number == len(lines):
                notices.append(
                    f"{at}: dropped the last line, which is cut off or damaged; its run counts as "
                    "not finished"
                )
            elif mend:
                notices.append(f"{at}: dropped, damaged ({error}); its run counts as not finished")
            else:
                raise DataError(
                    f"a damaged row ({error})",
                    file=path,
                    line=number,
                    value=line[:60].decode("utf-8", "replace"),
                    expected="what was written. Delete the line, or repeat the sweep with "
                    "--retry-failed, to have that run done again",
                ) from error
            continue
        if row["run"] in found:
            notices.append(f"{at}: run {row['run']} is there already; left out")
        found.setdefault(row["run"], (row, line))
    return Rows([row for row, _ in found.values()], [line for _, line in found.values()], notices)


def _parse_row(line: bytes, planned: Collection[str] | None) -> Row:
    """Parses a line; ValueError where it is not what was committed."""
    if not line.endswith(b"\n"):  # Even if it can be read, it was not committed.
        raise ValueError("it is cut off")
    row = parse_sealed(line)
    run = row.get("run")
    if not is_file_name(run):
        raise ValueError(f"{run!r} is the id of no run")
    if planned is not None and run not in planned and row.get("kind") is None:
        raise ValueError(f"the run {run} was not planned")
    if odd := odd_entry(row):
        raise ValueError(f"{odd} is nothing that a row has there")
    return row


_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("name", "network", "features", "corpus", "protocol", "split"), (str,)),
    **dict.fromkeys(("truth", "kind", "traceback"), (str,)),
    **dict.fromkeys(("config", "hparams", "validation", "test"), (dict,)),
    **dict.fromkeys(("epochs", "best_epoch"), (int,)),
    "seed": (int, str),
    "paper": (dict, list),
}
_STATUS = ("ok", "diverged", "pruned", "failed")


def odd_entry(row: Row) -> str:
    """Returns what of a row cannot be what it stands for, which its readers need not think of."""
    if "name" not in row:
        return "a row without a name"
    for name, types in _TYPES.items():
        if not isinstance(row.get(name, types[0]()), types):
            return f"{name} {row.get(name)!r}"[:60]
    if row.get("status", "ok") not in _STATUS:
        return f"status {row['status']!r}"[:60]
    weights = (row.get("hparams") or {}).get("loss_weights")
    if weights is not None and not (isinstance(weights, list) and all(map(_is_number, weights))):
        return f"loss_weights {weights!r}"[:60]
    for part in ("validation", "test"):
        for measure, scores in (row.get(part) or {}).items():
            if not isinstance(scores, dict) or not all(map(_is_score, scores.values())):
                return f"{measure} {scores!r}"[:60]
    return ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_score(value: object) -> bool:
    return value is None or _is_number(value)


def is_file_name(name: object) -> bool:
    """Returns whether a name does as that of a file, in one folder and on any system."""
    return isinstance(name, str) and bool(
        re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.=+-]{0,199}", name)
    )


def array_file(folder: Path, name: object) -> Path:
    """Returns the file for the arrays of this name, which must do as the name of a file."""
    if not is_file_name(name):
        raise DserError(f"{name!r} cannot name a file: give letters, digits, and any of _ . = + -")
    return folder / f"{name}.npz"


def save_arrays(path: Path, arrays: Mapping[str, ArrayLike]) -> None:
    """Writes arrays to an `.npz` file, atomically."""
    ready = _as_arrays(arrays)
    with replacing(path) as file:
        np.savez(file, **ready)  # pyrefly: ignore


def load_arrays(path: Path, expected: str | None = None) -> Arrays:
    """Reads an `.npz` file; DataError if it is missing or damaged, which says what was expected."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError(MISSING, file=path, expected=expected) from None
    except OSError as error:
        raise DserError(str(unread(path, error))) from error
    try:
        return read_archive(data)
    except ValueError as error:
        raise DataError(f"damaged ({error})", file=path, expected=expected) from error


def weights_folder(folder: Path, run: object) -> Path:
    """Returns where the weights of a run are kept, if they are."""
    return array_file(folder / "params", run).with_suffix("")


def check_weights(folder: Path, run: object) -> Path:
    """Makes sure that the weights of a run are what was kept; older versions kept no checksums.

    Returns:
      The folder that holds them.

    Raises:
      DataError: They are missing or damaged.
    """
    place = weights_folder(folder, run)
    if not place.is_dir():
        raise DataError(MISSING, file=place, expected=RUN_LOST)
    known = read_sealed(place / WEIGHTS_DIGESTS, f"expected {RUN_LOST}")
    check_digests(place, {} if known is None else known.get("files"))
    return place


def same_arrays(left: Mapping[str, ArrayLike], right: Mapping[str, ArrayLike]) -> bool:
    """Returns whether two sets of arrays are equal; NaN equals NaN."""
    left, right = _as_arrays(left), _as_arrays(right)
    if left.keys() != right.keys():
        return False
    return all(
        np.array_equal(one, right[name], equal_nan=one.dtype.kind == right[name].dtype.kind == "f")
        for name, one in left.items()
    )


def _as_arrays(arrays: Mapping[str, ArrayLike]) -> Arrays:
    ready = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in ready.items():
        if array.dtype == object:
            if not all(isinstance(entry, str) for entry in array.flat):
                raise TypeError(f"{name}: a journal holds arrays of numbers or of strings")
            ready[name] = array.astype(str)
    return ready
