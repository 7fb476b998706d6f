"""A journal as a sweep leaves it, with made-up but plausible numbers, for tests of its readers."""

from __future__ import annotations

import numpy as np

from dser_jax.journal import Journal, run_id
from dser_jax.metrics import scores

NAMES = {
    "speech LSTM": ("lstm", "gemaps_hsf", (0.38, 0.65, 0.52)),
    "text LSTM": ("text lstm", "glove", (0.58, 0.43, 0.43)),
    "LSTM + LSTM, two weights [.7, .2]": (
        "lstm + text lstm",
        "gemaps_hsf + glove",
        (0.64, 0.64, 0.56),
    ),
}


def predict(gold, level, key):
    """Predictions whose CCC with the labels is near a level."""
    noise = key.normal(size=gold.shape) * gold.std(0)
    level = np.asarray(level)
    return level * gold + np.sqrt(1 - level**2) * noise


def run(key, gold, level, epochs):
    """The arrays of one run that got better for a while and then stopped."""
    best = epochs - 10
    rise = 1 - np.exp(-np.arange(1, epochs + 1) / 4)
    fall = np.maximum(0, np.arange(epochs) - best) * 0.004
    curve = np.asarray(level) * (rise - fall)[:, None] + key.normal(0, 0.01, (epochs, 3))
    return {
        "train_loss": (1 - curve.mean(1) * 1.1).astype(np.float32),
        "validation_loss": (1 - curve.mean(1)).astype(np.float32),
        "validation_ccc": curve.astype(np.float32),
        "validation_pred": predict(gold[:60], level, key).astype(np.float32),
        "test_pred": predict(gold[60:], level, key).astype(np.float32),
    }


def fabricate(folder, names=NAMES, seeds=5, *, diverged=(), missing=(), planned=None, **common):
    """Writes a journal and closes it.

    Args:
      folder: Where to.
      names: name -> (network, features, levels of CCC).
      seeds: Runs for each name.
      diverged: (name, seed) of runs that diverge.
      missing: Columns 0..2 of attributes without labels.
      planned: What the manifest says was planned.
      common: Entries for every row, such as `protocol`.
    """
    key = np.random.default_rng(0)
    gold = np.clip(np.round(key.normal(0, 0.45, (160, 3)) * 4) / 4, -1, 1)
    gold[:, list(missing)] = np.nan
    manifest = {"data_fingerprint": "aa", "git_commit": "0" * 40, "command": "dser sweep"}
    if planned is not None:
        manifest["planned"] = planned
    with Journal.open(folder, manifest) as journal:
        journal.write_truth(
            "k",
            validation_ids=[f"v{number}" for number in range(60)],
            validation_gold=gold[:60],
            test_ids=[f"t{number}" for number in range(100)],
            test_gold=gold[60:],
        )
        for seed in range(seeds):
            for name, (network, features, level) in names.items():
                epochs = int(key.integers(13, 25))
                arrays = run(key, np.nan_to_num(gold), level, epochs)
                row = {"name": name, "network": network, "features": features, "seed": seed}
                row |= {
                    "corpus": "demo",
                    "protocol": "strict",
                    "split": "last session",
                    "truth": "k",
                }
                row |= {"config": {"batch_size": 8}, "hparams": {"loss_weights": [0.7, 0.2, 0.1]}}
                row |= {"status": "ok", "epochs": epochs, "best_epoch": epochs - 10} | common
                arrays["validation_ccc"][:, list(missing)] = np.nan
                if (name, seed) in diverged:
                    arrays["validation_ccc"][3:] = arrays["test_pred"][:] = np.nan
                    row |= {"status": "diverged", "epochs": 4, "best_epoch": 3}
                row["validation"] = scores(gold[:60], arrays["validation_pred"])
                row["test"] = scores(gold[60:], arrays["test_pred"])
                journal.commit({"run": run_id(row), **row}, arrays)
