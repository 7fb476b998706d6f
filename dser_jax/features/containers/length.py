"""What a container says of its own length."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Length(NamedTuple):
    """What a container says of its own length, held against what is there.

    Attributes:
      cut: What is there and what should be, for people; None if nothing is missing.
      mend: Where the header begins and ends that the sound library would not understand, and the
        bytes to be read there instead: those of streams, whose writers could not know the length.
    """

    cut: tuple[str, str] | None = None
    mend: tuple[tuple[int, int, bytes], ...] = ()


class Field(NamedTuple):
    """Where a header tells the number of bytes of samples, and how it is written.

    Attributes:
      at: Its place.
      width: Its bytes.
      order: Of these bytes.
      head: What it counts besides the samples.
    """

    at: int
    width: int
    order: Literal["little", "big"]
    head: int = 0


def counted(size: int, there: int) -> Length:
    """Compares the bytes of samples that a header tells of with those that are there."""
    if size > there:
        return Length(cut=(f"{max(0, there)} bytes of samples", f"{size}, as its header says"))
    return Length()


def endless(field: Field, there: int) -> Length:
    """Has all bytes that are there taken for samples, as the header's writer did not know."""
    if there <= 0:
        return Length()
    size = (there + field.head).to_bytes(field.width, field.order)
    return Length(mend=((field.at, field.at + field.width, size),))
