"""The process of a worker: an engine that trains what it is handed, and tells what has ended."""

from __future__ import annotations

import math
import os
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from typing import Any, NamedTuple

import jax

from dser_jax import __version__
from dser_jax.config import Config
from dser_jax.data import Dataset
from dser_jax.engine.progress import Tick
from dser_jax.engine.terms import Hooks
from dser_jax.engine.waiting import Item
from dser_jax.plan import Outcome
from dser_jax.system import DserError, NotMade, enable_compile_cache, use_all_cores


class Job(NamedTuple):
    """What is trained, and how; the same for all workers.

    Attributes:
      dataset: Or Ray's reference to it, which goes to each node once.
      config: Static settings of all runs.
      lanes: Runs at a time on each worker; None for what its memory holds.
      keep_weights: Whether outcomes carry the weights of their best epoch.
      train: Called as `train_runs`.
    """

    dataset: Any
    config: Config
    lanes: int | None
    keep_weights: bool
    train: Callable[..., Iterator[tuple[str, Outcome]]]


class Report(NamedTuple):
    """What a worker tells since it was last asked.

    Attributes:
      ended: Runs that have ended.
      notices: What the user should read.
      tick: What its lanes have done since it began; None if nothing since.
      ready: Whether it has its program and waits for runs, or did so once.
      shrunk: The number of lanes that its memory turned out to hold, if it was too many.
      error: Why it trains no more.
      refused: Whether the error is one that the user can mend, and no second try will.
    """

    ended: list[tuple[str, Outcome]]
    notices: list[str]
    tick: Tick | None
    ready: bool
    shrunk: int | None
    error: str | None
    refused: bool


class Feed:
    """The runs that a worker's engine is yet to train, as they are handed out.

    It has no next one for the moment while runs are under way, so that their lanes go on, and
    waits for one when there are none.
    """

    def __init__(self) -> None:
        self.asked = False
        self._waiting: deque[Item] = deque()
        self._under_way = 0
        self._change = threading.Condition()

    def __iter__(self) -> Feed:
        return self

    def __next__(self) -> Item:
        with self._change:
            self.asked = True
            self._change.wait_for(lambda: self._waiting or self._under_way)
            if not self._waiting:
                raise StopIteration
            self._under_way += 1
            return self._waiting.popleft()

    def add(self, items: Sequence[Item]) -> None:
        """Takes in what was handed out."""
        with self._change:
            self._waiting += items
            self._change.notify()

    def ended(self) -> None:
        """Notes that a run has ended."""
        with self._change:
            self._under_way -= 1


class Worker:
    """The process on a GPU or host: an engine in a thread of its own, and what it has to tell."""

    def hello(self) -> dict[str, Any]:
        """Tells who and what it is."""
        return {"pid": os.getpid(), "versions": versions()}

    def begin(
        self,
        dataset: Dataset,
        config: Config,
        lanes: int | None,
        keep_weights: bool,
        train: Callable[..., Iterator[tuple[str, Outcome]]],
        count: int,
        at_most: int | None,
        gpu: bool,
    ) -> Report:
        """Starts the engine, which compiles and then waits for runs."""
        self._feed, self._change = Feed(), threading.Condition()
        self._clear()
        self._at_most = at_most
        self._error: str | None = None
        self._refused = False
        self._before = self._sum = Tick(0, 0, 0, 0, math.nan)  # Of engines before this one; of all.
        options = {"count": count, "lanes": lanes, "keep_weights": keep_weights}
        given = (dataset, config, options, gpu, train)
        threading.Thread(target=self._train, args=given, name="engine", daemon=True).start()
        return self.exchange((), 0)

    def exchange(self, items: Sequence[Item], seconds: float) -> Report:
        """Takes runs in, and tells what there is to tell, or will be in so many seconds."""
        self._feed.add(items)
        with self._change:
            self._change.wait_for(lambda: self._ended or self._notices or self._error, seconds)
            report = Report(
                *(self._ended, self._notices, self._tick, self._feed.asked),
                *(self._shrunk, self._error, self._refused),
            )
            self._clear()
        return report

    def _clear(self) -> None:
        self._ended: list[tuple[str, Outcome]] = []
        self._notices: list[str] = []
        self._tick: Tick | None = None
        self._shrunk: int | None = None

    def _train(
        self, dataset: Dataset, config: Config, options: dict[str, Any], gpu: bool, train
    ) -> None:
        hooks = Hooks(self._note_tick, self._note_notice, lambda: None, self._note_shrunk)
        try:
            use_all_cores()
            for notice in enable_compile_cache():
                self._note_notice(notice)
            if gpu and jax.default_backend() == "cpu":
                raise DserError("JAX does not see the GPU there; it needs dser_jax[cuda12]")
            while True:  # An engine ends when it has run out of memory and out of runs.
                given = options | {"at_most": self._at_most, "hooks": hooks}
                for run, outcome in train(dataset, config, self._feed, **given):
                    self._feed.ended()
                    with self._change:
                        self._ended.append((run, outcome))
                        self._change.notify()
                self._before = self._sum
        except BaseException as error:
            with self._change:
                self._refused = isinstance(error, DserError) and not isinstance(error, NotMade)
                whole = "".join(traceback.format_exception(error))
                self._error = str(error) if self._refused else whole
                self._change.notify()

    def _note_tick(self, tick: Tick) -> None:
        with self._change:
            self._tick = self._sum = tick.after(self._before)

    def _note_notice(self, text: str) -> None:
        with self._change:
            self._notices.append(text)
            self._change.notify()

    def _note_shrunk(self, lanes: int) -> None:
        with self._change:
            self._shrunk = self._at_most = lanes


def versions() -> dict[str, str]:
    """Tells what has to be equal wherever runs of a sweep are trained."""
    return {"dser_jax": __version__, "jax": metadata.version("jax")}


def unlike(theirs: dict[str, str]) -> str | None:
    """Tells which other versions another process has; None if it has these."""
    mine = versions()
    if mine == theirs:
        return None
    other = [f"{name} {theirs[name]}" for name in mine if mine[name] != theirs[name]]
    here = ", ".join(f"{name} {version}" for name, version in mine.items())
    return f"it has {', '.join(other)}, and here is {here}"
