"""On what JAX computes, if it does; a device for each core, to train lanes side by side there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from dser_jax.system.errors import DserError


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


def check_device(*, lanes: bool = False) -> None:
    """Makes sure that JAX computes as the environment has it, before anything relies on it.

    Args:
      lanes: Whether lanes are to be trained, too, whose programs are compiled ahead of time, and of
        which the empty ones hold NaN.

    Raises:
      DserError: It does not; says what to unset.
    """
    import jax

    try:
        jax.devices()
    except Exception as error:  # An assertion, too, where nothing that was named is there.
        text = device_in_words(str(error) or type(error).__name__, os.environ)
        raise DserError(f"JAX does not compute: {text}; {mend_device(os.environ)}") from error
    if lanes and (set_ := unfit_for_lanes(os.environ)):
        raise DserError(f"{set_[0]}; {set_[1]}")


def device_in_words(error: str, environment: Mapping[str, str]) -> str:
    """Says why JAX does not compute; where what is named is not there, JAX itself has no word."""
    text = " ".join(error.split())
    if text == "AssertionError":
        return f"there is no device of the kind {environment.get('JAX_PLATFORMS', '')!r} here"
    return text


def mend_device(environment: Mapping[str, str]) -> str:
    """Says what to do where JAX does not compute."""
    if chosen := environment.get("JAX_PLATFORMS"):
        return f"JAX_PLATFORMS is {chosen!r}: unset it, or name what is there"
    return "JAX_PLATFORMS=cpu dser doctor: if that works, it is the GPU's driver or its plugin"


def unfit_for_lanes(environment: Mapping[str, str]) -> tuple[str, str] | None:
    """Names a setting of JAX under which no lane is trained, and what to do about it."""
    for name, why in (
        ("JAX_DISABLE_JIT", "lanes are one compiled program"),
        ("JAX_DEBUG_NANS", "a lane without a run holds NaN"),
        ("JAX_ENABLE_X64", "results are those of 32 bits, and others would have the same names"),
    ):
        if environment.get(name, "").lower() in ("1", "true", "yes", "on", "y", "t"):
            return f"{name} is set, and nothing can be trained so: {why}", "unset it"
    return None


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
