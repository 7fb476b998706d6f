"""A worker as the driver knows it, and where there are to be workers."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from dser_jax.engine.progress import Tick
from dser_jax.engine.ray.cluster import Place, load_ray
from dser_jax.engine.ray.worker import Report, Worker
from dser_jax.engine.waiting import Item

ASK_SECONDS = 0.5
"""A worker answers at once if a run has ended, and after this time if not."""
STRIKES = 3
"""Workers that a place may lose in a row, without a run finished, before it is left out."""


@dataclass(eq=False)
class Hired:
    """A worker as the driver knows it.

    Attributes:
      number: Its own, never used again.
      name, place: Where it is.
      actor, call: Ray's, and what it was last asked; None if it is to be asked.
      since: When it was asked for.
      pid: Its process; None while the cluster has no room.
      ready: Whether it has compiled.
      silent: Seconds since it told something.
      tick: Its lanes of late.
    """

    number: int
    name: str
    place: Place
    actor: Any
    call: Any
    since: float
    pid: int | None = None
    ready: bool = False
    silent: float = 0.0
    tick: Tick | None = None

    def ask(self, items: Sequence[Item]) -> None:
        """Hands runs to it, and asks what there is to tell."""
        self.call = self.actor.exchange.remote(items, ASK_SECONDS)

    def heard(self, report: Report) -> None:
        """Notes what it has told of itself."""
        if report.tick is not None or report.ended or report.ready > self.ready:
            self.silent = 0.0
        self.ready = report.ready
        self.tick = report.tick or self.tick


class Hiring:
    """Where workers are hired, and where no longer.

    Args:
      notice: Called with which place is left out, and why.

    Attributes:
      left_out: Why, by the names of places.
    """

    def __init__(self, notice: Callable[[str], None]) -> None:
        self.left_out: dict[str, str] = {}
        self._notice = notice
        self._strikes: Counter[str] = Counter()
        self._number = 0
        # The settings of JAX are the driver's; which devices there are is for Ray to say.
        ours = "JAX_", "XLA_", "DSER_"
        names = [n for n in os.environ if n.startswith(ours) and n != "JAX_PLATFORMS"]
        self._env = {"env_vars": {name: os.environ[name] for name in names}}

    def hire(self, name: str, place: Place) -> Hired:
        """Asks for a worker, whose process waits until there is room for it."""
        near = import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
        kind = (
            load_ray()
            .remote(Worker)
            .options(
                num_gpus=1 if place.gpu else 0,
                num_cpus=0 if place.gpu else 1,
                max_restarts=0,
                max_task_retries=0,
                scheduling_strategy=near(place.node, soft=False),
                runtime_env=self._env,
            )
        )
        self._number += 1
        actor = kind.remote()
        return Hired(self._number, name, place, actor, actor.hello.remote(), time.monotonic())

    def lost(self, worker: Hired, strikes: int = 1) -> bool:
        """Counts a worker against its place; returns whether that has lost too many in a row."""
        self._strikes[worker.name] += strikes
        return self._strikes[worker.name] >= STRIKES

    def proved(self, worker: Hired) -> None:
        """Notes that a run has ended as it should, so that its place starts anew."""
        self._strikes.pop(worker.name, None)

    def leave_out(self, worker: Hired, why: str) -> None:
        """Hires nobody any more where this worker was."""
        self.left_out[worker.name] = f"{worker.place.host}: {why}"
        self._notice(f"{worker.place.host} is left out: {why}")
