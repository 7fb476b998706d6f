"""Runs on the GPUs or hosts of a Ray cluster: handed out, and retried where a worker dies.

A worker is a process with the engine of `lanes` in it, which it feeds with what the driver hands
out, so that its program is compiled once and its lanes stay full. The driver asks each for what has
ended since it last asked. A worker keeps nothing that matters: what it had under way when it died
is trained again, from the start, elsewhere.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from dser_jax.config import Config
from dser_jax.data import Dataset
from dser_jax.engine.lanes import train_runs
from dser_jax.engine.progress import Tick
from dser_jax.engine.ray.cluster import cluster, cluster_devices, load_ray, places_on
from dser_jax.engine.ray.handout import Handout
from dser_jax.engine.ray.hiring import ASK_SECONDS, STRIKES, Hired, Hiring
from dser_jax.engine.ray.worker import Job, unlike
from dser_jax.engine.terms import Hooks
from dser_jax.engine.waiting import Item
from dser_jax.plan import Outcome, RunSpec
from dser_jax.system import DserError, Interrupted, last_line, plural

# All that is needed to train on a cluster.
__all__ = ["cluster", "cluster_devices", "train_on_ray"]

LOOK_SECONDS = 1.0
"""Time between two looks at which nodes the cluster has."""
ROOM_SECONDS = 30.0
"""Time after which the user is told that the cluster has no room."""
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
        job = Job(dataset, config, lanes, keep_weights, train)
        crew = _Crew(job, dict(items), hooks or Hooks(), retries, silence_seconds)
        try:
            yield from crew.train()
        finally:
            crew.stop()


class _Crew:
    """The workers of a program, and who of them has which runs."""

    def __init__(
        self,
        job: Job,
        specs: dict[str, RunSpec],
        hooks: Hooks,
        retries: int,
        silence_seconds: float,
    ) -> None:
        self.specs, self.hooks = specs, hooks
        self.retries, self.silence_seconds = retries, silence_seconds
        self.workers: dict[int, Hired] = {}
        self.hiring = Hiring(hooks.notice)
        self._ray = load_ray()
        self._handout = Handout(list(specs), retries)
        self._job = job._replace(dataset=self._ray.put(job.dataset))
        self._at_most: int | None = None
        self._share = self._ended = self._ended_epochs = 0
        self._gone = Tick(0, 0, 0, 0, math.nan)  # What dead workers have done.
        self._looked = -math.inf
        self._told_to_wait = False
        self._why = ""  # The last worker failed, in full.

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
        places = places_on(self._ray.nodes())
        free = places.keys() - self.hiring.left_out.keys() - {w.name for w in self.workers.values()}
        # Those for which there is no room do not count: others may find some.
        hired = [w for w in self.workers.values() if w.pid or now - w.since < ROOM_SECONDS]
        for name in sorted(free)[: max(0, len(self._handout.left) - len(hired))]:
            worker = self.hiring.hire(name, places[name])
            self.workers[worker.number] = worker
        self._share = -(-len(self.specs) // max(1, len(places)))
        if self.workers and any(w.pid is not None for w in self.workers.values()):
            return
        if not self.workers and (left_out := self.hiring.left_out):
            reasons = "; ".join(dict.fromkeys(left_out.values()))
            text = f"no worker is left on the Ray cluster: {reasons}"
            raise DserError(text) from RuntimeError(self._why)
        oldest = min((w.since for w in self.workers.values()), default=-math.inf)
        if now - oldest > ROOM_SECONDS and not self._told_to_wait:
            self._told_to_wait = True
            what = "others use all it has" if self.workers else "no node has a GPU or a core"
            self.hooks.notice(f"waiting for room on the Ray cluster: {what}")

    def _ask(self) -> None:
        """Hands runs to the workers that wait for a call, and asks them what there is."""
        places = {w.number: w.name for w in self.workers.values() if w.ready}
        for worker in self.workers.values():
            if worker.call is not None:
                continue
            runs = []
            if worker.ready:
                idle = not self._handout.hand(worker.number)
                lanes = worker.tick.lanes if worker.tick else self._job.lanes or FIRST_LANES
                runs = self._handout.give(worker.number, worker.name, lanes, places)
                worker.silent = 0.0 if idle else worker.silent
            worker.ask([(run, self.specs[run]) for run in runs])

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
        worker.heard(answer)
        if answer.shrunk is not None:
            self._at_most = min(answer.shrunk, self._at_most or answer.shrunk)
        for notice in answer.notices:
            self.hooks.notice(f"{worker.place.host}: {notice}")
        failed = []
        for run, outcome in answer.ended:
            if outcome.result is None:
                failed.append((run, outcome))
            elif self._handout.ended(worker.number, run):
                self.hiring.proved(worker)
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
        if (why := unlike(answer["versions"])) is not None:
            self._dismiss(worker)
            self.hiring.leave_out(worker, why)
            return
        worker.call = worker.actor.begin.remote(
            *self._job, self._share, self._at_most, worker.place.gpu
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
            self.hooks.notice(f"{spec.name!r}, seed {spec.seed}: failed: {last_line(why)}")
            text = f"On {where}, the last of {self.retries + 1} or more times:\n{why}"
            yield given_up, Outcome(spec, None, traceback=text)
        count = len(hand) - (given_up is not None)
        if count:
            self.hooks.notice(
                f"{where}: lost ({last_line(why)}); training its {plural(count, 'run')} again, "
                "apart"
            )
        others = any(w.ready for w in self.workers.values())
        if self.hiring.lost(worker, int(fresh)) and others:
            self.hiring.leave_out(worker, f"{STRIKES} workers died there in a row")

    def _resign(self, worker: Hired, why: str, refused: bool) -> None:
        """Goes on without a worker that failed, but not by any run."""
        self._why = why
        self._handout.take_back(worker.number)
        self._dismiss(worker)
        if self.hiring.lost(worker) or refused:
            self.hiring.leave_out(worker, why if refused else last_line(why))

    def _dismiss(self, worker: Hired) -> None:
        """Kills a worker; what it may yet tell is not listened to."""
        del self.workers[worker.number]
        if (tick := worker.tick) is not None:
            self._gone = tick.after(self._gone)
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
