"""A whole experiment by the clock: Table 6 in lanes, and the same runs one after the other.

Three weightings of the loss times the seeds, LSTM + LSTM on functionals and text at batch 256, on
made-up utterances with IEMOCAP's lengths. Both ways are the engine's and train to the same epochs:
as many lanes as there are runs (or as memory holds), or one lane, which is refilled. Half of the
runs in sequence are trained before the lanes and half after, so that a machine that grows busier
favours neither. A run that `--alone` leaves out counts as the mean of those that it lets in. The
programs are told apart: they are compiled, or come from the compilation cache.

Other experiments are trained in lanes only, at batch 8: `--experiment fig4` has the 11 x 11 weights
of Fig. 4 for each seed in networks of 32 units, `--experiment table5` the eight pairs of networks.
`--predict SECONDS` trains none to its end but predicts how long it would take, from so many seconds
of training in as many lanes, on a tenth of the rows.

    python benchmarks/table6.py
    python benchmarks/table6.py --size gpu --experiment fig4 --predict 60
"""

import argparse
import dataclasses
import math
import time
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from common import MadeUp, as_dataset, compile_lanes, paper_config, table
from programs import Side, environment
from record import Record
from sizes import parse

HELP = {
    "experiment": "table5, table6 or fig4",
    "alone": "runs that are also trained one after the other",
    "lanes": "runs at a time; 0 for what the engine chooses",
    "padding": '"keras" or "masked"; by default masked',
    "batch": "utterances an optimizer step; 0 for the paper's",
    "units": "width of the networks' layers; 0 for the paper's",
    "predict": "seconds to measure, from which the rest is predicted; 0 trains all of it",
}
PAIRS = tuple(product(("lstm", "cnn", "dense"), ("lstm", "cnn")))
PAIRS += (("lstm", "dense"), ("cnn", "dense"))
PAPER = {"table6": (256, 256), "table5": (8, 256), "fig4": (8, 32)}
"""Batch size and units of an experiment."""
PART = 10
"""One in so many rows is trained on where the rest is predicted."""


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


def networks(args) -> list[Side]:
    """Returns the networks of an experiment, in the lanes that are asked for; 0 is the engine's."""
    batch, units = PAPER[args.experiment]
    rows = max(args.batch or batch, args.rows // PART) if args.predict else args.rows
    train, part = rows * 2 // 3, rows // 6
    data = MadeUp(train, part, rows - train - part, args.tokens)
    widths = argparse.Namespace(units=args.units or 256, layers=args.layers, tokens=args.tokens)
    whole = paper_config(
        widths,
        min(args.batch or batch, train),
        max_epochs=args.epochs,
        padding=args.padding or "masked",
    )
    whole = dataclasses.replace(whole, units=args.units or units)
    pairs = PAIRS if args.experiment == "table5" else (("lstm", "lstm"),)
    return [
        Side(dataclasses.replace(whole, acoustic=acoustic, text=text), data, args.lanes)
        for acoustic, text in pairs
    ]


def programs(args) -> list[Side]:
    """Returns those sides whose lanes are known; how many the engine chooses it has to measure."""
    found = [side for side in networks(args) if side.lanes]
    if args.experiment == "table6" and not args.predict:
        found += [dataclasses.replace(side, lanes=1) for side in networks(args)]
    return found


def chosen(side: Side, runs: int) -> Side:
    """Returns a side with lanes: those that are set, or what a sweep of the runs would choose."""
    import jax

    from dser_jax.engine import Hooks, set_out

    if side.lanes:
        return side
    dataset, here = as_dataset(side.data.make(), side.config), tuple(jax.local_devices())
    hooks = Hooks(notice=lambda text: print(text, flush=True))
    setting = set_out(dataset, side.config, runs, here, measure=True, hooks=hooks)
    named = (("DSER_RECURRENCE", setting.schedule),) if setting.schedule != "rule" else ()
    return dataclasses.replace(side, lanes=setting.lanes, under=named)


def train(side: Side, runs, program) -> float:
    """Trains runs by the engine; returns its seconds."""
    from dser_jax.engine import train_runs

    config, dataset = side.config, as_dataset(side.data.make(), side.config)
    start = time.perf_counter()
    done = list(train_runs(dataset, config, runs, lanes=side.lanes, program=program))
    took = time.perf_counter() - start
    epochs = {outcome.result and int(outcome.result.epochs) for _, outcome in done}
    if len(done) != len(runs) or epochs != {config.max_epochs}:
        raise RuntimeError(f"{len(done)} of {len(runs)} runs ended, after {epochs} epochs")
    return took


def by_the_clock(side: Side, runs, alone: int) -> Iterator[dict[str, Any]]:
    """Trains all runs in lanes, and some of them one after the other where any are to be."""
    start = time.perf_counter()
    side = chosen(side, len(runs))
    with environment(dict(side.under)):
        many, _ = compile_lanes(side.config, side.data.make(), side.lanes)
    row = {"runs": len(runs), "lanes": side.lanes, "program_seconds": time.perf_counter() - start}
    if not alone:
        yield {**row, "lanes_seconds": train(side, runs, many)}
        return
    single = dataclasses.replace(side, lanes=1)
    one = many if side.lanes == 1 else compile_lanes(side.config, side.data.make(), 1)[0]
    some = runs[:alone]
    middle = len(some) // 2
    before = train(single, some[:middle], one) if middle else 0.0
    row["lanes_seconds"] = train(side, runs, many)
    yield row
    after = train(single, some[middle:], one)
    sequence = (before + after) * len(runs) / len(some)
    yield {
        **row,
        "one_by_one_seconds": sequence,
        "speed_up": sequence / row["lanes_seconds"],
    }


def predicted(side: Side, runs: int, rows: int, seconds: float) -> Iterator[dict[str, Any]]:
    """Trains full lanes for so many seconds, and predicts how long all runs would take.

    An epoch's time is taken to grow with the rows, and all lanes to be refilled until the last:
    runs are started and harvested one after the other, and none stops early.
    """
    import jax

    start = time.perf_counter()
    side = chosen(side, runs)
    choosing = time.perf_counter() - start
    made = side.make()
    made.epoch()
    start = time.perf_counter()
    for lane in range(side.lanes):
        made.fill(lane)
    jax.block_until_ready(made.state)
    fill = (time.perf_counter() - start) / side.lanes
    start, epochs = time.perf_counter(), 0
    while (took := time.perf_counter() - start) < seconds or not epochs:
        made.epoch()
        epochs += 1
    start = time.perf_counter()
    for lane in (ends := (0, side.lanes - 1)):
        made.program.result(made.state, lane, made.data)
    harvest = (time.perf_counter() - start) / len(ends)
    scale = rows / sum(side.data[:3])
    rounds = math.ceil(runs / side.lanes) * side.config.max_epochs
    yield {
        "runs": runs,
        "lanes": side.lanes,
        "program_seconds": choosing + made.compile_seconds,
        "measured_seconds": took,
        "measured_epochs": epochs,
        "measured_rows": sum(side.data[:3]),
        "epoch_seconds": scale * took / epochs,
        "run_seconds": fill + harvest,
        "predicted_seconds": rounds * scale * took / epochs + runs * (fill + harvest),
    }


def main() -> None:
    """Trains or predicts each network of an experiment and prints what it takes."""
    args = parse(__doc__, "table6", HELP)
    record, runs, each = Record("table6", args), made_runs(args), networks(args)
    alone = args.alone if args.experiment == "table6" else 0
    for side in each:
        if args.predict:
            told = predicted(side, len(runs), args.rows, args.predict / len(each))
        else:
            told = by_the_clock(side, runs, alone)
        record.part({"network": side.config.network}, told)
    config, found = each[0].config, record.found
    steps = -(-args.rows * 2 // 3 // config.batch_size) * args.epochs
    print(
        f"{args.experiment}, {args.rows} utterances, {args.epochs} epochs of "
        f"{steps // args.epochs} steps at batch {config.batch_size}, padding {config.padding}"
    )
    keys = ["network", "runs", "lanes", "program_seconds"]
    if args.predict:
        keys += ["measured_seconds", "measured_rows", "epoch_seconds", "predicted_seconds"]
    else:
        keys += ["lanes_seconds", "one_by_one_seconds", "speed_up"]
    table(
        [key.replace("_", " ") for key in keys], [[row.get(key) for key in keys] for row in found]
    )
    key = "predicted_seconds" if args.predict else "lanes_seconds"
    total = sum(row[key] + row["program_seconds"] for row in found)
    kind = " by prediction, from what is measured above" if args.predict else ""
    print(f"{total / 60:.1f} minutes in all{kind}, programs included")
    record.finish(padding_used=config.padding, steps_a_run=steps, total_seconds=total)


if __name__ == "__main__":
    main()
