"""Writes the page of 10,000 made-up runs: python tests/ten_thousand.py FILE."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fabricated import run

from dser_jax.journal.reading import JournalView
from dser_jax.report.page.build import make_page
from dser_jax.report.page.sweep import take
from dser_jax.training.metrics import scores


@dataclass(frozen=True)
class Pretended(JournalView):
    """A journal that is not on disk, of runs that share a few arrays."""

    kinds: tuple = ()
    gold: object = None

    def arrays(self, run):
        return self.kinds[int(run, 16) % len(self.kinds)]

    def truth(self, key):
        if key != "k":
            return {}
        ids = [f"u{number}" for number in range(len(self.gold))]
        parts = {"validation": slice(60), "test": slice(60, None)}
        return {f"{part}_ids": ids[rows] for part, rows in parts.items()} | {
            f"{part}_gold": self.gold[rows] for part, rows in parts.items()
        }


def write(file: Path) -> None:
    """Writes the page of 500 names with 20 seeds each."""
    key = np.random.default_rng(0)
    gold = np.clip(key.normal(0, 0.45, (160, 3)), -1, 1)
    kinds, found = [], []
    for _ in range(97):
        level = key.uniform(0.3, 0.7, 3)
        kinds.append(run(key, gold, level, int(key.integers(30, 60))))
        found.append(
            {
                "validation": scores(gold[:60], kinds[-1]["validation_pred"]),
                "test": scores(gold[60:], kinds[-1]["test_pred"]),
            }
        )
    common = {"network": "lstm + lstm", "features": "gemaps_hsf + glove", "corpus": "demo"}
    common |= {"protocol": "strict", "split": "last session", "truth": "k", "status": "ok"}
    rows = []
    for number in range(10_000):
        name, seed = divmod(number, 20)
        kind = number % len(kinds)
        epochs = len(kinds[kind]["train_loss"])
        settings = {"loss_weights": [0.7, 0.2, 0.1], "text_dropout": name / 500}
        row = {"run": f"{number:016x}", "name": f"dropout {name / 500:g}", "seed": seed}
        row |= {"hparams": settings, "epochs": epochs, "best_epoch": epochs - 10}
        rows.append(row | common | found[kind])
    view = Pretended(file.parent, {"planned": 10_000}, tuple(rows), (), tuple(kinds), gold)
    file.write_text(make_page([take(view, "many")], {}), "utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
