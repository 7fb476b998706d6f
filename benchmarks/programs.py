"""A side of a comparison before it is made: so that programs can be compiled before any is timed.

A benchmark's file has a function `programs(args)`, which names the sides whose programs it needs,
in the order of its parts. `ahead.py` compiles those of all benchmarks side by side, in processes,
into the compilation cache; the benchmark then makes the same sides and finds their programs there.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from common import Lanes, MadeUp, compile_lanes


@dataclass(frozen=True)
class Side:
    """So many lanes of runs, ours or the plain ones.

    Attributes:
      config: `Config` of the runs.
      data: What they train on; its `make` gives `Data`.
      lanes: Runs at a time.
      plain: Whether it is `plain.py`'s.
      under: Environment variables under which its programs are compiled, and their values.
    """

    config: Any
    data: MadeUp | Any
    lanes: int
    plain: bool = False
    under: tuple[tuple[str, str], ...] = ()

    def compile(self) -> None:
        """Compiles its programs, and makes nothing else."""
        with environment(dict(self.under)):
            if self.plain:
                from plain import compile_plain

                compile_plain(self.config, self.data.make(), self.lanes)
            else:
                compile_lanes(self.config, self.data.make(), self.lanes)

    def make(self) -> Any:
        """Makes it, with a run in each lane: `Lanes` or `PlainLanes`."""
        with environment(dict(self.under)):
            if self.plain:
                from plain import PlainLanes

                return PlainLanes(self.config, self.data.make(), self.lanes)
            return Lanes(self.config, self.data.make(), self.lanes)

    def __str__(self) -> str:
        config = self.config
        kind = "plain" if self.plain else f"padding {config.padding}"
        kind += ", half precision" * config.half_recurrence
        kind += "".join(f", {name}={value}" for name, value in self.under)
        return f"{config.network}, batch {config.batch_size}, {kind}, {self.lanes} lanes"


@contextlib.contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """Sets environment variables for a while."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
