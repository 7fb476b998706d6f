"""The digests by which what is kept is known again, before anything is made of it."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any

SEAL = "sha256"
"""The entry of a manifest that is the checksum of the others."""

_SETTLED = 1.0
"""So many seconds a file must be old before its times tell whether it has changed since."""

_known: dict[tuple[int, ...], str] = {}
"""Digests by what tells a file: its device, number, size and time."""


def sha256_file(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return sha256_open(file)


def sha256_open(file: BufferedReader) -> str:
    """Returns the SHA-256 of an open file, which is read once a process as long as it is the same.

    A gigabyte takes about half a second where the processor has instructions for it, and two
    elsewhere. The file is at its beginning afterwards.
    """
    key = _identity(file)
    if key not in _known:
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        settled = time.time_ns() - key[-1] > _SETTLED * 1e9
        if not settled or _identity(file) != key:
            return digest
        _known[key] = digest
    return _known[key]


def _identity(file: BufferedReader) -> tuple[int, ...]:
    found = os.fstat(file.fileno())
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def forget() -> None:
    """Lets every file be read again."""
    _known.clear()


def seal(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a manifest with its own checksum as the last entry."""
    body = {name: value for name, value in entries.items() if name != SEAL}
    return {**body, SEAL: _digest(body)}


def is_intact(entries: Mapping[str, Any]) -> bool:
    """Tells whether a manifest says what it said when it was sealed; True if it never was."""
    body = {name: value for name, value in entries.items() if name != SEAL}
    return SEAL not in entries or entries[SEAL] == _digest(body)


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
