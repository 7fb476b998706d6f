"""Our lanes against the authors' way: Keras 3 on JAX, one `fit` after the other.

Keras trains the same network (`tests/keras_reference.py`) on the same made-up utterances with the
same loss, padding fed to the network, at one batch size after the other. Both sides take turns in
one process. A `fit` of a new model also compiles anew; that is told apart (seconds of the first
epoch beyond a later one), and is not in the ratio.

    python benchmarks/versus_keras.py
"""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import WORDS, MadeUp, paper_config, rounds, table
from programs import Side
from record import Record
from sizes import fitting, parse


class KerasRun:
    """One model, trained by `fit` an epoch at a time."""

    def __init__(self, config, data) -> None:
        import keras
        import keras_reference
        from keras import ops

        def ccc_loss(gold, pred):
            gold_off, pred_off = gold - ops.mean(gold), pred - ops.mean(pred)
            apart = (ops.mean(gold) - ops.mean(pred)) ** 2
            spread = ops.mean(gold_off**2) + ops.mean(pred_off**2) + apart
            return 1 - 2 * ops.mean(gold_off * pred_off) / ops.maximum(spread, 1e-12)

        shape = data.acoustic.shape[1:]
        self.model = keras_reference.make_model(config, WORDS, shape, (0.1, 0.4, 0.4))
        optimizer = keras.optimizers.RMSprop(1e-3, rho=0.9, epsilon=1e-7)
        self.model.compile(optimizer=optimizer, loss=[ccc_loss] * 3, loss_weights=[1.0] * 3)
        rows = data.train
        self.inputs = [data.acoustic[rows], data.tokens[rows]]
        self.gold = [np.ascontiguousarray(data.gold[rows, i : i + 1]) for i in range(3)]
        self.size = config.batch_size

    def epoch(self) -> None:
        """Trains on all rows once."""
        self.model.fit(self.inputs, self.gold, batch_size=self.size, epochs=1, verbose=0)


def sides(args, batch: int, steps: int) -> dict[str, Side]:
    """Returns our sides at a batch size."""
    data = MadeUp(steps * batch, tokens=args.tokens)
    config = paper_config(args, batch, padding="keras")
    return {
        f"ours, {n} lanes": Side(config, data, n) for n in fitting(args.lanes, batch, args.size)
    }


def programs(args) -> list[Side]:
    """Returns our sides."""
    each = zip(args.batch, args.steps, strict=True)
    return [side for batch, steps in each for side in sides(args, batch, steps).values()]


def measure(ours: dict[str, Side], steps: int, repeats: int) -> Iterator[dict[str, Any]]:
    """Times an epoch of each side, in turns; yields the rates after each turn."""
    one = next(iter(ours.values()))
    theirs = KerasRun(one.config, one.data.make())
    start = time.perf_counter()
    theirs.epoch()
    first = time.perf_counter() - start
    counts = {name: side.lanes for name, side in ours.items()} | {"Keras": 1}
    epochs = {name: side.make().epoch for name, side in ours.items()} | {"Keras": theirs.epoch}
    for seconds in rounds(epochs, repeats):
        rates = {name: counts[name] * steps / took for name, took in seconds.items()}
        yield {
            "steps_per_second": rates,
            "ours_over_keras": max(rates[name] for name in ours) / rates["Keras"],
            "keras_compiles_for_seconds": first - seconds["Keras"],
        }


def main() -> int:
    """Measures each batch size and prints the ratio."""
    os.environ["KERAS_BACKEND"] = "jax"
    sys.path.append(os.fspath(Path(__file__).parent.parent / "tests"))
    args = parse(__doc__, "versus_keras")
    try:
        import keras
    except ImportError:
        print("Keras is not installed: nothing to compare with. It is part of the extra `bench`.")
        return 3
    record = Record("versus_keras", args)
    for batch, steps in zip(args.batch, args.steps, strict=True):
        found = record.part(
            {"batch": batch}, measure(sides(args, batch, steps), steps, args.repeats)
        )
        rates = found["steps_per_second"]
        print(f"\nbatch {batch}, {args.tokens} tokens")
        table(
            ("side", "steps/s", "over Keras"),
            [[name, rate, rate / rates["Keras"]] for name, rate in rates.items()],
        )
        print(f"each new Keras model also compiles for {found['keras_compiles_for_seconds']:.1f} s")
    record.finish(keras=keras.__version__)
    return 0


if __name__ == "__main__":
    sys.exit(main())
