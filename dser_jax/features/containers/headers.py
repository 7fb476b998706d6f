"""Containers with one header in front of the samples: AU, NIST SPHERE."""

from __future__ import annotations

import re
from typing import BinaryIO, Literal

from dser_jax.features.containers.length import Field, Length, counted, endless

UNKNOWN = 0xFFFFFFFF
"""The bytes of samples in the header of an AU whose writer could not know them; some write 0."""


def of_au(data: BinaryIO, end: int, order: Literal["little", "big"]) -> Length:
    """Compares the size that an AU tells with the file's.

    Args:
      data: The file.
      end: Its size.
      order: Of the bytes of its numbers.
    """
    data.seek(4)
    start = int.from_bytes(data.read(4), order)
    size = int.from_bytes(data.read(4), order)
    there = end - start
    if size == UNKNOWN:
        return Length()  # The sound library reads to the end of the file.
    return endless(Field(8, 4, order), there) if size == 0 else counted(size, there)


def of_nist(data: BinaryIO, end: int) -> Length:
    """Compares the number of samples that a SPHERE header tells with the file's size.

    A header without that number is a stream's.
    """
    data.seek(0)
    text = data.read(1024).decode("latin-1")
    start = re.match(r"NIST_1A\s+(\d+)\s", text)
    told = dict(re.findall(r"^(\w+) -\w+ (\d+)", text, re.MULTILINE))
    if start is None or not told.keys() >= {"sample_count", "sample_n_bytes", "channel_count"}:
        return Length()
    size = 1
    for name in ("sample_count", "sample_n_bytes", "channel_count"):
        size *= int(told[name])
    return counted(size, end - int(start[1]))
