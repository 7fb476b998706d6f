"""How many lanes an accelerator trains fastest, by a short measurement that is remembered.

More lanes train more steps a second until the device is full; when that is, widths, batch size and
device decide together. So a few steps are timed with 64 lanes, with twice as many and so on. What
was measured lies beside the compiled programs, and is not measured again.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import metadata
from typing import NamedTuple

import jax
import numpy as np

from dser_jax.config import Config
from dser_jax.data import Data, Dataset
from dser_jax.engine.program import (
    Epoch,
    compile_epoch,
    compile_program,
    from_host,
    promised,
    send,
)
from dser_jax.engine.sizing import (
    FEW,
    affordable,
    choose_lanes,
    free_bytes,
    is_processor,
    must_stream,
    out_of_memory,
)
from dser_jax.engine.terms import Hooks
from dser_jax.plan import stack_hparams
from dser_jax.system import (
    DserError,
    last_line,
    loop_options,
    nothing_to_lose,
    recall,
    remember,
)
from dser_jax.training import HParams, Run, make_run

FIRST = 64
"""Lanes that are measured first; fewer were slower wherever it was measured (an H100)."""
GROWTH = 1.1
"""Twice as many lanes are to train so many times the steps a second."""
SECONDS = 20.0
"""After which no further numbers of lanes are begun with; compiling the first may take longer."""
STEPS, TIMES = 8, 3
"""Steps that are timed together, and how often; the shortest time counts."""
EVALUATED = 8
"""Rows of the validation that goes with them."""
MEMORY = "rates.json"
"""File beside the compiled programs: what was measured -> steps a second by number of lanes."""

Rates = Callable[[Sequence[int]], Iterator[float | str]]
"""Measures numbers of lanes, one by one as it is asked: steps a second, or why there are none."""


class Pace(NamedTuple):
    """Lanes of a device, and why so many."""

    lanes: int
    reason: str


class Setting(NamedTuple):
    """What runs are trained by: their functions, the data on the host, lanes, devices."""

    run: Run
    data: Data
    lanes: int
    devices: Sequence[jax.Device]


def set_out(
    dataset: Dataset,
    config: Config,
    count: int | None,
    devices: Sequence[jax.Device],
    *,
    lanes: int | None = None,
    at_most: int | None = None,
    stream: bool | None = None,
    measure: bool = False,
    hooks: Hooks | None = None,
    free: int | None = None,
) -> Setting:
    """Decides how many lanes are trained at a time, and on which devices.

    Args:
      dataset: What runs are trained on.
      config: Static settings.
      count: How many runs there will be; None where nobody knows.
      devices: Those there are.
      lanes: How many the user asks for; None for as many as are good.
      at_most: As `choose_lanes` takes it.
      stream: Whether acoustic features stay on the host; by default where they do not fit.
      measure: Whether to measure on an accelerator how many lanes are fast.
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
    name, paces = identity(config, data, devices[0]), list[Pace]()

    def quickest(most: int) -> int:
        paces.append(double(most, measured(run, config, data, name), at_once()))
        return paces[0].lanes

    if lanes is None:
        # Where nothing is remembered nothing is measured: each start would have to.
        kept = measure and not is_processor(devices[0]) and recall(MEMORY, name) is not None
        ask = quickest if kept else None
        with nothing_to_lose():  # It may compile on trial.
            lanes = choose_lanes(run, config, data, count, devices, at_most, stream, ask, free)
        if paces and hooks is not None:
            hooks.notice(f"{lanes // len(devices)} lanes on each device: {paces[0].reason}")
            hooks.measured(lanes)
    devices = devices[: max(1, min(len(devices), lanes))]
    return Setting(run, data, -(-lanes // len(devices)) * len(devices), devices)


def compile_ahead(
    dataset: Dataset,
    config: Config,
    count: int,
    *,
    lanes: int | None,
    at_most: int | None,
    free: int | None,
) -> bool:
    """Compiles the program that `train_runs` will ask for, for the compilation cache to have it.

    Nothing goes to the devices. Arguments as of `set_out`.

    Returns:
      Whether that can be known: not, where the lanes are still to be measured, nor of a program
      that asks the host for features, which JAX does not keep.
    """
    devices = tuple(jax.local_devices())
    if lanes is None and at_most is None and count > FEW * len(devices):
        return False
    given = {"lanes": lanes, "at_most": at_most, "free": free}
    run, data, lanes, devices = set_out(dataset, config, count, devices, **given)
    if data.acoustic is not dataset.data.acoustic:
        return False
    program = compile_program(run, promised(data, devices), lanes, devices)
    program.put.wait()
    program.harvest.wait()
    return True


def double(
    most: int, rates: Rates, together: int, clock: Callable[[], float] = time.monotonic
) -> Pace:
    """Doubles the lanes while steps a second grow by more than a tenth.

    Args:
      most: Lanes that there are runs and memory for; `FIRST` at least.
      rates: What measures.
      together: How many numbers of lanes it is asked for at a time.
      clock: In seconds.
    """
    sizes = [FIRST]
    while 2 * sizes[-1] <= most:
        sizes.append(2 * sizes[-1])
    begun, lanes, steps = clock(), 0, 0.0
    for start in range(0, len(sizes), together):
        if start and clock() - begun > SECONDS:
            reason = f"{lanes} train {steps:,.0f} steps a second; for more there was no time"
            return Pace(lanes, reason)
        some = sizes[start : start + together]
        for more, found in zip(some, rates(some), strict=True):
            if isinstance(found, str):
                return Pace(lanes or FIRST // 2, f"{more} {found}")
            if lanes and found <= GROWTH * steps:
                hardly = "hardly" if found > steps else "no"
                both = f"{found:,.0f} against {steps:,.0f} steps a second"
                return Pace(lanes, f"{more} were {hardly} faster than {lanes} ({both})")
            lanes, steps = more, found
    return Pace(most, f"fewer were slower, {lanes} train {steps:,.0f} steps a second")


def at_once() -> int:
    """Returns how many programs to compile side by side: a few, and fewer than there are cores."""
    return max(2, min((os.cpu_count() or 1) // 3, 5))


def measured(run: Run, config: Config, data: Data, name: str) -> Rates:
    """Makes what measures programs of a run on the first device.

    Lanes are empty there: they cost what full ones do, as those that have stopped do.

    Args:
      run: The functions of a run.
      config: Gives the batch size.
      data: In the host's memory.
      name: Under which rates are remembered.
    """
    few = few_rows(data, config.batch_size)
    steps = -(-len(few.train) // config.batch_size)

    def rates(some: Sequence[int]) -> Iterator[float | str]:
        found = (recall(MEMORY, name) or {}).items()
        known = {lanes: rate for lanes, rate in found if type(rate) is float and rate > 0}
        making: Mapping[int, Future[Epoch]] = {}
        for lanes in some:
            if str(lanes) not in known:
                making = making or _compile(run, few, [n for n in some if str(n) not in known])
                try:
                    rate = lanes * steps / _seconds(making[lanes].result(), few, lanes)
                except (jax.errors.JaxRuntimeError, MemoryError) as error:
                    short = out_of_memory(error)
                    yield "have no room" if short else f"failed ({last_line(str(error))})"
                    return
                known[str(lanes)] = rate
                remember(MEMORY, name, known)
            yield known[str(lanes)]

    return rates


def few_rows(data: Data, batch: int) -> Data:
    """Leaves some rows to train on, from everywhere, and a few to validate on."""
    rows = min(STEPS * batch, len(data.train))
    some = np.linspace(0, len(data.train) - 1, rows).astype(int)
    return data._replace(train=data.train[some], validation=data.validation[:EVALUATED])


def identity(config: Config, data: Data, device: jax.Device) -> str:
    """Names what rates are measured of: settings, widths and lengths, jaxlib, device."""
    arrays = (data.acoustic, data.tokens, data.word_vectors, data.text, data.turns, data.before)
    shapes = [None if each is None else each.shape[1:] for each in arrays]
    settings = config.to_json() | {"split": None}  # Folds are of the same widths.
    described = json.dumps([settings, shapes], sort_keys=True)
    program = hashlib.sha256(described.encode()).hexdigest()[:16]
    return f"jaxlib {metadata.version('jaxlib')}, {device.device_kind}, program {program}"


def _compile(run: Run, data: Data, sizes: Sequence[int]) -> Mapping[int, Future[Epoch]]:
    """Compiles side by side, and waits: what is timed has the device to itself."""
    device = jax.local_devices()[0]
    loop_options(device.platform, device.device_kind)  # Tried once, not by each thread.
    with ThreadPoolExecutor(len(sizes)) as pool:
        return {lanes: pool.submit(compile_epoch, run, data, lanes) for lanes in sizes}


def _seconds(epoch: Epoch, data: Data, lanes: int) -> float:
    """Returns the shortest time of an epoch, after two that do not count."""
    sent = send(data, jax.local_devices()[:1])
    hparams, state = epoch.place(stack_hparams([HParams()] * lanes)), epoch.blank()
    took = []
    for _ in range(2 + TIMES):
        start = time.perf_counter()
        state, flags = epoch.advance(hparams, state, sent)
        jax.block_until_ready((state, flags))
        took.append(time.perf_counter() - start)
    return min(took[2:])
