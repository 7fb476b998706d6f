"""Runs under way that have no lane at the moment, and what is saved of those that have one."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import jax
import numpy as np

from dser_jax.data import Data
from dser_jax.engine.checkpoint import Checkpoints
from dser_jax.engine.program import lane_state
from dser_jax.plan import RunSpec
from dser_jax.system import last_line
from dser_jax.training import Run, State

SAVE_SHARE = 0.05
"""Share of the time that saving lanes in flight may take."""

Slots = Mapping[int, tuple[str, RunSpec]]
"""The runs in the busy lanes of a state."""


class Parking:
    """Where runs under way stay when their lanes are taken away, until they have one again.

    Args:
      run: The functions of a run.
      data: Which it is trained on.
      checkpoints: Where lanes are also kept on disk; None for nowhere.
      save_seconds: Time between two checkpoints; longer where saving takes long.
    """

    def __init__(
        self, run: Run, data: Data, checkpoints: Checkpoints | None, save_seconds: float
    ) -> None:
        self._like = partial(lane_state, run, data)
        self._checkpoints, self._save_seconds = checkpoints, save_seconds
        self._lanes: dict[str, State] = {}
        self._saved = time.monotonic()

    @property
    def on_disk(self) -> bool:
        """Whether lanes are saved at all."""
        return self._checkpoints is not None

    def resume(self, known: Collection[str] | None) -> None:
        """Takes in what was saved of runs that are still to be trained; None for all runs."""
        self._lanes = self._load(known)
        self._saved = time.monotonic()

    def take(self, run: str) -> State | None:
        """Gives a run away; None if it is not here, and starts anew."""
        return self._lanes.pop(run, None)

    def park(self, state: Any, slots: Slots) -> None:
        """Takes lanes of a state to the host, or what was last saved of them where it is lost."""
        try:
            if state is None:
                raise RuntimeError("the state went down with the call")
            for slot, (run, _) in slots.items():
                self._lanes[run] = _take_lane(state, slot)
        except Exception:
            self._lanes |= self._load({run for run, _ in slots.values()})

    def _load(self, wanted: Collection[str] | None) -> dict[str, State]:
        found = None if self._checkpoints is None else self._checkpoints.load(self._like())
        lanes = {} if found is None else found.lanes
        return {run: lane for run, lane in lanes.items() if wanted is None or run in wanted}

    def save_in_time(self, state: Any, slots: Slots) -> None:
        """Saves the lanes of a state, and those that are here, if that was long ago."""
        if self._checkpoints is None:
            return
        every = max(self._save_seconds, self._checkpoints.seconds / SAVE_SHARE)
        if time.monotonic() - self._saved > every:
            self.save(state, slots)
            self._saved = time.monotonic()

    def save(self, state: Any, slots: Slots, *, wait: bool = False) -> None:
        """Saves the lanes of a state, and those that are here; nothing if the state is lost."""
        if self._checkpoints is None or state is None:
            return
        busy = {slot: run for slot, (run, _) in sorted(slots.items())}
        if busy or self._lanes:
            self._checkpoints.save(state, busy, parked=self._lanes, wait=wait)

    def save_if_possible(self, state: Any, slots: Slots, notice: Callable[[str], None]) -> None:
        """Saves before an error is raised, which an error of saving is not to hide."""
        try:
            self.save(state, slots, wait=True)
        except Exception as error:
            notice(f"the lanes in flight could not be saved: {last_line(str(error))}")

    def clear(self) -> None:
        """Removes what was saved, when all runs have ended."""
        if self._checkpoints is not None:
            self._checkpoints.clear()


def _take_lane(state: State, slot: int) -> State:
    """Takes the state of one lane to the host; typed keys stay what they are."""

    def take(leaf):
        one = leaf[slot]
        if jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return one
        return np.asarray(one)

    return jax.tree.map(take, state)
