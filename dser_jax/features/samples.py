"""Samples that are a signal: numbers, on [-1, 1], with a sound in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from dser_jax.system import DataError

Channels = Float32[np.ndarray, "sample channel"]

LOUDEST = 2.0
"""The largest sample that is taken for overshoot: 6 dB above 1.

Resampling and lossy formats put the peaks of loud recordings a little above 1. Beyond that samples
are on another scale, mostly integers that were written as floats, whose features would be those of
a much louder recording.
"""
DITHER = 2**-14
"""Where samples differ by no more there is no sound: two steps of 16 bits, as dither has them."""
CANCELLED = 0.01
"""The power of the channels' mean, as a share of the channels' own, below which they cancel out.

It is half of 1 + r for two channels of correlation r, so that it takes an r of -.98: no two
microphones in a room do that, but a plug that was wired the wrong way round does.
"""

_BLOCK = 1 << 20

Wrong = Callable[..., DataError]
"""Makes an error of a problem, the value found and what was expected, as `DataError` does."""


def check_samples(
    channels: Channels, wrong: Wrong = DataError, *, rate: int, first: int = 0
) -> float:
    """Makes sure that samples are a signal, also when their channels are averaged.

    A recording without a sound is an error, and no notice: whatever its label says is not in it,
    and features of nothing would be learned from and predicted on like any others.

    Args:
      channels: The samples.
      wrong: Makes the error, with the recording's name.
      rate: Samples a second.
      first: How many samples of the recording lie before these.

    Returns:
      The largest magnitude, at most `LOUDEST`.

    Raises:
      DataError: A sample is NaN, infinite or far outside of [-1, 1], or there is no sound.
    """
    finite = np.isfinite(channels)
    if not finite.all():
        at, channel = np.argwhere(~finite)[0]
        value = f"{channels[at, channel]} at {(first + at) / rate:.3f} s"
        raise wrong("a sample that is no number", value=value, expected="finite samples")
    lowest, highest = channels.min(axis=0), channels.max(axis=0)
    peak = float(max(highest.max(), -lowest.min()))
    if peak > LOUDEST:
        raise wrong(
            f"samples reach {peak:g}",
            expected="[-1, 1]; 16-bit integers that were written as floats are to be divided by "
            "32768: `ffmpeg -i IN.wav -af volume=1/32768 OUT.wav`",
        )
    if (highest - lowest).max() <= DITHER:
        value = f"nothing but {lowest.min():g}" if peak == 0 else f"{lowest.min():g} to {peak:g}"
        raise wrong("a silent recording", value=value, expected="a sound")
    return peak


def mean_of(channels: Channels, wrong: Wrong = DataError) -> Float32[np.ndarray, " sample"]:
    """Averages the channels.

    Raises:
      DataError: They cancel out.
    """
    mean = channels.mean(1)
    if channels.shape[1] > 1:
        left = _power(mean) / (_power(channels) / channels.shape[1])
        if left < CANCELLED or mean.max() - mean.min() <= DITHER:
            raise wrong(
                "channels that cancel out",
                value=f"a mean with {100 * left:.2g}% of their power",
                expected="channels that are of one sign; "
                '`ffmpeg -i IN.wav -ar 16000 -af "pan=mono|c0=c0" OUT.wav` takes the first alone',
            )
    return mean


def _power(samples: np.ndarray) -> float:
    """Returns the sum of squares, by blocks: in double precision, and without a copy of all."""
    blocks = (samples[at : at + _BLOCK] for at in range(0, len(samples), _BLOCK))
    return sum(float(np.square(block, dtype=np.float64).sum()) for block in blocks)


def say_loud(peaks: Mapping[Path | str, float]) -> list[str]:
    """Says how many recordings reach above 1, as far as `LOUDEST`; nothing if none does."""
    loud = {file: peak for file, peak in peaks.items() if peak > 1}
    if not loud:
        return []
    most = max(loud, key=lambda file: loud[file])
    count = "1 recording reaches" if len(loud) == 1 else f"{len(loud)} recordings reach"
    return [f"{count} above 1, {most} {loud[most]:.3g}: taken for overshoot, and left as it is"]
