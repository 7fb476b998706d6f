"""How many lanes are trained at a time, on which devices, and in which order of steps."""

from __future__ import annotations

from collections.abc import Sequence

import jax

from dser_jax.config import Config
from dser_jax.data import Dataset
from dser_jax.engine.pace.doubling import Pace, double
from dser_jax.engine.pace.ordering import Order, Setting, decide
from dser_jax.engine.pace.rates import MEMORY, at_once, identity, measured, remembered
from dser_jax.engine.program import compile_program, from_host, promised
from dser_jax.engine.sizing import (
    FEW,
    affordable,
    choose_lanes,
    free_bytes,
    is_processor,
    must_stream,
)
from dser_jax.engine.terms import Hooks
from dser_jax.models import RULE, named_by_user
from dser_jax.system import DserError, nothing_to_lose, recall
from dser_jax.training import HParams, make_run

USUAL = int(HParams().patience)
"""Patience of runs that nobody knows yet."""


def set_out(
    dataset: Dataset,
    config: Config,
    count: int | None,
    devices: Sequence[jax.Device],
    *,
    lanes: int | None = None,
    at_most: int | None = None,
    schedule: str | None = None,
    patience: int = USUAL,
    stream: bool | None = None,
    measure: bool = False,
    hooks: Hooks | None = None,
    free: int | None = None,
) -> Setting:
    """Decides how many lanes are trained at a time, on which devices, in which order of steps.

    Args:
      dataset: What runs are trained on.
      config: Static settings.
      count: How many runs there will be; None where nobody knows.
      devices: Those there are.
      lanes: How many the user asks for; None for as many as are good.
      at_most: As `choose_lanes` takes it.
      schedule: What recurrences are known to follow; None where that is to be decided. What the
        user names comes before it.
      patience: The least of any run.
      stream: Whether acoustic features stay on the host; by default where they do not fit.
      measure: Whether to measure on an accelerator how many lanes are fast, and which schedule.
      hooks: Told of what was measured.
      free: Bytes of each device; by default those that are free now.

    Raises:
      DserError: `lanes` is below 1.
    """
    if lanes is not None and lanes < 1:
        raise DserError(f"lanes is {lanes}; expected 1 or more")
    sizes, data = (dataset.words, dataset.embedding_dim), dataset.data
    run = make_run(config, *sizes, layers=dataset.layers)
    if stream is None:  # A processor's memory is the host's.
        card = None if is_processor(devices[0]) else free or free_bytes(devices[0])
        stream = must_stream(run, config, data, card)
    if stream and data.acoustic is not None:
        run = make_run(config, *sizes, from_host(data.acoustic), dataset.layers)
        data = data._replace(acoustic=None)
    devices = affordable(devices, data)
    name, paces = identity(config, dataset.data, devices[0], stream), list[Pace]()
    measure = measure and _is_tried(devices, name)
    rates, hooks = measured(run, config, data, name), hooks or Hooks()

    def quickest(most: int) -> int:
        paces.append(double(most, rates, at_once()))
        return paces[0].lanes

    if lanes is None:
        ask = quickest if measure else None
        with nothing_to_lose():  # It may compile on trial.
            lanes = choose_lanes(run, config, data, count, devices, at_most, stream, ask, free)
        if paces:
            hooks.notice(f"{lanes // len(devices)} lanes on each device: {paces[0].reason}")
            hooks.measured(lanes)
    devices = devices[: max(1, min(len(devices), lanes))]
    lanes = -(-lanes // len(devices)) * len(devices)
    setting = Setting(run, data, lanes, devices, schedule or RULE)
    if named := named_by_user():
        setting = setting._replace(schedule=named)
        hooks.ordered(named)
    elif measure and schedule is None:
        with nothing_to_lose():
            order = decide(setting, config, count, patience, remembered(name), rates)
        order = order or Order(RULE)
        if order.reason:
            hooks.notice(f"the steps of LSTMs in the order {order.schedule!r}: {order.reason}")
            hooks.ordered(order.schedule)
        setting = setting._replace(schedule=order.schedule)
    return setting


def compile_ahead(
    dataset: Dataset,
    config: Config,
    count: int,
    *,
    lanes: int | None,
    at_most: int | None,
    schedule: str | None,
    free: int | None,
) -> bool:
    """Compiles the program that `train_runs` will ask for, for the compilation cache to have it.

    Nothing goes to the devices. Arguments as of `set_out`.

    Returns:
      Whether that can be known: not, where lanes or schedule are still to be measured, nor of a
      program that asks the host for features, which JAX does not keep.
    """
    devices = tuple(jax.local_devices())
    if lanes is None and at_most is None and count > FEW * len(devices):
        return False
    given = {"lanes": lanes, "at_most": at_most, "schedule": schedule, "free": free}
    setting = set_out(dataset, config, count, devices, **given)
    run, data, lanes, devices, order = setting
    name = identity(config, dataset.data, devices[0])
    if schedule is None and _is_tried(devices, name):
        decided = decide(setting, config, count, USUAL, remembered(name), None)
        if decided is None:
            return False
        order = decided.schedule
    if data.acoustic is not dataset.data.acoustic:
        return False
    program = compile_program(run, promised(data, devices), lanes, devices, order)
    program.put.wait()
    program.harvest.wait()
    return True


def _is_tried(devices: Sequence[jax.Device], name: str) -> bool:
    """Returns whether devices are tried; not where nothing is remembered, as each start would."""
    return not is_processor(devices[0]) and recall(MEMORY, name) is not None
