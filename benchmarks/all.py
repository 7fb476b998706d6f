"""Runs every benchmark, each in a process of its own, and keeps what they give.

What cannot run here (PyTorch, Keras or the audio libraries are missing) is left out and named at
the end; so is what failed, and then the exit status is 1. Results go to
`benchmarks/results/NAME-cpu.json`, or `-gpu.json`.

    python benchmarks/all.py                # what suits two cores, about a quarter of an hour
    python benchmarks/all.py --size gpu     # all of it, at full size
    python benchmarks/all.py --size small --results /tmp/small --only lanes table6
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
LEFT_OUT = 3
"""Exit status of a benchmark for which something is not installed."""
SUITE = {
    "lanes": ("lanes", {}),
    "versus_torch": ("versus_torch", {}),
    "versus_keras": ("versus_keras", {}),
    "table6": ("table6", {}),
    "roofline": ("roofline", {}),
    "compile": ("compile", {}),
    "features": ("features", {}),
    "opening": ("opening", {}),
    "refill": ("refill", {}),
    "pending": ("pending", {}),
}
"""Name of a result -> benchmark and its flags."""
FULL = {
    "table5": ("table6", {"--experiment": "table5"}),
    "fig4": ("table6", {"--experiment": "fig4"}),
}
"""What runs at full size alone."""


def run(name: str, size: str, results: Path) -> int:
    """Runs a benchmark; returns its exit status."""
    file, flags = (SUITE | FULL)[name]
    out = results / f"{name}-{size}.json"
    more = [text for pair in flags.items() for text in pair]
    print(f"\n=== {name}: benchmarks/{file}.py {' '.join(more)}", flush=True)
    paths = [os.fspath(HERE.parent), os.environ.get("PYTHONPATH", "")]
    start = time.perf_counter()
    status = subprocess.run(
        [sys.executable, HERE / f"{file}.py", "--size", size, "--out", out, *more],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    ).returncode
    print(f"({name}: {time.perf_counter() - start:.0f} s)", flush=True)
    return status


def main() -> int:
    """Runs what is asked for, and sums up."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=("small", "cpu", "gpu"), default="cpu")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--only", nargs="+", choices=[*SUITE, *FULL], help="by default all")
    args = parser.parse_args()
    names = args.only or [*SUITE, *(FULL if args.size == "gpu" else ())]
    statuses = {name: run(name, args.size, args.results) for name in names}
    missing = [name for name, status in statuses.items() if status == LEFT_OUT]
    failed = [name for name, status in statuses.items() if status not in (0, LEFT_OUT)]
    done = len(names) - len(missing) - len(failed)
    print(f"\n{done} of {len(names)} measured; results in {args.results}")
    if missing:
        print(f"left out, as something is not installed: {', '.join(missing)}")
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
