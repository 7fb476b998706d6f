"""Baselines in a made-up journal, for tests of what is held against them."""

from __future__ import annotations

import numpy as np

from dser_jax.journal.journal import Journal
from dser_jax.journal.reading import read_journal
from dser_jax.training.metrics import scores


def add_baselines(folder, levels=(("ridge", 0.9, 0.3), ("svr", 0.2, 0.95))):
    """Adds rows of baselines: name, how good on validation, and how good on test."""
    view = read_journal(folder)
    gold = view.truth("k")
    key = np.random.default_rng(5)
    with Journal.open(folder, view.manifest) as journal:
        for name, validation, test in levels:
            row = {
                "run": f"{name.split()[0]}-0",
                "name": name,
                "kind": "baseline",
                "network": name,
                "seed": 0,
            }
            row |= {each: view.rows[0][each] for each in ("corpus", "protocol", "split", "truth")}
            arrays = {}
            for part, level in (("validation", validation), ("test", test)):
                labels = gold[f"{part}_gold"]
                noise = np.sqrt(1 - level**2) * labels.std(0) * key.normal(size=labels.shape)
                arrays[f"{part}_pred"] = level * labels + noise
                row[part] = scores(labels, arrays[f"{part}_pred"])
            journal.commit(row | {"status": "ok"}, arrays)
