"""What an extractor of acoustic features is, and how what it gives is checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from dser_jax.features.audio import RATE, Signal
from dser_jax.system import DataError

Frames = Float32[np.ndarray, "frame feat"]
"""Low-level descriptors: a row every 10 ms."""


class Extractor(NamedTuple):
    """Low-level descriptors from a signal.

    Attributes:
      name: As `--features` and the store call it.
      columns: Names of the descriptors, in the library's order.
      library: The distribution that computes them.
      settings: How it is asked to, for people and for the store's keys.
      shortest: Seconds below which the library gives no frame.
      make: Starts the library, and returns the function from a 16 kHz signal to frames.
    """

    name: str
    columns: tuple[str, ...]
    library: str
    settings: str
    shortest: float
    make: Callable[[], Callable[[Signal], Frames]]

    @property
    def source(self) -> str:
        """The library, its version and the settings."""
        return f"{self.library} {version(self.library)} {self.settings}"

    def key_parts(self) -> str:
        """Everything besides the audio that the frames depend on."""
        return json.dumps([self.name, self.source])


def make_frames(extractor: Extractor) -> Callable[[Signal, Path | None], Frames]:
    """Starts an extractor; returns the function from a signal, and its file, to checked frames.

    That function raises a `DataError`, which names the file, for a signal that is too short for the
    extractor, or that gives it numbers that are none.
    """
    extract_frames = extractor.make()

    def frames_of(signal: Signal, file: Path | None) -> Frames:
        seconds = len(signal) / RATE
        if seconds < extractor.shortest:
            raise DataError(
                f"too short for {extractor.name}",
                file=file,
                value=f"{seconds:g} s",
                expected=f"at least {extractor.shortest} s",
            )
        return _checked(extract_frames(signal), extractor, file)

    return frames_of


def _checked(frames: Frames, extractor: Extractor, file: Path | None) -> Frames:
    """Returns the frames, if they are numbers."""
    if frames.ndim != 2 or frames.shape[1] != len(extractor.columns) or len(frames) == 0:
        raise DataError(
            f"{extractor.name} gave no frames",
            file=file,
            value=f"shape {frames.shape}",
            expected=f"[frame, {len(extractor.columns)}]",
        )
    wrong = ~np.isfinite(frames)
    if wrong.any():
        frame, column = np.argwhere(wrong)[0]
        raise DataError(
            f"{extractor.name} gave a value that is no number (is the recording silent?)",
            file=file,
            value=f"{frames[frame, column]} as {extractor.columns[column]} of frame {frame}",
            expected="finite features",
        )
    return frames
