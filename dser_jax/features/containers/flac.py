"""FLAC: a damaged one makes the sound library stop, so that only those of streams need a look."""

from __future__ import annotations

from typing import BinaryIO

from dser_jax.features.containers.length import Length

TAIL = 1 << 16
"""Bytes at the end among which the last frame is looked for."""


def of_flac(data: BinaryIO, end: int, start: int = 0) -> Length:
    """Has the number of samples counted by the last frame, where the header does not tell it.

    Args:
      data: The file.
      end: Its size.
      start: Where the header begins.
    """
    data.seek(start)
    header = bytearray(data.read(26))
    at = 21
    if len(header) < 26 or header[at] & 0x0F or any(header[at + 1 :]):
        return Length()
    data.seek(max(start, end - TAIL))
    tail = data.read()
    place = len(tail)
    while (place := tail.rfind(b"\xff", 0, place)) >= 0:
        samples = _samples(tail[place:], int.from_bytes(header[8:10], "big"))
        if samples is not None:
            number = (samples | (header[at] >> 4) << 36).to_bytes(5, "big")
            return Length(mend=((start + at, start + at + 5, number),))
    wanted = "a last frame; `ffmpeg -i IN.flac OUT.wav` takes what there is"
    return Length(cut=("no frame that is whole at its end", wanted))


def _samples(frame: bytes, block: int) -> int | None:
    """Returns how many samples there are up to a frame's end; None if it is none, or not whole.

    Args:
      frame: Its bytes.
      block: Samples of all frames but the last, for those that are numbered.
    """
    if len(frame) < 8 or frame[1] & 0xFE != 0xF8 or _crc(frame) != 0:
        return None
    ones = 8 - (frame[4] ^ 0xFF).bit_length()  # As in UTF-8.
    length = max(1, ones)
    number = frame[4] & 0x7F >> ones
    for byte in frame[5 : 4 + length]:
        number = number << 6 | byte & 0x3F
    code, told = frame[2] >> 4, frame[4 + length : 6 + length]
    if code == 1:
        size = 192
    elif code < 6:
        size = 576 << code - 2
    elif code < 8:
        size = 1 + int.from_bytes(told[: code - 5], "big")
    else:
        size = 256 << code - 8
    return (number if frame[1] & 1 else number * block) + size


def _crc(data: bytes) -> int:
    """Returns the remainder of bytes that end with their own checksum: 0 if they are whole."""
    remainder = 0
    for byte in data:
        remainder ^= byte << 8
        for _ in range(8):
            remainder = remainder << 1 ^ (0x8005 if remainder & 0x8000 else 0)
        remainder &= 0xFFFF
    return remainder
