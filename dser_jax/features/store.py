"""What extractors gave: kept in files that only grow, and found again by what went in.

A folder an extractor::

    frames.f32     float32 rows, one utterance's after another's; frames.f16 in half precision
    index.jsonl    {"key": ..., "offset": first row, "rows": ..., "crc32": of their bytes,
                    "peak": largest magnitude of the samples, "checksum": of the line}

A line of the index is written after its frames, so the death of a writer leaves at most frames
without a line, or half a line. Both are dropped when the store is next opened to be written. What
a disk or a lost power supply damages has another checksum, and is extracted again.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dser_jax.features.extractors.extractor import Frames
from dser_jax.system import (
    DataError,
    DserError,
    FolderLock,
    parse_sealed,
    remove_stale,
    replacing,
    to_sealed,
)


class Entry(NamedTuple):
    """Where an utterance's frames lie, the checksum of their bytes, and how loud it is at most."""

    offset: int
    rows: int
    crc32: int
    peak: float


class Store:
    """Frames of one extractor, by key; opened to be read.

    Attributes:
      folder: Where it lies; it need not exist.
      width: Features a frame.
      half: Whether numbers are kept in half precision, of 16 bits.
    """

    def __init__(self, folder: Path, width: int, half: bool = False) -> None:
        self.folder, self.width, self.half = folder, width, half
        self.dtype = np.dtype("<f2" if half else "<f4")
        self.row_bytes = self.dtype.itemsize * width
        self.frames_path = folder / ("frames.f16" if half else "frames.f32")
        self.index_path = folder / "index.jsonl"
        self._index = self._read_index()
        self._frames = self._open_frames()

    def __contains__(self, key: str) -> bool:
        """Tells whether the frames are there, and undamaged."""
        return self._find(key) is not None

    def __getitem__(self, key: str) -> Frames:
        """Returns an utterance's frames, in single precision.

        Raises:
          KeyError: They are not there.
          DataError: They are damaged.
        """
        frames = self._find(key)
        if frames is None and key in self._index:
            raise DataError(
                "damaged frames",
                file=self.frames_path,
                expected="what was extracted; the same command extracts it again",
            )
        if frames is None:
            raise KeyError(key)
        return frames.astype(np.float32) if self.half else frames

    def __len__(self) -> int:
        return len(self._index)

    def rows(self, key: str) -> int:
        """Returns the number of an utterance's frames."""
        return self._index[key].rows

    def peak(self, key: str) -> float:
        """Returns the largest magnitude of an utterance's samples."""
        return self._index[key].peak

    def _find(self, key: str) -> np.ndarray | None:
        entry = self._index.get(key)
        if entry is None:
            return None
        frames = self._frames[entry.offset : entry.offset + entry.rows]
        return frames if zlib.crc32(frames.tobytes()) == entry.crc32 else None

    def _read_index(self) -> dict[str, Entry]:
        """Reads the whole lines of the index that speak of frames that are there.

        Lines without a peak are of frames of recordings that nobody has looked at.
        """
        if not self.index_path.exists() or not self.frames_path.exists():
            return {}
        there = self.frames_path.stat().st_size // self.row_bytes
        index = {}
        for line in self.index_path.read_bytes().split(b"\n")[:-1]:
            try:
                item = parse_sealed(line + b"\n")
                offset, rows, crc32 = (int(item[name]) for name in ("offset", "rows", "crc32"))
                entry, key = Entry(offset, rows, crc32, float(item["peak"])), str(item["key"])
            except (ValueError, KeyError, TypeError, OverflowError):
                continue
            if entry.offset >= 0 and entry.rows > 0 and entry.offset + entry.rows <= there:
                index[key] = entry
        return index

    def _open_frames(self) -> np.ndarray:
        rows = 0
        if self.frames_path.exists():
            rows = self.frames_path.stat().st_size // self.row_bytes
        if rows == 0:
            return np.zeros((0, self.width), self.dtype)
        return np.memmap(self.frames_path, self.dtype, "r", shape=(rows, self.width))


class Writer:
    """Adds to a store; made by `writing`."""

    def __init__(self, store: Store) -> None:
        self._width, self._dtype = store.width, store.dtype
        index, end = store._index, 0
        if index:
            end = max(entry.offset + entry.rows for entry in index.values())
        lines = [_line(key, entry) for key, entry in index.items()]
        text = b"".join(lines)
        if not store.index_path.exists() or store.index_path.read_bytes() != text:
            with replacing(store.index_path) as file:
                file.write(text)
        self._frames = store.frames_path.open("ab")
        self._frames.truncate(end * store.row_bytes)
        self._index = store.index_path.open("ab")
        self._end = end

    def add(self, key: str, frames: Frames, peak: float) -> None:
        """Appends an utterance's frames, then the line that names them.

        Raises:
          DserError: The disk is full or fails, or numbers are too large for half precision; what
            was stored before stays readable.
        """
        if frames.ndim != 2 or frames.shape[1] != self._width or len(frames) == 0:
            raise ValueError(f"frames of shape {frames.shape}, expected [rows, {self._width}]")
        with np.errstate(over="ignore"):
            rows = np.ascontiguousarray(frames, self._dtype)
        if np.isfinite(frames).all() and not np.isfinite(rows).all():
            raise DserError(
                f"{self._frames.name}: a feature of {np.abs(frames).max():g} is too large for half "
                "precision; without --float16 it is kept"
            )
        data = rows.tobytes()
        entry = Entry(self._end, len(frames), zlib.crc32(data), peak)
        try:
            self._frames.write(data)
            self._frames.flush()
            self._index.write(_line(key, entry))
            self._index.flush()
        except OSError as error:
            raise DserError(
                f"{self._frames.name}: cannot be written ({error.strerror or error}); what was "
                "extracted so far is kept, and the same command goes on from there"
            ) from error
        self._end += len(frames)

    def close(self) -> None:
        """Flushes and closes the files; a failed last write has been reported already."""
        for file in (self._frames, self._index):
            with suppress(OSError):
                os.fsync(file.fileno())
            with suppress(OSError):
                file.close()


def _line(key: str, entry: Entry) -> bytes:
    return to_sealed({"key": key, **entry._asdict()})


@contextmanager
def writing(folder: Path, width: int, half: bool = False) -> Iterator[Writer]:
    """Opens a store to add to it; drops a torn end, and keeps other writers out."""
    with FolderLock(folder):
        remove_stale(folder)
        writer = Writer(Store(folder, width, half))
        try:
            yield writer
        finally:
            writer.close()
