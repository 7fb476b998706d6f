"""Compiled programs kept on disk, so that a second start does not compile again."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import os
import platform
import sys
import tempfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from dser_jax.system.errors import DserError
from dser_jax.system.files.sealed import read_sealed, write_sealed

MAX_BYTES = 1 << 30
"""What all programs together may take; those that were compiled first go first."""
SUM = ".sha256"
"""How the name of a checksum ends; before that it is the name of its program."""


def enable_compile_cache() -> list[str]:
    """Turns on JAX's persistent compilation cache, in a folder of this package.

    The folder is in the user's cache folder (`XDG_CACHE_HOME`, or `~/.cache`), one for each version
    of jaxlib and kind of CPU, since machines of several kinds may share a home. Kept are programs
    that took a second or more to compile, which is JAX's default.

    Whoever has chosen a folder (`JAX_COMPILATION_CACHE_DIR`), or has turned JAX's cache off, is
    left alone; `DSER_NO_COMPILE_CACHE=1` turns off this one.

    JAX warns of a file that it cannot read and compiles again, but it never replaces that file. And
    where it compresses by zstd, it has no checksum: a flipped bit then ends the process or, worse,
    changes results. Hence checksums of our own, which are looked at here.

    Returns:
      What the user should know: that there is no cache, and why, or that files were damaged.
    """
    if _is_off():
        return []
    import jax

    if _setting("compilation_cache_dir") or not _setting("enable_compilation_cache"):
        return []
    jaxlib = metadata.version("jaxlib")
    if sys.platform == "darwin" and tuple(map(int, jaxlib.split(".")[:2])) < (0, 10):
        return []  # Loading a large program overflows a stack there.
    try:
        folder = cache_root() / f"{jaxlib}-{platform.system().lower()}-{_cpu()}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        _prune(folder.parent)
        damaged = _check(folder)
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home.
        return [f"programs are not kept for the next start, but compiled again: {error}"]
    _seal_what_is_compiled(folder)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    if not damaged:
        return []
    return [f"{folder}: {damaged} damaged programs removed; they are compiled again"]


def _setting(name: str):
    """Reads a setting of JAX, from its environment variable where nobody has set it since."""
    import jax

    return getattr(jax.config, f"jax_{name}")


def cache_root() -> Path:
    """Returns the folder of compiled programs, of all versions and machines."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(given) if os.path.isabs(given) else Path.home() / ".cache") / "dser_jax" / "xla"


def recall(file: str, name: str) -> dict[str, Any] | None:
    """Returns what was found out by trial, and lies beside the compiled programs.

    Args:
      file: Its name; all versions and machines share it.
      name: What was tried, with version and device.

    Returns:
      Nothing yet, as an empty dictionary, also where the file is damaged; None where nothing is
      kept, so that there is no use in trying.
    """
    if _is_off():
        return None
    try:
        found = _read(_beside(file)).get(name)
    except (OSError, RuntimeError):  # RuntimeError: there is no home.
        return None
    return found if isinstance(found, dict) else {}


def remember(file: str, name: str, found: Mapping[str, Any]) -> None:
    """Adds to what was found out; nothing happens where that cannot be written."""
    with contextlib.suppress(OSError, RuntimeError):
        path = _beside(file)
        known = _read(path)
        before = known.get(name)
        both = {**(before if isinstance(before, dict) else {}), **found}
        write_sealed(path, {**known, name: both})


def _is_off() -> bool:
    return os.environ.get("DSER_NO_COMPILE_CACHE", "0") not in ("", "0")


def _beside(file: str) -> Path:
    """Returns where a file beside the programs is, in a folder that is there."""
    root = cache_root()
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    return root / file


def _read(path: Path) -> dict[str, Any]:
    with contextlib.suppress(DserError):
        return read_sealed(path) or {}
    return {}


def _cpu() -> str:
    """Names the kind of CPU, and how many of its cores are ours: XLA compiles for both."""
    about = [platform.machine(), platform.processor()]
    with contextlib.suppress(OSError):
        kinds = ("model name", "flags", "Features", "CPU implementer", "CPU part")
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
        about += sorted({line for line in lines if line.startswith(kinds)})
    about.append(str(len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()))
    return hashlib.sha256("\n".join(about).encode()).hexdigest()[:12]


def _prune(root: Path) -> None:
    """Removes the oldest programs of all versions and machines until the others fit."""
    stats = {}
    for path in root.glob("*/*-cache"):
        with contextlib.suppress(OSError):  # Another process may be pruning.
            stats[path] = path.stat()
    total = 0
    for path in sorted(stats, key=lambda path: -stats[path].st_mtime):
        total += stats[path].st_size
        if total > MAX_BYTES:
            _remove(path)


def _check(folder: Path) -> int:
    """Removes programs that are not what was written; returns how many."""
    damaged = 0
    for path in folder.glob("*-cache"):
        with contextlib.suppress(FileNotFoundError):
            if not _intact(path):
                _remove(path)
                damaged += 1
    return damaged


def _intact(path: Path) -> bool:
    """Compares a program with its checksum, which is made where there is none yet."""
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    kept = path.with_name(path.name + SUM)
    if kept.exists():
        return kept.read_text("utf-8", "replace") == digest
    if not _whole(data):  # Its writer died, or the disk was full.
        return False
    written = path.with_name(f".{path.name}.{os.getpid()}{SUM}")
    try:
        written.write_text(digest, "utf-8")
        written.replace(kept)
    finally:
        written.unlink(missing_ok=True)
    return True


def _whole(data: bytes) -> bool:
    """Returns whether a program can be decompressed, by what JAX compresses with."""
    for library in ("zlib", "compression.zstd", "zstandard"):
        with contextlib.suppress(Exception):
            importlib.import_module(library).decompress(data)
            return True
    return False


def _remove(path: Path) -> None:
    path.with_name(path.name + SUM).unlink(missing_ok=True)
    path.unlink(missing_ok=True)


@functools.cache
def _seal_what_is_compiled(folder: Path) -> None:
    """Has a checksum made of each program as soon as JAX has written it."""
    import jax

    def compiled(event: str, duration_secs: float, **_: str | int) -> None:
        if not event.endswith("/backend_compile_duration"):
            return
        if duration_secs < _setting("persistent_cache_min_compile_time_secs"):
            return
        if _setting("compilation_cache_dir") != str(folder):
            return
        for path in folder.glob("*-cache"):
            with contextlib.suppress(OSError):
                if not path.with_name(path.name + SUM).exists():
                    _intact(path)

    jax.monitoring.register_event_duration_secs_listener(compiled)
