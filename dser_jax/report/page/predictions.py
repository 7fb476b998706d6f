"""Predictions against labels: of each name the mean over seeds, and each run if there is room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from dser_jax.corpora import ATTRS
from dser_jax.report.page.pack import Arrays, coded
from dser_jax.report.page.runs import Cache
from dser_jax.report.page.sweep import Content, Sweep
from dser_jax.report.sections.leaks import leading
from dser_jax.report.text import heading
from dser_jax.stats import Row, Table, is_whole, untrained
from dser_jax.system import DataError
from dser_jax.training import ccc

BYTES = 1_500_000
"""So many predictions are in a page, a byte each."""


def pack_predictions(sweeps: Sequence[Sweep], arrays: Arrays, cache: Cache) -> Content:
    """Packs predictions, most of the names that lead on validation where not all have room."""
    tables = [(number, table) for number, s in enumerate(sweeps) for table in s.groups]
    truths: list[Content] = []
    entries: list[Content] = []
    codes: list[NDArray[np.uint8]] = []
    left_out = 0
    for number, table in tables:
        sweep = sweeps[number]
        gold = _gold(sweep, table)
        if gold is None:
            continue
        ids, labels = gold
        truth = len(truths)
        name = arrays.add(f"truth.{truth}", labels.astype(np.float32))
        truths.append({"ids": ids, "gold": name, "told": heading(table)})
        room = BYTES // max(1, labels.size) // len(tables)
        rows = leading(table.rows, room)
        left_out += len(table.rows) - len(rows)
        each = sum(row.n for row in rows) + len(rows) <= room
        for row in rows:
            runs = [run for run in row.runs if is_whole(run)]
            found = _mean(sweep, table, row.name, runs, labels, cache, each=each)
            for run, packed, scores in found:
                low, high = packed[1:]
                entry = {"sweep": number, "truth": truth, "name": row.name, "seeds": len(runs)}
                entry |= {"run": run, "low": low, "high": high, "ccc": scores, "at": len(codes)}
                entries.append(entry)
                codes.append(packed[0].ravel())
    return {
        "part": sweeps[0].part,
        "truths": truths,
        "entries": entries,
        "leftOut": left_out,
        "size": [int(code.size) for code in codes],
        "codes": arrays.add("predictions.codes", np.concatenate([np.empty(0, np.uint8), *codes])),
    }


def _gold(sweep: Sweep, table: Table) -> tuple[list[str], NDArray[np.float64]] | None:
    """Loads the ids and labels, [utt, attr], of a table's test set, or of its validation set."""
    try:
        truth = sweep.view.truth(table.truth)
        labels = np.asarray(truth[f"{sweep.part}_gold"], np.float64)
        return [str(name) for name in truth[f"{sweep.part}_ids"]], labels
    except DataError as error:
        sweep.problems.append(f"{error}; no predictions are shown against labels")
    except KeyError:
        pass
    return None


Packed = tuple[NDArray[np.uint8], float, float]


def _mean(
    sweep: Sweep,
    table: Table,
    name: str,
    runs: Sequence[Row],
    labels: NDArray[np.float64],
    cache: Cache,
    *,
    each: bool,
) -> list[tuple[str | None, Packed, list[float | None]]]:
    """Codes the mean prediction of a name's runs, then, if wanted, each run's."""
    key = ("predictions", sweep.view.folder, table.truth, name, each, *(r["run"] for r in runs))
    if key not in cache:
        loaded = list(_load(sweep, runs, labels.shape))
        attrs = {attr for run, _ in loaded for attr in ATTRS if attr not in untrained(run)}
        found = []
        if loaded:
            mean = np.mean([pred for _, pred in loaded], 0)
            found.append((None, coded(mean), _scores(labels, mean, attrs)))
        for run, pred in loaded if each and len(loaded) > 1 else ():
            learnt = set(ATTRS) - set(untrained(run))
            found.append((run["run"], coded(pred), _scores(labels, pred, learnt)))
        cache[key] = found
    return cache[key]


def _load(
    sweep: Sweep, runs: Sequence[Row], shape: tuple[int, ...]
) -> Iterator[tuple[Row, NDArray[np.float64]]]:
    for run in runs:
        try:
            found = sweep.view.arrays(run["run"]).get(f"{sweep.part}_pred")
        except DataError as error:
            sweep.problems.append(f"{error}; its run is not among the predictions")
            continue
        if found is not None and found.shape == shape and np.isfinite(found).all():
            yield run, np.asarray(found, np.float64)


def _scores(
    labels: NDArray[np.float64], pred: NDArray[np.float64], attrs: set[str]
) -> list[float | None]:
    """Returns the CCC of each attribute; None for one without labels, or that no run learns."""
    found: list[float | None] = []
    for at, attr in enumerate(ATTRS):
        known = np.isfinite(labels[:, at])
        scored = attr in attrs and known.any()
        found.append(float(ccc(labels[known, at], pred[known, at])) if scored else None)
    return found
