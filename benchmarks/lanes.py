"""How much more work a program does with more lanes: lane-steps a second against one lane.

Both sides are timed in one process, in turns, on made-up data with the lengths given below; a
lane-step is one optimizer step of one run. Prints a line for each lane count and one JSON line.

    python benchmarks/lanes.py --lanes 1 4 16
    python benchmarks/lanes.py --units 256 --tokens 100 --batch 8 --lanes 1 20 64 256   # on a GPU
"""

import argparse
import json
import statistics
import time

import jax
import numpy as np

from dser_jax.config import Config
from dser_jax.dataset import Data
from dser_jax.environment import environment
from dser_jax.program import compile_program, send
from dser_jax.runs import stack_hparams
from dser_jax.train import HParams, make_run

WORDS = 3438
STEPS = 8
"""Optimizer steps an epoch."""


def made_up(batch: int, tokens: int) -> Data:
    """Makes functionals and tokens for eight training batches and a little to evaluate on."""
    random = np.random.default_rng(0)
    rows = STEPS * batch + 64
    return Data(
        random.normal(size=(rows, 1, 46)).astype(np.float32),
        random.integers(0, WORDS, (rows, tokens)).astype(np.int32),
        random.uniform(-1, 1, (rows, 3)).astype(np.float32),
        np.ones((rows, 3), bool),
        np.arange(STEPS * batch, dtype=np.int32),
        np.arange(rows - 64, rows - 32, dtype=np.int32),
        np.arange(rows - 32, rows, dtype=np.int32),
        None,
    )


def main() -> None:
    """Times an epoch at each lane count, in turns, and prints the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lanes", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--units", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=20)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()

    config = Config(
        units=args.units,
        embedding_dim=min(300, 4 * args.units),
        max_tokens=args.tokens,
        batch_size=args.batch,
        max_epochs=args.repeats + 2,
    )
    devices = jax.local_devices()[:1]
    data = send(made_up(args.batch, args.tokens), devices)
    run = make_run(config, WORDS, config.embedding_dim)
    programs, settings, states, compiled = {}, {}, {}, {}
    for lanes in args.lanes:
        start = time.perf_counter()
        programs[lanes] = program = compile_program(run, data, lanes, devices)
        state = program.blank()
        for lane in range(lanes):
            state = program.fill(state, np.int32(lane), np.uint32(lane), data)
        patient = HParams(patience=np.int32(10_000))
        settings[lanes] = program.place(stack_hparams([patient] * lanes))
        states[lanes], _ = jax.block_until_ready(program.advance(settings[lanes], state, data))
        compiled[lanes] = time.perf_counter() - start
    seconds = {lanes: [] for lanes in args.lanes}
    for _ in range(args.repeats):
        for lanes in args.lanes:
            start = time.perf_counter()
            states[lanes], _ = jax.block_until_ready(
                programs[lanes].advance(settings[lanes], states[lanes], data)
            )
            seconds[lanes].append(time.perf_counter() - start)
    rates = {n: n * STEPS / statistics.median(seconds[n]) for n in args.lanes}
    base = rates[args.lanes[0]]
    print(f"{'lanes':>6} {'lane-steps/s':>13} {'speed-up':>9} {'first epoch s':>14}")
    for lanes, rate in rates.items():
        print(f"{lanes:6d} {rate:13.1f} {rate / base:8.2f}x {compiled[lanes]:14.1f}")
    device = f"{jax.devices()[0].device_kind} ({jax.default_backend()})"
    result = {
        "benchmark": "lanes",
        **vars(args),
        "lane_steps_per_second": rates,
        "speed_up": {n: r / base for n, r in rates.items()},
    }
    print(json.dumps(result | {"device": device} | environment()))


if __name__ == "__main__":
    main()
