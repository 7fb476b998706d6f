"""The holder of a folder: how it signs a lock, how it shows that it lives, and whether it does.

Of a holder on this machine the kernel tells whether it lives. Of one on another only the heartbeat
is known: it touches its lock every few seconds.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

from dser_jax.system.files.atomic import TEMPORARY
from dser_jax.system.files.reading import parse_json

try:
    import fcntl
except ImportError:  # Not on Windows: there the process id alone decides.
    fcntl = None  # pyrefly: ignore

BEAT_SECONDS = 5.0
"""How often a holder shows that it lives."""

STALE_SECONDS = 60.0
"""A holder that cannot be asked and has not shown it for so long is taken for dead."""


class Holder(NamedTuple):
    """A process, as it signs a lock.

    Attributes:
      pid, host: Which one, and where.
      boot: Names the time since when its machine runs; None where that cannot be told.
      since: When it took the folder, by its own clock.
      token: Its alone; None for one of a version without heartbeats.
    """

    pid: int
    host: str
    boot: str | None = None
    since: str | None = None
    token: str | None = None

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"

    def to_bytes(self) -> bytes:
        """Returns what it signs with."""
        known = {name: value for name, value in self._asdict().items() if value is not None}
        return json.dumps(known).encode()

    def is_here(self) -> bool:
        """Returns whether the kernel here is the one that knows it."""
        here = machine()
        return self.host == here["host"] and self.boot in (None, here.get("boot"))

    def runs(self) -> bool:
        """Returns whether it runs on this machine; assumes so where it cannot be asked."""
        if os.name == "nt":  # There, signal 0 is not a question but Ctrl-C.
            return True
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


def this_process(token: str) -> Holder:
    """Returns this process as a holder, from now on."""
    return Holder(os.getpid(), **machine(), since=time.strftime("%Y-%m-%d %H:%M:%S"), token=token)


def machine() -> dict[str, str]:
    """Names this machine: its host name, and since when it runs, where that can be told."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return {"host": socket.gethostname(), "boot": boot}
    return {"host": socket.gethostname()}


def signed(handle: int) -> Holder | None:
    """Reads who signed a lock file; None if nobody did, or died before it had finished signing."""
    try:
        os.lseek(handle, 0, os.SEEK_SET)
        found = parse_json(os.read(handle, 4096))
        holder = Holder(found["pid"], found["host"], *map(found.get, Holder._fields[2:]))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    named = isinstance(holder.pid, int) and 0 < holder.pid < 2**31 and isinstance(holder.host, str)
    others = all(isinstance(value, str | None) for value in holder[2:])
    return holder if named and others else None


def signature(path: Path) -> Holder | None:
    """Reads who signed a lock file; None also if there is none any more."""
    try:
        # Opening asks the server of a network file system, which `stat` alone may not do.
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return signed(handle)
    finally:
        os.close(handle)


def kernel_lock(handle: int) -> bool | None:
    """Returns whether the kernel gave its lock on a file, None where it has none to give."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def beat(handle: int, closing: threading.Event) -> None:
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


def last_beat(path: Path) -> float:
    """Returns when a lock was touched last, by the clock of the file system."""
    handle = os.open(path, os.O_RDONLY)
    try:
        return os.fstat(handle).st_mtime
    finally:
        os.close(handle)


def silence(path: Path, holder: Holder) -> float | None:
    """Watches a lock until its holder shows that it lives, or counts as dead; says so if it waits.

    Returns:
      For how many seconds it has shown nothing, by the file system's own clock and by ours since;
      None if it lives.
    """
    last = last_beat(path)
    silent = max(0.0, _file_clock(path.parent) - last)
    start = time.monotonic()
    said = False
    while (seconds := silent + time.monotonic() - start) < STALE_SECONDS:
        if not said and seconds > 2 * BEAT_SECONDS:
            said = True
            print(
                f"{path}: {holder} has shown no sign of life for {seconds:.0f} s; taken over after "
                f"{STALE_SECONDS:.0f} s",
                file=sys.stderr,
                flush=True,
            )
        time.sleep(min(BEAT_SECONDS / 5, STALE_SECONDS - seconds))
        if last_beat(path) != last:
            return None
    return seconds


def _file_clock(folder: Path) -> float:
    """Returns the time as the file system has it; the clocks of two hosts may differ."""
    path = folder / f".clock.{secrets.token_hex(8)}{TEMPORARY}"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        return os.fstat(handle).st_mtime
    finally:
        os.close(handle)
        path.unlink(missing_ok=True)
