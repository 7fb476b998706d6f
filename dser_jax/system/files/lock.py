"""One process at a time in a folder, also across hosts, and also after the death of a holder.

The holder signs `FOLDER/lock` and touches it every few seconds: its heartbeat. The kernel's lock on
the file, too, tells processes of one machine whether the holder lives. Of a holder on another host
only the heartbeat is known: where it stops for `STALE_SECONDS`, the folder is taken over.

A lock is never overwritten. Whoever takes over from `lock` makes `lock.1`, which can be made only
once, and then removes `lock`; the next one makes `lock.2`, and so on; the highest number holds the
folder. Hence one of several that take over at once succeeds, on any file system, and a holder that
was only held up finds its own file gone: see `FolderLock.check`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from dser_jax.system.errors import DserError
from dser_jax.system.files.atomic import TEMPORARY, saying
from dser_jax.system.files.holder import (
    STALE_SECONDS,
    Holder,
    beat,
    kernel_lock,
    last_beat,
    signature,
    signed,
    silence,
    this_process,
)
from dser_jax.system.interrupt import LAST

_SIGNING = 0.1
"""So many seconds a lock without a signature may be one that is just being signed."""


class FolderLock:
    """Holds `FOLDER/lock` until it is closed, by `close` or at the end of a `with`.

    The kernel's lock on the file decides among processes of one machine, and is let go when its
    holder dies, however it dies. Where a file system has no such locks, the process id written in
    the file decides. A holder on another host is waited for while it may be dead: until its next
    heartbeat, which is a refusal, or until it has missed them for `STALE_SECONDS`, after which the
    folder is taken over. One of a version without heartbeats is respected until somebody deletes
    its file.

    Args:
      folder: Made if need be.

    Attributes:
      path: The file that is held.
      notice: What was taken over from whom, or None.

    Raises:
      DserError: if another process has the folder, named by its process id and its host; or if the
        folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "lock"
        self.notice: str | None = None
        self._token, self._pid = secrets.token_hex(8), os.getpid()
        with saying(self.path):
            folder.mkdir(parents=True, exist_ok=True)
            self._handle: int | None = self._acquire()
        self._closing = threading.Event()
        self._heart = threading.Thread(
            target=beat, args=(self._handle, self._closing), name=f"beat {folder}", daemon=True
        )
        self._heart.start()
        LAST.append(self._remove)

    def _acquire(self) -> int:
        """Makes the lock file that holds the folder from now on; returns it open."""
        while True:
            number, holder, notice = 0, None, None
            before = _highest(self.folder)
            if before is not None:
                try:
                    holder, notice = self._judge(before)
                except FileNotFoundError:  # Its holder was just leaving.
                    continue
                number = _number(before) + 1
            self.path = self.folder / (f"lock.{number}" if number else "lock")
            handle = self._make()
            if handle is None:  # Somebody was quicker.
                continue
            try:
                # Whoever starts anew, and whoever takes over, sees the other here, and gives way.
                locks = list(_locks(self.folder))
                kept = before is None or (before in locks and signature(before) == holder)
                if kept and max(locks, key=_number, default=None) == self.path:
                    for path in locks:
                        if path != self.path:
                            path.unlink(missing_ok=True)
                    self.notice = notice
                    return handle
                self._remove()
            except BaseException:
                self._remove()
                os.close(handle)
                raise
            os.close(handle)
            time.sleep(secrets.randbelow(50) / 1000)

    def _judge(self, path: Path) -> tuple[Holder | None, str | None]:
        """Returns whose lock this was, and what to say of it; raises if it is in use."""
        handle = os.open(path, os.O_RDWR)
        try:
            free = kernel_lock(handle)
            holder = signed(handle)
            if holder is None and free is not False:
                time.sleep(_SIGNING)
                holder = signed(handle)
                if holder is None:
                    return None, None
            if holder is None:
                raise self._taken(path, None)
            if holder.is_here():
                if free if free is not None else not holder.runs():
                    return holder, (
                        f"{path}: {holder} ended without letting go of this folder; taken over"
                    )
                if free is False:
                    raise self._taken(path, holder)
            if holder.token is None:
                raise self._taken(path, holder)
            seconds = silence(path, holder)
            if seconds is None:
                raise self._taken(path, holder)
        finally:
            os.close(handle)
        return holder, (
            f"{path}: {holder} has shown no sign of life for {seconds:.0f} s; taken over, and "
            "whatever it still writes does not count"
        )

    def _make(self) -> int | None:
        """Makes `path`, signed and locked; returns it open, or None if it exists already."""
        aside = self.folder / f".lock.{self._token}{TEMPORARY}"
        handle = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            self._sign(handle)
            made = self._link(aside)
        except BaseException:
            os.close(handle)
            raise
        finally:
            with contextlib.suppress(OSError):
                aside.unlink(missing_ok=True)
        if made:
            return handle
        os.close(handle)
        return self._make_in_place() if made is None else None

    def _link(self, aside: Path) -> bool | None:
        """Gives the signed file its name, once; None where a file system cannot do that."""
        try:
            os.link(aside, self.path)
        except (FileExistsError, FileNotFoundError):
            return self._is_mine()  # A network may lose the answer and not the deed.
        except OSError:
            return None
        return True

    def _make_in_place(self) -> int | None:
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            return None
        try:
            self._sign(handle)
        except BaseException:
            os.close(handle)
            self.path.unlink(missing_ok=True)
            raise
        return handle

    def _sign(self, handle: int) -> None:
        kernel_lock(handle)
        text = this_process(self._token).to_bytes()
        if os.write(handle, text) != len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _is_mine(self) -> bool:
        holder = signature(self.path)
        return holder is not None and holder.token == self._token

    def _remove(self) -> None:
        """Removes the file if it is this lock's, and this no copy of the process that made it."""
        with contextlib.suppress(OSError):
            if self._pid == os.getpid() and self._is_mine():
                self.path.unlink(missing_ok=True)

    def _taken(self, path: Path, holder: Holder | None) -> DserError:
        if holder is None:
            return DserError(f"{self.folder} is in use by another process; try again")
        return DserError(
            f"{self.folder} is in use by {holder} since {holder.since or 'an unknown time'}. Wait "
            "for it, stop it, or choose another folder; if you are sure that it no longer runs, "
            f"delete {path}"
        )

    def check(self) -> None:
        """Makes sure that the folder is still this process's.

        Where this passes after a file was opened, whoever takes over does so later. Where it passes
        after a file was written, whoever takes over reads what was written.

        Raises:
          DserError: if it was let go of, or another process has taken it over; says which and when.
        """
        if self.closed:
            raise DserError(f"{self.folder} was let go of")
        with saying(self.path):
            if self._is_mine():
                return
            other = _highest(self.folder)
            holder = None if other is None else signature(other)
        if holder is None:
            who = f"this process no longer has the folder: its lock {self.path} is gone"
        else:
            who = f"{holder} took this folder over at {holder.since or 'an unknown time'}"
        raise DserError(
            f"{self.folder}: {who}. This process was stopped or cut off for more than "
            f"{STALE_SECONDS:.0f} s, or somebody deleted its lock; what it still writes does not "
            "count"
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
        self._closing.set()
        self._heart.join()
        self._remove()
        LAST.remove(self._remove)
        os.close(handle)

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def held(folder: Path) -> bool:
    """Returns whether some process has a folder, as far as can be told without touching its lock.

    For those who only look: a holder that has just died on another host still counts as one, for
    `STALE_SECONDS`.
    """
    try:
        path = _highest(folder)
        holder = None if path is None else signature(path)
        if path is None or holder is None:
            return False
        return holder.runs() if holder.is_here() else time.time() - last_beat(path) < STALE_SECONDS
    except (FileNotFoundError, NotADirectoryError):  # Let go just now, or there is no such folder.
        return False


def _locks(folder: Path) -> Iterator[Path]:
    for name in os.listdir(folder):
        if re.fullmatch(r"lock(\.[1-9][0-9]*)?", name):
            yield folder / name


def _number(path: Path) -> int:
    return int(path.suffix[1:] or 0)


def _highest(folder: Path) -> Path | None:
    """Returns the lock that holds a folder."""
    return max(_locks(folder), key=_number, default=None)
