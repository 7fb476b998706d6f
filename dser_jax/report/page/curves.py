"""Learning curves of all runs, at the resolution of a screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dser_jax.corpora import ATTRS
from dser_jax.report.page.pack import MISSING, Arrays, coded, steps
from dser_jax.report.page.runs import Cache, of_network
from dser_jax.report.page.sweep import Content, Sweep
from dser_jax.stats import Row, untrained
from dser_jax.system import DataError

SERIES = ("train_loss", "validation_loss", *ATTRS)

VALUES = 3_500_000
"""With more values than this in all curves, some epochs are left out."""


class Curves(NamedTuple):
    """The curves of a run.

    Attributes:
      codes: [series, epoch], 255 levels between the ends of a series; `MISSING` for no number.
      lows, highs: [series], what code 0 and the last code stand for.
    """

    codes: NDArray[np.uint8]
    lows: list[float]
    highs: list[float]


EMPTY = Curves(np.empty((len(SERIES), 0), np.uint8), [0.0] * len(SERIES), [0.0] * len(SERIES))


def pack_curves(sweeps: Sequence[Sweep], arrays: Arrays, cache: Cache) -> Content:
    """Packs the curves of every run, in the order of `pack_runs`; a baseline has none."""
    found = [_curves(sweep, row, cache) for sweep in sweeps for row in sweep.view.rows]
    every = max(1, -(-sum(curves.codes.size for curves in found) // VALUES))
    thinned = [curves.codes[:, ::every] for curves in found]
    flat = [steps(codes).ravel() for codes in thinned]
    ends = np.array([(curves.lows, curves.highs) for curves in found], np.float32)
    return {
        "series": list(SERIES),
        "every": every,
        "missing": MISSING,
        "epochs": arrays.add("curves.epochs", np.array([c.shape[1] for c in thinned], np.uint32)),
        "ends": arrays.add("curves.ends", ends.reshape(len(found), 2, len(SERIES))),
        "codes": arrays.add("curves.codes", np.concatenate([np.empty(0, np.uint8), *flat])),
    }


def _curves(sweep: Sweep, row: Row, cache: Cache) -> Curves:
    if not of_network(row):
        return EMPTY
    key = ("curves", sweep.view.folder, row["run"])
    if key not in cache:
        try:
            found = sweep.view.arrays(row["run"])
        except DataError as error:
            sweep.problems.append(f"{error}; its run has no learning curves here")
            return EMPTY
        cache[key] = _pack(found, row)
    return cache[key]


def _pack(found: dict[str, NDArray], row: Row) -> Curves:
    """Codes the series of a run; what the loss has no weight on has none."""
    ccc = np.asarray(found.get("validation_ccc", np.empty((0, len(ATTRS)))), np.float64)
    losses = [np.asarray(found.get(name, []), np.float64) for name in SERIES[:2]]
    lengths = [len(series) for series in (*losses, ccc) if len(series)]
    if not lengths or ccc.ndim != 2 or ccc.shape[1] != len(ATTRS):
        return EMPTY
    epochs = min(min(lengths), int(row.get("epochs") or min(lengths)))
    left = untrained(row)
    series = [loss[:epochs] if len(loss) else np.full(epochs, np.nan) for loss in losses]
    for at, attr in enumerate(ATTRS):
        known = len(ccc) and attr not in left
        series.append(ccc[:epochs, at] if known else np.full(epochs, np.nan))
    parts = [coded(values) for values in series]
    codes = np.stack([codes for codes, _, _ in parts])
    return Curves(codes, [low for _, low, _ in parts], [high for _, _, high in parts])
