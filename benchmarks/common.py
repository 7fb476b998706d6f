"""What the benchmarks share: made-up data of IEMOCAP's shape, lanes, turns, tables.

Machines are shared and clocks vary, so seconds of two runs say little. What is compared is timed
in one process, in turns, and told as medians and their ratio.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

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


class MadeUp(NamedTuple):
    """What `Data` of utterances as long as IEMOCAP's, padded in front, is made of.

    Attributes:
      train: Rows to train on; their lengths are typical of the distribution.
      validation: Rows to validate on; few, where an epoch is to be training alone.
      test: Rows to test on.
      tokens: Length of the padded texts; None for none.
      frames: Length of the padded sequences of descriptors; None for functionals.
    """

    train: int
    validation: int = 2
    test: int = 2
    tokens: int | None = TOKENS
    frames: int | None = None

    def make(self):
        """Makes the data, once in a process."""
        return _made_up(*self)


@functools.cache
def _made_up(train: int, validation: int, test: int, tokens: int | None, frames: int | None):
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


def compile_lanes(config, data, lanes: int, wait: bool = True):
    """Compiles a program for so many lanes; returns it with the data on its devices.

    By default nothing is compiled any more in the background, where it would be timed, too.
    """
    from dser_jax.engine import compile_program, send
    from dser_jax.training import make_run

    where = devices(lanes)
    sent = send(data, where)
    run = make_run(config, 0 if data.tokens is None else WORDS, config.embedding_dim)
    program = compile_program(run, sent, lanes, where)
    if wait:
        program.put.wait()
        program.harvest.wait()
    return program, sent


class Lanes:
    """A program with a run in each lane; none of them stops."""

    def __init__(self, config, data, lanes: int, wait: bool = True) -> None:
        from dser_jax.plan import stack_hparams, tree_bytes
        from dser_jax.training import HParams

        start = time.perf_counter()
        self.program, self.data = compile_lanes(config, data, lanes, wait)
        self.compile_seconds = time.perf_counter() - start
        patient = HParams(patience=np.int32(2**30))
        self.hparams = self.program.place(stack_hparams([patient] * lanes))
        self.state = self.program.blank()
        for lane in range(lanes):
            self.fill(lane)
        self.state_bytes = tree_bytes(self.state) / lanes

    def fill(self, lane: int) -> None:
        """Starts a run in a lane, and does not wait for it."""
        fill = self.program.fill
        self.state = fill(self.state, np.int32(lane), np.uint32(lane), self.data)

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


def rounds(sides: Mapping[Any, Callable[[], Any]], repeats: int) -> Iterator[dict[Any, float]]:
    """Calls each side once for nothing, then all in turns.

    Yields:
      Each one's median seconds so far, after each turn.
    """
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
        yield {name: statistics.median(each) for name, each in seconds.items()}


def in_turns(sides: Mapping[Any, Callable[[], Any]], repeats: int) -> dict[Any, float]:
    """Calls each side once for nothing, then all in turns; returns each one's median seconds."""
    *_, seconds = rounds(sides, repeats)
    return seconds


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
