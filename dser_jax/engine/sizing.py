"""How many lanes fit in memory, and how many after it has run out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax

from dser_jax.config import Config
from dser_jax.data import Data
from dser_jax.engine.program import Program, compile_epoch, lane_state, takes_turns
from dser_jax.plan import tree_bytes
from dser_jax.system import DserError, NotMade, last_line, plural
from dser_jax.training import EVAL_BATCH, Run, named

CPU_LANES = 20
"""Lanes on a processor, all cores together, where more of them make nothing faster."""
COPIES = 0.1
"""Share of the free memory that the data may fill which each core has a copy of."""
DEVICE_LANES = 256
"""Lanes on an accelerator at most where nothing is measured, as on a cluster."""
FEW = 128
"""So many lanes of an accelerator are trained at once without asking whether fewer were as fast."""
MOST = 4096
"""Lanes on an accelerator at most where it is measured whether more are faster."""
SHARE = 0.7
"""Share of the free memory that data and lanes may fill."""
SURE = 4, 0.5
"""The estimate of `lane_bytes` decides where so many times of it fit: on a processor, where too
much ends the process; and on an accelerator, whose compiled program is then asked what it needs."""

_STATES = 3
"""Copies of a run's state while it trains: itself, gradients and updates in the making."""
_TRAINED, _PREDICTED = 10.0, 1.2
"""Float32 values kept by each unit at each step, to train and to predict (measured: 9.3, 1.1)."""
_SMALL = 2, 4
"""Lanes of the two compilations that tell what a lane needs."""


def choose_lanes(
    run: Run,
    config: Config,
    data: Data,
    runs: int | None,
    devices: Sequence[jax.Device],
    at_most: int | None = None,
    trial: bool = False,
    quickest: Callable[[int], int] | None = None,
    free: int | None = None,
) -> int:
    """Returns how many lanes to train at a time.

    Where memory may not hold all that are wanted, two small programs are compiled, whose needs
    XLA knows exactly and which grow in proportion to the lanes. The number is one of a few
    (`bucket`), so that another sweep of that kind finds its program in the compilation cache.

    Args:
      run: The functions of a run.
      config: Widths and batch size.
      data: In the host's memory.
      runs: How many are to be trained; None where nobody knows.
      devices: Among which the lanes are divided.
      at_most: Lanes that memory is known to hold, or that were measured to be fast. An accelerator
        takes as many again if there are runs for half of them, so that what was begun goes on
        to the same bits.
      trial: Whether to compile in any case, e.g. as `data` does not tell all that a lane needs.
      quickest: Measures how many lanes of a device are fast, of at most so many; asked only of an
        accelerator, for more than `FEW`, where `at_most` does not say it.
      free: Bytes of each device; by default those that are free now.
    """
    count, on_cpu = len(devices), is_processor(devices[0])
    most = -(-CPU_LANES // count) if on_cpu else MOST if quickest or at_most else DEVICE_LANES
    share = most if runs is None else -(-runs // count)  # of each device
    wanted = min(share, most)
    fits = most
    free = free_bytes(devices[0]) if free is None else free
    if free is not None:
        if on_cpu:
            free //= count  # what all of them share
        room = SHARE * free - tree_bytes(data)
        lane = lane_state(run, data)
        state = tree_bytes(lane)
        working = lane_bytes(config, data, state) - state
        at_a_time = 1 if takes_turns(devices[0], lane) else wanted
        if trial or (on_cpu and SURE[0] * (wanted * state + at_a_time * working) > room):
            few, more = (temporary_bytes(run, data, lanes) for lanes in _SMALL)
            fits = fitting_lanes(room, state, few, more)
        elif not on_cpu:
            fits = max(1, int(room / (SURE[1] * (state + working))))
    if at_most is not None:
        fits = min(fits, max(1, at_most // count))
        if not on_cpu and count * fits == at_most and 2 * share >= fits:
            return at_most
    elif quickest is not None and not on_cpu and (limit := min(wanted, fits)) > FEW:
        found = quickest(limit)
        fits = fits if found == limit else found
    # 24 runs are two times 12, not 20 and 4: at the end, when the queue is empty, fewer lanes idle.
    times = -(-share // min(wanted, fits))
    return count * bucket(-(-share // times), fits)


def lanes_with_room(program: Program, device: jax.Device) -> int:
    """Returns how many lanes of a compiled program an accelerator holds: its own, or fewer.

    XLA knows what a program needs, so nothing has to fail for it. The data is on the device by now.
    """
    if is_processor(device) or (free := free_bytes(device)) is None:
        return program.lanes
    share, need = program.lanes // program.devices, needed_bytes(program.advance)
    if need is None or need <= SHARE * free:
        return program.lanes
    fits = max(1, int(SHARE * free * share / need))
    return program.devices * bucket(fits, fits)


def needed_bytes(advance: Any) -> int | None:
    """Returns what a compiled epoch needs on a device beside the data; None if it does not tell."""
    need = advance.memory_analysis()
    return need and need.temp_size_in_bytes + need.output_size_in_bytes


def temporary_bytes(run: Run, data: Data, lanes: int) -> int:
    """Returns what an epoch of so many lanes needs on one device beside state and data."""
    if (analysis := compile_epoch(run, data, lanes).advance.memory_analysis()) is None:
        platform = jax.local_devices()[0].platform
        raise DserError(f"{platform} does not tell what memory a program needs")
    return analysis.temp_size_in_bytes


def is_processor(device: jax.Device) -> bool:
    """Returns whether a device is a processor, which more lanes make no faster."""
    return device.platform == "cpu"


def affordable(devices: Sequence[jax.Device], data: Data) -> Sequence[jax.Device]:
    """Returns the devices to use: of a processor only so many that copies of the data are small."""
    free = free_bytes(devices[0])
    if not is_processor(devices[0]) or free is None:
        return devices
    return devices[: max(1, int(COPIES * free / max(1, tree_bytes(data))))]


def must_stream(run: Run, config: Config, data: Data, free: int | None) -> bool:
    """Returns whether the acoustic features are too large for `free` bytes beside one lane."""
    if data.acoustic is None or free is None:
        return False
    lane = lane_bytes(config, data, tree_bytes(lane_state(run, data)))
    return tree_bytes(data) + lane > SHARE * free


def out_of_memory(error: Exception) -> bool:
    """Returns whether an error says that memory does not hold the lanes."""
    why = error.__cause__ if isinstance(error, NotMade) else error
    return isinstance(why, MemoryError) or "RESOURCE_EXHAUSTED" in str(why)


def fewer_lanes(lanes: int, devices: int, error: Exception) -> int:
    """Returns half as many lanes, after memory has run out; as many on each device.

    Raises:
      DserError: `error` came with one lane on each.
    """
    fewer = lanes // 2 // devices * devices
    if fewer < 1:
        raise DserError(
            f"out of memory with one lane on each of {plural(devices, 'device')}: "
            f"{last_line(str(error))}. A smaller --batch-size, --units or --max-tokens needs less; "
            "so do functionals instead of frames"
        ) from error
    return fewer


def fitting_lanes(room: float, state: int, few: int, more: int) -> int:
    """Returns how many lanes fit in `room` bytes; 1 at least.

    Args:
      room: What lanes may fill.
      state: Bytes of a lane that stay.
      few: What a program of 2 lanes needs beside that, in bytes.
      more: What one of 4 lanes needs.
    """
    a_lane = max(0, more - few) / (_SMALL[1] - _SMALL[0])
    fixed = max(0.0, few - _SMALL[0] * a_lane)
    return max(1, int((room - fixed) / (state + a_lane)))


def bucket(wanted: int, fits: int) -> int:
    """Returns the number of lanes, one of 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, ...

    It is the smallest that holds all that are wanted, if it fits, or else the largest that fits.
    """
    sizes, step = [1, 2, 3], 4
    while sizes[-1] < max(wanted, fits):
        sizes += [step, step * 5 // 4, step * 3 // 2]
        step *= 2
    enough = min(size for size in sizes if size >= wanted)
    return enough if enough <= fits else max(size for size in sizes if size <= fits)


def lane_bytes(config: Config, data: Data, state_bytes: int) -> int:
    """Estimates the memory of one lane while it trains.

    Measured with XLA's own analysis on a CPU at the paper's widths and 100 tokens: 0.23 GB at batch
    8 and 0.89 GB at batch 256; this estimate gives 0.24 and 0.94 GB.

    Args:
      config: Widths and batch size.
      data: Gives the number of steps of each half.
      state_bytes: Size of one run's state.
    """
    halves = (data.acoustic, data.tokens, data.text)
    steps = sum(half.shape[1] for half in halves if half is not None)
    batch = min(config.batch_size, len(data.train))
    predicted = min(EVAL_BATCH, max(len(data.validation), len(data.test)))
    values = max(_TRAINED * batch, _PREDICTED * predicted)
    context = 0
    if data.turns is not None:  # The means of all rows, as they are made and once they are.
        context = 3 * 4 * data.turns.size * max(1, len(data.dialogues)) * config.fades
    trained = int(4 * values * steps * config.units * config.layers)
    states = _STATES + 2 * ("gram" in named(config)[1].needs or config.watch_gradients)
    return states * state_bytes + trained + context


def free_bytes(device: jax.Device) -> int | None:
    """Returns the free memory of a device; None where it cannot be told."""
    if device.platform != "cpu":
        stats = device.memory_stats() or {}
        if "bytes_limit" not in stats:
            return None
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    known = [size for size in (_free_of_machine(), _free_of_container()) if size is not None]
    return min(known, default=None)


def _free_of_machine() -> int | None:
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


def _free_of_container(group: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Returns what a control group may still use, e.g. under Docker or SLURM; None without one."""
    try:
        limit = int((group / "memory.max").read_text())
        return limit - int((group / "memory.current").read_text())
    except (OSError, ValueError):  # "max": no limit
        return None
