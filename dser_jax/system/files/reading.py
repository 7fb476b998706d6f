"""What is read of files that may be damaged, or a stranger's: whatever they hold, `ValueError`.

No name leads out of a folder, no number of an array is made room for that is not there, and
nothing is unpickled.
"""

from __future__ import annotations

import io
import json
import os
import re
import struct
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from dser_jax.system.errors import DataError


def parse_json(text: str | bytes) -> Any:
    """Parses JSON.

    Raises:
      ValueError: It is none, or nested deeper than anything that this program writes.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def inside(folder: Path, name: str) -> Path:
    """Returns the path of a file that lies in a folder itself.

    Raises:
      DataError: The name leads elsewhere, or can name no file.
    """
    if not re.fullmatch(r"[^/\\\0-\x1f:]{1,200}", name) or name in (".", ".."):
        raise DataError(
            "a name that leads out of this folder, or names no file",
            file=folder,
            value=name,
            expected="a plain name",
        )
    return folder / name


def map_array(file: BinaryIO) -> NDArray:
    """Maps the array of an open `.npy` file into memory, to be read.

    Raises:
      ValueError: The file is not such a one, or not as long as its first line says.
    """
    file.seek(0)
    dtype, shape, fortran, count = _header(file)
    start = file.tell()
    if os.fstat(file.fileno()).st_size != start + count * dtype.itemsize:
        raise ValueError("not as long as its header says")
    order = "F" if fortran else "C"
    if count == 0:
        return np.zeros(shape, dtype, order)
    return np.memmap(file, dtype, "r", start, shape, order)


def read_array(data: bytes) -> NDArray:
    """Reads the array of a `.npy` file from its bytes.

    Raises:
      ValueError: They are not such a file, or not as many as the first line says.
    """
    file = io.BytesIO(data)
    dtype, shape, fortran, count = _header(file)
    if len(data) != file.tell() + count * dtype.itemsize:
        raise ValueError("not as long as its header says")
    array = np.frombuffer(data, dtype, count, file.tell()) if count else np.zeros(0, dtype)
    return array.reshape(shape, order="F" if fortran else "C")


def read_archive(data: bytes) -> dict[str, NDArray]:
    """Reads the arrays of a `.npz` file from its bytes, their checksums first.

    Raises:
      ValueError: They are not such a file, or its arrays are compressed, which none of ours are:
        a few bytes might then become many gigabytes.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
            if not stored or sum(entry.file_size for entry in entries) > len(data):
                raise ValueError("compressed arrays")
            # zipfile passes over entries that a damaged length of the one before swallows.
            if data[-22:-18] != b"PK\5\6" or data[-12:-10] != struct.pack("<H", len(entries)):
                raise ValueError("not as many arrays as it says")
            names = [entry.filename.removesuffix(".npy") for entry in entries]
            if len(set(names)) != len(names):
                raise ValueError("two arrays of one name")
            return {
                name: read_array(archive.read(entry))
                for name, entry in zip(names, entries, strict=True)
            }
    except Exception as error:  # A flipped bit comes to light as almost anything.
        raise ValueError(str(error) or type(error).__name__) from error


def _header(file: io.BytesIO | BinaryIO) -> tuple[np.dtype, tuple[int, ...], bool, int]:
    """Reads the first line of an array; returns its type, shape, order and number of elements."""
    try:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran, dtype = read(file)
    except Exception as error:  # NumPy lets through whatever a damaged header raises.
        raise ValueError(f"not an array ({error or type(error).__name__})") from error
    if dtype.hasobject or any(size < 0 for size in shape):
        raise ValueError("not an array of plain values")
    count = 1
    for size in shape:
        count *= size
    return dtype, shape, fortran, count
