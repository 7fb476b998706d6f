"""Runs on the GPUs or hosts of a Ray cluster: handed out, and retried where a worker dies.

A worker is a process with the engine of `lanes` in it, which it feeds with what the driver hands
out, so that its program is compiled once and its lanes stay full. The driver asks each for what has
ended since it last asked. A worker keeps nothing that matters: what it had under way when it died
is trained again, from the start, elsewhere.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, NamedTuple

from dser_jax.config import Config
from dser_jax.data import Dataset
from dser_jax.engine.lanes import train_runs
from dser_jax.engine.progress import Tick
from dser_jax.engine.ray.handout import Handout
from dser_jax.engine.ray.worker import Worker, versions
from dser_jax.engine.terms import Hooks
from dser_jax.engine.waiting import Item
from dser_jax.plan import Outcome, RunSpec
from dser_jax.system import NAMES, DserError, Interrupted, last_line

ASK_SECONDS = 0.5
"""A worker answers at once if a run has ended, and after this time if not."""
LOOK_SECONDS = 1.0
"""Time between two looks at which nodes the cluster has."""
ROOM_SECONDS = 30.0
"""Time after which the user is told that the cluster has no room."""
STRIKES = 3
"""Workers that a place may lose in a row, without a run finished, before it is left out."""
FIRST_LANES = 20
"""Runs that a worker is handed before it has told how many lanes it has."""


def train_on_ray(
    dataset: Dataset,
    config: Config,
    items: Sequence[Item],
    *,
    address: str,
    lanes: int | None = None,
    keep_weights: bool = False,
    hooks: Hooks | None = None,
    retries: int = 2,
    silence_seconds: float = 1800.0,
    train: Callable[..., Iterator[tuple[str, Outcome]]] = train_runs,
) -> Iterator[tuple[str, Outcome]]:
    """Trains runs on a Ray cluster and yields each once, as it ends, with its id.

    There is a worker on each GPU of the cluster, or, where it has none, on each node. Runs of a
    worker that dies or falls silent are trained again elsewhere, apart from all others and in
    halves, so that a run that kills its worker is soon alone. Nodes that join later are used.

    Args:
      dataset: Arrays that all runs share; they go to each node once.
      config: Static settings of all runs.
      items: Ids and what to train.
      address: As of `cluster`.
      lanes: Runs at a time on each worker; by default what its memory holds.
      keep_weights: Whether outcomes carry the weights of their best epoch.
      hooks: What to call on the way, here; `shrunk` is not called.
      retries: How often a run that fails when it is alone is trained again, beyond the first time;
        after that, it comes as an outcome with a traceback.
      silence_seconds: A worker with runs under way that tells nothing for so long is killed; so is
        one that takes longer to compile.
      train: What a worker trains with; it is called as `train_runs`.

    Raises:
      DserError: There is no such cluster, or no node on which a worker can be started.
      Interrupted: `hooks.stop` said so. Runs under way start anew next time.
    """
    if lanes is not None and lanes < 1:
        raise DserError(f"lanes is {lanes}; expected 1 or more")
    if not items:
        return
    with cluster(address):
        given = (dataset, config, lanes, keep_weights, train)
        crew = _Crew(dict(items), given, hooks or Hooks(), retries, silence_seconds)
        try:
            yield from crew.train()
        finally:
            crew.stop()


@contextlib.contextmanager
def cluster(address: str) -> Iterator[None]:
    """Joins a Ray cluster, or starts one on this machine, for as long as the `with` lasts.

    Within another one it does nothing, so that the programs of a sweep may share one. What it
    starts ends with it, and with this process, however that ends; a cluster that was there stays.

    Args:
      address: "local" for one of this machine alone, which listens on 127.0.0.1; HOST:PORT of one
        that this machine belongs to; "auto" for the one that this machine belongs to.

    Raises:
      DserError: Ray is not installed, or there is no such cluster.
    """
    mine: dict[str, str] = {}
    if address == "local":
        # Ray reads it when it is imported: nodes are on 127.0.0.1, as on macOS and Windows.
        mine = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
        if not os.environ.keys() & {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"}:
            mine["RAY_AUTH_TOKEN"] = _token()  # Ray would write one to the home folder.
        if "ray" not in sys.modules:  # It has read it, then, and would not know of a change.
            mine["RAY_AUTH_MODE"] = "token"
    elif address != "auto" and ("://" in address or not address.rpartition(":")[2].isdecimal()):
        raise DserError(f"--ray {address}: expected local, auto or HOST:PORT")
    else:
        mine = {"RAY_NUM_REDIS_GET_RETRIES": "2"}  # Tries of 40 s each, where Ray is not there.
    with _environment({name: value for name, value in mine.items() if name not in os.environ}):
        ray = _ray()
        if ray.is_initialized():
            yield
            return
        with _signals_kept():
            _connect(ray, address)
        try:
            yield
        finally:
            with _signals_kept():
                ray.shutdown()


def cluster_devices() -> str:
    """Tells what the workers of a cluster are on, for a manifest; within a `with cluster(...)`."""
    places = _places(_ray().nodes())
    kinds = Counter(place.kind for place in places.values())
    hosts = len({place.node for place in places.values()})
    what = ", ".join(f"{count} x {kind}" for kind, count in kinds.items()) or "no device"
    return f"{what} on {hosts} {'node' if hosts == 1 else 'nodes'} (ray)"


@functools.cache
def _token() -> str:
    """Returns a secret of this process, which Ray asks of whoever connects."""
    return secrets.token_hex(32)


def _ray() -> Any:
    try:
        return import_module("ray")
    except ImportError as error:
        raise DserError(f'--ray needs Ray: pip install "dser_jax[ray]" ({error})') from error


def _connect(ray: Any, address: str) -> None:
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == "local":
        # A worker needs a GPU and no core, or one core; Ray starts an idle process for each core.
        options |= {"num_cpus": 1, "include_dashboard": False}
    elif address != "auto":
        host, _, port = address.rpartition(":")
        try:  # Ray itself tries for minutes.
            socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
        except OSError as error:
            raise DserError(f"--ray {address}: nothing listens there: {error}") from error
    try:
        ray.init(address=address, **options)
    except (OSError, RuntimeError, ValueError) as error:
        raise DserError(f"--ray {address}: {error}") from error


@contextlib.contextmanager
def _environment(changes: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Puts the handlers of signals back, which Ray replaces by its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)


class Place(NamedTuple):
    """Where there is room for a worker: a GPU, or a node without."""

    node: str
    host: str
    kind: str
    gpu: bool


def _places(nodes: Sequence[dict[str, Any]]) -> dict[str, Place]:
    """Lists the GPUs of the nodes that are alive, by names of their own, or else the nodes."""
    places = {}
    alive = [node for node in nodes if node["Alive"]]
    gpus = any(node["Resources"].get("GPU", 0) >= 1 for node in alive)
    for node in alive:
        has = node["Resources"]
        kinds = [name.partition(":")[2] for name in has if name.startswith("accelerator_type:")]
        kind = (kinds or ["GPU"])[0] if gpus else "cpu"
        count = int(has.get("GPU", 0)) if gpus else min(1, int(has.get("CPU", 0)))
        for number in range(count):
            host = node["NodeManagerHostname"] or node["NodeManagerAddress"]
            places[f"{node['NodeID']} {number}"] = Place(node["NodeID"], host, kind, gpus)
    return places


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


@dataclass
class _Crew:
    """The workers of a program."""

    specs: dict[str, RunSpec]
    given: tuple
    hooks: Hooks
    retries: int
    silence_seconds: float
    workers: dict[int, Hired] = field(default_factory=dict)
    strikes: Counter[str] = field(default_factory=Counter)
    left_out: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ray = _ray()
        self._handout = Handout(list(self.specs), self.retries)
        self._dataset = self._ray.put(self.given[0])
        self._at_most: int | None = None
        self._share = self._number = self._ended = self._ended_epochs = 0
        self._gone = Tick(0, 0, 0, 0, math.nan)  # What dead workers have done.
        self._looked = -math.inf
        self._told_to_wait = False
        self._why = ""  # The last worker failed, in full.
        # The settings of JAX are the driver's; which devices there are is for Ray to say.
        ours = "JAX_", "XLA_", "DSER_"
        names = [n for n in os.environ if n.startswith(ours) and n != "JAX_PLATFORMS"]
        self._env = {"env_vars": {name: os.environ[name] for name in names}}

    def train(self) -> Iterator[tuple[str, Outcome]]:
        """Hands out, asks and yields until no run is left."""
        then = time.monotonic()
        while self._handout.left:
            if name := self.hooks.stop():
                raise Interrupted(name, "finished runs are saved")
            self._look()
            self._ask()
            news = self._wait()
            for worker in news:
                yield from self._hear(worker)
            now = time.monotonic()
            # Time that the caller takes, or that this process was stopped for, is nobody's silence.
            passed, then = min(now - then, 2 * ASK_SECONDS), now
            for worker in list(self.workers.values()):
                yield from self._mind(worker, passed)
            if any(worker.tick for worker in news):
                self.hooks.progress(self._tick())

    def stop(self) -> None:
        """Kills all workers."""
        for worker in list(self.workers.values()):
            self._dismiss(worker)

    def _look(self) -> None:
        """Starts a worker wherever there is room for one and work."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        places = _places(self._ray.nodes())
        free = places.keys() - self.left_out.keys() - {w.name for w in self.workers.values()}
        # Those for which there is no room do not count: others may find some.
        hired = [w for w in self.workers.values() if w.pid or now - w.since < ROOM_SECONDS]
        for name in sorted(free)[: max(0, len(self._handout.left) - len(hired))]:
            self._hire(name, places[name])
        self._share = -(-len(self.specs) // max(1, len(places)))
        if self.workers and any(w.pid is not None for w in self.workers.values()):
            return
        if not self.workers and self.left_out:
            reasons = "; ".join(dict.fromkeys(self.left_out.values()))
            text = f"no worker is left on the Ray cluster: {reasons}"
            raise DserError(text) from RuntimeError(self._why)
        oldest = min((w.since for w in self.workers.values()), default=-math.inf)
        if now - oldest > ROOM_SECONDS and not self._told_to_wait:
            self._told_to_wait = True
            what = "others use all it has" if self.workers else "no node has a GPU or a core"
            self.hooks.notice(f"waiting for room on the Ray cluster: {what}")

    def _hire(self, name: str, place: Place) -> None:
        near = import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
        actor = self._ray.remote(Worker).options(
            num_gpus=1 if place.gpu else 0,
            num_cpus=0 if place.gpu else 1,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy=near(place.node, soft=False),
            runtime_env=self._env,
        )
        self._number += 1
        actor = actor.remote()
        call = actor.hello.remote()
        now = time.monotonic()
        self.workers[self._number] = Hired(self._number, name, place, actor, call, now)

    def _ask(self) -> None:
        """Hands runs to the workers that wait for a call, and asks them what there is."""
        places = {w.number: w.name for w in self.workers.values() if w.ready}
        for worker in self.workers.values():
            if worker.call is not None:
                continue
            runs = []
            if worker.ready:
                idle = not self._handout.hand(worker.number)
                lanes = worker.tick.lanes if worker.tick else self.given[2] or FIRST_LANES
                runs = self._handout.give(worker.number, worker.name, lanes, places)
                worker.silent = 0.0 if idle else worker.silent
            items = [(run, self.specs[run]) for run in runs]
            worker.call = worker.actor.exchange.remote(items, ASK_SECONDS)

    def _wait(self) -> list[Hired]:
        """Waits for an answer, but not for long; returns all workers that have answered."""
        calls = {w.call: w for w in self.workers.values() if w.call is not None}
        if not calls:
            time.sleep(ASK_SECONDS)
            return []
        if self._ray.wait(list(calls), num_returns=1, timeout=ASK_SECONDS)[0]:
            done, _ = self._ray.wait(list(calls), num_returns=len(calls), timeout=0)
            return [calls[call] for call in done]
        return []

    def _hear(self, worker: Hired) -> Iterator[tuple[str, Outcome]]:
        """Takes in what a worker has answered."""
        call, worker.call = worker.call, None
        try:
            answer = self._ray.get(call)
        except Exception as error:  # Of Ray, or what it could not send.
            yield from self._lose(worker, str(error))
            return
        if worker.pid is None:
            self._welcome(worker, answer)
            return
        if answer.tick is not None or answer.ended or answer.ready > worker.ready:
            worker.silent = 0.0
        worker.ready = answer.ready
        worker.tick = answer.tick or worker.tick
        if answer.shrunk is not None:
            self._at_most = min(answer.shrunk, self._at_most or answer.shrunk)
        for notice in answer.notices:
            self.hooks.notice(f"{worker.place.host}: {notice}")
        failed = []
        for run, outcome in answer.ended:
            if outcome.result is None:
                failed.append((run, outcome))
            elif self._handout.ended(worker.number, run):
                self.strikes.pop(worker.name, None)
                self._ended += 1
                self._ended_epochs += int(outcome.result.epochs)
                yield run, outcome._replace(spec=self.specs[run])
        if failed:  # Its device may have failed for good, and would fail whatever comes next.
            run, outcome = failed[0]
            yield from self._lose(worker, outcome.traceback or "no traceback", guilty=run)
        elif answer.error is not None:
            self._resign(worker, answer.error, answer.refused)

    def _welcome(self, worker: Hired, answer: dict[str, Any]) -> None:
        """Starts a worker that has a place, if it is of our version."""
        worker.pid = answer["pid"]
        mine, theirs = versions(), answer["versions"]
        if mine != theirs:
            unlike = [f"{name} {theirs[name]}" for name in mine if mine[name] != theirs[name]]
            here = ", ".join(f"{name} {version}" for name, version in mine.items())
            self._leave_out(worker, f"it has {', '.join(unlike)}, and here is {here}")
            return
        _, config, lanes, keep_weights, train = self.given
        worker.call = worker.actor.begin.remote(
            *(self._dataset, config, lanes, keep_weights, train),
            *(self._share, self._at_most, worker.place.gpu),
        )

    def _mind(self, worker: Hired, passed: float) -> Iterator[tuple[str, Outcome]]:
        """Kills a worker that has runs, or compiles, and has been silent for too long."""
        if worker.pid is None or (worker.ready and not self._handout.hand(worker.number)):
            return
        worker.silent += passed
        if worker.silent > self.silence_seconds:
            yield from self._lose(worker, f"it told nothing for {worker.silent:.0f} s")

    def _lose(
        self, worker: Hired, why: str, guilty: str | None = None
    ) -> Iterator[tuple[str, Outcome]]:
        """Goes on without a worker that died, hangs, or whose device failed."""
        hand, fresh = self._handout.hand(worker.number), self._handout.fresh(worker.number)
        if not hand:
            self._resign(worker, why, refused=False)
            return
        self._dismiss(worker)
        where = f"{worker.place.host}, process {worker.pid}"
        given_up = self._handout.lost(worker.number, worker.name, guilty)
        if given_up is not None:
            spec = self.specs[given_up]
            self.hooks.notice(f"{spec.name}, seed {spec.seed}: failed: {last_line(why)}")
            text = f"On {where}, the last of {self.retries + 1} or more times:\n{why}"
            yield given_up, Outcome(spec, None, traceback=text)
        count = len(hand) - (given_up is not None)
        if count:
            self.hooks.notice(
                f"{where}: lost ({last_line(why)}); training its {count} runs again, apart"
            )
        others = any(w.ready for w in self.workers.values())
        self.strikes[worker.name] += fresh
        if others and self.strikes[worker.name] >= STRIKES:
            self._bar(worker, f"{STRIKES} workers died there in a row")

    def _resign(self, worker: Hired, why: str, refused: bool) -> None:
        """Goes on without a worker that failed, but not by any run."""
        self._why = why
        self._handout.take_back(worker.number)
        self.strikes[worker.name] += 1
        if refused or self.strikes[worker.name] >= STRIKES:
            self._leave_out(worker, why if refused else last_line(why))
        else:
            self._dismiss(worker)

    def _leave_out(self, worker: Hired, why: str) -> None:
        self._dismiss(worker)
        self._bar(worker, why)

    def _bar(self, worker: Hired, why: str) -> None:
        self.left_out[worker.name] = f"{worker.place.host}: {why}"
        self.hooks.notice(f"{worker.place.host} is left out: {why}")

    def _dismiss(self, worker: Hired) -> None:
        """Kills a worker; what it may yet tell is not listened to."""
        del self.workers[worker.number]
        if (tick := worker.tick) is not None:
            sums = self._gone.epochs + tick.epochs, self._gone.lane_epochs + tick.lane_epochs
            self._gone = Tick(0, 0, *sums, math.nan)
        with contextlib.suppress(Exception):
            self._ray.kill(worker.actor, no_restart=True)

    def _tick(self) -> Tick:
        """Sums up what all workers have done."""
        ticks = [w.tick for w in self.workers.values() if w.tick is not None]
        done = self._ended_epochs / self._ended if self._ended else math.nan
        return Tick(
            sum(tick.busy for tick in ticks),
            sum(tick.lanes for tick in ticks),
            sum(tick.epochs for tick in [*ticks, self._gone]),
            sum(tick.lane_epochs for tick in [*ticks, self._gone]),
            done,
        )
