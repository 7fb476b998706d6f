r"""All tables and figures of the paper, and what each took by the clock.

Trains what the journals lack, then writes one report of all. Seconds are added up in `clock.json`,
so that an interrupted call counts with the one that goes on. Flags that are not of this file go to
each experiment, and those of `--grid-flags` to Figs 4 to 6 alone.

    python experiments/paper.py --data DIR --out runs/paper --features paa_hsf --vectors glove \
        --protocol paper --size paper
"""

import argparse
import json
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from dser_jax.system import span, write_text

PARTS = ("table3", "table4", "table5", "table6", "modalities", "fig4", "fig5", "fig6")


def timed(name: str, command: list[str], clock: dict[str, float], kept: Path) -> int:
    """Runs a command; adds its seconds to the clock while it does. Returns its exit status."""
    before, start, status = clock.get(name, 0.0), time.monotonic(), None
    process = subprocess.Popen([sys.executable, *command])
    while status is None:
        # Ctrl-C has told it as well: it saves what it has, and ends.
        with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            status = process.wait(10)
        clock[name] = before + time.monotonic() - start
        write_text(kept, json.dumps(clock, indent=1) + "\n")
    print(f"{name}: {span(clock[name])}", flush=True)
    return status


def main() -> int:
    """Trains all parts, writes the report, and tells what each took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    for flag, default in (("--data", None), ("--out", None), ("--grid-flags", "")):
        parser.add_argument(flag, required=default is None, default=default)
    args, flags = parser.parse_known_args()
    kept = Path(args.out, "clock.json")
    kept.parent.mkdir(parents=True, exist_ok=True)
    clock = json.loads(kept.read_text("utf-8")) if kept.exists() else {}
    status, out = 0, {name: f"{Path(args.out, name)}" for name in (*PARTS, "report")}
    for name, folder in out.items():
        more = [*flags, *(args.grid_flags.split() if name.startswith("fig") else ())]
        job = [f"{Path(__file__).with_name(name)}.py", "--data", args.data, *more]
        if name == "report":
            job = ["-m", "dser_jax.cli", name, *list(out.values())[:-1]]
        status = status or timed(name, [*job, "--out", folder], clock, kept)
    for name, seconds in {**clock, "all": sum(clock.values())}.items():
        print(f"{name:12}{span(seconds):>12}")
    return status


if __name__ == "__main__":
    sys.exit(main())
