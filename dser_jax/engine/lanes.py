"""The engine: a queue of runs, and lanes that are refilled as soon as a run has ended.

Runs at different epochs share a compiled program. After each round of a few epochs the host reads
which lanes have stopped, hands in their results and puts the next runs into their places, so that
all lanes are busy until the queue is empty.
"""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from dser_jax.config import Config
from dser_jax.data import Dataset
from dser_jax.engine.checkpoint import Checkpoints
from dser_jax.engine.pace.ordering import Setting
from dser_jax.engine.pace.setting import USUAL, set_out
from dser_jax.engine.parking import Parking
from dser_jax.engine.program import Flags, Program, compile_program, send
from dser_jax.engine.progress import Tick
from dser_jax.engine.sizing import fewer_lanes, lanes_with_room, out_of_memory
from dser_jax.engine.terms import Hooks, Judge, Terms
from dser_jax.engine.waiting import Item, Waiting
from dser_jax.plan import Outcome, stack_hparams
from dser_jax.system import Interrupted, NotMade, last_line, nothing_to_lose
from dser_jax.training import HParams

ROUND_SECONDS = 1.0
"""A round takes about this long where the lanes allow it: how soon a signal is obeyed."""
ROUND_EPOCHS = 10
"""Epochs of a round at most: what a lane idles that has become NaN in its first."""


def train_runs(
    dataset: Dataset,
    config: Config,
    runs: Iterable[Item],
    *,
    count: int | None = None,
    lanes: int | None = None,
    at_most: int | None = None,
    schedule: str | None = None,
    devices: Sequence[jax.Device] | None = None,
    keep_weights: bool = False,
    checkpoints: Checkpoints | None = None,
    save_seconds: float = 300.0,
    judge: Judge | None = None,
    hooks: Hooks | None = None,
    program: Program | None = None,
    stream: bool | None = None,
    measure: bool = False,
) -> Iterator[tuple[str, Outcome]]:
    """Trains runs in lanes and yields each as it ends, with its id.

    Args:
      dataset: Arrays that all runs share; they go to the devices once.
      config: Static settings of all runs.
      runs: Ids and what to train. The next is asked for when a lane is free, so a search may wait
        for what the others have given.
      count: How many runs there will be, where `runs` is not a list; no lanes beyond it.
      lanes: Runs at a time; by default what memory holds, and where `measure` what is fast.
      at_most: Lanes that memory is known to hold, or that were measured.
      schedule: What recurrences follow (`models/schedules.py`).
      devices: Where to train; by default all devices of this process.
      keep_weights: Whether outcomes carry the weights of their best epoch.
      checkpoints: Where lanes in flight are kept, and taken up again.
      save_seconds: Time between two checkpoints; longer where saving takes long.
      judge: Ends runs before their time.
      hooks: What to call on the way.
      program: A program to use again; it must have been compiled for the same data and settings.
      stream: Whether acoustic features stay on the host, from which each batch is taken; by
        default where they do not fit beside a lane.
      measure: Whether an accelerator is tried for what is fast (`pace/`); else the rule holds.

    Raises:
      DserError: `lanes` is below 1, or one lane does not fit in memory.
      Interrupted: `hooks.stop` said so; the lanes in flight are saved, where there is a place.
    """
    runs = list(runs) if isinstance(runs, Sequence) else runs
    count = len(runs) if isinstance(runs, list) else count
    if count == 0:
        return
    patient = [int(s.hparams.patience) for _, s in runs] if isinstance(runs, list) else []
    devices, hooks = tuple(devices or jax.local_devices()), hooks or Hooks()
    setting = set_out(
        *(dataset, config, count, devices),
        lanes=lanes if program is None else program.lanes,
        at_most=at_most,
        schedule=schedule,
        patience=min(patient, default=USUAL),
        stream=stream if program is None else bool(stream),
        measure=measure and program is None,
        hooks=hooks,
    )
    if program is not None:
        setting = setting._replace(lanes=program.lanes, devices=devices[: program.devices])
    setting = setting._replace(data=send(setting.data, setting.devices))
    terms = Terms(config.max_epochs, keep_weights, judge, hooks)
    parking = Parking(setting.run, setting.data, checkpoints, save_seconds)
    engine = _Engine(setting, program, terms, Waiting(runs), parking, asked=lanes is not None)
    yield from engine.train()


class _Engine:
    """The lanes of one program, and which runs are in them."""

    program: Program
    state: Any  # None before the first run, and where a failed call took it away

    def __init__(
        self,
        setting: Setting,
        program: Program | None,
        terms: Terms,
        waiting: Waiting,
        parking: Parking,
        asked: bool,
    ) -> None:
        self.run, self.data, self.lanes, self.devices, self.schedule = setting
        self.terms, self.hooks = terms, terms.hooks
        self.waiting, self.parking, self.asked = waiting, parking, asked
        self.state, self.compiled = None, program is not None
        if program is not None:
            self.program = program
        self.slots: dict[int, Item] = {}  # the busy lanes
        self.seconds = 0.0  # an epoch, of late
        self.busy = 0  # lanes, in the last round
        self.epochs = self.lane_epochs = self.ended = self.ended_epochs = 0

    def train(self) -> Iterator[tuple[str, Outcome]]:
        """Goes round until no run is left."""
        self.parking.resume(self.waiting.known)
        try:
            while True:
                try:
                    if not self._refill():
                        break
                    if not self.lane_epochs:  # What the first epoch takes is counted from here.
                        self.busy = len(self.slots)
                        self.hooks.progress(self._tick())
                    ended = self._round()
                except (jax.errors.JaxRuntimeError, MemoryError, NotMade) as error:
                    ended = self._recover(error)
                yield from ended
                self.hooks.progress(self._tick())
                if name := self.hooks.stop():
                    self.parking.save(self.state, self.slots, wait=True)
                    kept = "everything" if self.parking.on_disk else "finished runs"
                    raise Interrupted(name, f"{kept} is saved")
                self.parking.save_in_time(self.state, self.slots)
        except Interrupted:
            raise
        except BaseException:
            self.parking.save_if_possible(self.state, self.slots, self.hooks.notice)
            raise
        self.parking.clear()

    def _refill(self) -> bool:
        """Puts waiting runs into free lanes; False if none is left to train."""
        if self.state is None:
            self._begin()
        new = False
        for slot in range(self.lanes):
            if slot in self.slots:
                continue
            if (item := self.waiting.take(busy=bool(self.slots))) is None:
                break
            new = True
            self._start(slot, item)
        if new:
            self._settle()
        return bool(self.slots)

    def _begin(self) -> None:
        if not self.compiled:
            # Once something has been trained, it may be parked, and not yet on the disk.
            with contextlib.nullcontext() if self.lane_epochs else nothing_to_lose():
                self.program = self._compiled()
                while self.lanes > (room := self._room()):
                    self._shrink(room, f"{self.lanes} lanes need more memory than is free")
                    self.program = self._compiled()
            self.compiled = True
        self.state = self.program.blank()
        self.epoch, self.wait = np.zeros((2, self.lanes), int)
        self.settings = [HParams()] * self.lanes

    def _compiled(self) -> Program:
        return compile_program(self.run, self.data, self.lanes, self.devices, self.schedule)

    def _room(self) -> int:
        return self.lanes if self.asked else lanes_with_room(self.program, self.devices[0])

    def _shrink(self, lanes: int, why: str) -> None:
        self.hooks.notice(f"{why}; going on with {lanes}")
        self.hooks.shrunk(lanes)
        self.lanes = lanes

    def _start(self, slot: int, item: Item) -> None:
        run, spec = item
        lane = self.parking.take(run)
        # The state goes into the call for good; nothing is left where that fails.
        state, self.state = self.state, None
        self.slots[slot] = item
        if lane is None:
            seed = np.uint32(spec.seed)
            self.state = self.program.fill(state, np.int32(slot), seed, self.data)
            self.epoch[slot] = self.wait[slot] = 0
        else:
            self.state = self.program.put(state, np.int32(slot), lane)
            self.epoch[slot], self.wait[slot] = int(lane.epoch), int(lane.wait)
        self.settings[slot] = spec.hparams

    def _settle(self) -> None:
        self.hparams = self.program.place(stack_hparams(self.settings))
        self.patience = np.array([int(h.patience) for h in self.settings])

    def _round(self) -> list[tuple[str, Outcome]]:
        """Trains all lanes for a few epochs; returns the runs that have ended, their lanes free."""
        busy = sorted(self.slots)
        before = self.epoch[busy].sum()
        stride = self._stride(busy)
        start = time.monotonic()
        flags: Any = None
        for _ in range(stride):
            state, self.state = self.state, None
            self.state, flags = self.program.advance(self.hparams, state, self.data)
        flags = Flags(*map(np.array, flags))
        took = (time.monotonic() - start) / stride
        self.seconds = took if not self.seconds else 0.7 * self.seconds + 0.3 * took
        self.epoch, self.wait = flags.epoch.astype(int), flags.wait.astype(int)
        self.busy = len(busy)
        self.epochs += int(self.epoch[busy].sum() - before)
        self.lane_epochs += stride * self.lanes
        ended = []
        for slot in busy:
            run, epoch = self.slots[slot][0], int(self.epoch[slot])
            stopped = bool(flags.stopped[slot])
            pruned = not stopped and not self.terms.may_go_on(run, epoch, flags.ccc[slot])
            if stopped or pruned:
                ended.append((slot, pruned))
        outcomes = [self._outcome(slot, pruned) for slot, pruned in ended]
        for slot, _ in ended:
            self.ended += 1
            self.ended_epochs += int(self.epoch[slot])
            del self.slots[slot]
        return outcomes

    def _stride(self, busy: list[int]) -> int:
        """Returns for how many epochs no lane can end, unless it becomes NaN; 1 at least."""
        patience = self.patience[busy] - self.wait[busy]
        certain = self.terms.certain(self.epoch[busy], patience)
        in_time = ROUND_SECONDS / self.seconds if self.seconds else 1
        return max(1, int(min(certain, in_time, ROUND_EPOCHS)))

    def _outcome(self, slot: int, pruned: bool) -> tuple[str, Outcome]:
        run, spec = self.slots[slot]
        result = self.program.result(self.state, slot, self.data)
        weights = self.program.weights(self.state, slot) if self.terms.keep_weights else None
        return run, Outcome(spec, result, weights, pruned)

    def _recover(self, error: Exception) -> list[tuple[str, Outcome]]:
        """Makes ready to go on after an error: with fewer lanes, or with the suspects apart."""
        if isinstance(error, NotMade) and not out_of_memory(error):
            raise error  # No run's fault; the lanes are there, and are saved.
        items = [self.slots[slot] for slot in sorted(self.slots)]
        self.parking.park(self.state, self.slots)
        self.state, self.slots = None, {}
        if out_of_memory(error):
            lanes = fewer_lanes(self.lanes, len(self.devices), error)
            self._shrink(lanes, f"out of memory with {self.lanes} lanes")
            self.compiled = False
            self.waiting.put_back(items)
            return []
        if not items:
            raise error
        if len(items) == 1:
            (run, spec), text = items[0], "".join(traceback.format_exception(error))
            self.parking.take(run)
            self.hooks.notice(f"{spec.name!r}, seed {spec.seed}: failed: {last_line(text)}")
            return [(run, Outcome(spec, None, traceback=text))]
        self.hooks.notice(
            f"{len(items)} runs failed together ({last_line(str(error))}); training each half "
            "of them apart, to find which one it is"
        )
        self.waiting.suspect(items)
        return []

    def _tick(self) -> Tick:
        mean = self.ended_epochs / self.ended if self.ended else float("nan")
        return Tick(self.busy, self.lanes, self.epochs, self.lane_epochs, mean)
