"""Many runs as lanes of one compiled program; the only place that vmaps and jits.

A run is `(hparams, seed)`. Lanes differ in what is traced: initialization, shuffling, dropout and
early stopping follow the seed, and every field of `HParams` is mapped. What a lane computes does
not depend on its slot or its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dser_jax.config import Config
from dser_jax.dataset import Data, Dataset
from dser_jax.errors import DserError
from dser_jax.sizing import default_lanes, free_bytes, lane_bytes
from dser_jax.train import HParams, Result, State, Weights, make_run


@dataclass(frozen=True)
class RunSpec:
    """What one lane trains.

    Attributes:
      name: The row of the results table that it belongs to; runs of one name differ in seed only.
      hparams: Traced settings.
      seed: Number from which initialization, shuffling and dropout follow; runs of equal seed are
        compared pairwise.
      paper: The published row to hold it against, as `published` names it, e.g. `{"table":
        "table6", "row": "two"}`; no part of what determines the run.
    """

    name: str
    hparams: HParams
    seed: int
    paper: dict[str, Any] | None = None


class Outcome(NamedTuple):
    """A finished run: what it was, its result as NumPy arrays, its best weights on request."""

    spec: RunSpec
    result: Result
    weights: Weights | None


class Tick(NamedTuple):
    """How busy the lanes are, after each of their epochs."""

    lanes_busy: int
    lanes: int
    epoch: int


class Program(NamedTuple):
    """The three functions of a run, mapped over lanes and compiled once for a lane count."""

    init: Callable
    epoch: Callable
    result: Callable


def make_program(config: Config, words: int = 0, embedding_dim: int = 0) -> Program:
    """Maps a run's functions over lanes and jits them; `epoch` takes over its state's memory."""
    run = make_run(config, words, embedding_dim)

    def init(seeds, data):
        # Lane after lane: a batched QR decomposition (of the orthogonal kernels) deadlocks XLA's
        # thread pool on a CPU with few cores (jaxlib 0.10.2, 20 lanes on 2 cores).
        return jax.lax.map(lambda seed: run.init(jax.random.key(seed), data), seeds)

    return Program(
        init=jax.jit(init),
        epoch=jax.jit(jax.vmap(run.epoch, in_axes=(0, 0, None)), donate_argnums=1),
        result=jax.jit(jax.vmap(run.result, in_axes=(0, None))),
    )


def sweep(
    dataset: Dataset,
    config: Config,
    runs: Sequence[RunSpec],
    *,
    lanes: int | None = None,
    keep_weights: bool = False,
    progress: Callable[[Tick], None] | None = None,
    program: Program | None = None,
) -> Iterator[Outcome]:
    """Trains runs, so many at a time, and yields each as it finishes.

    Args:
      dataset: Arrays that all runs share; they go to the device once.
      config: Static settings of all runs.
      runs: What to train; those of a last, smaller group are trained beside repeats of its last
        run, so that the program stays the same.
      lanes: Runs at a time; by default 20, or all where there are fewer, or what fits in memory.
      keep_weights: Whether outcomes carry the weights of their best epoch.
      progress: Called after each epoch.
      program: A program to use again, as `make_program` gave it for the same settings.

    Raises:
      DserError: `lanes` is below 1.
    """
    if not runs:
        return
    program = program or make_program(config, dataset.words, dataset.embedding_dim)
    if lanes is None:
        lanes = _fitting_lanes(program, config, dataset, len(runs))
    if lanes < 1:
        raise DserError(f"lanes is {lanes}; expected 1 or more")
    data = jax.device_put(dataset.data)
    for start in range(0, len(runs), lanes):
        group = runs[start : start + lanes]
        yield from _train_group(program, data, group, lanes, keep_weights, progress)


def _train_group(
    program: Program,
    data: Data,
    group: Sequence[RunSpec],
    lanes: int,
    keep_weights: bool,
    progress: Callable[[Tick], None] | None,
) -> Iterator[Outcome]:
    """Trains up to `lanes` runs until all have stopped; yields them as they stop."""
    filled = [*group, *[group[-1]] * (lanes - len(group))]
    hparams = stack_hparams([spec.hparams for spec in filled])
    state: State = program.init(jnp.asarray([spec.seed for spec in filled], jnp.uint32), data)
    waiting = set(range(len(group)))
    epoch = 0
    while waiting:
        state = program.epoch(hparams, state, data)
        epoch += 1
        stopped = np.asarray(state.stopped)
        finished = sorted(lane for lane in waiting if stopped[lane])
        if finished:
            results = jax.device_get(program.result(state, data))
            for lane in finished:
                waiting.discard(lane)
                weights = _lane(state.best.weights, lane) if keep_weights else None
                yield Outcome(filled[lane], _lane(results, lane), weights)
        if progress is not None:
            progress(Tick(len(waiting), lanes, epoch))


def _fitting_lanes(program: Program, config: Config, dataset: Dataset, runs: int) -> int:
    state = jax.eval_shape(program.init, jnp.zeros(1, jnp.uint32), dataset.data)
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))
    return default_lanes(runs, lane_bytes(config, dataset.data, size), free_bytes())


def stack_hparams(hparams: Sequence[HParams]) -> HParams:
    """Stacks the settings of several runs along a new first axis, the lanes'."""
    kinds = [np.asarray(default).dtype for default in HParams()]
    columns = zip(*hparams, strict=True)
    stacked = (np.stack(column).astype(kind) for column, kind in zip(columns, kinds, strict=True))
    return HParams(*map(jnp.asarray, stacked))


def _lane(tree, lane: int):
    """Takes one lane of a stacked pytree to the host."""
    return jax.tree.map(lambda leaf: np.asarray(leaf[lane]), tree)
