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
import json
import os
import re
import secrets
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dser_jax.system.atomic import TEMPORARY, saying
from dser_jax.system.errors import DserError

try:
    import fcntl
except ImportError:  # Not on Windows: there the process id alone decides.
    fcntl = None  # pyrefly: ignore

BEAT_SECONDS = 5.0
"""How often a holder shows that it lives."""

STALE_SECONDS = 60.0
"""A holder that cannot be asked and has not shown it for so long is taken for dead."""

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
        self._token = secrets.token_hex(8)
        with saying(self.path):
            folder.mkdir(parents=True, exist_ok=True)
            self._handle: int | None = self._acquire()
        self._closing = threading.Event()
        self._heart = threading.Thread(
            target=_beat, args=(self._handle, self._closing), name=f"beat {folder}", daemon=True
        )
        self._heart.start()

    def _acquire(self) -> int:
        """Makes the lock file that holds the folder from now on; returns it open."""
        while True:
            number, owner, notice = 0, None, None
            before = _highest(self.folder)
            if before is not None:
                try:
                    owner, notice = self._judge(before)
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
                kept = before is None or (before in locks and _signature(before) == owner)
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

    def _judge(self, path: Path) -> tuple[dict[str, Any] | None, str | None]:
        """Returns whose lock this was, and what to say of it; raises if it is in use."""
        handle = os.open(path, os.O_RDWR)
        try:
            free = _kernel_lock(handle)
            owner = _owner(handle)
            if owner is None and free is not False:
                time.sleep(_SIGNING)
                owner = _owner(handle)
                if owner is None:
                    return None, None
            if owner is None:
                raise self._taken(path, None)
            who = f"{path}: process {owner['pid']} on {owner['host']}"
            if _same_machine(owner):
                if free if free is not None else not _alive(owner["pid"]):
                    return owner, f"{who} ended without letting go of this folder; taken over"
                if free is False:
                    raise self._taken(path, owner)
            if "token" not in owner:
                raise self._taken(path, owner)
            seconds = self._wait(path, owner)
        finally:
            os.close(handle)
        return owner, (
            f"{who} has shown no sign of life for {seconds:.0f} s; taken over, and whatever it "
            "still writes does not count"
        )

    def _wait(self, path: Path, owner: dict[str, Any]) -> float:
        """Watches a lock until its holder shows that it lives, which raises, or counts as dead.

        Returns:
          For how long it has shown nothing, by the file system's own clock and by ours since.
        """
        last = _modified(path)
        silent = max(0.0, self._file_clock() - last)
        start = time.monotonic()
        said = False
        while (seconds := silent + time.monotonic() - start) < STALE_SECONDS:
            if not said and seconds > 2 * BEAT_SECONDS:
                said = True
                print(
                    f"{path}: process {owner['pid']} on {owner['host']} has shown no sign of life "
                    f"for {seconds:.0f} s; taken over after {STALE_SECONDS:.0f} s",
                    file=sys.stderr,
                    flush=True,
                )
            time.sleep(min(BEAT_SECONDS / 5, STALE_SECONDS - seconds))
            if _modified(path) != last:
                raise self._taken(path, owner)
        return seconds

    def _file_clock(self) -> float:
        """Returns the time as the file system has it; the clocks of two hosts may differ."""
        path = self.folder / f".clock.{self._token}{TEMPORARY}"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            return os.fstat(handle).st_mtime
        finally:
            os.close(handle)
            path.unlink(missing_ok=True)

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
        _kernel_lock(handle)
        owner = {
            "pid": os.getpid(),
            **_machine(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
            "token": self._token,
        }
        text = json.dumps(owner).encode()
        if os.write(handle, text) != len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _is_mine(self) -> bool:
        return (_signature(self.path) or {}).get("token") == self._token

    def _remove(self) -> None:
        """Removes the file if it is this lock's."""
        with contextlib.suppress(OSError):
            if self._is_mine():
                self.path.unlink(missing_ok=True)

    def _taken(self, path: Path, owner: dict[str, Any] | None) -> DserError:
        if owner is None:
            return DserError(f"{self.folder} is in use by another process; try again")
        return DserError(
            f"{self.folder} is in use by process {owner['pid']} on {owner['host']} since "
            f"{owner.get('since', 'an unknown time')}. Wait for it, stop it, or choose another "
            f"folder; if you are sure that it no longer runs, delete {path}"
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
            owner = None if other is None else _signature(other)
        if owner is None:
            who = f"this process no longer has the folder: its lock {self.path} is gone"
        else:
            who = (
                f"process {owner['pid']} on {owner['host']} took this folder over at "
                f"{owner.get('since', 'an unknown time')}"
            )
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
        os.close(handle)

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _beat(handle: int, closing: threading.Event) -> None:
    """Touches the open file now and then, until told to stop; needs no room on the disk."""
    while not closing.wait(BEAT_SECONDS):
        try:
            os.utime(handle)
        except (OSError, TypeError):  # Where that cannot be, a byte is written again.
            with contextlib.suppress(OSError):
                os.lseek(handle, 0, os.SEEK_SET)
                first = os.read(handle, 1)
                os.lseek(handle, 0, os.SEEK_SET)
                os.write(handle, first)


def held(folder: Path) -> bool:
    """Returns whether some process has a folder, as far as can be told without touching its lock.

    For those who only look: a holder that has just died on another host still counts as one, for
    `STALE_SECONDS`.
    """
    try:
        path = _highest(folder)
        owner = None if path is None else _signature(path)
        if path is None or owner is None:
            return False
        if _same_machine(owner):
            return _alive(owner["pid"])
        return time.time() - _modified(path) < STALE_SECONDS
    except FileNotFoundError:  # It was let go just now, or there is no such folder.
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


def _kernel_lock(handle: int) -> bool | None:
    """Returns whether the kernel gave the lock, None where it has none to give."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _owner(handle: int) -> dict[str, Any] | None:
    """Reads who signed a lock file; None if nobody did, or died before it had finished signing."""
    try:
        os.lseek(handle, 0, os.SEEK_SET)
        owner = json.loads(os.read(handle, 4096))
        return owner if {"pid", "host"} <= set(owner) else None
    except (ValueError, TypeError):
        return None


def _signature(path: Path) -> dict[str, Any] | None:
    """Reads who signed a lock file; None also if there is none any more."""
    try:
        # Opening asks the server of a network file system, which `stat` alone may not do.
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return _owner(handle)
    finally:
        os.close(handle)


def _modified(path: Path) -> float:
    handle = os.open(path, os.O_RDONLY)
    try:
        return os.fstat(handle).st_mtime
    finally:
        os.close(handle)


def _machine() -> dict[str, str]:
    """Names this machine: its host name, and since when it runs, where that can be told."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return {"host": socket.gethostname(), "boot": boot}
    return {"host": socket.gethostname()}


def _same_machine(owner: dict[str, Any]) -> bool:
    """Returns whether the kernel here is the one that knows the owner."""
    here = _machine()
    return owner["host"] == here["host"] and owner.get("boot") in (None, here.get("boot"))


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
