"""The machine: on what JAX computes, memory, and disks."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path

from dser_jax.commands.doctor.findings import Finding
from dser_jax.commands.doctor.probes import Probed
from dser_jax.system import (
    DserError,
    available_cores,
    cache_root,
    device_in_words,
    loops_in_words,
    mend_device,
    plural,
    unfit_for_lanes,
)

LITTLE_DISK = 2 << 30
NO_DISK = 100 << 20
LITTLE_MEMORY = 2 << 30
"""Bytes below which there is something to say."""


def devices(
    probed: Future[Probed], driver: str | None, environment: Mapping[str, str]
) -> list[Finding]:
    """Tells on what JAX computes, and whether a GPU lies idle.

    Args:
      probed: What `DEVICE` gave.
      driver: The version of NVIDIA's driver, where there is one.
      environment: Environment variables.
    """
    given = probed.result()
    if given.error is not None:
        why = device_in_words(given.error, environment)
        return [Finding("broken", f"JAX does not compute: {why}", mend_device(environment))]
    about = given.answer
    found = [Finding("ok", f"JAX computes on {about['count']} x {about['kind']}")]
    if unfit := unfit_for_lanes(environment):
        found.append(Finding("broken", *unfit))
    if about["platform"] == "cpu" and driver is not None:
        found.append(_idle_gpu(driver, environment))
    if about["platform"] == "gpu":
        found.append(_loops(about["kind"]))
    if about["free"] is None:
        found.append(Finding("note", "nobody knows how much memory is free", "give --lanes N"))
    else:
        text = f"{_size(about['free'])} of memory free for lanes"
        little = about["free"] < LITTLE_MEMORY
        mend = "close what fills it, or train fewer runs at a time: --lanes 4" if little else ""
        found.append(Finding("note" if little else "ok", text, mend))
    machine = f"{plural(available_cores(), 'CPU core')}, {_size(_host_memory())} of memory in all"
    return [*found, Finding("ok", machine)]


def _loops(kind: str) -> Finding:
    try:
        return Finding("ok", f"loops are launched {loops_in_words(kind)}")
    except DserError as error:
        return Finding("broken", str(error), "unset it")


def _idle_gpu(driver: str, environment: Mapping[str, str]) -> Finding:
    what = f"a GPU with driver {driver} is there, but JAX uses the CPU"
    if "cpu" in environment.get("JAX_PLATFORMS", ""):
        return Finding("note", what, "unset JAX_PLATFORMS")
    if environment.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return Finding("note", what, "unset CUDA_VISIBLE_DEVICES, or name a GPU in it")
    cuda = "cuda13" if int(driver.split(".")[0]) >= 580 else "cuda12"
    for name in ("cuda12", "cuda13"):
        if importlib.util.find_spec(f"jax_{name}_plugin"):
            return Finding(
                "note",
                f"{what}, though jax-{name}-plugin is installed",
                "look whether nvidia-smi lists the GPU, and whether jaxlib and the plugin have the "
                f'same version: pip install --upgrade "dser_jax[{cuda}]"',
            )
    return Finding("note", what, f'pip install "dser_jax[{cuda}]"')


def nvidia_driver(proc: Path = Path("/proc/driver/nvidia/version")) -> str | None:
    """Returns the version of NVIDIA's driver, e.g. "580.65.06"; None where there is none."""
    try:
        words = proc.read_text("utf-8", "replace").split()
    except OSError:
        return None
    return next((word for word in words if word[:1].isdigit() and "." in word), None)


def disk(folder: Path, purpose: str) -> list[Finding]:
    """Tells whether a folder, which need not be there yet, can be written, and what is free."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    try:
        tempfile.TemporaryFile(dir=there).close()
        free = shutil.disk_usage(there).free
    except OSError as error:
        mend = "choose another folder: dser doctor DIR looks at it"
        return [Finding("broken", f"{purpose}: {there} cannot be written: {error.strerror}", mend)]
    text = f"{purpose}: {_size(free)} free in {folder}"
    if free >= LITTLE_DISK:
        return [Finding("ok", text)]
    return [Finding("broken" if free < NO_DISK else "note", text, "make room, or choose another")]


def compile_cache() -> list[Finding]:
    """Tells whether compiled programs are kept for the next start."""
    off = [n for n in ("DSER_NO_COMPILE_CACHE", "JAX_COMPILATION_CACHE_DIR") if os.environ.get(n)]
    if off:
        return [Finding("ok", f"compiled programs: as {off[0]}={os.environ[off[0]]} has it")]
    try:
        (found,) = disk(cache_root(), "compiled programs")
    except RuntimeError as error:  # There is no home.
        found = Finding("broken", f"compiled programs: {error}")
    if found.state != "broken":
        return [found]
    mend = "they are compiled again at each start; XDG_CACHE_HOME=DIR names another folder"
    return [Finding("note", found.what, mend)]


def _host_memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return 0


def _size(count: int) -> str:
    """Writes bytes for people: 3.2 GiB."""
    if count < 1 << 30:
        return f"{count / (1 << 20):.0f} MiB"
    return f"{count / (1 << 30):.1f} GiB"
