"""What an extractor of acoustic features is."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import version
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from dser_jax.features.audio import Signal

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
