"""The 34 short-term features of pyAudioAnalysis, without deltas, by the package itself.

It is the referee of `paa_fast.py`, which gives the same numbers in a fraction of the time.

Giannakopoulos 2015, "pyAudioAnalysis: An Open-Source Python Library for Audio Signal Analysis",
doi:10.1371/journal.pone.0144610.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache

import numpy as np

from dser_jax.features.audio import HOP, RATE, WINDOW, Signal
from dser_jax.features.extractors.extractor import Extractor, Frames
from dser_jax.system import quiet_matplotlib

COLUMNS = (
    "zcr",
    "energy",
    "energy_entropy",
    "spectral_centroid",
    "spectral_spread",
    "spectral_entropy",
    "spectral_flux",
    "spectral_rolloff",
    *(f"mfcc_{i}" for i in range(1, 14)),
    *(f"chroma_{i}" for i in range(1, 13)),
    "chroma_std",
)


def make() -> Callable[[Signal], Frames]:
    """Imports pyAudioAnalysis and returns its feature extraction."""
    quiet_matplotlib()  # Which it imports.
    with warnings.catch_warnings():
        # It imports a part of SciPy by a name that SciPy wants to drop.
        warnings.simplefilter("ignore", DeprecationWarning)
        from pyAudioAnalysis import ShortTermFeatures

    slow = ShortTermFeatures.chroma_features_init
    quick = cache(slow)

    def extract(signal: Signal) -> Frames:
        # It expects samples as 16-bit numbers, and divides them by 2**15 itself.
        samples = signal.astype(np.float64) * 2**15
        try:
            # It makes the same table of chroma bins for every frame, which is half of its time.
            ShortTermFeatures.chroma_features_init = quick
            values, _ = ShortTermFeatures.feature_extraction(
                samples, RATE, WINDOW, HOP, deltas=False
            )
        finally:
            ShortTermFeatures.chroma_features_init = slow
        return np.ascontiguousarray(values.T, np.float32)

    return extract


PAA_PACKAGE = Extractor(
    name="paa_package_lld",
    columns=COLUMNS,
    library="pyAudioAnalysis",
    settings="ShortTermFeatures, 25 ms every 10 ms, no deltas",
    shortest=WINDOW / RATE,
    make=make,
)
