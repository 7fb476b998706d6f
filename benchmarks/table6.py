"""A whole experiment by the clock: Table 6 in lanes, and the same runs one after the other.

Three weightings of the loss times the seeds, LSTM + LSTM on functionals and text at batch 256, on
made-up utterances with IEMOCAP's lengths. Both ways are the engine's and train to the same epochs:
as many lanes as there are runs (or as memory holds), or one lane, which is refilled. Half of the
runs in sequence are trained before the lanes and half after, so that a machine that grows busier
favours neither. Compilation is told apart; a run that `--alone` leaves out counts as the mean of
those that it lets in.

Other experiments are trained in lanes only: `--experiment fig4` has the 11 x 11 weights of Fig. 4
for each seed, `--experiment table5` the eight pairs of networks at batch 8.

    python benchmarks/table6.py
    python benchmarks/table6.py --size gpu --experiment fig4
"""

import time
from itertools import product
from typing import Any

import numpy as np
from common import as_dataset, devices, finish, made_up, paper_config, table
from sizes import parse

HELP = {
    "experiment": "table5, table6 or fig4",
    "alone": "runs that are also trained one after the other",
    "lanes": "runs at a time; 0 for what the engine chooses",
    "padding": '"keras" or "masked"; by default masked',
    "batch": "utterances an optimizer step; 0 for the paper's",
}
PAIRS = tuple(product(("lstm", "cnn", "dense"), ("lstm", "cnn")))
PAIRS += (("lstm", "dense"), ("cnn", "dense"))


def weightings(experiment: str) -> list[tuple[float, float, float]]:
    """Returns the weights of the loss that an experiment compares."""
    if experiment == "table6":
        return [(1, 1, 1), (0.7, 0.2, 0.1), (0.9, 0.9, 0.2)]
    if experiment == "table5":
        return [(1, 1, 1)]
    points = np.linspace(0, 1, 11)
    return [(alpha, beta, 1 - alpha - beta) for alpha, beta in product(points, points)]


def made_runs(args) -> list[tuple[str, Any]]:
    """Makes each weighting's runs; none of them stops early."""
    from dser_jax.plan import RunSpec
    from dser_jax.training import HParams

    runs = []
    for weights, seed in product(weightings(args.experiment), range(args.seeds)):
        hparams = HParams(np.array(weights, np.float32), patience=np.int32(2**30))
        runs.append((f"{len(runs)}", RunSpec(f"{weights}", hparams, seed)))
    return runs


def train(dataset, config, runs, lanes: int, program) -> float:
    """Trains runs by the engine; returns its seconds."""
    from dser_jax.engine import train_runs

    start = time.perf_counter()
    done = list(train_runs(dataset, config, runs, lanes=lanes, program=program))
    took = time.perf_counter() - start
    epochs = {outcome.result and int(outcome.result.epochs) for _, outcome in done}
    if len(done) != len(runs) or epochs != {config.max_epochs}:
        raise RuntimeError(f"{len(done)} of {len(runs)} runs ended, after {epochs} epochs")
    return took


def compiled(dataset, config, count: int, lanes: int):
    """Compiles a program for so many runs; returns it with its lanes and the seconds it took."""
    import jax

    from dser_jax.engine import choose_lanes, compile_program, send
    from dser_jax.training import make_run

    start = time.perf_counter()
    run = make_run(config, dataset.words, dataset.embedding_dim)
    lanes = lanes or choose_lanes(run, config, dataset.data, count, jax.local_devices())
    where = devices(lanes)
    program = compile_program(run, send(dataset.data, where), lanes, where)
    return program, lanes, time.perf_counter() - start


def main() -> None:
    """Trains an experiment both ways and prints the ratio."""
    args = parse(__doc__, "table6", HELP, cache=False)
    padding = args.padding or "masked"
    train_rows, part = args.rows * 2 // 3, args.rows // 6
    data = made_up(train_rows, part, args.rows - train_rows - part, tokens=args.tokens)
    batch = args.batch or (8 if args.experiment == "table5" else 256)
    pairs = PAIRS if args.experiment == "table5" else (("lstm", "lstm"),)
    runs, rows = made_runs(args), []
    for acoustic, text in pairs:
        halves = {"acoustic": acoustic, "text": text}
        config = paper_config(
            args, min(batch, train_rows), max_epochs=args.epochs, **halves, padding=padding
        )
        dataset = as_dataset(data, config)
        many, lanes, compiling = compiled(dataset, config, len(runs), args.lanes)
        row = {"network": config.network, "runs": len(runs), "lanes": lanes}
        if args.experiment != "table6":
            seconds = train(dataset, config, runs, lanes, many)
            rows.append({**row, "compile_seconds": compiling, "lanes_seconds": seconds})
            continue
        one = many if lanes == 1 else compiled(dataset, config, len(runs), 1)[0]
        alone = runs[: args.alone]
        middle = len(alone) // 2
        before = train(dataset, config, alone[:middle], 1, one) if middle else 0.0
        seconds = train(dataset, config, runs, lanes, many)
        after = train(dataset, config, alone[middle:], 1, one)
        sequence = (before + after) * len(runs) / len(alone)
        row |= {"compile_seconds": compiling, "lanes_seconds": seconds}
        rows.append({**row, "one_by_one_seconds": sequence, "speed_up": sequence / seconds})

    steps = -(-train_rows // config.batch_size) * args.epochs
    print(
        f"{args.experiment}, {args.rows} utterances, {args.epochs} epochs of "
        f"{steps // args.epochs} steps at batch {config.batch_size}, padding {padding}"
    )
    columns = ("network", "runs", "lanes", "compiling s", "in lanes s", "one by one s", "speed-up")
    table(columns, [[*row.values(), *([None] * (7 - len(row)))] for row in rows])
    total = sum(row["lanes_seconds"] + row["compile_seconds"] for row in rows)
    print(f"{total / 60:.1f} minutes in all, compilation included")
    about = {"padding_used": padding, "steps_a_run": steps, "total_seconds": total}
    finish("table6", args, {"rows": rows, **about})


if __name__ == "__main__":
    main()
