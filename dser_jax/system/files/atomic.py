"""Files that are whole or not there: written aside, flushed to the disk, then put in place."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from dser_jax.system.errors import DserError

TEMPORARY = ".part"
"""How the names of half-written files end; they begin with a dot."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Opens a file for writing that takes the place of `path` once the block has ended well.

    A reader sees the older file or the whole new one, never a part, also when the process is killed
    or the power fails. When the block raises, the older file stays and the half-written one goes.

    Raises:
      DserError: if the disk is full, the folder is not writable and the like.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    try:
        with saying(path), flushing(temporary) as file:
            yield file
        with saying(path):
            os.replace(temporary, path)
            sync_folder(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def flushing(path: Path) -> Iterator[BinaryIO]:
    """Opens a file for writing whose bytes are on the disk once the block has ended well."""
    with open(path, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Opens a folder to write into, which is put in place once the block has ended well.

    All that is in it is on the disk before one renaming gives it its name. When the block raises,
    nothing of it stays. What is there already must be an empty folder.

    Raises:
      DserError: if the disk is full, the folder is not writable and the like.
    """
    part = folder.with_name(f".{folder.name}.{os.getpid()}{TEMPORARY}")
    made = part / folder.name  # Beside it is room for what libraries leave when they fail.
    try:
        with saying(folder):
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            made.mkdir()
            yield made
            flush_folder(made)
            os.rename(made, folder)
            sync_folder(folder.parent)
    finally:
        for seconds in (0.0, 0.1, 0.3, 1.0):  # Threads of a library may still be writing there.
            time.sleep(seconds)
            shutil.rmtree(part, ignore_errors=True)
            if not part.exists():
                break


def flush_folder(folder: Path) -> None:
    """Flushes all files of a folder, and of those in it, and their names to the disk."""
    for place, _, names in os.walk(folder):
        for name in names:
            with open(Path(place) / name, "rb") as file:
                os.fsync(file.fileno())
        sync_folder(Path(place))


def write_text(path: Path, text: str) -> None:
    """Writes a text as UTF-8, atomically; of names that are no text, the bytes are spelled out."""
    with replacing(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))


@contextlib.contextmanager
def saying(path: Path) -> Iterator[None]:
    """Turns an `OSError` about `path` into an error that a user can act on."""
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        if isinstance(error, FileNotFoundError) and not path.parent.exists():
            raise DserError(f"{path}: cannot write: its folder is not there") from error
        raise DserError(f"{path}: cannot write: {why}; what was there before is intact") from error


def check_place(path: Path) -> None:
    """Makes sure that a file or a folder could be written, before there is anything to write.

    Folders that are missing on the way there are made when it is written.

    Raises:
      DserError: A file is in the way, or the folder is not writable.
    """
    place = Path(os.path.abspath(path)).parent
    while not os.path.exists(place):  # No name is too long for it, unlike `Path`'s.
        place = place.parent
    if not place.is_dir():
        raise DserError(f"{path}: cannot write: {place} is a file; expected a folder")
    if not os.access(place, os.W_OK | os.X_OK):
        raise DserError(f"{path}: cannot write: {place} is not writable; name another place")


def sync_folder(folder: Path) -> None:
    """Flushes the names of a folder to the disk, where the system has such a thing."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def remove_stale(folder: Path) -> list[Path]:
    """Removes what killed writers left half-written in a folder that nobody else writes to."""
    stale = sorted(folder.glob(f".*{TEMPORARY}*"))
    for path in stale:
        with saying(path):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    return stale
