"""Ogg: pages, the last of which says that it is the last. In them lie Vorbis, Opus and others."""

from __future__ import annotations

from typing import BinaryIO

from dser_jax.features.containers.length import Length

FIRST, LAST = 2, 4
"""Flags of a page: its stream begins, or ends with it."""


def of_ogg(data: BinaryIO, end: int) -> Length:
    """Looks whether the pages are whole, and whether the last of each stream is there."""
    at, running = 0, set()
    while at < end:
        data.seek(at)
        head = data.read(27)
        if not head.startswith(b"OggS"[: len(head)]):
            break
        lacing = data.read(head[26]) if len(head) == 27 else b""
        size = 27 + len(lacing) + sum(lacing)
        if len(head) < 27 or len(lacing) < head[26] or at + size > end:
            return Length(cut=("an end amid a page", "whole pages"))
        stream = head[14:18]
        if head[5] & FIRST:
            running.add(stream)
        if head[5] & LAST:
            running.discard(stream)
        at += size
    if running:
        wanted = "its last page; `ffmpeg -i IN.ogg OUT.wav` takes what there is"
        return Length(cut=("no page that ends it", wanted))
    return Length()
