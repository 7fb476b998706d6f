"""Lanes in flight on disk: checkpoints of which a whole one is always there.

A checkpoint is a folder, such as `000012`. It is made aside, under a name that begins with a dot,
and put in place by one renaming once all of it is on the disk; what is in it, and what vouches for
it, is said in `snapshot.py`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dser_jax.engine.snapshot import (
    Damaged,
    Foreign,
    Gathered,
    PyTree,
    Snapshot,
    gather,
    read_snapshot,
    write_snapshot,
)
from dser_jax.system import TEMPORARY, DserError, saying, sync_folder

KEPT = 2
"""Whole checkpoints that are kept; as many damaged ones are."""


class Checkpoints:
    """The last two whole checkpoints of the lanes in flight, in a folder of their own.

    One process at a time may have them. Call `wait` before the interpreter ends: a checkpoint that
    is under way then may not be finished (the one before it is intact).

    Args:
      folder: Made if need be.
      say: Called with what was amiss, for the user to read; e.g. the `append` of a list.

    Attributes:
      seconds: What the last checkpoint took, from the call to the disk.

    Raises:
      DserError: if the folder cannot be written.
    """

    def __init__(self, folder: Path, say: Callable[[str], Any]) -> None:
        self.folder, self.seconds = folder, 0.0
        self._say = say
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        with saying(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            for path in self._half_written():
                self._remove(path)
                self._say(f"{path}: removed, half-written by an interrupted run")

    def save(
        self,
        state: PyTree,
        runs: Mapping[int, str],
        *,
        parked: Mapping[str, PyTree] | None = None,
        note: Mapping[str, Any] | None = None,
        wait: bool = False,
    ) -> None:
        """Saves the lanes of `runs`; writes in the background once their arrays are copied.

        The state's memory may be given away as soon as this returns. A checkpoint that is still
        under way is waited for first.

        Args:
          state: Arrays whose first axis is the lanes', typed keys among them.
          runs: The runs under way, by their slots.
          parked: Runs under way without a slot, as `load` gave them.
          note: What to give back at `load`, as JSON holds it.
          wait: Whether to return only when the checkpoint is on the disk.

        Raises:
          DserError: what `wait` raises, of the checkpoint before, or of this one if waited for.
        """
        self.wait()
        start = time.perf_counter()
        gathered = gather(state, runs, parked or {}, note or {})
        self._thread = threading.Thread(
            target=self._work, args=(gathered, start), name="checkpoint"
        )
        self._thread.start()
        if wait:
            self.wait()

    def wait(self) -> None:
        """Waits until what was saved is on the disk.

        Raises:
          DserError: if the disk is full and the like. The checkpoint before is then intact, and
            nothing is left of the one that failed.
        """
        self._join()
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _join(self) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _work(self, gathered: Gathered, start: float) -> None:
        try:
            self._write(gathered)
            self.seconds = time.perf_counter() - start
        except BaseException as error:
            self._failure = error

    def _write(self, gathered: Gathered) -> None:
        number = 1 + max(map(_number, self._entries()), default=0)
        part = self.folder / f".{number:06d}.{os.getpid()}{TEMPORARY}"
        try:
            self.folder.mkdir(exist_ok=True)
            part.mkdir()
            if shutil.disk_usage(part).free < gathered.nbytes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            write_snapshot(part, gathered)
            os.rename(part, self.folder / f"{number:06d}")
            sync_folder(self.folder)
        except Exception as error:
            shutil.rmtree(part, ignore_errors=True)
            raise DserError(self._explain(error, gathered.nbytes)) from error
        with saying(self.folder):
            for path in self._whole()[:-KEPT]:
                self._remove(path)

    def _explain(self, error: Exception, needed: int) -> str:
        if not self.folder.is_dir():
            return f"{self.folder}: cannot write a checkpoint: the folder is not there"
        why = getattr(error, "strerror", None) or str(error)
        if "No space left" in why or "quota" in why:
            with contextlib.suppress(OSError):
                free = shutil.disk_usage(self.folder).free
                why = f"the disk is full: {_mb(needed)} are needed, {_mb(free)} are free"
        kept = self._whole()
        before = f"the one before, {kept[-1].name}, is intact" if kept else "there was none before"
        return f"{self.folder}: cannot write a checkpoint: {why}; {before}"

    def load(self, like: PyTree) -> Snapshot | None:
        """Loads the newest checkpoint that is whole and fits; None if there is none.

        Those that are damaged are set aside, as `damaged-NUMBER`, and said; those of states
        with other leaves, shapes or dtypes are left out and said.

        Args:
          like: The state of one lane as `jax.ShapeDtypeStruct`s.

        Raises:
          DserError: if a damaged checkpoint cannot be set aside.
        """
        self._join()
        for path in reversed(self._whole()):
            try:
                return read_snapshot(path, like)
            except Damaged as damage:
                with saying(path):
                    os.rename(path, path.with_name(f"damaged-{path.name}"))
                    for old in self._named("damaged-")[:-KEPT]:
                        self._remove(old)
                self._say(
                    f"{path}: damaged, {damage}; set aside as damaged-{path.name}, and the one "
                    "before it taken, if there is one"
                )
            except Foreign as difference:
                self._say(f"{path}: left out, as {difference}")
        return None

    def any(self) -> bool:
        """Returns whether there are lanes to take up again."""
        return bool(self._whole())

    def clear(self) -> None:
        """Removes the folder, when a sweep has finished; what is being saved is waited for."""
        self._join()
        self._failure = None
        with saying(self.folder):
            for path in [*self._named("damaged-"), *self._whole(), *self._half_written()]:
                self._remove(path)
            with contextlib.suppress(FileNotFoundError):
                self.folder.rmdir()

    def _entries(self) -> list[Path]:
        return sorted(self.folder.iterdir(), key=_number) if self.folder.is_dir() else []

    def _named(self, prefix: str) -> list[Path]:
        """Lists the checkpoints of this kind, the oldest first."""
        return [path for path in self._entries() if re.fullmatch(prefix + r"\d{6,}", path.name)]

    def _whole(self) -> list[Path]:
        return self._named("")

    def _half_written(self) -> list[Path]:
        return [path for path in self._entries() if re.fullmatch(r"\..*\.part", path.name)]

    def _remove(self, path: Path) -> None:
        """Removes a folder; one that is half removed does not pass for a damaged checkpoint."""
        if path.name[0] != ".":
            path = path.rename(path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}"))
        shutil.rmtree(path, ignore_errors=True)


def _number(path: Path) -> int:
    found = re.search(r"\d+", path.name)
    return int(found[0]) if found else 0


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
