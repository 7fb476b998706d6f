"""What refilling lanes saves: the same runs in lanes that are refilled, and in fixed batches.

Two hundred short runs, whose early stopping spreads over 5 to 50 epochs, are trained twice in one
process by one compiled program: from a queue, each lane refilled as soon as its run has stopped;
and so many at a time, each batch until its last run has stopped. Both give the same results, to
the bit, which is checked. Prints a table and one JSON line.

    python benchmarks/refill.py
    python benchmarks/refill.py --size gpu
"""

import functools
import time
from typing import NamedTuple

import jax
import numpy as np
from common import as_dataset, compile_lanes
from programs import Side
from record import finish
from sizes import parse

from dser_jax.config import Config
from dser_jax.data import Data
from dser_jax.engine import Hooks, train_runs
from dser_jax.plan import RunSpec
from dser_jax.training import HParams

ROWS, FEATURES = 400, 46


class Learnable(NamedTuple):
    """So many rows of functionals that tell the labels, more or less; half of them to train on."""

    rows: int = ROWS

    def make(self) -> Data:
        """Makes the data, once in a process."""
        return _learnable(self.rows)


@functools.cache
def _learnable(count: int) -> Data:
    random = np.random.default_rng(0)
    gold = random.uniform(-1, 1, (count, 3)).astype(np.float32)
    mixed = gold @ random.normal(size=(3, FEATURES)) + random.normal(0, 3, (count, FEATURES))
    train, validation, test = (
        part.astype(np.int32) for part in np.split(np.arange(count), [count // 2, count * 3 // 4])
    )
    return Data(
        mixed[:, None].astype(np.float32),
        None,
        gold,
        np.ones((count, 3), bool),
        train,
        validation,
        test,
        None,
    )


def programs(args) -> list[Side]:
    """Returns the one side, which both ways train by."""
    config = Config(
        text=None,
        units=args.units,
        layers=1,
        batch_size=args.batch,
        max_epochs=args.epochs,
        fusion=(32, 16),
    )
    return [Side(config, Learnable(), args.lanes)]


def made_runs(count: int) -> list[tuple[str, RunSpec]]:
    """Makes runs whose learning rates let them overfit, and so stop, sooner or later."""
    rates = np.random.default_rng(1).permutation(np.geomspace(2e-4, 2e-2, count))
    return [
        (f"{i}", RunSpec("", HParams(learning_rate=np.float32(rate), patience=np.int32(4)), i))
        for i, rate in enumerate(rates)
    ]


def main() -> None:
    """Trains the runs both ways and prints the ratio."""
    args = parse(__doc__, "refill")
    (side,) = programs(args)
    dataset, runs = as_dataset(side.data.make(), side.config), made_runs(args.runs)
    program, _ = compile_lanes(side.config, side.data.make(), args.lanes)
    ticks = []

    def train(some):
        hooks = Hooks(progress=ticks.append)
        return dict(train_runs(dataset, side.config, some, program=program, hooks=hooks))

    train(runs[: args.lanes])
    seconds, found, full = {}, {}, None
    for way in ("fixed", "refilled"):
        ticks.clear()
        start = time.perf_counter()
        step = args.lanes if way == "fixed" else len(runs)
        found[way] = {}
        for first in range(0, len(runs), step):
            found[way] |= train(runs[first : first + step])
        seconds[way] = time.perf_counter() - start
    # The queue is empty when as many runs have ended as have not begun in a lane of their own.
    waiting = [t for t in ticks if t.busy == args.lanes]
    full = waiting[-1].epochs / waiting[-1].lane_epochs
    whole = ticks[-1].epochs / ticks[-1].lane_epochs
    epochs = np.array([int(outcome.result.epochs) for outcome in found["refilled"].values()])
    for run, outcome in found["fixed"].items():
        jax.tree.map(np.testing.assert_array_equal, outcome.result, found["refilled"][run].result)

    ratio = seconds["refilled"] / seconds["fixed"]
    low, middle, high = np.percentile(epochs, (5, 50, 95))
    print(
        f"{len(runs)} runs of {epochs.min()} to {epochs.max()} epochs "
        f"(5%, 50%, 95%: {low:.0f}, {middle:.0f}, {high:.0f}) in {args.lanes} lanes"
    )
    print(f"fixed batches   {seconds['fixed']:8.1f} s")
    print(f"refilled lanes  {seconds['refilled']:8.1f} s   {100 * ratio:.0f}% of the time")
    print(
        f"lanes busy      {100 * full:8.1f} % until the queue is empty, {100 * whole:.1f} % in all"
    )
    result = {
        "epochs": {"5%": low, "50%": middle, "95%": high, "max": int(epochs.max())},
        "seconds": seconds,
        "ratio": ratio,
        "occupancy_until_empty": full,
        "occupancy": whole,
        "same_results": True,
    }
    finish("refill", args, result)


if __name__ == "__main__":
    main()
