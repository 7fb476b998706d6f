"""Means and deviations of features, and which features vary at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32

ROUNDING = 1e-6
"""Features are float32: a deviation of less than this share of the mean is rounding."""


class Moments(NamedTuple):
    """Of each column its mean, its deviation, and whether it varies."""

    mean: Float[np.ndarray, " feat"]
    deviation: Float[np.ndarray, " feat"]
    varies: Bool[np.ndarray, " feat"]


def moments(values: Float[np.ndarray, "rows feat"]) -> Moments:
    """Computes them over rows, of which there is one at least."""
    mean, deviation = values.mean(0), values.std(0)
    return Moments(mean, deviation, deviation > ROUNDING * np.abs(mean))


@dataclass(frozen=True)
class Scaler:
    """Mean and deviation of each feature over the frames of the rows it was fitted on."""

    mean: Float[np.ndarray, " feat"]
    scale: Float[np.ndarray, " feat"]

    def __call__(self, x: np.ndarray) -> Float32[np.ndarray, "... feat"]:
        """Standardizes features; those that never varied are only centred."""
        return ((x - self.mean) / self.scale).astype(np.float32)


def fit_scaler(values: Float[np.ndarray, "rows feat"]) -> Scaler:
    """Learns means and deviations; what never varied is only centred."""
    mean, deviation, varies = moments(values)
    return Scaler(mean, np.where(varies, deviation, 1.0))
