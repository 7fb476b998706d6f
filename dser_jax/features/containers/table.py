"""Which containers are known, by their first bytes."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import BinaryIO

from dser_jax.features.containers.chunks import AIFF, CAF, RIFX, W64, WAV, of_chunks
from dser_jax.features.containers.flac import of_flac
from dser_jax.features.containers.headers import of_au, of_nist
from dser_jax.features.containers.length import Length
from dser_jax.features.containers.mpeg import of_mp3
from dser_jax.features.containers.ogg import of_ogg

KNOWN = "wav, flac, mp3, ogg, aiff, au, caf, rf64, w64 or sph"
"""The containers, as people call them."""


def _of_bw64(data: BinaryIO, end: int) -> Length:
    """Has a BW64 read as an RF64, from which it differs by its name and chunks of no concern."""
    length = of_chunks(data, end, WAV)
    return length._replace(mend=((0, 4, b"RF64"), *length.mend))


CONTAINERS: dict[tuple[bytes, bytes], Callable[[BinaryIO, int], Length]] = {
    (b"RIFF", b"WAVE"): partial(of_chunks, layout=WAV),
    (b"RIFX", b"WAVE"): partial(of_chunks, layout=RIFX),
    (b"RF64", b"WAVE"): partial(of_chunks, layout=WAV),
    (b"BW64", b"WAVE"): _of_bw64,
    (b"riff", b"\xa5\xd6\x28\xdb"): partial(of_chunks, layout=W64),
    (b"FORM", b"AIFF"): partial(of_chunks, layout=AIFF),
    (b"FORM", b"AIFC"): partial(of_chunks, layout=AIFF),
    (b"caff", b""): partial(of_chunks, layout=CAF),
    (b".snd", b""): partial(of_au, order="big"),
    (b"dns.", b""): partial(of_au, order="little"),
    (b"NIST", b""): of_nist,
    (b"OggS", b""): of_ogg,
    (b"fLaC", b""): of_flac,
}
"""What looks at the length, by a file's first bytes and by those from the ninth on."""


def examine(data: BinaryIO) -> Length | None:
    """Returns what a container says of its own length; None for one that is not known."""
    end = data.seek(0, os.SEEK_END)
    data.seek(0)
    head = data.read(12)
    for (first, ninth), look in CONTAINERS.items():
        if head.startswith(first) and head[8:].startswith(ninth):
            return look(data, end)
    start = 0
    while head.startswith(b"ID3") and len(head) > 9:  # Its size: four bytes of seven bits each.
        start += 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9])
        data.seek(start)
        head = data.read(12)
    if head.startswith(b"fLaC"):
        return of_flac(data, end, start)
    return of_mp3(data, end, start)
