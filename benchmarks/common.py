"""What the benchmarks share: made-up data of IEMOCAP's shape, lanes, turns, results.

Machines are shared and clocks vary, so seconds of two runs say little. What is compared is timed
in one process, in turns, and told as medians and their ratio.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from dser_jax.journal import environment

WORDS = 3438
"""Vocabulary of IEMOCAP, padding included."""
FUNCTIONALS = 68
"""Means and deviations of pyAudioAnalysis' 34 features."""
TOKEN_MEAN, TOKEN_MEDIAN, TOKENS = 11.6, 9.0, 100
"""Tokens of an utterance of IEMOCAP, and its longest."""
FRAME_MEAN, FRAME_MEDIAN, FRAMES, DESCRIPTORS = 450.0, 360.0, 3409, 23
"""Frames of an utterance (the median is a guess), its longest, and GeMAPS' descriptors."""


def lengths(count: int, mean: float, median: float, longest: int) -> np.ndarray:
    """Makes a typical sample of a log-normal distribution: its quantiles, shuffled.

    Returns:
      Whole numbers from 1 to `longest`, int [count].
    """
    deviation = math.sqrt(2 * math.log(mean / median))
    normal = statistics.NormalDist(math.log(median), deviation)
    drawn = [math.exp(normal.inv_cdf((i + 0.5) / count)) for i in range(count)]
    whole = np.clip(np.round(drawn), 1, longest).astype(int)
    return np.random.default_rng(0).permutation(whole)


def made_up(
    train: int,
    validation: int = 2,
    test: int = 2,
    *,
    tokens: int | None = TOKENS,
    frames: int | None = None,
):
    """Makes `Data` of so many rows with utterances as long as IEMOCAP's, padded in front.

    Args:
      train: Rows to train on; their lengths are typical of the distribution.
      validation: Rows to validate on; few, where an epoch is to be training alone.
      test: Rows to test on.
      tokens: Length of the padded texts; None for none.
      frames: Length of the padded sequences of descriptors; None for functionals.
    """
    from dser_jax.data import Data

    random = np.random.default_rng(1)
    rows = train + validation + test
    text = None
    if tokens is not None:
        text = np.zeros((rows, tokens), np.int32)
        for i, length in enumerate(_for_parts(train, rows, TOKEN_MEAN, TOKEN_MEDIAN, tokens)):
            text[i, -length:] = WORDS ** random.uniform(size=length)  # by Zipf's law
    real = None
    if frames is None:
        speech = random.normal(size=(rows, 1, FUNCTIONALS)).astype(np.float32)
    else:
        speech = np.zeros((rows, frames, DESCRIPTORS), np.float32)
        sizes = _for_parts(train, rows, FRAME_MEAN, FRAME_MEDIAN, frames)
        for i, length in enumerate(sizes):
            speech[i, -length:] = random.normal(size=(length, DESCRIPTORS))
        real = sizes.astype(np.int32)
    parts = np.split(np.arange(rows, dtype=np.int32), [train, train + validation])
    return Data(
        acoustic=speech,
        tokens=text,
        gold=random.uniform(-1, 1, (rows, 3)).astype(np.float32),
        known=np.ones((rows, 3), bool),
        train=parts[0],
        validation=parts[1],
        test=parts[2],
        word_vectors=None,
        frames=real,
    )


def _for_parts(train: int, rows: int, mean: float, median: float, longest: int) -> np.ndarray:
    parts = [lengths(count, mean, median, longest) for count in (train, rows - train)]
    return np.concatenate(parts)


def as_dataset(data, config):
    """Wraps `Data` for the engine."""
    from dser_jax.data import Dataset, Split

    return Dataset(
        data,
        corpus="made up",
        split=Split("made up", data.train, data.validation, data.test),
        ids=tuple(map(str, range(len(data.gold)))),
        attrs=("valence", "arousal", "dominance"),
        fingerprint="",
        truth="",
        words=0 if data.tokens is None else WORDS,
        embedding_dim=0 if data.tokens is None else config.embedding_dim,
    )


def paper_config(args: argparse.Namespace, batch: int, **settings):
    """Returns the paper's LSTM + LSTM at the widths of `args`; 256 units go with 300 of a word."""
    from dser_jax.config import Config

    ours = Config(
        units=args.units,
        layers=args.layers,
        embedding_dim=round(args.units * 300 / 256),
        max_tokens=args.tokens,
        batch_size=batch,
        max_epochs=1000,
    )
    return dataclasses.replace(ours, **settings)


def devices(lanes: int) -> list:
    """Returns as many devices as the lanes can be divided among."""
    import jax

    here = jax.local_devices()
    return here[: max(n for n in range(1, len(here) + 1) if lanes % n == 0)]


class Lanes:
    """A program with a run in each lane; none of them stops."""

    def __init__(self, config, data, lanes: int) -> None:
        from dser_jax.engine import compile_program, lane_state, send
        from dser_jax.plan import stack_hparams, tree_bytes
        from dser_jax.training import HParams, make_run

        where = devices(lanes)
        start = time.perf_counter()
        self.data = send(data, where)
        run = make_run(config, 0 if data.tokens is None else WORDS, config.embedding_dim)
        self.program = program = compile_program(run, self.data, lanes, where)
        self.compile_seconds = time.perf_counter() - start
        patient = HParams(patience=np.int32(2**30))
        self.hparams = program.place(stack_hparams([patient] * lanes))
        self.state = program.blank()
        for lane in range(lanes):
            self.state = program.fill(self.state, np.int32(lane), np.uint32(lane), self.data)
        self.state_bytes = tree_bytes(lane_state(run, data))

    def epoch(self):
        """Advances all lanes by an epoch, and waits for it."""
        import jax

        self.state, flags = self.program.advance(self.hparams, self.state, self.data)
        return jax.block_until_ready(flags)

    def lane_bytes(self) -> float | None:
        """Returns what a lane takes in memory while it trains; None where XLA does not tell."""
        analysis = getattr(self.program.advance, "memory_analysis")()  # noqa: B009
        if analysis is None:
            return None
        share = self.program.lanes / self.program.devices
        return self.state_bytes + analysis.temp_size_in_bytes / share


def in_turns(sides: Mapping[Any, Callable[[], Any]], repeats: int) -> dict[Any, float]:
    """Calls each side once for nothing, then all in turns; returns each one's median seconds."""
    for side in sides.values():
        side()
    seconds: dict[Any, list[float]] = {name: [] for name in sides}
    order = list(sides)
    for _ in range(repeats):
        for name in order:
            start = time.perf_counter()
            sides[name]()
            seconds[name].append(time.perf_counter() - start)
        order.reverse()
    return {name: statistics.median(each) for name, each in seconds.items()}


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Prints rows under their columns; numbers to three digits, None as a dash."""
    cells = [list(columns), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    for row in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def finish(benchmark: str, args: argparse.Namespace, result: Mapping[str, Any]) -> None:
    """Prints a result with all that it was made with as one line, and writes it where asked."""
    about = environment()
    versions: Any = about["versions"]
    for package in ("torch", "keras"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    # Where it lies on this machine is nobody's business.
    given = [
        text for text in sys.argv[1:] if args.out is None or text not in ("--out", f"{args.out}")
    ]
    about["command"] = shlex.join([f"benchmarks/{Path(sys.argv[0]).name}", *given])
    settings = {key: value for key, value in vars(args).items() if key != "out"}
    whole = {
        "benchmark": benchmark,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": settings,
        **result,
        "machine": machine(),
        **about,
    }
    print(json.dumps(whole, default=str))
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(whole, indent=1, default=str) + "\n", "utf-8")


def machine() -> dict[str, Any]:
    """Tells the processor, the device, their memory, and how busy the machine has been."""
    import jax

    found = jax.local_devices()
    pinned = hasattr(os, "sched_getaffinity")
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if pinned else os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "device": found[0].device_kind,
        "backend": jax.default_backend(),
        "devices": len(found),
        "load_average": [round(load, 2) for load in os.getloadavg()],
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
