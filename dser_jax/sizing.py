"""How many lanes fit in memory, estimated from the sizes of a run."""

from __future__ import annotations

import os
from pathlib import Path

import jax

from dser_jax.config import Config
from dser_jax.dataset import Data

DEFAULT_LANES = 20
SHARE = 0.7
"""Share of the free memory that lanes may fill; the estimate below is no better than that."""

_STATES = 3
"""Copies of a run's state while it trains: itself, gradients and updates in the making."""
_VALUES = 24
"""Float32 values kept for the backward pass by each unit at each step (measured: 19-21)."""


def lane_bytes(config: Config, data: Data, state_bytes: int) -> int:
    """Estimates the memory of one lane while it trains.

    Measured with XLA's own analysis on a CPU at the paper's widths and 100 tokens: 0.23 GB at batch
    8 and 1.6 GB at batch 256; this estimate gives 0.19 and 1.9 GB.

    Args:
      config: Widths and batch size.
      data: Gives the number of steps of each half.
      state_bytes: Size of one run's state.
    """
    halves = (data.acoustic, data.tokens)
    steps = sum(half.shape[1] for half in halves if half is not None)
    batch = min(config.batch_size, len(data.train))
    return _STATES * state_bytes + 4 * _VALUES * batch * steps * config.units * config.layers


def free_bytes() -> int | None:
    """Returns the free memory of the default device; None where it cannot be told."""
    device = jax.local_devices()[0]
    if device.platform != "cpu":
        stats = device.memory_stats() or {}
        if "bytes_limit" not in stats:
            return None
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        known = dict(line.split(":", 1) for line in lines)
        return int(known["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def default_lanes(runs: int, lane: int, free: int | None) -> int:
    """Returns how many lanes to train at a time: 20, or fewer if there are fewer runs or memory."""
    wanted = min(DEFAULT_LANES, runs)
    if free is None:
        return wanted
    return max(1, min(wanted, int(SHARE * free / lane)))
