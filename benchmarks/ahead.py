"""Compiles the programs of benchmarks side by side, before any of them is timed.

Each goes into the compilation cache, where the benchmark finds it; programs that several need are
compiled once. A benchmark says which it needs before it makes them (`programs` in its file). Those
that a benchmark has to measure before it knows (as lanes that the engine chooses) it compiles
itself, and so it does with what fails here.

    python benchmarks/ahead.py --size gpu lanes versus_torch
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING

from sizes import SIZES, settings
from suite import SUITE, flags_of

if TYPE_CHECKING:
    from programs import Side

CORES_EACH = 4
"""Cores for each process; a program's functions are compiled side by side as well."""


def needed(names: list[str], size: str) -> dict[Side, None]:
    """Returns the sides whose programs the benchmarks need, each once, the first first."""
    found: dict[Side, None] = {}
    for name in names:
        file = SUITE[name][0]
        module = importlib.import_module(file)
        if hasattr(module, "programs"):
            args = settings(file, size, flags_of(name, size))
            found |= dict.fromkeys(module.programs(args))
    return found


def compile_all(sides: list[Side], jobs: int) -> Iterator[tuple[Side, float, str | None]]:
    """Compiles the programs of sides in so many processes.

    Yields:
      As they are ready, each side, the seconds that it took, and why it failed, if it did.
    """
    # As in the benchmarks, so that the programs are the same; but none takes the whole memory.
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_prepare) as pool:
        wait([pool.submit(_try_loops)])  # Once, as what comes of it is in all programs.
        waiting = {pool.submit(_compile, side): side for side in sides}
        for done in as_completed(waiting):
            try:
                yield waiting[done], *done.result()
            except BrokenProcessPool as error:
                yield waiting[done], 0.0, str(error)


def _prepare() -> None:
    from dser_jax.system import enable_compile_cache, use_all_cores

    use_all_cores()
    enable_compile_cache()


def _try_loops() -> None:
    import jax

    from dser_jax.system import loop_options

    device = jax.local_devices()[0]
    loop_options(device.platform, device.device_kind)


def _compile(side: Side) -> tuple[float, str | None]:
    start = time.perf_counter()
    try:
        side.compile()
    except Exception as error:
        return time.perf_counter() - start, f"{type(error).__name__}: {error}".splitlines()[0]
    return time.perf_counter() - start, None


def main() -> None:
    """Compiles what the benchmarks need, and tells of each program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="+", choices=list(SUITE), metavar="NAME", help="benchmarks")
    parser.add_argument("--size", choices=SIZES, required=True)
    parser.add_argument("--jobs", type=int, help="processes; by default one for four cores")
    args = parser.parse_args()
    jobs = args.jobs or max(1, len(os.sched_getaffinity(0)) // CORES_EACH)
    sides = list(needed(args.names, args.size))
    if not sides:
        return
    start = time.perf_counter()
    print(f"{len(sides)} programs, in {min(jobs, len(sides))} processes", flush=True)
    for number, (side, seconds, why) in enumerate(compile_all(sides, jobs), 1):
        told = f"{seconds:.0f} s" if why is None else f"not compiled: {why}"
        print(f"{number:3} {side}: {told}", flush=True)
    print(f"({time.perf_counter() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    sys.exit(main())
