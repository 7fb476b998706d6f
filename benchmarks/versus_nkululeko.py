"""Our lanes against nkululeko: what a user of this field would pick instead.

nkululeko trains a multilayer perceptron on functionals with 1 - CCC (its `mlp_reg`), one target a
run and one run after the other. Ours are dense networks on the same functionals, three targets
times all seeds at once, each run with one target as well. Both have the same rows to train, to
validate and to test, the same widths, batches, optimizer (AdamW), learning rate, epochs at most and
patience, and heads that start small (ours by a tenth of Keras' start, theirs as PyTorch has it).
Ours normalize batches, and stop by the validation loss where theirs stop by the CCC.
Scores are our `ccc` of what either predicts on the test rows; what that tool calls its test may be
the validation rows.

It lives in an environment of its own, which `--python` or DSER_NKULULEKO names; where there is
none, this is left out. It trains a few runs of each target; what all would take is predicted: its
start, once a target, and the mean of a run times their number. The functionals are made up, or
those of a prepared data set.

    python -m venv theirs && theirs/bin/pip install nkululeko
    python benchmarks/versus_nkululeko.py --python theirs/bin/python
    python benchmarks/versus_nkululeko.py --python theirs/bin/python --data DIR
"""

import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import as_dataset, devices, table
from record import Record
from refill import Learnable
from sizes import parse

HELP = {
    "python": "the Python of nkululeko's environment; by default $DSER_NKULULEKO",
    "data": "a prepared data set; by default, made-up functionals",
    "rows": "of made-up functionals; half of them are for training",
    "features": "functionals of that data set",
    "theirs": "runs of each target that nkululeko trains; what all take is predicted",
    "workers": "processes that load its batches; the tool's own default is 8",
    "rate": "learning rate",
    "patience": "epochs without a better validation score after which a run stops",
}
MISSING = """nkululeko is not installed: nothing to compare with. It wants its own environment:

    python -m venv theirs && theirs/bin/pip install nkululeko
    python benchmarks/versus_nkululeko.py --python theirs/bin/python"""
PARTS = ("train", "dev", "test")
SEGMENT = ("file", "start", "end")


def load(args):
    """Returns the data set, and the settings that both sides share as our `Config`."""
    from dser_jax.config import Config
    from dser_jax.data import load_dataset, load_prepared

    config = Config(
        acoustic="dense",
        text=None,
        features=args.features,
        units=args.units,
        layers=args.layers,
        batch_size=args.batch,
        max_epochs=args.epochs,
        optimizer="adamw",
        head_scale=0.1,
    )
    if not args.data:
        return as_dataset(Learnable(args.rows).make(), config), config
    return load_dataset(load_prepared(args.data), config), config


def write_tables(dataset, folder: Path) -> None:
    """Writes labels, a table a part, and functionals as the other side reads them."""
    data, attrs = dataset.data, dataset.attrs
    assert data.acoustic is not None
    if data.acoustic.shape[1] != 1:
        raise SystemExit(f"{data.acoustic.shape[1]} frames a row; expected functionals: one")
    width = data.acoustic.shape[2]
    for part, rows in zip(PARTS, (data.train, data.validation, data.test), strict=True):
        with (folder / f"{part}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow((*SEGMENT, *attrs))
            for row in rows:
                writer.writerow((*segment(row), *map(repr, data.gold[row].tolist())))
    with (folder / "functionals.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow((*SEGMENT, *(f"f{i}" for i in range(width))))
        for row, values in enumerate(data.acoustic[:, 0].tolist()):
            writer.writerow((*segment(row), *map(repr, values)))


def segment(row: int) -> tuple[str, str, str]:
    """Names a row: a file, and a second of it, so that the tool needs no file to know its end.

    To relative paths it adds a folder in one table and not in the other.
    """
    return f"/{row}.wav", "0 days 00:00:00", "0 days 00:00:01"


def experiment(folder: Path, target: str, args) -> str:
    """Returns the settings of an experiment with one target, as the other side reads them."""
    layers = {f"l{i}": args.units for i in range(args.layers)}
    tables = "\n".join(
        f"{part} = {folder / part}.csv\n{part}.type = csv\n{part}.split_strategy = {part}"
        for part in PARTS
    )
    return f"""[EXP]
root = {folder}
name = {target}
type = regression
epochs = {args.epochs}
runs = {args.theirs}
traindevtest = True
save = False
[DATA]
databases = {list(PARTS)}
{tables}
target = {target}
[FEATS]
type = ['import']
import_file = ['{folder / "functionals.csv"}']
[MODEL]
type = mlp_reg
layers = {layers}
loss = 1-ccc
measure = ccc
optimizer = adamw
learning_rate = {args.rate}
batch_size = {args.batch}
patience = {args.patience}
n_jobs = {args.workers}
"""


def theirs(dataset, folder: Path, target: str, args) -> Iterator[dict[str, Any]]:
    """Trains the other side's runs of a target, and scores what they predict."""
    from dser_jax.training import ccc

    ini, out = folder / f"{target}.ini", folder / f"{target}.csv"
    ini.write_text(experiment(folder, target, args), "utf-8")
    start = time.perf_counter()
    with (folder / f"{target}.log").open("w") as log:
        done = subprocess.run(
            [args.python, Path(__file__).with_name("nkululeko_run.py"), ini, out],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    took = time.perf_counter() - start
    if done.returncode:
        said = (folder / f"{target}.log").read_text(errors="replace")
        raise RuntimeError(f"nkululeko, {target}, ended with {done.returncode}:\n{said[-2000:]}")
    about = json.loads(done.stdout.splitlines()[-1])
    with out.open(newline="") as file:
        lines = list(csv.reader(file))
    rows, column = dataset.data.test, dataset.attrs.index(target)
    scores = []
    for number in sorted({run for run, _, _ in lines}):
        pred = {Path(name).stem: float(value) for run, name, value in lines if run == number}
        gold = dataset.data.gold[rows, column]
        scores.append(ccc(gold, [pred[f"{row}"] for row in rows]))
    yield {"runs": args.theirs, "seconds": took, "test_ccc": scores, **about}


def ours(dataset, config, args) -> Iterator[dict[str, Any]]:
    """Trains all targets and seeds in lanes, and scores what they predict."""
    from dser_jax.engine import compile_program, send, train_runs
    from dser_jax.plan import RunSpec
    from dser_jax.training import HParams, ccc, make_run

    settings = {
        "learning_rate": np.float32(args.rate),
        "acoustic_dropout": np.float32(0),
        "patience": np.int32(args.patience),
    }
    runs = [
        (f"{attr} {seed}", RunSpec(attr, HParams(weights, **settings), seed))
        for attr, weights in zip(dataset.attrs, np.eye(3, dtype=np.float32), strict=True)
        for seed in range(args.seeds)
    ]
    start = time.perf_counter()
    where = devices(len(runs))
    program = compile_program(make_run(config), send(dataset.data, where), len(runs), where)
    ready = time.perf_counter()
    done = list(train_runs(dataset, config, runs, lanes=len(runs), program=program))
    took = time.perf_counter() - ready
    gold = dataset.data.gold[dataset.data.test]
    scores: dict[str, list[float]] = {attr: [] for attr in dataset.attrs}
    for _, outcome in done:
        column = dataset.attrs.index(outcome.spec.name)
        assert outcome.result is not None, outcome
        pred = outcome.result.test_pred[:, column]
        scores[outcome.spec.name].append(ccc(gold[:, column], pred))
    yield {
        "runs": len(runs),
        "program_seconds": ready - start,
        "seconds": took,
        "test_ccc": scores,
    }


def main() -> int:
    """Times both sides and prints what all runs take, and what they score."""
    args = parse(__doc__, "versus_nkululeko", HELP)
    args.python = args.python or os.environ.get("DSER_NKULULEKO", "")
    if not args.python or subprocess.call([args.python, "-c", "import nkululeko"]):
        print(MISSING)
        return 3
    dataset, config = load(args)
    record = Record("versus_nkululeko", args)
    our = record.part({"side": "ours"}, ours(dataset, config, args))
    their = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_tables(dataset, folder)
        for target in dataset.attrs:
            side = {"side": "nkululeko", "target": target}
            their[target] = record.part(side, theirs(dataset, folder, target, args))
    a_run = statistics.mean(part["runs_seconds"] / part["runs"] for part in their.values())
    once = sum(part["seconds"] - part["runs_seconds"] for part in their.values())
    all_of_theirs = once + a_run * our["runs"]
    all_of_ours = our["program_seconds"] + our["seconds"]
    print(f"{len(dataset.data.train)} rows to train on")
    rows = []
    for target, part in their.items():
        both = (our["test_ccc"][target], part["test_ccc"])
        rows.append([target, *(f"{np.mean(each):.3f} (n = {len(each)})" for each in both)])
    table(("test CCC", "ours", "nkululeko"), rows)
    print(
        f"{our['runs']} runs: ours {all_of_ours:.0f} s, of which {our['program_seconds']:.0f} for "
        f"the program; nkululeko {a_run:.1f} s a run, {all_of_theirs:.0f} s by prediction: "
        f"{all_of_theirs / all_of_ours:.0f} times as long"
    )
    record.finish(
        their_seconds_a_run=a_run,
        their_predicted_seconds=all_of_theirs,
        our_seconds=all_of_ours,
        theirs_over_ours=all_of_theirs / all_of_ours,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
