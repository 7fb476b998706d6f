"""Lanes in flight on disk: checkpoints of which a whole one is always there.

A checkpoint is a folder, such as `000012`, with the arrays as Orbax writes them (`arrays`) and a
manifest of what they are, with checksums of all files (`manifest.json`). It is made aside, under a
name that begins with a dot, and put in place by one renaming once all of it is on the disk. Orbax
restores flipped bits silently, hence the checksums.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dser_jax import __version__
from dser_jax.system import TEMPORARY, DserError, saying, sync_folder, write_text

SCHEMA = 1
"""The format of a checkpoint; raised when an older reader would misread a newer one."""

KEPT = 2
"""Whole checkpoints that are kept; as many damaged ones are."""

PyTree = Any


class Snapshot(NamedTuple):
    """What a checkpoint holds.

    Attributes:
      lanes: The state of each run that was under way, by its id: NumPy arrays, without a lane axis;
        the keys among them are typed.
      note: What was noted with it.
    """

    lanes: dict[str, PyTree]
    note: dict[str, Any]


class _Damaged(Exception):
    """A checkpoint is not whole."""


class _Foreign(Exception):
    """A checkpoint is whole, and of something else."""


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
        parked = parked or {}
        leaves = _named(state)
        about = {
            "schema": SCHEMA,
            "runs": [*runs.values(), *parked],
            "note": dict(note or {}),
            "leaves": {name: _describe(leaf, 1) for name, leaf in leaves.items()},
            "versions": {"dser_jax": __version__, "jax": jax.__version__},
        }
        _to_text(about)  # What JSON cannot hold is to come to light here.
        others = [_named(lane) for lane in parked.values()]
        lanes = {
            name: _gather(leaf, list(runs), [other[name] for other in others])
            for name, leaf in leaves.items()
        }
        self._thread = threading.Thread(
            target=self._work, args=(lanes, about, start), name="checkpoint"
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

    def _work(self, lanes: dict[str, np.ndarray], about: dict[str, Any], start: float) -> None:
        try:
            self._write(lanes, about)
            self.seconds = time.perf_counter() - start
        except BaseException as error:
            self._failure = error

    def _write(self, lanes: dict[str, np.ndarray], about: dict[str, Any]) -> None:
        number = 1 + max(map(_number, self._entries()), default=0)
        part = self.folder / f".{number:06d}.{os.getpid()}{TEMPORARY}"
        needed = sum(array.nbytes for array in lanes.values())
        try:
            part.mkdir(parents=True)
            if shutil.disk_usage(part).free < needed:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            # Orbax refuses arrays without elements.
            arrays = {name: array for name, array in lanes.items() if array.size}
            if arrays:
                _write_arrays(part / "arrays", arrays)
            files = {name: _digest(part / name, sync=True) for name in _files(part)}
            for folder in part.rglob("*/"):
                sync_folder(folder)
            write_text(part / "manifest.json", _to_text({**about, "files": files}))
            os.rename(part, self.folder / f"{number:06d}")
            sync_folder(self.folder)
        except Exception as error:
            shutil.rmtree(part, ignore_errors=True)
            raise DserError(self._explain(error, needed)) from error
        with saying(self.folder):
            for path in self._whole()[:-KEPT]:
                self._remove(path)

    def _explain(self, error: Exception, needed: int) -> str:
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
                about = _check(path, like)
                lanes = _read_arrays(path / "arrays", about, like)
            except _Damaged as damage:
                with saying(path):
                    os.rename(path, path.with_name(f"damaged-{path.name}"))
                    for old in self._named("damaged-")[:-KEPT]:
                        self._remove(old)
                self._say(
                    f"{path}: damaged, {damage}; set aside as damaged-{path.name}, and the one "
                    "before it taken, if there is one"
                )
            except _Foreign as difference:
                self._say(f"{path}: left out, as {difference}")
            else:
                return Snapshot(dict(zip(about["runs"], lanes, strict=True)), about["note"])
        return None

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


def _named(tree: PyTree) -> dict[str, Any]:
    """Returns the leaves by their paths."""
    leaves = jax.tree.leaves_with_path(tree)
    named = {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}
    if len(named) != len(leaves):
        raise ValueError("two leaves of the state have the same path")
    return named


def _is_key(leaf: Any) -> bool:
    return jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _describe(leaf: Any, skip: int = 0) -> str:
    return f"{leaf.dtype}{list(leaf.shape[skip:])}"


def _gather(leaf: Any, slots: list[int], others: list[Any]) -> np.ndarray:
    """Copies these lanes of an array, and other lanes, to an array on the host."""
    host, *rows = (np.asarray(jax.random.key_data(x) if _is_key(x) else x) for x in (leaf, *others))
    # A copy, also on a CPU, where `host` is a view of the buffer that the caller gives away next.
    gathered = np.empty((len(slots) + len(rows), *host.shape[1:]), host.dtype)
    for place, row in enumerate([*(host[slot] for slot in slots), *rows]):
        gathered[place] = row
    return gathered


def _write_arrays(folder: Path, arrays: Any) -> None:
    from orbax.checkpoint import v1 as ocp  # Takes a second to import.

    context = ocp.Context()
    # Weights in training do not compress, and trying takes six times as long.
    context.array.saving.use_compression = False
    context.memory.deepcopy_host_arrays = False
    with context, _silent():
        ocp.save(os.fspath(folder.absolute()), arrays)


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


def _read_arrays(folder: Path, about: dict[str, Any], like: PyTree) -> list[PyTree]:
    from orbax.checkpoint import v1 as ocp

    count = len(about["runs"])
    stored: Any = {}
    if folder.exists():
        try:
            with _silent():
                stored = ocp.load(os.fspath(folder.absolute()))
        except Exception as error:
            raise _Foreign(f"Orbax cannot read it ({error})") from error
    leaves, wraps = [], []
    for name, leaf in _named(like).items():
        data, wrap = _stored_as(leaf)
        shape = (count, *data.shape)
        array = stored.get(name, np.zeros(shape if 0 in shape else 0, data.dtype))
        if array.shape != shape or array.dtype != data.dtype:
            raise _Foreign(f"{name} came back as {_describe(array)}")
        leaves.append(array)
        wraps.append(wrap)
    structure = jax.tree.structure(like)
    return [
        structure.unflatten(
            wrap(array[place, ...]) for wrap, array in zip(wraps, leaves, strict=True)
        )
        for place in range(count)
    ]


def _stored_as(leaf: jax.ShapeDtypeStruct) -> tuple[Any, Callable[[np.ndarray], Any]]:
    """Returns what a leaf is on the disk, and what makes the leaf of that."""
    if not _is_key(leaf):
        return leaf, lambda array: array
    kinds = []

    def look(key):
        kinds.append(jax.random.key_impl(key))
        return jax.random.key_data(key)

    data = jax.eval_shape(look, leaf)
    return data, lambda array: jax.random.wrap_key_data(jnp.asarray(array), impl=kinds[0])


def _files(folder: Path) -> list[str]:
    paths = folder.rglob("*")
    return sorted(path.relative_to(folder).as_posix() for path in paths if path.is_file())


def _digest(path: Path, sync: bool = False) -> list[Any]:
    """Returns the size and the SHA-256 of a file, which it may flush to the disk before."""
    with open(path, "rb") as file:
        if sync:
            os.fsync(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return [file.tell(), digest]


def _to_text(about: dict[str, Any]) -> str:
    """Returns the one text of a manifest, which holds its own checksum."""
    body = json.dumps(about, sort_keys=True, allow_nan=False)
    digest = hashlib.sha256(body.encode()).hexdigest()
    return json.dumps({**about, "sha256": digest}, indent=1, sort_keys=True) + "\n"


def _check(path: Path, like: PyTree) -> dict[str, Any]:
    """Returns the manifest of a checkpoint that is whole and fits."""
    manifest = path / "manifest.json"
    try:
        text = manifest.read_text("utf-8")
        about = json.loads(text)
        del about["sha256"]
        if _to_text(about) != text:
            raise ValueError("its checksum is wrong")
    except FileNotFoundError:
        raise _Damaged("manifest.json is missing") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise _Damaged(f"manifest.json: {error}") from error
    if about["schema"] != SCHEMA:
        raise _Foreign(f"its schema is {about['schema']}; expected {SCHEMA}")
    there, here = about["leaves"], {name: _describe(leaf) for name, leaf in _named(like).items()}
    lines = [
        f"{name}: {there.get(name, 'absent')} there, {here.get(name, 'absent')} here"
        for name in {**there, **here}
        if there.get(name) != here.get(name)
    ]
    if lines:
        more = f" and {len(lines) - 3} more" if len(lines) > 3 else ""
        raise _Foreign(f"it is of another state ({'; '.join(lines[:3])}{more})")
    for name, expected in about["files"].items():
        try:
            if _digest(path / name) != expected:
                raise _Damaged(f"{name} is not what was written")
        except OSError as error:
            raise _Damaged(f"{name}: {error.strerror}") from error
    return about
