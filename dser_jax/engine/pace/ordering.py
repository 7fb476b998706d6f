"""In which order of steps an accelerator goes through recurrences fastest.

A rule chooses (`models/schedules.py`), which knows the device's kind, and not its speed. Where a
sweep is long, the other schedules are timed against it before anything is trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax

from dser_jax.config import Config
from dser_jax.data import Data
from dser_jax.engine.pace.rates import Rates, Timed
from dser_jax.engine.program import lane_state
from dser_jax.models import RULE, SCHEDULES, named_by_user, scheduled
from dser_jax.training import HParams, Run

LONG = 180.0
"""Seconds from which a sweep is long: other schedules are compiled in half a minute."""
STEP = 0.01
"""Seconds of a step of all lanes where nothing was measured; 20 lanes took as long on an H100."""
MARGIN = 1.05
"""A schedule is to train so many times the steps a second of what the rule takes."""


class Setting(NamedTuple):
    """What runs are trained by: their functions, the data on the host, and what was decided."""

    run: Run
    data: Data
    lanes: int
    devices: Sequence[jax.Device]
    schedule: str


class Order(NamedTuple):
    """A schedule by its name, and why that; no reason where there was nothing to choose."""

    schedule: str
    reason: str = ""


def decide(
    setting: Setting,
    config: Config,
    runs: int | None,
    patience: int,
    known: Mapping[Timed, float],
    rates: Rates | None,
) -> Order | None:
    """Decides which schedule a sweep on accelerators follows.

    Args:
      setting: All but its schedule.
      config: Static settings.
      runs: How many there will be; None where nobody knows.
      patience: The least of any run.
      known: What was measured before, of one device.
      rates: What measures; None for nobody.

    Returns:
      The schedule; None where it is to be measured, and nobody does.
    """
    run, data, lanes, devices = setting[:4]
    share = lanes // len(devices)
    rate = max((rate for one, rate in known.items() if one.lanes <= share), default=None)
    epochs = min(patience, config.max_epochs)
    steps = epochs * -(-len(data.train) // config.batch_size)
    long = is_long(steps, runs, lanes, rate and len(devices) * rate)
    if not long and Timed(share) not in known:
        return Order(RULE)
    others = alternatives(run, data)
    if not long:  # What is known is made use of.
        others = [name for name in others if Timed(share, name) in known]
    if not others:
        return Order(RULE)
    if rates is None and any(Timed(share, name) not in known for name in [RULE, *others]):
        return None
    return fastest(share, others, rates or (lambda some: (known[one] for one in some)))


def is_long(steps: int, runs: int | None, lanes: int, rate: float | None = None) -> bool:
    """Returns whether a sweep surely trains so long that other schedules are worth timing.

    Args:
      steps: That each run surely takes.
      runs: How many there will be; None where nobody knows.
      lanes: Runs at a time.
      rate: Steps a second of all lanes, if known.
    """
    if rate is None or runs is None:
        return steps * (1 if runs is None else -(-runs // lanes)) * STEP >= LONG
    return steps * runs / rate >= LONG


def alternatives(run: Run, data: Data) -> list[str]:
    """Returns the schedules beside what the rule takes.

    None where nothing recurs, and where the user names one.
    """
    if named_by_user():
        return []

    def epoch(*given):  # Another function each time: JAX keeps what it has traced.
        return run.epoch(*given)

    with scheduled(RULE) as taken:
        jax.eval_shape(epoch, HParams(), lane_state(run, data), data)
    return [name for name in SCHEDULES if taken and taken != {name}]


def fastest(lanes: int, others: list[str], rates: Rates) -> Order:
    """Chooses what trains most steps a second: a schedule, or what the rule takes.

    Args:
      lanes: Of a device.
      others: Schedules to compare with what the rule takes.
      rates: What measures.
    """
    names = [RULE, *others]
    found = dict(zip(names, rates([Timed(lanes, name) for name in names]), strict=True))
    known = {name: rate for name, rate in found.items() if not isinstance(rate, str)}
    if RULE not in known:
        return Order(RULE)
    best = max(known, key=lambda name: known[name])
    if known[best] < MARGIN * known[RULE]:
        best = RULE
    told = ", ".join(f"{rate:,.0f} by {name!r}" for name, rate in known.items())
    failed = [f"; by {name!r} {lanes} lanes {found[name]}" for name in names if name not in known]
    return Order(best, f"{told} steps a second{''.join(failed)}")
