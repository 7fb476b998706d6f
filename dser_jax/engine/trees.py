"""Nested arrays as Orbax checkpoints, in a folder of any name."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PyTree = Any

TRIES = 5
"""How often a save is tried that gets in its own way."""

_PLACES = ("/tmp", "/var/tmp", "/dev/shm", os.path.expanduser("~"))
"""Where a link may be made if the name of the folder for temporary files is not plain."""

_ALONE = threading.Lock()
"""Held while Orbax works, which is not known to bear two saves at once."""


def save_tree(folder: Path, tree: PyTree) -> None:
    """Saves nested arrays as an Orbax checkpoint; one that is there already is replaced.

    Raises:
      OSError: The disk is full, which Orbax says in a page of its own.
    """
    from orbax.checkpoint import v1 as ocp  # Takes a second to import.

    context = ocp.Context()
    # Weights in training do not compress, and trying takes six times as long.
    context.array.saving.use_compression = False
    context.memory.deepcopy_host_arrays = False
    with _ALONE, context, _silent(), _plain(folder) as path:
        for again in range(TRIES):
            try:
                ocp.save(path, tree, overwrite=True)
                return
            except Exception as error:
                for number in (errno.ENOSPC, errno.EDQUOT):
                    if os.strerror(number) in str(error):
                        raise OSError(number, os.strerror(number)) from error
                # Arrays are written side by side, and now and then one takes another's lock away.
                if "__lock" not in str(error) or again == TRIES - 1:
                    raise


def load_tree(folder: Path) -> PyTree:
    """Loads what `save_tree` saved; a checkpoint that is damaged raises almost anything."""
    from orbax.checkpoint import v1 as ocp

    with _ALONE, _silent(), _plain(folder) as path:
        return ocp.load(path)


@contextlib.contextmanager
def _plain(folder: Path) -> Iterator[str]:
    """Gives a path of a folder that Orbax understands.

    It takes brackets and backslashes for patterns, colons for another kind of storage, and cannot
    pass on bytes that are no UTF-8. A link to the folder that this one is in, under a plain name,
    is the same place on the same disk.
    """
    absolute = folder.absolute()
    if _is_plain(absolute):
        yield os.fspath(absolute)
        return
    with tempfile.TemporaryDirectory(prefix="dser-", dir=_place_of_links()) as temporary:
        link = Path(temporary) / "folder"
        link.symlink_to(absolute.parent, target_is_directory=True)
        yield os.fspath(link / absolute.name)


def _is_plain(path: str | Path) -> bool:
    return bool(re.fullmatch(r"[\w/.+=,@-]*", os.fspath(path), re.ASCII))


def _place_of_links() -> str:
    """Returns a folder for temporary files whose own name is plain; that of the user, if it is."""
    places = [tempfile.gettempdir(), *_PLACES]
    plain = [each for each in places if _is_plain(each) and os.access(each, os.W_OK | os.X_OK)]
    return plain[0] if plain else places[0]


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keeps Orbax from printing tracebacks of what it raises anyway."""

    def of_others(record: logging.LogRecord) -> bool:
        return "orbax" not in record.pathname

    logger = logging.getLogger("absl")
    logger.addFilter(of_others)
    try:
        yield
    finally:
        logger.removeFilter(of_others)
