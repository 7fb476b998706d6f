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
from pathlib import Path
from typing import Any

import numpy as np
from common import WORDS, Lanes, finish, in_turns, made_up, paper_config, table
from sizes import parse


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
    found: list[dict[str, Any]] = []
    for batch, steps in zip(args.batch, args.steps, strict=True):
        data = made_up(steps * batch, tokens=args.tokens)
        config = paper_config(args, batch, padding="keras")
        fewer = args.lanes if batch <= 64 or args.size != "cpu" else [2]
        theirs = KerasRun(config, data)
        start = time.perf_counter()
        theirs.epoch()
        first = time.perf_counter() - start
        sides = {f"ours, {n} lanes": (Lanes(config, data, n).epoch, n) for n in fewer}
        sides["Keras"] = (theirs.epoch, 1)
        seconds = in_turns({name: epoch for name, (epoch, _) in sides.items()}, args.repeats)
        rates = {name: count * steps / seconds[name] for name, (_, count) in sides.items()}
        compiling = first - seconds["Keras"]
        ratio = max(rate for name, rate in rates.items() if name != "Keras") / rates["Keras"]
        print(f"\nbatch {batch}, {args.tokens} tokens")
        table(
            ("side", "steps/s", "over Keras"),
            [[name, rate, rate / rates["Keras"]] for name, rate in rates.items()],
        )
        print(f"each new Keras model also compiles for {compiling:.1f} s")
        row = {"batch": batch, "steps_per_second": rates, "ours_over_keras": ratio}
        found.append({**row, "keras_compiles_for_seconds": compiling})
    finish("versus_keras", args, {"found": found, "keras": keras.__version__})
    return 0


if __name__ == "__main__":
    sys.exit(main())
