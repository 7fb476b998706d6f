"""PyTorch's side in a process of its own, which trains an epoch when it is told to.

Beside JAX in one process PyTorch is slower than alone, on a GPU by as much as half. What the
process says goes through a pipe, a line a message; what PyTorch prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from common import MadeUp

STEPS = ("eager", "compiled", "graph")
"""How a step is run: as it is written; by `torch.compile`; as a CUDA graph, all of it."""
PADDINGS = ("keras", "masked", "masked, packed")
"""What is done with padding: fed to the network; cut off to the batch's longest row, the last real
state picked; or packed (`pack_padded_sequence`). The last two compute the same."""


@dataclass(frozen=True)
class Way:
    """One of PyTorch's ways: of `PADDINGS`, of `STEPS`, and with so many threads."""

    padding: str
    step: str
    threads: int

    def __str__(self) -> str:
        return f"{self.padding}, {self.step}, threads {self.threads}"


def ways() -> list[Way]:
    """Returns PyTorch's ways on this machine, on a processor with one thread and with all."""
    import torch

    counts = [1] if torch.cuda.is_available() else sorted({1, torch.get_num_threads()})
    found = [Way(padding, "eager", threads) for padding in PADDINGS for threads in counts]
    # Packing needs the lengths on the host at each step: neither is of use there.
    for step in STEPS[1:]:
        found += [Way(padding, step, counts[-1]) for padding in PADDINGS[:2]]
    return found


class TorchProcess:
    """A process with one run."""

    def __init__(self, config: Any, data: MadeUp, way: Way) -> None:
        job = {"config": config.to_json(), "data": list(data), "way": asdict(way)}
        self.way = way
        self.process = subprocess.Popen(
            [sys.executable, "-u", Path(__file__).with_name("torch_runs.py"), json.dumps(job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": f"{way.threads}"},
        )

    def missing(self) -> str | None:
        """Waits until it is ready; returns what this machine lacks for this way, if it does."""
        return self._answer()["missing"]

    def epoch(self) -> float:
        """Has it train on all rows once; returns the mean loss."""
        assert self.process.stdin is not None
        self.process.stdin.write("epoch\n")
        self.process.stdin.flush()
        return self._answer()["loss"]

    def end(self) -> None:
        """Ends it."""
        self.process.kill()
        self.process.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"PyTorch ({self.way}) ended, exit status {self.process.wait()}")
        return json.loads(line)
