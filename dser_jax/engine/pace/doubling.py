"""How many lanes an accelerator trains fastest.

More lanes train more steps a second until the device is full; when that is, widths, batch size and
device decide together. So a few steps are timed with 64 lanes, with twice as many and so on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from dser_jax.engine.pace.rates import Rates, Timed

FIRST = 64
"""Lanes that are measured first; fewer were slower wherever it was measured (an H100)."""
GROWTH = 1.1
"""Twice as many lanes are to train so many times the steps a second."""
SECONDS = 20.0
"""After which no further numbers of lanes are begun with; compiling the first may take longer."""


class Pace(NamedTuple):
    """Lanes of a device, and why so many."""

    lanes: int
    reason: str


def double(
    most: int, rates: Rates, together: int, clock: Callable[[], float] = time.monotonic
) -> Pace:
    """Doubles the lanes while steps a second grow by more than a tenth.

    Args:
      most: Lanes that there are runs and memory for; `FIRST` at least.
      rates: What measures.
      together: How many numbers of lanes it is asked for at a time.
      clock: In seconds.
    """
    sizes = [FIRST]
    while 2 * sizes[-1] <= most:
        sizes.append(2 * sizes[-1])
    begun, lanes, steps = clock(), 0, 0.0
    for start in range(0, len(sizes), together):
        if start and clock() - begun > SECONDS:
            reason = f"{lanes} train {steps:,.0f} steps a second; for more there was no time"
            return Pace(lanes, reason)
        some = sizes[start : start + together]
        for more, found in zip(some, rates(list(map(Timed, some))), strict=True):
            if isinstance(found, str):
                return Pace(lanes or FIRST // 2, f"{more} {found}")
            if lanes and found <= GROWTH * steps:
                hardly = "hardly" if found > steps else "no"
                both = f"{found:,.0f} against {steps:,.0f} steps a second"
                return Pace(lanes, f"{more} were {hardly} faster than {lanes} ({both})")
            lanes, steps = more, found
    return Pace(most, f"fewer were slower, {lanes} train {steps:,.0f} steps a second")
