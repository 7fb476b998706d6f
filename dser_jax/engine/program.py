"""A run's three functions mapped over lanes and compiled; the only place that vmaps and jits.

Lanes are the first axis of every array of the state. They are divided among the devices of a mesh
and need nothing of each other, so no device waits for another. What a lane computes depends on
neither its slot nor its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from dser_jax.data import Data
from dser_jax.models import RULE, scheduled
from dser_jax.plan import stack_hparams, tree_bytes
from dser_jax.system import Later, loop_options, make_later
from dser_jax.training import HParams, Result, Run, State, Weights

AXIS = "lanes"
_EACH = PartitionSpec(AXIS)
_ALL = PartitionSpec()

NARROW = 400_000
"""Bytes of parameters up to which a processor trains lanes side by side on a core.

An accelerator always does. A core gains from it only while what a step costs is mostly the overhead
of its operations; the weights of one wide lane stay in the core's cache from step to step, those of
many do not. Measured on two cores, by turns: with 16 units a layer one lane after the other takes
1.1-1.3 of the time, with 32 units 0.8, with 128 or 256 units 0.7-0.8.
"""


class Flags(NamedTuple):
    """What the host reads of the lanes after each round; all [lane], `ccc` [lane, attr].

    Attributes:
      stopped: Whether a run has ended; an empty lane has, too.
      epoch: Epochs trained.
      wait: Epochs since the lowest validation loss.
      ccc: CCC on the validation rows in the epoch of the lowest loss; NaN before there is one.
    """

    stopped: Any
    epoch: Any
    wait: Any
    ccc: Any


@dataclass(frozen=True)
class Program:
    """The functions of a run over a fixed number of lanes, compiled.

    Those that return a state take over the memory of the one they are given.

    Attributes:
      lanes, devices: How many; each device has the same number of lanes.
      blank: () -> a state whose lanes are all empty.
      fill: (state, slot, seed, data) -> the state with a new run in a lane.
      put: (state, slot, lane) -> the state with a run under way in a lane.
      advance: (hparams, state, data) -> the state an epoch later, and its flags.
      harvest: (state, slot, data) -> `Result` of a lane, each array with a first axis of devices.
      place: Divides stacked settings among the devices.
    """

    lanes: int
    devices: int
    blank: Callable[[], State]
    fill: Callable[[State, np.int32, np.uint32, Data], State]
    put: Later
    advance: Callable[[HParams, State, Data], tuple[State, Flags]]
    harvest: Later
    place: Callable[[HParams], HParams]

    def result(self, state: State, slot: int, data: Data) -> Result:
        """Returns what the run in a lane gives, from the weights of its best epoch, as NumPy."""
        device = slot // (self.lanes // self.devices)
        every = self.harvest(state, np.int32(slot), data)
        return jax.tree.map(lambda leaf: _block(leaf, device)[0], every)

    def weights(self, state: State, slot: int) -> Weights:
        """Returns the weights of the best epoch of the run in a lane, as NumPy."""
        share = self.lanes // self.devices
        return jax.tree.map(
            lambda leaf: _block(leaf, slot // share, slot % share), state.best.weights
        )


class Epoch(NamedTuple):
    """An epoch of lanes on one device, for a trial: three functions of a `Program`."""

    advance: Any
    blank: Callable[[], State]
    place: Callable[[HParams], HParams]


def lane_state(run: Run, data: Data) -> State:
    """Returns the shapes and types of one run's state, without an axis of lanes."""
    return jax.eval_shape(run.init, jax.eval_shape(jax.random.key, 0), data)


def takes_turns(device: jax.Device, lane: State) -> bool:
    """Returns whether lanes are too wide for a processor to train side by side on one core."""
    return device.platform == "cpu" and tree_bytes(lane.weights.params) > NARROW


def send(data: Data, devices: Sequence[jax.Device]) -> Data:
    """Copies the data to each device, where all lanes share them."""
    return jax.device_put(data, NamedSharding(_mesh(devices), _ALL))


def promised(data: Data, devices: Sequence[jax.Device]) -> Any:
    """Returns what `send` will give, as shapes: enough to compile a program."""
    return _on(_mesh(devices), _ALL, data)


def from_host(values: np.ndarray) -> Callable[[jax.Array], jax.Array]:
    """Makes the function that takes rows of an array that stays in the host's memory."""

    def take(rows: jax.Array) -> jax.Array:
        shape = jax.ShapeDtypeStruct((*rows.shape, *values.shape[1:]), values.dtype)
        return jax.pure_callback(
            lambda rows: values[np.asarray(rows)], shape, rows, vmap_method="broadcast_all"
        )

    return take


def compile_program(
    run: Run, data: Data, lanes: int, devices: Sequence[jax.Device], schedule: str = RULE
) -> Program:
    """Compiles a program: what trains, side by side; the rest in the background.

    The first run to end waits for `harvest`, one that is taken up again for `put`; meanwhile all
    lanes train.

    Args:
      run: The functions of one run.
      data: As `send` gives them.
      lanes: A multiple of the number of devices.
      devices: Among which the lanes are divided.
      schedule: What recurrences follow, by its name (`models/schedules.py`).
    """
    mesh = _mesh(devices)
    one = lane_state(run, data)
    hparams, state = _arguments(mesh, one, lanes)
    number = jax.ShapeDtypeStruct((), np.int32)
    seed = jax.ShapeDtypeStruct((), np.uint32)
    fill, put, advance, harvest = _functions(run, mesh, one)
    # `put` only copies: unoptimized it is compiled in half the time. `fill` draws its random
    # numbers four times as fast for being optimized.
    device = mesh.devices.flat[0]
    plain: Any = {"xla_backend_optimization_level": "0"} if device.platform == "cpu" else None
    # While one compiles the next is traced; the longest first.
    with scheduled(schedule), ThreadPoolExecutor() as pool:
        at_once = pool.submit(loop_options, device.platform, device.device_kind)
        traced = advance.lower(hparams, state, data)
        needed = [pool.submit(lambda: traced.compile(at_once.result() or None))]
        needed.append(pool.submit(fill.lower(state, number, seed, data).compile))
        lowered = put.lower(state, number, one), harvest.lower(state, number, data)
        advance, fill = (each.result() for each in needed)
    put, harvest = make_later([partial(lowered[0].compile, plain), lowered[1].compile])
    blank, place = _makers(mesh, one, lanes)
    return Program(lanes, len(devices), blank, fill, put, advance, harvest, place)


def compile_epoch(run: Run, data: Data, lanes: int, schedule: str = RULE) -> Epoch:
    """Compiles an epoch of so many lanes on one device, for a trial; `data` may be on the host."""
    mesh = _mesh(jax.local_devices()[:1])
    device, one = mesh.devices.flat[0], lane_state(run, data)
    arguments = *_arguments(mesh, one, lanes), _on(mesh, _ALL, data)
    with scheduled(schedule):
        lowered = _functions(run, mesh, one)[2].lower(*arguments)
    at_once = loop_options(device.platform, device.device_kind)
    return Epoch(lowered.compile(at_once or None), *_makers(mesh, one, lanes))


def _functions(run: Run, mesh: Mesh, one: State):
    """Maps a run's functions over the lanes of each device of a mesh; `one` is a lane's state."""
    turns = takes_turns(mesh.devices.flat[0], one)

    def split(function, inputs, outputs):
        return jax.shard_map(
            function, mesh=mesh, in_specs=inputs, out_specs=outputs, check_vma=False
        )

    def own_slot(state: State, slot):
        """Returns the number of a slot on this device, and whether it is on this device at all."""
        size = state.stopped.shape[0]
        slot = slot - jax.lax.axis_index(AXIS) * size
        return jnp.clip(slot, 0, size - 1), (slot >= 0) & (slot < size)

    def put(state: State, slot, lane: State) -> State:
        slot, here = own_slot(state, slot)

        def write(many, one):
            old = _take(many, slot)
            new = jnp.where(here, one, old)
            return jax.lax.dynamic_update_index_in_dim(many, new, slot, 0)

        return jax.tree.map(write, state, lane)

    def fill(state: State, slot, seed, data: Data) -> State:
        # One at a time: a batched QR decomposition (of the orthogonal kernels) deadlocks XLA's
        # thread pool on a CPU with few cores (jaxlib 0.10.2, 20 lanes on 2 cores). It also makes
        # a run's start the same for any number of lanes.
        return put(state, slot, run.init(jax.random.key(seed), data))

    def advance(hparams: HParams, state: State, data: Data) -> tuple[State, Flags]:
        if turns:
            state = in_turn(hparams, state, data)
        else:
            state = jax.vmap(run.epoch, in_axes=(0, 0, None))(hparams, state, data)
        return state, jax.vmap(_flags)(state)

    def in_turn(hparams: HParams, state: State, data: Data) -> State:
        """Trains one lane after the other; those that have stopped cost nothing."""

        def train(slot, state: State) -> State:
            own, lane = jax.tree.map(lambda many: _take(many, slot), (hparams, state))
            lane = jax.lax.cond(
                lane.stopped, lambda lane: lane, lambda lane: run.epoch(own, lane, data), lane
            )
            return jax.tree.map(
                lambda many, one: jax.lax.dynamic_update_index_in_dim(many, one, slot, 0),
                state,
                lane,
            )

        return jax.lax.fori_loop(0, state.stopped.shape[0], train, state)

    def harvest(state: State, slot, data: Data) -> Result:
        slot, _ = own_slot(state, slot)
        lane = jax.tree.map(lambda many: _take(many, slot), state)
        return jax.tree.map(lambda leaf: leaf[None], run.result(lane, data))

    return (
        jax.jit(split(fill, (_EACH, _ALL, _ALL, _ALL), _EACH), donate_argnums=0),
        jax.jit(split(put, (_EACH, _ALL, _ALL), _EACH), donate_argnums=0),
        jax.jit(split(advance, (_EACH, _EACH, _ALL), _EACH), donate_argnums=1),
        jax.jit(split(harvest, (_EACH, _ALL, _ALL), _EACH)),
    )


def _take(many, slot):
    return jax.lax.dynamic_index_in_dim(many, slot, keepdims=False)


def _flags(state: State) -> Flags:
    best = state.best.epoch
    ccc = state.history.validation_ccc[jnp.maximum(best - 1, 0)]
    return Flags(state.stopped, state.epoch, state.wait, jnp.where(best > 0, ccc, jnp.nan))


def _blank(one: State, lanes: int) -> State:
    def zeros(leaf):
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jax.random.clone(jnp.broadcast_to(jax.random.key(0), (lanes, *leaf.shape)))
        return jnp.zeros((lanes, *leaf.shape), leaf.dtype)

    return jax.tree.map(zeros, one)._replace(stopped=jnp.ones(lanes, bool))


def _makers(mesh: Mesh, one: State, lanes: int):
    """Returns `blank` and `place` of a program."""
    each = NamedSharding(mesh, _EACH)
    blank = jax.jit(partial(_blank, one, lanes), out_shardings=each)
    return blank, lambda hparams: jax.device_put(hparams, each)


def _arguments(mesh: Mesh, one: State, lanes: int):
    """Returns the shapes of the settings and of the state of all lanes."""
    hparams = jax.eval_shape(lambda: stack_hparams([HParams()] * lanes))
    state = jax.tree.map(lambda a: jax.ShapeDtypeStruct((lanes, *a.shape), a.dtype), one)
    return _on(mesh, _EACH, hparams), _on(mesh, _EACH, state)


def _mesh(devices: Sequence[jax.Device]) -> Mesh:
    return Mesh(np.asarray(devices), (AXIS,))


def _on(mesh: Mesh, spec: PartitionSpec, shapes: Any) -> Any:
    sharding = NamedSharding(mesh, spec)
    return jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=sharding), shapes)


def _block(leaf: jax.Array, device: int, row: int | None = None) -> np.ndarray:
    """Takes the part of an array that lies on a device to the host, or one row of that part."""
    size = leaf.shape[0]
    shards = {(s.index[0].start or 0): s.data for s in leaf.addressable_shards}
    part = shards[device * (size // len(shards))]
    return np.asarray(part if row is None else part[row])
