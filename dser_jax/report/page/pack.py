"""Numbers on their way into a page: quantized, compressed, and as text that HTML can hold."""

from __future__ import annotations

import base64
import gzip
import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

NONE = -32768
"""Stands for a score that is not there, among thousandths."""

MISSING = 255
"""Stands for a value that is not there, among codes."""

LEVELS = 254
"""Codes go from 0 to this, which is as fine as a screen shows a curve."""

KINDS = {"uint8", "uint16", "uint32", "int16", "float32", "float64"}


def compressed(data: bytes) -> str:
    """Returns bytes as gzip in base64; the same bytes give the same text on every day."""
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode("ascii")


class Arrays:
    """Arrays that a page reads by name, behind a JSON text that says what they are."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, int, int]] = {}
        self._parts: list[bytes] = []
        self._end = 0

    def add(self, name: str, array: NDArray) -> str:
        """Takes an array in, flattened; returns its name."""
        kind = array.dtype.name
        if kind not in KINDS:
            raise TypeError(f"{name}: a page holds {', '.join(sorted(KINDS))}, not {kind}")
        data = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()
        self._known[name] = (kind, self._end, array.size)
        self._parts.append(data + bytes(-len(data) % 8))
        self._end += len(self._parts[-1])
        return name

    def container(self, content: Any) -> bytes:
        """Joins all: the length of the JSON text as uint32, the text, arrays from byte 8 on."""
        text = json.dumps({"content": content, "arrays": self._known}, ensure_ascii=False)
        head = text.encode()
        head += b" " * (-(4 + len(head)) % 8)
        return struct.pack("<I", len(head)) + head + b"".join(self._parts)


def thousandths(values: list[float | None]) -> NDArray[np.int16]:
    """Rounds scores to the three decimals that a report shows, as it does; None is `NONE`."""
    ends = -32767.0, 32767.0
    rounded = [
        NONE if v is None else min(max(1000 * float(f"{v:.3f}"), ends[0]), ends[1]) for v in values
    ]
    return np.rint(np.array(rounded, np.float64)).astype(np.int16)


def coded(
    values: NDArray, low: float | None = None, high: float | None = None
) -> tuple[NDArray[np.uint8], float, float]:
    """Rounds values to 255 levels between the lowest and the highest of them, or those given.

    Returns:
      The codes, `MISSING` where a value is not finite, and the values of code 0 and of the last.
    """
    values = np.asarray(values, np.float64)
    known = np.isfinite(values)
    low = float(values[known].min(initial=np.inf)) if low is None else low
    high = float(values[known].max(initial=-np.inf)) if high is None else high
    if not known.any():
        return np.full(values.shape, MISSING, np.uint8), 0.0, 0.0
    step = (high - low) / LEVELS or 1.0
    codes = np.rint((np.where(known, values, low) - low) / step).clip(0, LEVELS)
    return np.where(known, codes, MISSING).astype(np.uint8), low, high


def steps(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns the differences along the last axis, modulo 256, which compress better."""
    return np.diff(codes, axis=-1, prepend=np.uint8(0))
