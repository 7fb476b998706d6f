"""What waiting runs cost the host: start-up, memory and time a round as their number grows.

Tiny networks on made-up functionals, prepared in a temporary folder; each number of runs is swept
in a process of its own, whose one program comes from the compilation cache. Of each are printed:
seconds from the call to the first round (planning and the manifest; compiling apart), seconds from
the last row to the end (intervals), host milliseconds a run (all time that is not spent in the
compiled program, over the runs), and the highest memory. Prints a table and one JSON line.

    python benchmarks/pending.py --runs 10 100 1000 10000
"""

import dataclasses
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from record import finish
from sizes import parse

ROWS = 64


def prepare_toy(folder: Path) -> Path:
    """Makes a prepared data set of a few dozen labelled functionals."""
    from dser_jax.corpora import Corpus, Utterance
    from dser_jax.data import prepare

    random = np.random.default_rng(0)
    gold = random.uniform(1, 5, (ROWS, 3))
    np.save(folder / "toy.npy", np.tile(gold, 2).astype(np.float32))
    utterances = tuple(
        Utterance(
            f"u{i:03d}",
            speaker=f"s{i % 4}",
            session=f"Ses{i % 4}",
            valence=float(v),
            arousal=float(a),
            dominance=float(d),
        )
        for i, (v, a, d) in enumerate(gold)
    )
    corpus = Corpus("toy", utterances, (1.0, 5.0))
    prepare(corpus, folder / "p", acoustic={"x": folder / "toy.npy"}, label_columns=True)
    return folder / "p"


def measure(data: Path, out: Path, runs: int, lanes: int, results) -> None:
    """Sweeps so many runs and puts what it cost into `results`."""
    import jax

    from dser_jax.config import Config
    from dser_jax.engine import lanes as engine
    from dser_jax.experiment import run_experiment
    from dser_jax.plan import Group, product

    jax.devices()
    marks, spent = {}, {"compile": 0.0, "device": 0.0}
    compile_program = engine.compile_program

    def timed(function, key):
        def call(*args):
            start = time.perf_counter()
            value = jax.block_until_ready(function(*args))
            spent[key] += time.perf_counter() - start
            marks.setdefault(key, start)
            return value

        return call

    def compiled(*args):
        start = time.perf_counter()
        program = compile_program(*args)
        program.put.wait()
        program.harvest.wait()
        spent["compile"] = time.perf_counter() - start
        return dataclasses.replace(
            program,
            fill=timed(program.fill, "device"),
            advance=timed(program.advance, "device"),
            harvest=timed(program.harvest, "device"),  # pyrefly: ignore[bad-argument-type]
        )

    setattr(engine, "compile_program", compiled)  # noqa: B010
    config = Config(
        acoustic="dense", text=None, features="x", units=4, layers=1, fusion=(4, 4), max_epochs=2
    )
    points = max(1, runs // 10)
    rates = np.linspace(1e-4, 1e-2, points)
    start = time.perf_counter()
    groups = [Group(config, product(learning_rate=rates, seed=range(min(10, runs))))]
    rows = len(run_experiment(data, out, groups, lanes=lanes, baselines=False).rows)
    whole = time.perf_counter() - start
    first = marks["device"] - start - spent["compile"]
    last = (out / "rows.jsonl").stat().st_mtime
    results.put(
        {
            "runs": rows,
            "start_s": first,
            "end_s": time.time() - last,
            "host_ms_a_run": 1e3 * (whole - spent["compile"] - spent["device"]) / rows,
            "device_ms_a_run": 1e3 * spent["device"] / rows,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "manifest_mb": (out / "manifest.json").stat().st_size / 2**20,
        }
    )


def main() -> None:
    """Sweeps each number of runs and prints what it cost."""
    args = parse(__doc__, "pending")
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    found = []
    keys = ("start_s", "end_s", "host_ms_a_run", "device_ms_a_run", "peak_mb", "manifest_mb")
    print(" ".join(f"{key:>15}" for key in ("runs", *keys)))
    with tempfile.TemporaryDirectory() as folder:
        data = prepare_toy(Path(folder))
        for runs in args.runs:
            out = Path(folder) / f"out{runs}"
            process = context.Process(target=measure, args=(data, out, runs, args.lanes, results))
            process.start()
            found.append(results.get())
            process.join()
            cells = (f"{found[-1][key]:15.2f}" for key in keys)
            print(f"{found[-1]['runs']:15d} " + " ".join(cells), flush=True)
    finish("pending", args, {"found": found})


if __name__ == "__main__":
    main()
