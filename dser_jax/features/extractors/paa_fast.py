"""The 34 short-term features as pyAudioAnalysis defines them, many frames at a time.

The definitions, with what is peculiar to them, are those of `ShortTermFeatures` of pyAudioAnalysis
0.3.14 (see `paa.py`), with which the tests compare every number.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64, Shaped
from numpy.lib.stride_tricks import sliding_window_view

from dser_jax.features.audio import HOP, RATE, WINDOW, Signal
from dser_jax.features.extractors.extractor import Extractor, Frames
from dser_jax.features.extractors.paa import COLUMNS

BINS = WINDOW // 2
"""Of a frame's spectrum: from 0 Hz up to the last below half the rate, which is left out."""
BLOCKS = 10
"""Of a frame, or its spectrum, over which an entropy goes."""
BATCH = 64
"""Frames at a time: they stay in the cache, and matrix products in one thread, as each of the
processes that extract has but a core."""

EPS = np.finfo(np.float64).eps

Bin = Float64[np.ndarray, "bin"]
Bins = Float64[np.ndarray, "frame bin"]
Column = Float64[np.ndarray, "frame"]


def make() -> Callable[[Signal], Frames]:
    """Makes the tables, and returns the function from a signal to frames."""
    # The package's transforms: what is 0 there is 0 here, which `nonzero_hsf` takes for missing.
    from scipy.fft import dct, rfft

    bank = mel_bank()
    highest = int(np.flatnonzero(bank.any(axis=1))[-1]) + 1
    bank, chroma = bank[:highest].copy(), chroma_sums()
    frequencies = np.arange(1, BINS + 1) * (RATE / (2 * BINS))
    starts = np.arange(0, BINS, BINS // BLOCKS)

    def spectral(magnitude: Bins, last: Bin | None, found: np.ndarray) -> Bin:
        """Fills in the columns from the centroid on; returns the last spectrum, on the sum 1."""
        power = magnitude**2
        total = power.sum(axis=1)
        found[:, 3], found[:, 4] = _centroid_and_spread(magnitude, frequencies)
        found[:, 5] = _entropy(np.add.reduceat(power, starts, axis=1), total)
        unit = magnitude / (magnitude + EPS).sum(axis=1, keepdims=True)
        found[0, 6] = 0 if last is None else np.sum((unit[0] - last) ** 2)
        change = unit[1:] - unit[:-1]
        found[1:, 6] = np.einsum("ij,ij->i", change, change)
        reached = np.cumsum(power, axis=1) + EPS > 0.90 * total[:, None]
        found[:, 7] = reached.argmax(axis=1) / BINS
        mel = np.log10(magnitude[:, :highest] @ bank + EPS)
        found[:, 8:21] = dct(mel, norm="ortho")[:, :13]
        found[:, 21:33] = (power @ chroma) / np.where(total == 0, EPS, total)[:, None]
        return unit[-1]

    def extract(signal: Signal) -> Frames:
        samples = normalize(signal)
        if len(samples) < WINDOW:
            return np.zeros((0, len(COLUMNS)), np.float32)
        windows = sliding_window_view(samples, WINDOW)[::HOP]
        features = np.empty((len(windows), len(COLUMNS)))
        last = None
        for start in range(0, len(windows), BATCH):
            frames, found = windows[start : start + BATCH], features[start : start + BATCH]
            piece = samples[start * HOP : (start + len(frames) - 1) * HOP + WINDOW]
            found[:, 0] = _crossings(piece)
            found[:, 1], found[:, 2] = _energy_and_entropy(piece)
            last = spectral(np.abs(rfft(frames))[:, :BINS] / BINS, last, found)
        features[:, 33] = features[:, 21:33].std(axis=1)
        return features.astype(np.float32)

    return extract


def normalize(signal: Signal) -> Float64[np.ndarray, " sample"]:
    """Returns the signal less its mean, with a largest magnitude of 1 (0 for silence)."""
    samples = signal.astype(np.float64)
    if len(samples):
        samples -= samples.mean()
        samples /= max(samples.max(), -samples.min()) + 1e-10
    return samples


def mel_bank() -> Float64[np.ndarray, "bin filter"]:
    """Makes 40 triangles of unit area: 13 spaced evenly from 133.33 Hz, 27 by a constant ratio.

    Their frequencies take the bins as if they went up to the rate, and not to its half: each
    triangle lies at half the frequency that it is named for, and the narrow ones have a bin or two.
    """
    even = 133.33 + np.arange(13) * 200 / 3
    edges = np.concatenate([even, even[-1] * 1.0711703 ** np.arange(1, 30)])
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    bins = np.arange(BINS)[:, None]
    hertz = bins / BINS * RATE
    height = 2 / (high - low)
    first, top, last = (np.floor(edge * BINS / RATE) for edge in (low, middle, high))
    rising = np.where((bins > first) & (bins <= top), (hertz - low) / (middle - low), 0)
    falling = np.where((bins > top) & (bins <= last), (high - hertz) / (high - middle), 0)
    return height * (rising + falling)


def chroma_sums() -> Float64[np.ndarray, "bin 12"]:
    """Makes the sums over the bins' powers that are the pitch classes, to be put on a sum.

    A bin has the number of its nearest semitone above 27.5 Hz. Of the bins of a semitone, only the
    last counts, and it is divided by how many bins share a semitone with the bin *whose number is
    the semitone's*.
    """
    hertz = np.arange(1, BINS + 1) * RATE / (2 * BINS)
    semitones = np.round(12 * np.log2(hertz / 27.5)).astype(int)
    sharing = (semitones[:, None] == semitones).sum(axis=1)
    sums = np.zeros((BINS, 12))
    for bin_, semitone in enumerate(semitones):
        sums[semitones == semitone] = 0
        sums[bin_, semitone % 12] = 1 / sharing[semitones[semitone]]
    return sums


def _crossings(samples: Float64[np.ndarray, " sample"]) -> Column:
    """Returns how often the sign changes from sample to sample; by way of a 0, half and half."""
    signs = (samples > 0).view(np.int8) - (samples < 0).view(np.int8)
    changes = np.zeros(len(samples), np.uint8)
    changes[1:] = np.abs(signs[1:] - signs[:-1])
    # The change to a frame's first sample lies before the frame.
    count = _blocks(changes).sum(axis=1, dtype=np.int64) - changes[: 1 - WINDOW : HOP]
    return count / 2 / (WINDOW - 1)


def _energy_and_entropy(samples: Float64[np.ndarray, " sample"]) -> tuple[Column, Column]:
    """Returns the mean squares, and how evenly they are spread."""
    blocks = _blocks(samples**2)
    total = blocks.sum(axis=1)
    return total / WINDOW, _entropy(blocks, total)


def _blocks(values: Shaped[np.ndarray, " sample"]) -> Shaped[np.ndarray, "frame block"]:
    """Returns the sums over each frame's blocks; a block is summed once for several frames."""
    size = WINDOW // BLOCKS
    sums = values.reshape(-1, size).sum(axis=1, dtype=values.dtype)
    first = np.arange(0, len(sums) - BLOCKS + 1, HOP // size)
    return sums[first[:, None] + np.arange(BLOCKS)]


def _entropy(blocks: Float64[np.ndarray, "frame block"], total: Column) -> Column:
    """Returns the entropy, in bits, of the blocks' shares of the total."""
    share = blocks / (total + EPS)[:, None]
    return -(share * np.log2(share + EPS)).sum(axis=1)


def _centroid_and_spread(magnitude: Bins, frequencies: Bin) -> tuple[Column, Column]:
    """Returns the spectrum's mean frequency and standard deviation, as shares of half the rate."""
    highest = magnitude.max(axis=1, keepdims=True)
    weights = magnitude / np.where(highest == 0, EPS, highest)
    weight = weights.sum(axis=1) + EPS
    centroid = weights @ frequencies / weight
    squares = (frequencies - centroid[:, None]) ** 2
    spread = np.sqrt(np.einsum("ij,ij->i", squares, weights) / weight)
    return centroid / (RATE / 2), spread / (RATE / 2)


PAA = Extractor(
    name="paa_lld",
    columns=COLUMNS,
    library="scipy",
    settings="(pyAudioAnalysis 0.3.14's definitions, vectorised 1), 25 ms every 10 ms, no deltas",
    shortest=WINDOW / RATE,
    make=make,
)
