"""`rows.jsonl` as whoever holds the folder writes to it: a line a row, out of others' reach.

Whoever opens a journal puts a copy of the file in its place, and holds the file that it writes to
open. A former holder that was taken for dead, and is not, thus writes to a file that is no longer
in the folder: its rows cannot reach the table, whatever it does and whenever it wakes up. After
each row it looks whether the folder is still its own, so it learns that too; and where the folder
was, the row was there before anybody took over, and is in the copy.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from dser_jax.system import FolderLock, replacing, saying, sync_folder


class RowFile:
    """The file that rows are appended to, each flushed to the disk.

    Attributes:
      path: Where it lies.
    """

    def __init__(self, path: Path, lock: FolderLock) -> None:
        """Opens nothing yet.

        Args:
          path: The file, which need not be there.
          lock: Of its folder.
        """
        self.path, self._lock = path, lock
        self._end = 0
        self._handle: int | None = None

    def take_over(self, kept: bytes) -> None:
        """Puts a copy of the file in its place, if there is one, with these lines alone."""
        self._end = len(kept)
        if self.path.exists():
            with replacing(self.path) as file:
                file.write(kept)

    def append(self, line: bytes) -> None:
        """Writes a line and flushes it to the disk.

        Raises:
          DserError: as `Journal.commit` has it; the file is then as it was.
        """
        with saying(self.path):
            handle = self._open()
            try:
                if os.fstat(handle).st_size != self._end:  # What an earlier failure left behind.
                    os.ftruncate(handle, self._end)
                written = os.write(handle, line)
                if written != len(line):
                    raise OSError(f"{written} of {len(line)} bytes written, the disk is full")
                os.fsync(handle)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.ftruncate(handle, self._end)
                raise
        self._end += len(line)
        self._lock.check()

    def _open(self) -> int:
        if self._handle is None:
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            try:
                sync_folder(self.path.parent)  # A new file's rows are kept only if its name is.
                self._lock.check()  # Only now it is known to be ours, and not that of a successor.
            except BaseException:
                os.close(handle)
                raise
            self._handle = handle
        return self._handle

    def close(self) -> None:
        """Lets go of the file; harmless when done twice."""
        if self._handle is not None:
            handle, self._handle = self._handle, None
            os.close(handle)
