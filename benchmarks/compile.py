"""Seconds to the first step: compiling a program, cold and from the cache.

Each is a fresh Python process at the paper's widths. The first has an empty compilation cache
(`dser_jax/system/compile_cache.py`), the next what the first left there. Told apart are: imports;
the data sent; the program (traced, compiled, or loaded); a run in each lane; the first optimizer
step (an epoch of a single batch, with its evaluation). Both ways take turns: the first step waits
for the functions that train alone, as in a sweep, or for all that the program has.

    python benchmarks/compile.py
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from common import Lanes, MadeUp, paper_config, table
from record import Record
from sizes import WIDTHS, parse

PREALLOCATE = "XLA_PYTHON_CLIENT_PREALLOCATE"
PARTS = ("import", "program", "fill", "step", "stepped", "process")
TITLES = ("batch", "padding", "lanes", "waits for", "cache", "import s", "program s", "fill s")
TITLES += ("1st step s", "until then s", "whole process s")
WAITS = {"what trains": False, "all": True}


def first_step(
    batch: int, padding: str, lanes: int, widths: dict[str, int], wait: bool
) -> dict[str, float]:
    """Goes from nothing to the first step in this process; returns the seconds of its parts."""
    started = time.perf_counter()
    import jax

    import dser_jax.engine.lanes  # noqa: F401
    from dser_jax.system import enable_compile_cache, use_all_cores

    use_all_cores()
    enable_compile_cache()
    jax.local_devices()
    imported = time.perf_counter()
    sizes = argparse.Namespace(**widths)
    config = paper_config(sizes, batch, max_epochs=50, padding=padding)
    side = Lanes(config, MadeUp(batch, tokens=sizes.tokens).make(), lanes, wait)
    stepped = time.perf_counter()
    side.epoch()
    done = time.perf_counter()
    return {
        "import": imported - started,
        "program": side.compile_seconds,
        "fill": stepped - imported - side.compile_seconds,
        "step": done - stepped,
        "stepped": done - started,
    }


def in_process(cache: Path, *arguments: Any) -> dict[str, float]:
    """Measures in a fresh process that has a cache folder of its own."""
    drop = ("JAX_COMPILATION_CACHE_DIR", PREALLOCATE)
    keep = {key: value for key, value in os.environ.items() if key not in drop}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, "--measure", json.dumps(arguments)],
        env={**keep, "XDG_CACHE_HOME": os.fspath(cache), "DSER_NO_COMPILE_CACHE": "0"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    whole = time.perf_counter() - start
    return json.loads(done.stdout.splitlines()[-1]) | {"process": whole}


def main() -> None:
    """Measures each program, and prints the seconds."""
    hidden = argparse.ArgumentParser(add_help=False)
    hidden.add_argument("--measure", type=json.loads)
    if (given := hidden.parse_known_args()[0].measure) is not None:
        print(json.dumps(first_step(*given)))
        return
    args = parse(__doc__, "compile", cache=False)
    os.environ[PREALLOCATE] = "false"  # A GPU's memory is for the processes that are measured.
    record = Record("compile", args)
    widths = {name: getattr(args, name) for name in WIDTHS}
    for batch, padding, lanes in product(args.batch, args.padding, args.lanes):
        name = {"batch": batch, "padding": padding, "lanes": lanes}
        record.part(name, measure((batch, padding, lanes, widths), args.repeats))
    rows = [
        [part["batch"], part["padding"], part["lanes"], way, cache, *part[way][cache].values()]
        for part in record.found
        for way in WAITS
        for cache in ("cold", "warm")
    ]
    table(TITLES, rows)
    record.finish()


def measure(program: tuple, repeats: int) -> Iterator[dict[str, Any]]:
    """Measures a program both ways, without and with what is cached; yields the seconds."""
    seconds: dict[str, dict[str, list[dict[str, float]]]] = {
        way: {"cold": [], "warm": []} for way in WAITS
    }
    order = list(WAITS)
    for _ in range(repeats):
        for way in order:
            with tempfile.TemporaryDirectory() as folder:
                for every in seconds[way].values():
                    every.append(in_process(Path(folder), *program, WAITS[way]))
        order.reverse()
        yield {
            way: {cache: _medians(each) for cache, each in of_way.items()}
            for way, of_way in seconds.items()
        }


def _medians(measured: list[dict[str, float]]) -> dict[str, float]:
    return {part: statistics.median(each[part] for each in measured) for part in PARTS}


if __name__ == "__main__":
    main()
