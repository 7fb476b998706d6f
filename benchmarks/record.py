"""What a benchmark has found, in its file from the first figure on; and what it was found with.

A file is written anew, whole, whenever there is more to say, so a machine that is taken away leaves
what was found until then. `--resume` goes on with such a file: parts that it has whole are kept,
where they were measured with the same settings, source and versions on a machine of that kind.

    python benchmarks/record.py FILE ...      # prints those that have nothing left to measure here
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from dser_jax.journal import environment
from dser_jax.system import write_text

ROOT = Path(__file__).parents[1]
SAME = ("processor", "cores", "device")
"""What makes two machines of a kind."""
NOT_SETTINGS = ("out", "resume", "python")
"""Flags that say where something lies on this machine, which is nobody's business, or goes on."""


class Record:
    """The parts that a benchmark is made of, each written as it is found.

    Attributes:
      found: The parts so far.
    """

    def __init__(self, benchmark: str, args: argparse.Namespace) -> None:
        self.benchmark, self.args = benchmark, args
        settings = {name: v for name, v in vars(args).items() if name not in NOT_SETTINGS}
        self.about = {
            "settings": settings,
            "source": source(),
            "machine": machine(),
            **_environment(),
        }
        self.found: list[dict[str, Any]] = []
        self.earlier = _earlier(args, self.about) if args.resume else []

    def part(self, name: Mapping[str, Any], rounds: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """Takes a part from the earlier file, or measures it.

        Args:
          name: What tells it from the others, e.g. its batch size.
          rounds: What is known of it after each round of measuring, the last time all of it;
            nothing is measured before the first is asked for.

        Returns:
          The part, its name included.
        """
        for old in self.earlier:
            if all(old.get(key) == value for key, value in name.items()):
                print(f"taken from {self.args.out}: {_in_words(name)}", flush=True)
                self.found.append(old)
                return old
        self.found.append({})
        for known in rounds:
            self.found[-1] = {**name, **known, "unfinished": True}
            self._write(complete=False)
        del self.found[-1]["unfinished"]
        self._write(complete=False)
        return self.found[-1]

    def finish(self, **result: Any) -> None:
        """Prints all of it as one line, and writes it where asked."""
        print(json.dumps(self._write(complete=True, **result), default=str), flush=True)

    def _write(self, *, complete: bool, **result: Any) -> dict[str, Any]:
        found = {"found": self.found} if self.found else {}
        whole = {
            "benchmark": self.benchmark,
            "complete": complete,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            **found,
            **result,
            **self.about,
        }
        if self.args.out is not None:
            self.args.out.parent.mkdir(parents=True, exist_ok=True)
            write_text(self.args.out, json.dumps(whole, indent=1, default=str) + "\n")
        return whole


def finish(benchmark: str, args: argparse.Namespace, result: Mapping[str, Any]) -> None:
    """Prints a result that has no parts as one line, and writes it where asked."""
    Record(benchmark, args).finish(**result)


def measured_here(paths: Sequence[Path]) -> list[Path]:
    """Returns those files that are all that their benchmarks find, on such a machine as this."""
    found = {path: _read(path) for path in paths}
    whole = [path for path, kept in found.items() if kept.get("complete")]
    now = {"source": source(), "machine": machine(), **_environment()} if whole else {}
    return [path for path in whole if _is_of(found[path], now)]


def _read(path: Path | None) -> dict[str, Any]:
    """Reads a result; empty where there is none, or none that can be read."""
    try:
        return {} if path is None else json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def _is_of(kept: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Returns whether a result is of the source, the versions and the kind of machine of now."""
    return (
        kept.get("source") == now["source"]
        and kept["versions"] == now["versions"]
        and all(kept["machine"][key] == now["machine"][key] for key in SAME)
    )


def _earlier(args: argparse.Namespace, now: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Reads the whole parts of an earlier file, if it is of what is measured now."""
    kept = _read(args.out)
    settings = json.loads(json.dumps(now["settings"], default=str))
    if kept.get("settings") != settings or not _is_of(kept, now):
        return []
    return [part for part in kept.get("found", []) if not part.get("unfinished")]


def source() -> str:
    """Returns the start of a checksum over the source of package and benchmarks.

    It tells results apart where there is no commit, as in a copy on a rented machine.
    """
    digest = hashlib.sha256()
    for folder in ("dser_jax", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _environment() -> dict[str, Any]:
    about: dict[str, Any] = environment()
    for package in ("torch", "keras"):
        try:
            about["versions"][package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    given, words = [], iter(sys.argv[1:])
    for word in words:
        if word.removeprefix("--") not in NOT_SETTINGS:
            given.append(word)
        elif word != "--resume":
            next(words, None)
    about["command"] = shlex.join([f"benchmarks/{Path(sys.argv[0]).name}", *given])
    return about


def machine() -> dict[str, Any]:
    """Tells the processor, the device, their memory, and how busy the machine has been."""
    import jax

    found = jax.local_devices()
    pinned = hasattr(os, "sched_getaffinity")
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if pinned else os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "device": found[0].device_kind,
        "backend": jax.default_backend(),
        "devices": len(found),
        "load_average": [round(load, 2) for load in os.getloadavg()],
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _in_words(name: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in name.items())


if __name__ == "__main__":
    for measured in measured_here([Path(name) for name in sys.argv[1:]]):
        print(measured)
