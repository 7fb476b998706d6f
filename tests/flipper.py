"""A bit of a file that is kept, flipped: it is found, or it changes nothing; it is never silent."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dser_jax.system.errors import DserError

FLIPS = int(os.environ.get("DSER_FLIPS", "8"))
"""Bits that are flipped in each file; all of a file that has fewer."""

Look = Callable[[Path], tuple[Any, list[str]]]
"""Reads a folder as the product does: what it says, without a doubt equal or not, and notices."""


def flips_of(data: bytes, count: int = FLIPS) -> Iterator[tuple[int, bytes]]:
    """Yields bits, drawn from the length of the data, and the data with that bit flipped."""
    random, bits = np.random.default_rng(len(data)), 8 * len(data)
    for bit in random.choice(bits, min(count, bits), replace=False).tolist():
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bit, bytes(flipped)


def flipped(path: Path, count: int) -> Iterator[int]:
    """Flips one bit of a file after the other; the file is whole again in the end."""
    data = path.read_bytes()
    for bit, damaged in flips_of(data, count):
        path.write_bytes(damaged)
        yield bit
    path.write_bytes(data)


def assert_no_flip_is_silent(folder: Path, work: Path, look: Look) -> dict[str, int]:
    """Flips bits of each file of a folder, one at a time, and looks at what comes of it.

    Args:
      folder: Stays as it is.
      work: Where copies of it go.
      look: Raises `DserError`, or says something, where it finds damage.

    Returns:
      How many flips were found, by file.
    """

    def of_copy(damage: Callable[[Path], object]) -> tuple[Any, list[str]]:
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(folder, work)
        damage(work)
        return look(work)

    sound = of_copy(lambda copy: None)
    assert sound[1] == []
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name, data = path.relative_to(folder), path.read_bytes()
        if not data:
            continue
        found[name.as_posix()] = 0
        for bit, damaged in flips_of(data):
            try:
                said, notices = of_copy(lambda copy, d=damaged, n=name: (copy / n).write_bytes(d))
                silent = not notices and said != sound[0]
            except DserError:
                silent, notices = False, ["an error"]
            except Exception as error:
                pytest.fail(f"bit {bit} of {name}: {error!r}")
            assert not silent, f"bit {bit} of {name} changes what is read, and nothing is said"
            found[name.as_posix()] += bool(notices)
    return found


def bits_of(value: Any) -> Any:
    """Returns nested values in which arrays are their types, shapes and bytes."""
    if isinstance(value, dict):
        return {name: bits_of(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [bits_of(each) for each in value]
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.shape, value.tobytes()
    return value
