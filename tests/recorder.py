"""What crashes leave of a folder: its operations recorded, and replayed with less of them.

A recorder looks at a folder before and after each call of the `os` that names or flushes
something; what differs is what was done in between, whoever did it, C++ too. A crash then keeps
what was flushed. Of a file's bytes that were not, it keeps all, none, half, or zeros in their
place; of names that were not (made, renamed, removed), any.
"""

from __future__ import annotations

import itertools
import os
import random
import stat
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from unittest import mock

WATCHED = ("fsync", "rename", "replace", "remove", "unlink", "link", "mkdir", "rmdir")
EXHAUSTIVE = 3
"""Up to so many unflushed operations, each outcome of all of them is tried."""
DRAWN = 10
"""So many outcomes are drawn where there are more."""
FATES = ("kept", "lost", "torn", "zeroed")
"""What becomes of bytes that were not flushed."""

Tree = Mapping[str, bytes | None]
"""Files by their paths; None for a folder."""


@dataclass(frozen=True)
class Step:
    """One operation, or a flush.

    Attributes:
      kind: make (a file), folder, link, rename, remove; write; flush (bytes), flush names.
      path: Of the name, or of the folder whose names are flushed.
      number: Of the file, whatever it is called; 0 for a folder.
      source: Where a file or folder was before it was renamed.
      data: What is written: all that the file then holds.
    """

    kind: str
    path: str = ""
    number: int = 0
    source: str = ""
    data: bytes = b""


@dataclass
class _Seen:
    """A folder as it was when it was looked at last."""

    names: dict[str, int] = field(default_factory=dict)
    folders: dict[str, int] = field(default_factory=dict)
    data: dict[int, bytes] = field(default_factory=dict)


class Recorder:
    """Watches a folder.

    Attributes:
      root: The folder.
      before: What was in it.
      steps: What was done to it since.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.steps: list[Step] = []
        self._seen = _Seen()
        self._numbers = itertools.count(1)
        self._inodes: dict[int, int] = {}
        self._turn = threading.RLock()
        self._look()
        self.before, self.steps = self.steps, list[Step]()

    @contextmanager
    def watching(self) -> Iterator[Recorder]:
        """Records what the block does."""
        real = {name: getattr(os, name) for name in WATCHED}

        def watched(name: str):
            def call(*args, **kwargs):
                with self._turn:
                    self._look()
                    flushed = self._flush(args[0]) if name == "fsync" else None
                    result = real[name](*args, **kwargs)
                    self.steps += [flushed] if flushed else []
                    self._look()
                    return result

            return call

        with mock.patch.multiple(os, **{name: watched(name) for name in WATCHED}):
            yield self
        self._look()

    def _flush(self, handle: int) -> Step | None:
        found = os.fstat(handle)
        if stat.S_ISDIR(found.st_mode):
            folders = {".": self.root.stat().st_ino, **self._seen.folders}
            names = [name for name, inode in folders.items() if inode == found.st_ino]
            return Step("flush names", names[0]) if names else None
        number = self._inodes.get(found.st_ino)
        return None if number is None else Step("flush", number=number)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def _look(self) -> None:
        """Adds what has happened since the last look."""
        seen, now = self._seen, _Seen()
        inodes: dict[str, int] = {}
        for path in sorted(self.root.rglob("*")):
            # A folder that another thread makes this moment is listed after what is in it: later.
            if path.parent != self.root and self._name(path.parent) not in now.folders:
                continue
            try:
                if path.is_dir() and not path.is_symlink():
                    now.folders[self._name(path)] = path.stat().st_ino
                    continue
                inode, data = path.stat().st_ino, path.read_bytes()
            except FileNotFoundError:  # By another thread, this moment.
                continue
            inodes[self._name(path)] = inode
            if inode not in self._inodes:
                self._inodes[inode] = next(self._numbers)
            number = self._inodes[inode]
            now.names[self._name(path)], now.data[number] = number, data
        for folder, inode in sorted(now.folders.items()):
            if folder in seen.folders:
                continue
            source = next((name for name, there in seen.folders.items() if there == inode), None)
            if source is None or source in now.folders:
                self.steps.append(Step("folder", folder))
            else:
                self.steps.append(Step("rename", folder, source=source))
                for known in (seen.folders, seen.names):
                    _move(known, source, folder)
        gone = {number: name for name, number in seen.names.items() if name not in now.names}
        for name, number in now.names.items():
            if seen.names.get(name) == number:
                continue
            if number in gone:
                self.steps.append(Step("rename", name, number, gone.pop(number)))
            else:
                kind = "link" if number in seen.data else "make"
                self.steps.append(Step(kind, name, number))
        for name in gone.values():
            self.steps.append(Step("remove", name))
        for folder in sorted(seen.folders.keys() - now.folders.keys(), reverse=True):
            self.steps.append(Step("remove", folder))
        for number, data in now.data.items():
            if data != seen.data.get(number, b""):
                self.steps.append(Step("write", number=number, data=data))
        kept = set(inodes.values())
        self._inodes = {inode: n for inode, n in self._inodes.items() if inode in kept}
        self._seen = now


class Crash(NamedTuple):
    """A state that a crash may leave.

    Attributes:
      step: The last of the steps that may have been done before it.
      what: The same, and what met which fate, for people.
      tree: The files.
    """

    step: int
    what: str
    tree: Tree


def crashes(recorder: Recorder, seed: int = 0) -> list[Crash]:
    """Returns what crashes may leave, each state once."""
    drawn = random.Random(seed)
    found: dict[frozenset, Crash] = {}
    for end in range(len(recorder.steps) + 1):
        done = recorder.steps[:end]
        loose = _unflushed(done)
        outcomes = [FATES if what == "bytes" else FATES[:2] for what, _ in loose]
        if len(loose) <= EXHAUSTIVE:
            chosen = list(itertools.product(*outcomes))
        else:
            chosen = [tuple(fate[0] for fate in outcomes), tuple(fate[-1] for fate in outcomes)]
            chosen += [tuple(map(drawn.choice, outcomes)) for _ in range(DRAWN)]
        for fates in chosen:
            tree = _replay(recorder.before, done, dict(zip(loose, fates, strict=True)))
            last = done[-1] if done else Step("nothing")
            met = [
                f"{done[place].kind} {done[place].path} {fate}" if kind == "name" else fate
                for (kind, place), fate in zip(loose, fates, strict=True)
            ]
            what = f"step {end}, {last.kind} {last.path or last.number}: {', '.join(met)}"
            found[frozenset(tree.items())] = Crash(end, what, tree)
    return list(found.values())


def put(tree: Tree, folder: Path) -> Path:
    """Writes such a state as a new folder."""
    folder.mkdir(parents=True)
    for name, data in sorted(tree.items()):
        path = folder / name
        if data is None:
            path.mkdir(exist_ok=True)
        else:
            path.write_bytes(data)
    return folder


Loose = tuple[str, int]
"""Something unflushed: bytes and the number of a file, or a name and the number of a step."""


def _unflushed(steps: list[Step]) -> list[Loose]:
    """Returns what is not flushed; locks are what they are for as long as a process lives."""
    loose: dict[Loose, str] = {}  # Of names, what they name.
    locks: set[int] = set()
    for place, step in enumerate(steps):
        if step.kind == "flush":
            loose.pop(("bytes", step.number), None)
        elif step.kind == "flush names":
            loose = {key: name for key, name in loose.items() if _parent(name) != step.path}
        elif PurePosixPath(step.path).name.startswith(("lock", ".lock")):
            locks.add(step.number)
        elif step.kind != "write":
            if step.kind == "rename" and step.number == 0:
                # Its new name holds, whether or not the older did; what is in it is in it still.
                loose = {
                    key: _moved(name, step.source, step.path)
                    for key, name in loose.items()
                    if name != step.source
                }
            loose["name", place] = step.path
        elif step.number not in locks:
            loose["bytes", step.number] = ""
    return list(loose)


def _parent(name: str) -> str:
    return str(PurePosixPath(name).parent) if name else ""


def _replay(
    before: list[Step], steps: list[Step], fates: Mapping[Loose, str]
) -> dict[str, bytes | None]:
    """Returns what is left where some of the steps met their fates; the others are kept."""
    names: dict[str, int] = {}
    folders = {".": 0}
    flushed: dict[int, bytes] = {}
    data: dict[int, bytes] = {}
    for place, step in enumerate([*before, *steps], start=-len(before)):
        parent = _parent(step.path)
        if step.kind == "write":
            data[step.number] = step.data
            if place < 0:
                flushed[step.number] = step.data
        elif step.kind == "flush":
            flushed[step.number] = data.get(step.number, b"")
        elif fates.get(("name", place)) == "lost" or parent not in folders:
            continue
        elif step.kind == "folder":
            folders[step.path] = 0
        elif step.kind in ("make", "link"):
            names[step.path] = step.number
        elif step.kind == "rename" and step.number == 0:
            if step.source in folders and step.path not in folders:
                _move(folders, step.source, step.path)
                _move(names, step.source, step.path)
        elif step.kind == "rename":  # The new name holds, whether or not the older one did.
            if names.get(step.source) == step.number:
                del names[step.source]
            names[step.path] = step.number
        elif step.kind == "remove":
            names.pop(step.path, None)
            inner = [name for name in (*names, *folders) if name.startswith(f"{step.path}/")]
            if not inner:
                folders.pop(step.path, None)
    tree: dict[str, bytes | None] = {folder: None for folder in folders if folder != "."}
    for name, number in names.items():
        now, then = data.get(number, b""), flushed.get(number, b"")
        tree[name] = _left(now, then, fates.get(("bytes", number), "kept"))
    return tree


def _move(known: dict[str, int], source: str, target: str) -> None:
    """Renames a folder, and with it what is in it."""
    for name in [*known]:
        known[_moved(name, source, target)] = known.pop(name)


def _moved(name: str, source: str, target: str) -> str:
    inside = name == source or name.startswith(f"{source}/")
    return target + name[len(source) :] if inside else name


def _left(now: bytes, then: bytes, fate: str) -> bytes:
    """Returns the bytes that are left of what was written over others, or behind them."""
    if fate in FATES[:2]:
        return now if fate == "kept" else then
    same = len(then) if now.startswith(then) else 0
    half = same + (len(now) - same) // 2
    return now[:half] + then[half:] if fate == "torn" else now[:same] + bytes(len(now) - same)
