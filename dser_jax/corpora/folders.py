"""What lies in a folder and below, as people mean it."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from dser_jax.system import DataError

_OF_MACS = "__MACOSX"
"""The folder that archives packed on a Mac have beside their own."""


def find_files(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Finds files by the ends of their names, in any case, in a folder and all below it, sorted.

    Dot-files, folders whose names begin with a dot, and `__MACOSX` are passed over. Links to
    folders are followed, each folder once, so that links in a circle come to an end. A folder that
    is not there has none.

    Raises:
      DataError: A folder cannot be read.
    """
    if not folder.is_dir():
        return []
    found, seen = [], set()
    for place, folders, names in os.walk(folder, onerror=_unreadable, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if name[0] != "." and name != _OF_MACS)
        found += [
            Path(place, name)
            for name in names
            if name[0] != "." and os.path.splitext(name)[1].lower() in suffixes
        ]
    return sorted(found)


def _unreadable(error: OSError) -> None:
    raise DataError(f"this folder cannot be read: {error.strerror}", file=error.filename) from error
