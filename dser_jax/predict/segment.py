"""Recordings cut into utterances where they are silent."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from dser_jax.features import HOP, RATE, WINDOW, Signal

LONGEST = 30.0
"""Seconds of an utterance at most."""
PAUSE = 0.3
"""Seconds of silence that part two utterances."""
SHORTEST = 0.2
"""Seconds of sound that are an utterance; less is a click."""
MARGIN = 0.1
"""Seconds of silence that stay at both ends of an utterance."""
RANGE = 30.0
"""Decibels below the loud parts of a recording at which it is silent, whatever its noise is."""
ABOVE_NOISE = 0.3
"""Share of the way from the noise to the loud parts, in decibels, at which sound begins."""
SILENT = -70.0
"""Decibels below full scale that a recording without any sound does not reach."""

Levels = Float64[np.ndarray, "frame"]
Span = tuple[float, float]


def cut(signal: Signal, longest: float = LONGEST) -> list[Span]:
    """Finds the utterances of a recording.

    Sound is what is louder than both 30 dB below the recording's loud parts and 0.3 of the way up
    from its noise. Pauses of less than 0.3 s belong to an utterance, and so does 0.1 s at each end.

    Args:
      signal: The recording, 16 kHz.
      longest: Seconds of an utterance at most; what is longer is parted where it is quietest.

    Returns:
      Beginning and end of each in seconds, in order, without overlap; none for a silent recording.
    """
    if len(signal) < WINDOW:
        return []
    level = levels(signal)
    noise, loud = np.percentile(level, [10, 95])
    if loud < SILENT:
        return []
    sound = level >= max(loud - RANGE, noise + ABOVE_NOISE * (loud - noise))
    second = RATE // HOP
    runs = _runs(sound)
    joined = [runs[0]]
    for first, last in runs[1:]:
        if first - joined[-1][1] < PAUSE * second:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    kept = [run for run in joined if run[1] - run[0] >= SHORTEST * second]
    spans = []
    for number, (first, last) in enumerate(kept):
        before = 0 if number == 0 else (kept[number - 1][1] + first + 1) // 2
        after = len(level) if number + 1 == len(kept) else (last + kept[number + 1][0] + 1) // 2
        first = max(before, first - round(MARGIN * second))
        last = min(after, last + round(MARGIN * second))
        spans += _parts(level, first, last, max(2, int(longest * second)))
    return [(first / second, min(last / second, len(signal) / RATE)) for first, last in spans]


def levels(signal: Signal) -> Levels:
    """Returns the power of each window of 25 ms, one every 10 ms, in decibels of full scale."""
    total = np.concatenate([[0.0], np.cumsum(signal.astype(np.float64) ** 2)])
    starts = np.arange(0, len(signal) - WINDOW + 1, HOP)
    power = np.maximum(total[starts + WINDOW] - total[starts], 0) / WINDOW
    return 10 * np.log10(power + 1e-10)


def _runs(sound: np.ndarray) -> list[tuple[int, int]]:
    """Returns where True begins, and where it has ended."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], sound, [False]]).astype(np.int8)))
    return [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]


def _parts(level: Levels, first: int, last: int, longest: int) -> list[tuple[int, int]]:
    """Parts what is too long at the quietest frame of its middle half, and so on."""
    size = last - first
    if size <= longest:
        return [(first, last)]
    quarter = size // 4
    middle = slice(first + quarter, max(first + quarter + 1, min(last - quarter, len(level))))
    at = middle.start + int(np.argmin(level[middle]))
    at = min(max(at, first + 1), last - 1)
    return [*_parts(level, first, at, longest), *_parts(level, at, last, longest)]
