"""A device for each core of a processor, so that lanes are trained side by side there too."""

from __future__ import annotations

import os
from pathlib import Path


def use_all_cores() -> None:
    """Lets JAX treat each core as a device, before anything has been computed.

    One program spreads its larger products over the cores, and these are too small for that: two
    lanes on a core each are done sooner than one after the other on both. Whoever has chosen a
    number (`JAX_NUM_CPU_DEVICES`, or XLA's flag for it) is left alone, and where JAX has been used
    before in this process, there remain as many devices as there were. Accelerators are not
    concerned.
    """
    import jax

    flags = os.environ.get("XLA_FLAGS", "")
    if "JAX_NUM_CPU_DEVICES" in os.environ or "xla_force_host_platform_device_count" in flags:
        return
    try:
        jax.config.update("jax_num_cpu_devices", available_cores())
    except RuntimeError:  # Its devices exist already.
        return


def available_cores(group: Path = Path("/sys/fs/cgroup")) -> int:
    """Returns how many cores this process may use, by its affinity and by its control group."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        cores = os.cpu_count() or 1
    try:
        quota, period = (group / "cpu.max").read_text().split()
        cores = min(cores, max(1, int(quota) // int(period)))
    except (OSError, ValueError):  # "max": no limit
        pass
    return cores
