"""Runs benchmarks, each in a process of its own, and keeps what they give.

First their programs are compiled, side by side (`ahead.py`); then everything is timed, alone, the
most important first. Results go to `benchmarks/results/NAME-cpu.json`, or `-gpu.json`, figure by
figure as they are found. What cannot run here (PyTorch, Keras or the audio libraries are missing)
is left out and named at the end; so is what failed, and then the exit status is 1.

`--minutes N` fits a rented machine: half of the time is for compiling, if that takes so long, and
what has not ended after N minutes is named. The same command again takes what is missing.

    python benchmarks/all.py                # what suits two cores, about a quarter of an hour
    python benchmarks/all.py --size gpu --minutes 8
    python benchmarks/all.py --size small --results /tmp/small --only lanes table6
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from suite import SUITE, by_default, flags_of

HERE = Path(__file__).parent
LEFT_OUT = 3
"""Exit status of a benchmark for which something is not installed."""
NO_TIME = None
"""Exit status of what has not ended in time."""


def run(file: str, arguments: Sequence[object], seconds: float | None) -> int | None:
    """Runs a file of this folder; returns its exit status, None where it took too long."""
    process = subprocess.Popen(
        [sys.executable, "-u", HERE / f"{file}.py", *map(str, arguments)],
        env=environment(),
        start_new_session=True,  # So that it ends with all that it has started.
    )
    start = time.perf_counter()
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return NO_TIME
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        print(f"({file}: {time.perf_counter() - start:.0f} s)", flush=True)


def main() -> int:
    """Runs what is asked for, and sums up."""
    args = parse()
    end = None if args.minutes is None else time.monotonic() + 60 * args.minutes
    names = args.only or by_default(args.size)
    results = {name: args.results / f"{name}-{args.size}.json" for name in names}
    kept = [] if end is None else measured(results)
    todo = [name for name in names if name not in kept]
    if todo and args.ahead:
        print("\n=== programs, side by side", flush=True)
        # A failure is the benchmark's to tell: it compiles what is not there.
        half = end and (end - time.monotonic()) / 2
        if run("ahead", ["--size", args.size, *todo], half) is NO_TIME:
            print("half of the time is over: what is left is compiled when its turn comes")
    statuses: dict[str, int | None] = {}
    for name in todo:
        file = SUITE[name][0]
        if end is not None and time.monotonic() >= end:
            statuses[name] = NO_TIME
            continue
        more = [*flags_of(name, args.size), *(["--resume"] if end is not None else [])]
        print(f"\n=== {name}: benchmarks/{file}.py {' '.join(more)}", flush=True)
        where = ["--size", args.size, "--out", results[name], *more]
        statuses[name] = run(file, where, end and end - time.monotonic())
    return sum_up(names, kept, statuses, args.results)


def sum_up(
    names: list[str], kept: list[str], statuses: dict[str, int | None], results: Path
) -> int:
    """Says what has been measured and what has not; returns the exit status."""
    missing = [name for name, status in statuses.items() if status == LEFT_OUT]
    late = [name for name, status in statuses.items() if status is NO_TIME]
    done = [name for name, status in statuses.items() if status == 0]
    failed = [name for name in statuses if name not in (*missing, *late, *done)]
    print(f"\n{len(done) + len(kept)} of {len(names)} measured; results in {results}")
    for why, which in (
        ("measured before", kept),
        ("left out, as something is not installed", missing),
        ("not ended in time (the same command again takes what is missing)", late),
        ("failed", failed),
    ):
        if which:
            print(f"{why}: {', '.join(which)}")
    return 1 if failed else 0


def measured(results: dict[str, Path]) -> list[str]:
    """Returns the names of those results that have nothing left to measure on this machine."""
    there = [path for path in results.values() if path.exists()]
    if not there:
        return []
    done = subprocess.run(
        [sys.executable, HERE / "record.py", *there],
        env=environment() | {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [name for name, path in results.items() if os.fspath(path) in done.stdout.splitlines()]


def environment() -> dict[str, str]:
    """Returns the environment of the benchmarks' processes, which find the package."""
    paths = [os.fspath(HERE.parent), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=("small", "cpu", "gpu"), default="cpu")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument(
        "--only", nargs="+", choices=list(SUITE), metavar="NAME", help="by default all"
    )
    parser.add_argument(
        "--minutes", type=float, help="time there is; what a result has already is not done again"
    )
    parser.add_argument(
        "--no-ahead",
        dest="ahead",
        action="store_false",
        help="compile each program when its turn comes",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
