"""The 23 low-level descriptors of eGeMAPSv01b, which the paper calls GeMAPS, by openSMILE.

Eyben et al. 2016, "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for Voice Research and
Affective Computing", doi:10.1109/TAFFC.2015.2457417.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

from dser_jax.features.audio import RATE, Signal
from dser_jax.features.extractors.extractor import Extractor, Frames

COLUMNS = (
    "Loudness_sma3",
    "alphaRatio_sma3",
    "hammarbergIndex_sma3",
    "slope0-500_sma3",
    "slope500-1500_sma3",
    "spectralFlux_sma3",
    "mfcc1_sma3",
    "mfcc2_sma3",
    "mfcc3_sma3",
    "mfcc4_sma3",
    "F0semitoneFrom27.5Hz_sma3nz",
    "jitterLocal_sma3nz",
    "shimmerLocaldB_sma3nz",
    "HNRdBACF_sma3nz",
    "logRelF0-H1-H2_sma3nz",
    "logRelF0-H1-A3_sma3nz",
    "F1frequency_sma3nz",
    "F1bandwidth_sma3nz",
    "F1amplitudeLogRelF0_sma3nz",
    "F2frequency_sma3nz",
    "F2amplitudeLogRelF0_sma3nz",
    "F3frequency_sma3nz",
    "F3amplitudeLogRelF0_sma3nz",
)


def make() -> Callable[[Signal], Frames]:
    """Starts openSMILE and returns its feature extraction."""
    import opensmile

    with warnings.catch_warnings():
        # Paper: v01b has exactly the 23 descriptors of Table 1; v02, which is advised, has 25.
        warnings.filterwarnings("ignore", message=".*eGeMAPSv01b.* is deprecated")
        smile = opensmile.Smile(
            feature_set=opensmile.FeatureSet.eGeMAPSv01b,
            feature_level=opensmile.FeatureLevel.LowLevelDescriptors,
        )

    def extract(signal: Signal) -> Frames:
        # openSMILE casts to 16 bits without a limit: 1.0 would become -1.0.
        limited = np.clip(signal, -1, 1 - 2**-15)
        with warnings.catch_warnings():
            # What is too short comes back as NaN, which the caller refuses.
            warnings.filterwarnings("ignore", message="Segment too short")
            values = smile(limited, RATE)
        return np.ascontiguousarray(values[0].T, np.float32)

    return extract


GEMAPS = Extractor(
    name="gemaps_lld",
    columns=COLUMNS,
    library="opensmile",
    settings="eGeMAPSv01b, LowLevelDescriptors",
    # The pitch needs a window of 60 ms, though a frame comes every 10 ms.
    shortest=0.06,
    make=make,
)
