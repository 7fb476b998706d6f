"""The files of a journal, one by one: plain values, the manifest, the rows, the arrays."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dser_jax.system import DataError, DserError, replacing

Row = dict[str, Any]
Arrays = dict[str, NDArray]


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
    return [f"{at}: {_short(was)} before, {_short(now)} now"]


def _short(value: Any, limit: int = 100) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Reads `manifest.json`; None if there is none."""
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DserError(f"{path}: cannot read: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"not valid JSON ({error})", file=path) from error
    if not isinstance(manifest, dict):
        raise DataError("not a manifest", file=path, expected="a JSON object")
    return manifest


def read_bytes(path: Path) -> bytes:
    """Reads a file; one that does not exist is empty."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise DserError(f"{path}: cannot read: {error.strerror}") from error


def parse_rows(path: Path, data: bytes) -> tuple[list[Row], int, list[str]]:
    """Parses what was read of `rows.jsonl`.

    Returns:
      The rows, each run once; the length in bytes of the file without a torn last line; and what
      was amiss, in words.

    Raises:
      DataError: if a line before the last is damaged; names the file and the line.
    """
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    rows: dict[str, Row] = {}
    notices: list[str] = []
    end = 0
    for number, line in enumerate(lines, 1):
        row = _parse_row(line)
        # Without its newline even a line that can be read was not committed.
        whole = row is not None and end + len(line) < len(data)
        if number == len(lines) and not whole:
            notices.append(
                f"{path}:{number}: dropped the last line, which is cut off; "
                "its run counts as not finished"
            )
            break
        if row is None:
            raise DataError(
                "a damaged row in the middle",
                file=path,
                line=number,
                value=line[:60].decode("utf-8", "replace"),
                expected='a JSON object with a "run"; delete the line to have that run done again',
            )
        end += len(line) + 1
        if row["run"] in rows:
            notices.append(f"{path}:{number}: run {row['run']} is there already; left out")
        rows.setdefault(row["run"], row)
    return list(rows.values()), end, notices


def _parse_row(line: bytes) -> Row | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and isinstance(row.get("run"), str) else None


def array_file(folder: Path, name: object) -> Path:
    """Returns the file for the arrays of this name, which must do as the name of a file."""
    if not (isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.=+-]{0,199}", name)):
        raise DserError(f"{name!r} cannot name a file: give letters, digits, and any of _ . = + -")
    return folder / f"{name}.npz"


def save_arrays(path: Path, arrays: Mapping[str, ArrayLike]) -> None:
    """Writes arrays to an `.npz` file, atomically."""
    ready = _as_arrays(arrays)
    with replacing(path) as file:
        np.savez(file, **ready)  # pyrefly: ignore


def load_arrays(path: Path) -> Arrays:
    """Reads an `.npz` file; DataError if it is missing or damaged."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError("missing", file=path) from None
    except OSError as error:
        raise DserError(f"{path}: cannot read: {error.strerror}") from error
    try:
        # NumPy would act on the header of an array before its checksum is known.
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if archive.testzip() is not None:
                raise ValueError("a checksum is wrong")
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:  # A flipped bit comes to light as almost anything.
        raise DataError(f"damaged ({error})", file=path) from error


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
