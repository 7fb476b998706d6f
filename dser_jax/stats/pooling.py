"""Several folds as one test: the predictions of all, scored together, as rows of the journal.

The mean of the folds' CCCs would be another number: a CCC over few speakers depends on how much
their labels differ, and folds of few labels weigh as much as others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dser_jax.data import MARKS
from dser_jax.journal import Journal, Row
from dser_jax.plan import canonical, run_id
from dser_jax.stats.rows import is_whole
from dser_jax.stats.subsets import marks_of
from dser_jax.training import scores

POOLED = "pooled"
"""The kind of a row that a network's folds make; under the same name it has their runs."""


def pool_folds(journal: Journal) -> list[str]:
    """Adds a row to a journal for each row and seed of which all folds are there, once.

    The folds of a sweep stand under `pools` in its manifest, by what they are called together.

    Returns:
      What could not be pooled, in words.
    """
    lines = []
    for name, splits in journal.manifest.get("pools", {}).items():
        folds: dict[str, dict[str, Row]] = {}
        for row in journal.rows():
            if POOLED not in row and row["config"]["split"] in splits:
                config = {k: v for k, v in row["config"].items() if k != "split"}
                about = [row["name"], row.get("kind"), row["seed"], config]
                folds.setdefault(canonical(about), {})[row["config"]["split"]] = row
        short = 0
        for found in folds.values():
            rows = [found[split] for split in splits if split in found and is_whole(found[split])]
            if len(rows) == len(splits):
                _commit(journal, name, rows)
            else:
                short += 1
        if short:
            lines.append(
                f"{name}: {short} of {len(folds)} rows and seeds are not pooled, as some of their "
                "folds are missing or ended before their time"
            )
    return lines


def _commit(journal: Journal, name: str, rows: Sequence[Row]) -> None:
    """Writes the labels of all folds, the predictions for them, and the row."""
    run = run_id({POOLED: [row["run"] for row in rows]})
    if run in journal.finished:
        return
    view = journal.view()
    keys = [str(row["truth"]) for row in rows]
    truths = [view.truth(key) for key in keys]
    marks = [marks_of(view, key) for key in keys]
    truth = run_id({POOLED: keys})
    kinds = ("validation_ids", "validation_gold", "test_ids", "test_gold")
    joined = {kind: np.concatenate([each[kind] for each in truths]) for kind in kinds}
    journal.write_truth(truth, attrs=truths[0]["attrs"], **joined)
    if all(marks):
        both = {mark: np.concatenate([each[mark] for each in marks]) for mark in marks[0]}
        journal.write_truth(f"{truth}.{MARKS}", **both)
    arrays = [view.arrays(row["run"]) for row in rows]
    preds = {
        f"{part}_pred": np.concatenate([each[f"{part}_pred"] for each in arrays])
        for part in ("validation", "test")
    }
    kept = ("name", "network", "features", "seed", "corpus", "protocol", "hparams")
    row: dict[str, Any] = {key: rows[0][key] for key in kept}
    row |= {
        "run": run,
        "kind": rows[0].get("kind", POOLED),
        "split": name,
        "truth": truth,
        "config": rows[0]["config"] | {"split": name},
        POOLED: [each["run"] for each in rows],
        "status": "ok",
        "validation": scores(joined["validation_gold"], preds["validation_pred"]),
        "test": scores(joined["test_gold"], preds["test_pred"]),
    }
    journal.commit(row, preds)
