"""MP3: frames one after the other, the first of which may tell how many come after it.

Without that one the sound library guesses the length from the size of the first frame, and reads
no further than that: a fifth, where later frames are smaller. So it is given one.
"""

from __future__ import annotations

from typing import BinaryIO

from dser_jax.features.containers.length import Length

KILOBITS = {
    3: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    0: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Rates of layer III by the version in a frame's head: 3 is MPEG-1, 2 MPEG-2, 0 MPEG-2.5."""
HERTZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}

TAGS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3", b"3DI")
"""What may come behind the last frame."""


def of_mp3(data: BinaryIO, end: int, start: int) -> Length | None:
    """Looks whether the frames are whole, and as many as the first says, where it does.

    Args:
      data: The file.
      end: Its size.
      start: Where its first frame begins.

    Returns:
      None if these are no frames of layer III.
    """
    data.seek(start)
    first = data.read(256)
    at, frames = start, 0
    while (size := frame_bytes(_at(data, at))) is not None and at + size <= end:
        at, frames = at + size, frames + 1
    if frames < 2 and size is None and at < end:
        return None  # Two bytes that look like a head are in many a file.
    rest = _at(data, at, -1)
    if size is not None or (0 < len(rest) < 4 and rest[0] == 0xFF):
        missing = "a whole one" if size is None else f"{size}"
        return Length(cut=(f"{end - at} bytes of a frame", missing))
    declared = _declared(first)
    if declared is None:
        if rest.strip(b"\0") and not rest.startswith(TAGS):
            wanted = "frames to its end; `ffmpeg -i IN.mp3 OUT.wav` takes what it finds"
            return Length(cut=(f"no frame at byte {at}", wanted))
        return Length(mend=((start, start, _telling(first, frames)),))
    if frames - 1 < declared:
        return Length(cut=(f"{frames - 1} frames", f"{declared}, as the first says"))
    return Length()


def frame_bytes(head: bytes) -> int | None:
    """Returns the size of a frame of layer III; None where there is none, or it does not tell."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return None
    version, rate, hertz = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or not 0 < rate < 15 or hertz == 3:
        return None
    bits = 1000 * KILOBITS[version][rate - 1]
    return (144 if version == 3 else 72) * bits // HERTZ[version][hertz] + (head[2] >> 1 & 1)


def _at(data: BinaryIO, at: int, count: int = 4) -> bytes:
    data.seek(at)
    return data.read(count)


def _tells_at(head: bytes) -> int:
    """Returns where in a frame its number of frames is told: behind what describes its sound."""
    mono = head[3] >> 6 == 3
    if head[1] >> 3 & 3 == 3:
        return 4 + (17 if mono else 32)
    return 4 + (9 if mono else 17)


def _declared(frame: bytes) -> int | None:
    """Returns how many frames the first says that come after it; None if it is like the others."""
    told = frame[_tells_at(frame) :]
    if told[:4] not in (b"Xing", b"Info") or len(told) < 12 or not told[7] & 1:
        return None
    return int.from_bytes(told[8:12], "big")


def _telling(frame: bytes, frames: int) -> bytes:
    """Makes a frame that tells how many come after it, for a file that begins with `frame`."""
    # The largest rate, so that there is room; no checksum; no padding.
    head = bytes((0xFF, frame[1] | 1, 0xE0 | frame[2] & 0x0C, frame[3]))
    told = b"Xing" + (1).to_bytes(4, "big") + frames.to_bytes(4, "big")
    size = frame_bytes(head) or 0
    return (head.ljust(_tells_at(head), b"\0") + told).ljust(size, b"\0")
