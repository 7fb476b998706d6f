"""Containers of chunks, one of which holds the samples: WAV, RF64, W64, AIFF, CAF."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Literal, NamedTuple

from dser_jax.features.containers.length import Field, Length, counted, endless

ENDLESS = 0x7FFFF000
"""Bytes of samples from which on the header of a WAV may be that of a stream.

Those who write to a pipe put there this, 0x7FFFFFFF, 0x80000000 or the like, or 0xFFFFFFFF.
"""
MORE_THAN_ANY = 1 << 62
"""The same where a size has eight bytes: they put there 2**63 - 1 or 2**64 - 1."""


class Chunks(NamedTuple):
    """How a container of chunks is laid out.

    Attributes:
      samples: The name of the chunk with the samples.
      first: Where the first chunk begins.
      width: Bytes of a chunk's size, which stands between its name and its contents.
      order: Of these bytes.
      head: What the size counts besides the contents.
      align: Of how many bytes the contents are filled up to a multiple.
    """

    samples: bytes
    first: int = 12
    width: int = 4
    order: Literal["little", "big"] = "little"
    head: int = 0
    align: int = 2


WAV = Chunks(b"data")
RIFX = Chunks(b"data", order="big")
AIFF = Chunks(b"SSND", order="big")
CAF = Chunks(b"data", first=8, width=8, order="big", align=1)
W64 = Chunks(
    b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a", first=40, width=8, head=24, align=8
)


class Chunk(NamedTuple):
    """A chunk: its name, the size that it tells, and where its contents begin and end."""

    name: bytes
    size: int
    start: int
    end: int


def of_chunks(data: BinaryIO, end: int, layout: Chunks) -> Length:
    """Compares the size of the chunk with the samples with the file's.

    Args:
      data: The file.
      end: Its size.
      layout: How the container is laid out.
    """
    chunks = _walk(data, layout, end)
    long = None
    for chunk in chunks:
        if chunk.name == b"ds64":
            long = chunk
        if chunk.name == layout.samples:
            break
    else:
        return Length()  # The sound library finds nothing either, and says so.
    size, there = chunk.size, end - chunk.start
    field = Field(chunk.start - layout.width, layout.width, layout.order, layout.head)
    if long is not None and size == 0xFFFFFFFF:  # RF64: the number that four bytes cannot hold.
        field = Field(long.start + 8, 8, "little")
        data.seek(field.at)
        size = int.from_bytes(data.read(8), "little")
    if field.width == 4 and size >= ENDLESS:
        return Length()  # The sound library reads to the end of the file.
    if size >= MORE_THAN_ANY or (size == 0 and not _reach(chunks, end)):
        return endless(field, there)
    return counted(size - layout.head, there)


def _walk(data: BinaryIO, layout: Chunks, end: int) -> Iterator[Chunk]:
    """Yields the chunks whose heads are there."""
    at, name = layout.first, len(layout.samples)
    while at < end:
        data.seek(at)
        head = data.read(name + layout.width)
        if len(head) < name + layout.width:
            return
        size = int.from_bytes(head[name:], layout.order)
        start = at + len(head)
        contents = max(0, size - layout.head)
        at = start + contents + -contents % layout.align
        yield Chunk(head[:name], size, start, start + contents)


def _reach(chunks: Iterator[Chunk], end: int) -> bool:
    """Tells whether the other chunks end where the file does, so that they are no samples."""
    last = None
    for chunk in chunks:
        last = chunk
    return last is not None and last.end in (end - 1, end)
