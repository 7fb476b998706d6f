"""One process at a time in a folder."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from pathlib import Path

from dser_jax.atomic import saying
from dser_jax.errors import DserError

try:
    import fcntl
except ImportError:  # Not on Windows: there the process id alone decides.
    fcntl = None  # pyrefly: ignore


class FolderLock:
    """Holds `FOLDER/lock` until it is closed, by `close` or at the end of a `with`.

    The kernel's lock on the file decides among processes of one machine, and is let go when its
    holder dies, however it dies. Where a file system has no such locks, the process id written in
    the file decides. Of a holder on another machine nothing can be known, hence a file that names
    another host is respected until somebody deletes it.

    Args:
      folder: Made if need be.

    Attributes:
      notice: What was taken over from whom, or None.

    Raises:
      DserError: if another process has the folder, named by its process id and its host; or if the
        folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lock"
        self.notice: str | None = None
        with saying(self.path):
            folder.mkdir(parents=True, exist_ok=True)
            while True:
                handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
                try:
                    if self._take(handle):
                        break
                except BaseException:
                    os.close(handle)
                    raise
                os.close(handle)
        self._handle: int | None = handle

    def _take(self, handle: int) -> bool:
        """Locks and signs the open file; False if it is no longer the one in the folder."""
        held = self._kernel_lock(handle)
        try:
            if not os.path.samestat(os.fstat(handle), os.stat(self.path)):
                return False
        except FileNotFoundError:  # Its holder was just leaving.
            return False
        owner = _owner(handle)
        here = socket.gethostname()
        if owner is not None:
            free = owner["host"] == here and (held or not _alive(owner["pid"]))
            if not free:
                raise self._taken(owner)
            self.notice = (
                f"{self.path}: process {owner['pid']} on {owner['host']} ended without letting go "
                "of this folder; taken over"
            )
        text = json.dumps(
            {"pid": os.getpid(), "host": here, "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        )
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, text.encode())
        return True

    def _kernel_lock(self, handle: int) -> bool:
        """Returns whether the kernel gave the lock, False where it has none to give."""
        if fcntl is None:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise self._taken(_owner(handle)) from None
        except OSError:
            return False
        return True

    def _taken(self, owner: dict | None) -> DserError:
        if owner is None:
            return DserError(f"{self.path.parent} is in use by another process; try again")
        return DserError(
            f"{self.path.parent} is in use by process {owner['pid']} on {owner['host']} since "
            f"{owner.get('since', 'an unknown time')}. Wait for it, stop it, or choose another "
            f"folder; if you are sure that it no longer runs, delete {self.path}"
        )

    @property
    def closed(self) -> bool:
        """Whether the folder was let go of."""
        return self._handle is None

    def close(self) -> None:
        """Lets go of the folder; harmless when done twice."""
        if self._handle is None:
            return
        handle, self._handle = self._handle, None
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
        os.close(handle)

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _owner(handle: int) -> dict | None:
    """Reads who signed a lock file; None if nobody did, or died before it had finished signing."""
    try:
        os.lseek(handle, 0, os.SEEK_SET)
        owner = json.loads(os.read(handle, 4096))
        return owner if {"pid", "host"} <= set(owner) else None
    except (ValueError, TypeError):
        return None


def _alive(pid: int) -> bool:
    """Returns whether a process of this machine runs; assumes so where it cannot be asked."""
    if os.name == "nt":  # There, signal 0 is not a question but Ctrl-C.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
