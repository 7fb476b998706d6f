"""How a sweep is carried out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Options:
    """How a sweep is carried out; nothing here changes what a run gives.

    Attributes:
      lanes: Runs at a time; by default what memory holds and, on an accelerator, what is fast.
      keep_weights: Whether the weights of each run's best epoch are saved, as Orbax checkpoints.
      baselines: Whether the mean, ridge, SVR and kernel ridge are fitted first, as rows to hold
        the runs against.
      extend: Whether a journal that was made for fewer runs takes the new ones in.
      retry_failed: Whether runs that failed, or whose rows, arrays or weights are damaged or lost,
        are trained again; their rows are dropped.
      skip_missing: Whether groups that the data set cannot train are left out, and said, unless
        that is all of them; else they are an error.
      part: I and N, to train the I-th of N parts of the runs alone.
      steps: Whether each row adds something to the row above, which the report then tests.
      arms: Where rows are ways to do one thing, what holds them against each other: `reference`,
        the row that the others are held against, `margin` of equivalence in mean CCC, `alone`, rows
        that are of one attribute each, `chosen`, what was chosen for each, and of how many
        `settings`.
      save_seconds: Time between two checkpoints of the lanes in flight.
      ray: Address of a Ray cluster on which to train, as `engine.cluster` takes it.
      opened: Called once the folder is this process's.
      stop: Asked now and then; a signal's name ends the sweep, with everything saved.
    """

    lanes: int | None = None
    keep_weights: bool = False
    baselines: bool = True
    extend: bool = False
    retry_failed: bool = False
    skip_missing: bool = False
    part: tuple[int, int] | None = None
    steps: bool = False
    arms: dict[str, Any] | None = None
    save_seconds: float = 300.0
    ray: str | None = None
    opened: Callable[[], None] = lambda: None
    stop: Callable[[], str | None] = lambda: None
