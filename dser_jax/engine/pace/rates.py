"""Steps a second of programs on this device: a few steps are timed, and that is remembered.

What was measured lies beside the compiled programs, and is not measured again.
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
from dser_jax.data import Data
from dser_jax.engine.program import Epoch, compile_epoch, send
from dser_jax.engine.sizing import SHARE, free_bytes, needed_bytes, out_of_memory
from dser_jax.models import RULE, named_by_user
from dser_jax.plan import stack_hparams, tree_bytes
from dser_jax.system import last_line, loop_options, recall, remember
from dser_jax.training import HParams, Run

STEPS, TIMES = 8, 3
"""Steps that are timed together, and how often; the shortest time counts."""
EVALUATED = 8
"""Rows of the validation that goes with them."""
MEMORY = "rates.json"
"""File beside the compiled programs: what was measured -> steps a second of what is timed."""


class Timed(NamedTuple):
    """What is timed: so many lanes of one device, whose recurrences follow a schedule."""

    lanes: int
    schedule: str = RULE

    def __str__(self) -> str:
        """Returns its name among what is remembered."""
        return f"{self.lanes} by {self.schedule}"


Rates = Callable[[Sequence[Timed]], Iterator[float | str]]
"""Measures one by one as it is asked: steps a second of all lanes, or why there are none."""


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

    def rates(some: Sequence[Timed]) -> Iterator[float | str]:
        known = remembered(name)
        making: Mapping[Timed, Future[Epoch]] = {}
        for each in some:
            if each not in known:
                making = making or _compile(run, few, [one for one in some if one not in known])
                try:
                    epoch = making[each].result()
                    if not _has_room(epoch, data):
                        yield "have no room"
                        continue
                    known[each] = each.lanes * steps / _seconds(epoch, few, each.lanes)
                except (jax.errors.JaxRuntimeError, MemoryError) as error:
                    short = out_of_memory(error)
                    yield "have no room" if short else f"failed ({last_line(str(error))})"
                    continue
                remember(MEMORY, name, {str(each): known[each]})
            yield known[each]

    return rates


def remembered(name: str) -> dict[Timed, float]:
    """Returns what was measured under a name."""
    known = {}
    for text, rate in (recall(MEMORY, name) or {}).items():
        lanes, _, schedule = text.partition(" by ")
        if lanes.isdecimal() and schedule and type(rate) is float and rate > 0:
            known[Timed(int(lanes), schedule)] = rate
    return known


def at_once() -> int:
    """Returns how many programs to compile side by side: a few, and fewer than there are cores."""
    return max(2, min((os.cpu_count() or 1) // 3, 5))


def few_rows(data: Data, batch: int) -> Data:
    """Leaves some rows to train on, from everywhere, and a few to validate on."""
    rows = min(STEPS * batch, len(data.train))
    some = np.linspace(0, len(data.train) - 1, rows).astype(int)
    return data._replace(train=data.train[some], validation=data.validation[:EVALUATED])


def identity(config: Config, data: Data, device: jax.Device, stream: bool = False) -> str:
    """Names what rates are measured of: settings, widths and lengths, jaxlib, device.

    A schedule that the user names is one of the settings: what is called the rule's is that one's.
    """
    arrays = (data.acoustic, data.tokens, data.word_vectors, data.text, data.turns, data.before)
    shapes = [None if each is None else each.shape[1:] for each in arrays]
    settings = config.to_json() | {"split": None}  # Folds are of the same widths.
    described = json.dumps([settings, shapes, named_by_user(), stream], sort_keys=True)
    program = hashlib.sha256(described.encode()).hexdigest()[:16]
    return f"jaxlib {metadata.version('jaxlib')}, {device.device_kind}, program {program}"


def _compile(run: Run, data: Data, some: Sequence[Timed]) -> Mapping[Timed, Future[Epoch]]:
    """Compiles side by side, and waits: what is timed has the device to itself."""
    device = jax.local_devices()[0]
    loop_options(device.platform, device.device_kind)  # Tried once, not by each thread.
    with ThreadPoolExecutor(len(some)) as pool:
        return {each: pool.submit(compile_epoch, run, data, *each) for each in some}


def _has_room(epoch: Epoch, data: Data) -> bool:
    """Returns whether a device, empty as yet, has room for an epoch as the engine wants it."""
    free, need = free_bytes(jax.local_devices()[0]), needed_bytes(epoch.advance)
    return free is None or need is None or need + tree_bytes(data) <= SHARE * free


def _seconds(epoch: Epoch, data: Data, lanes: int) -> float:
    """Returns the shortest time of an epoch, after two that do not count."""
    sent = send(data, jax.local_devices()[:1])
    hparams, state = epoch.place(stack_hparams([HParams()] * lanes)), epoch.blank()
    # Batches of its own for each lane: the longest of all decide how many steps there are.
    keys = jax.random.split(jax.random.key(0), lanes)
    state = state._replace(key=jax.device_put(keys, state.key.sharding))
    took = []
    for _ in range(2 + TIMES):
        start = time.perf_counter()
        state, flags = epoch.advance(hparams, state, sent)
        jax.block_until_ready((state, flags))
        took.append(time.perf_counter() - start)
    return min(took[2:])
