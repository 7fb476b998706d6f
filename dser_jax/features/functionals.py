"""High-level statistical functionals: one vector an utterance."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

from dser_jax.features.extractors.extractor import Frames

Functionals = Float32[np.ndarray, "2*feat"]
"""Means, then standard deviations."""


NONZERO = ".nonzero"
"""How the names of functionals end in which zeros were taken for missing values."""


def hsf(frames: Frames) -> Functionals:
    """Returns the means over the frames, then the standard deviations (ddof 0)."""
    values = frames.astype(np.float64)
    return np.concatenate([values.mean(axis=0), values.std(axis=0)]).astype(np.float32)


def nonzero_hsf(frames: Frames) -> Functionals:
    """Returns the same over the values that are not zero; 0 where there are none.

    The authors took zeros for padding, so the true zeros of unvoiced frames (pitch, jitter,
    formants) vanish from their functionals. Only protocol "paper" uses these.
    """
    values = frames.astype(np.float64)
    there = values != 0
    count = np.maximum(there.sum(axis=0), 1)
    mean = values.sum(axis=0) / count
    deviation = np.sqrt((there * (values - mean) ** 2).sum(axis=0) / count)
    return np.concatenate([mean, deviation]).astype(np.float32)


def hsf_columns(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the names of what `hsf` gives."""
    return (*(f"{name}_mean" for name in columns), *(f"{name}_std" for name in columns))
