"""High-level statistical functionals: one vector an utterance."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

from dser_jax.features.extractor import Frames

Functionals = Float32[np.ndarray, "2*feat"]
"""Means, then standard deviations."""


def hsf(frames: Frames) -> Functionals:
    """Returns the means over the frames, then the standard deviations (ddof 0)."""
    values = frames.astype(np.float64)
    return np.concatenate([values.mean(axis=0), values.std(axis=0)]).astype(np.float32)


def hsf_columns(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the names of what `hsf` gives."""
    return (*(f"{name}_mean" for name in columns), *(f"{name}_std" for name in columns))
