"""The engine: a queue of runs, and lanes that are refilled as soon as a run has ended.

Runs at different epochs share a compiled program. After each round of a few epochs the host reads
which lanes have stopped, hands in their results and puts the next runs into their places, so that
all lanes are busy until the queue is empty.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

import jax
import numpy as np

from dser_jax.config import Config
from dser_jax.data import Data, Dataset
from dser_jax.engine.checkpoint import Checkpoints
from dser_jax.engine.program import Flags, Program, compile_program, from_host, lane_state, send
from dser_jax.engine.progress import Tick
from dser_jax.engine.sizing import affordable, choose_lanes, free_bytes, must_stream
from dser_jax.plan import Outcome, RunSpec, stack_hparams
from dser_jax.system import DserError, Interrupted, last_line
from dser_jax.training import HParams, Run, State, make_run

ROUND_SECONDS = 1.0
"""A round takes about this long where the lanes allow it: how soon a signal is obeyed."""
ROUND_EPOCHS = 10
"""Epochs of a round at most: what a lane idles that has become NaN in its first."""
SAVE_SHARE = 0.05
"""Share of the time that saving lanes in flight may take."""

Items = Iterable[tuple[str, RunSpec]]


class Judge(NamedTuple):
    """What a search wants to be asked while runs are under way.

    Attributes:
      rungs: Epochs after which it is asked, ascending.
      keep: Called with a run's id, its epochs, and the CCC [attr] on the validation rows that its
        weights have by now; returns whether the run may go on.
    """

    rungs: Sequence[int]
    keep: Callable[[str, int, np.ndarray], bool]


class Hooks(NamedTuple):
    """What the engine calls while it trains; none of it changes a result.

    Attributes:
      progress: After each round.
      notice: With something that the user should read.
      stop: After each round; a signal's name ends the training, with all lanes saved.
      shrunk: With the number of lanes that memory turned out to hold.
    """

    progress: Callable[[Tick], None] = lambda tick: None
    notice: Callable[[str], None] = lambda text: None
    stop: Callable[[], str | None] = lambda: None
    shrunk: Callable[[int], None] = lambda lanes: None


def train_runs(
    dataset: Dataset,
    config: Config,
    runs: Items,
    *,
    count: int | None = None,
    lanes: int | None = None,
    at_most: int | None = None,
    devices: Sequence[jax.Device] | None = None,
    keep_weights: bool = False,
    checkpoints: Checkpoints | None = None,
    save_seconds: float = 300.0,
    judge: Judge | None = None,
    hooks: Hooks | None = None,
    program: Program | None = None,
    stream: bool | None = None,
) -> Iterator[tuple[str, Outcome]]:
    """Trains runs in lanes and yields each as it ends, with its id.

    Args:
      dataset: Arrays that all runs share; they go to the devices once.
      config: Static settings of all runs.
      runs: Ids and what to train. The next is asked for when a lane is free, so a search may wait
        for what the others have given.
      count: How many runs there will be, where `runs` is not a list; no lanes beyond it.
      lanes: Runs at a time; by default what memory holds.
      at_most: Lanes that memory is known to hold.
      devices: Where to train; by default all devices of this process.
      keep_weights: Whether outcomes carry the weights of their best epoch.
      checkpoints: Where lanes in flight are kept, and taken up again.
      save_seconds: Time between two checkpoints; longer where saving takes long.
      judge: Ends runs before their time.
      hooks: What to call on the way.
      program: A program to use again; it must have been compiled for the same data and settings.
      stream: Whether the acoustic features stay in the host's memory, from which each batch is
        taken; by default where they do not fit beside a lane.

    Raises:
      DserError: `lanes` is below 1, or one lane does not fit in memory.
      Interrupted: `hooks.stop` said so; the lanes in flight are saved, where there is a place.
    """
    runs = list(runs) if isinstance(runs, Sequence) else runs
    count = len(runs) if isinstance(runs, list) else count
    if count == 0:
        return
    if lanes is not None and lanes < 1:
        raise DserError(f"lanes is {lanes}; expected 1 or more")
    run = make_run(config, dataset.words, dataset.embedding_dim)
    devices = tuple(devices or jax.local_devices())
    data = dataset.data
    if stream is None:  # A processor's memory is the host's.
        card = None if devices[0].platform == "cpu" else free_bytes(devices[0])
        stream = program is None and must_stream(run, config, data, card)
    if stream and data.acoustic is not None:
        rows = from_host(data.acoustic)
        run = make_run(config, dataset.words, dataset.embedding_dim, rows)
        data = data._replace(acoustic=None)
    if program is None:
        devices = affordable(devices, data)
        lanes = lanes or choose_lanes(
            run, config, data, count, devices, at_most, trial=bool(stream)
        )
        devices = devices[: max(1, min(len(devices), lanes))]
        lanes = -(-lanes // len(devices)) * len(devices)
    else:
        lanes, devices = program.lanes, devices[: program.devices]
    engine = _Engine(data, run, runs, lanes, devices, hooks or Hooks(), program)
    engine.max_epochs, engine.keep_weights = config.max_epochs, keep_weights
    engine.checkpoints, engine.judge = checkpoints, judge
    engine.save_seconds = save_seconds
    yield from engine.train()


class _Engine:
    """The lanes of one program, which runs are in them, and which wait."""

    program: Program
    state: Any  # None before the first run, and where a failed call took it away
    max_epochs: int
    keep_weights: bool
    checkpoints: Checkpoints | None
    judge: Judge | None
    save_seconds: float

    def __init__(
        self,
        data: Data,
        run: Run,
        runs: Items,
        lanes: int,
        devices: Sequence[jax.Device],
        hooks: Hooks,
        program: Program | None,
    ) -> None:
        self.run, self.lanes, self.devices, self.hooks = run, lanes, devices, hooks
        self.data = send(data, devices)
        self.state, self.compiled = None, program is not None
        if program is not None:
            self.program = program
        self.queues: list[Iterator[tuple[str, RunSpec]]] = [iter(runs)]
        self.known = {run for run, _ in runs} if isinstance(runs, list) else None
        self.slots: dict[int, tuple[str, RunSpec]] = {}  # the busy lanes
        self.parked: dict[str, State] = {}
        self.seconds = 0.0  # an epoch, of late
        self.busy = 0  # lanes, in the last round
        self.epochs = self.lane_epochs = self.ended = self.ended_epochs = 0

    def train(self) -> Iterator[tuple[str, Outcome]]:
        """Goes round until no run is left."""
        if self.checkpoints is not None and (found := self.checkpoints.load(self._like())):
            self.parked = {
                run: lane
                for run, lane in found.lanes.items()
                if self.known is None or run in self.known  # The others have ended since.
            }
        saved = time.monotonic()
        try:
            while True:
                try:
                    if not self._refill():
                        break
                    ended = self._round()
                except (jax.errors.JaxRuntimeError, MemoryError) as error:
                    ended = self._recover(error)
                yield from ended
                self.hooks.progress(self._tick())
                if name := self.hooks.stop():
                    self._save(wait=True)
                    kept = "finished runs" if self.checkpoints is None else "everything"
                    raise Interrupted(name, f"{kept} is saved")
                if time.monotonic() - saved > self._interval():
                    self._save()
                    saved = time.monotonic()
        except Interrupted:
            raise
        except BaseException:
            self._save_if_possible()
            raise
        if self.checkpoints is not None:
            self.checkpoints.clear()

    def _refill(self) -> bool:
        """Puts waiting runs into free lanes; False if none is left to train."""
        if self.state is None:
            self._begin()
        new = False
        for slot in range(self.lanes):
            if slot in self.slots:
                continue
            while (item := next(self.queues[-1], None)) is None and len(self.queues) > 1:
                if self.slots:  # Suspects are trained apart from all others.
                    break
                self.queues.pop()
            if item is None:
                break
            new = True
            self._start(slot, item)
        if new:
            self._settle()
        return bool(self.slots)

    def _begin(self) -> None:
        if not self.compiled:
            self.program = compile_program(self.run, self.data, self.lanes, self.devices)
            self.compiled = True
        self.state = self.program.blank()
        self.epoch, self.wait = np.zeros((2, self.lanes), int)
        self.settings = [HParams()] * self.lanes

    def _start(self, slot: int, item: tuple[str, RunSpec]) -> None:
        run, spec = item
        lane = self.parked.pop(run, None)
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
            pruned = not flags.stopped[slot] and not self._may_go_on(slot, flags)
            if flags.stopped[slot] or pruned:
                ended.append((slot, pruned))
        outcomes = [self._outcome(slot, pruned) for slot, pruned in ended]
        for slot, _ in ended:
            self.ended += 1
            self.ended_epochs += int(self.epoch[slot])
            del self.slots[slot]
        return outcomes

    def _stride(self, busy: list[int]) -> int:
        """Returns for how many epochs no lane can end, unless it becomes NaN; 1 at least."""
        left = np.minimum(self.patience[busy] - self.wait[busy], self.max_epochs - self.epoch[busy])
        if self.judge is not None:
            for rung in self.judge.rungs:
                to_rung = rung - self.epoch[busy]
                left = np.where(to_rung > 0, np.minimum(left, to_rung), left)
        in_time = ROUND_SECONDS / self.seconds if self.seconds else 1
        return max(1, int(min(left.min(), in_time, ROUND_EPOCHS)))

    def _may_go_on(self, slot: int, flags: Flags) -> bool:
        if self.judge is None or self.epoch[slot] not in self.judge.rungs:
            return True
        return self.judge.keep(self.slots[slot][0], int(self.epoch[slot]), flags.ccc[slot])

    def _outcome(self, slot: int, pruned: bool) -> tuple[str, Outcome]:
        run, spec = self.slots[slot]
        result = self.program.result(self.state, slot, self.data)
        weights = self.program.weights(self.state, slot) if self.keep_weights else None
        return run, Outcome(spec, result, weights, pruned)

    def _recover(self, error: Exception) -> list[tuple[str, Outcome]]:
        """Makes ready to go on after an error: with fewer lanes, or with the suspects apart."""
        items = [self.slots[slot] for slot in sorted(self.slots)]
        self._park()
        self.state, self.slots = None, {}
        if _out_of_memory(error):
            self._shrink(error)
            self.queues.append(iter(items))
            # One queue, not two: runs that ran out of memory are no suspects.
            self.queues[-2:] = [chain(self.queues[-1], self.queues[-2])]
            return []
        if not items:
            raise error
        if len(items) == 1:
            (run, spec), text = items[0], "".join(traceback.format_exception(error))
            self.parked.pop(run, None)
            self.hooks.notice(f"{spec.name}, seed {spec.seed}: failed: {last_line(text)}")
            return [(run, Outcome(spec, None, traceback=text))]
        self.hooks.notice(
            f"{len(items)} runs failed together ({last_line(str(error))}); training each half "
            "of them apart, to find which one it is"
        )
        middle = len(items) // 2
        self.queues += [iter(items[middle:]), iter(items[:middle])]
        return []

    def _shrink(self, error: Exception) -> None:
        lanes = self.lanes // 2 // len(self.devices) * len(self.devices)
        if lanes < 1:
            raise DserError(
                f"out of memory with one lane on each of {len(self.devices)} devices: "
                f"{last_line(str(error))}. A smaller --batch-size, --units or --max-tokens needs "
                "less; so do functionals instead of frames"
            ) from error
        self.hooks.notice(f"out of memory with {self.lanes} lanes; going on with {lanes}")
        self.hooks.shrunk(lanes)
        self.lanes, self.compiled = lanes, False

    def _park(self) -> None:
        """Takes the lanes in flight to the host, or what was last saved of them."""
        busy = {slot: run for slot, (run, _) in self.slots.items()}
        try:
            if self.state is None:
                raise RuntimeError("the state went down with the call")
            for slot, run in busy.items():
                self.parked[run] = take_lane(self.state, slot)
        except Exception:
            if self.checkpoints is not None and (found := self.checkpoints.load(self._like())):
                ours = set(busy.values())
                self.parked |= {run: lane for run, lane in found.lanes.items() if run in ours}

    def _like(self) -> State:
        return lane_state(self.run, self.data)

    def _tick(self) -> Tick:
        mean = self.ended_epochs / self.ended if self.ended else float("nan")
        return Tick(self.busy, self.lanes, self.epochs, self.lane_epochs, mean)

    def _interval(self) -> float:
        if self.checkpoints is None:
            return float("inf")
        return max(self.save_seconds, self.checkpoints.seconds / SAVE_SHARE)

    def _save(self, *, wait: bool = False) -> None:
        if self.checkpoints is None or self.state is None:
            return
        busy = {slot: run for slot, (run, _) in sorted(self.slots.items())}
        if busy or self.parked:
            self.checkpoints.save(self.state, busy, parked=self.parked, wait=wait)

    def _save_if_possible(self) -> None:
        try:
            self._save(wait=True)
        except Exception as error:
            self.hooks.notice(f"the lanes in flight could not be saved: {last_line(str(error))}")


def take_lane(state: State, slot: int) -> State:
    """Takes the state of one lane to the host; typed keys stay what they are."""

    def take(leaf):
        one = leaf[slot]
        if jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return one
        return np.asarray(one)

    return jax.tree.map(take, state)


def _out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)
