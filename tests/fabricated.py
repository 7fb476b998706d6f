"""A journal as a sweep leaves it, with made-up but plausible numbers, for tests of its readers."""

from __future__ import annotations

import numpy as np

from dser_jax.journal.journal import Journal
from dser_jax.plan import run_id
from dser_jax.training.metrics import scores

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


TRACEBACK = "Traceback (most recent call last):\n  File x\nValueError: no room\n"


def fabricate(
    folder,
    names=NAMES,
    seeds=5,
    *,
    diverged=(),
    failed=(),
    pruned=(),
    weights=None,
    missing=(),
    planned=None,
    **common,
):
    """Writes a journal and closes it.

    Args:
      folder: Where to.
      names: name -> (network, features, levels of CCC).
      seeds: Runs for each name.
      diverged: (name, seed) of runs that diverge.
      failed: Of runs that fail: they have no scores and no arrays.
      pruned: Of runs that a search stops: they have scores that are far too good.
      weights: name -> loss weights, where they are others.
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
                given = (weights or {}).get(name, [0.7, 0.2, 0.1])
                row |= {"config": {"batch_size": 8}, "hparams": {"loss_weights": given}}
                row |= {"status": "ok", "epochs": epochs, "best_epoch": epochs - 10} | common
                arrays["validation_ccc"][:, list(missing)] = np.nan
                if (name, seed) in diverged:
                    arrays["validation_ccc"][3:] = arrays["test_pred"][:] = np.nan
                    row |= {"status": "diverged", "epochs": 4, "best_epoch": 3}
                if (name, seed) in failed:
                    row = {key: row[key] for key in row if "epoch" not in key}
                    row |= {"status": "failed", "traceback": TRACEBACK}
                    journal.commit({"run": run_id(row), **row}, {})
                    continue
                if (name, seed) in pruned:
                    row |= {"status": "pruned"}
                    arrays["validation_pred"], arrays["test_pred"] = gold[:60], gold[60:]
                row["validation"] = scores(gold[:60], arrays["validation_pred"])
                row["test"] = scores(gold[60:], arrays["test_pred"])
                journal.commit({"run": run_id(row), **row}, arrays)


WEIGHTS_01 = [round(0.1 * step, 1) for step in range(11)]


def surface(alpha, beta):
    """A CCC that falls off where a task gets no weight, and is best near .7 and .2."""
    gamma = 1 - alpha - beta
    starved = sum(0.12 * np.exp(-6 * max(weight, 0)) for weight in (alpha, beta, gamma))
    return 0.62 - 0.15 * ((alpha - 0.7) ** 2 + (beta - 0.2) ** 2) - starved


def search_row(hparams, seed, level, key, *, noise=0.008, diverged=False, **more):
    """A row whose scores are made up: those of a test are lower than those on validation."""
    common = {"corpus": "demo", "protocol": "strict", "split": "last session", "truth": "k"}
    rest = {"acoustic_dropout": 0.1, "text_dropout": 0.4, "fusion_dropout": 0.4}
    rest |= {"learning_rate": 0.001, "patience": 10, "loss_weights": [1.0, 1.0, 1.0]}
    row = {"network": "lstm + lstm", "features": "paa_hsf + glove", "seed": seed, **common}
    row |= {"name": " ".join(f"{k}={v}" for k, v in hparams.items()), "config": {"units": 32}}
    row |= {"hparams": rest | hparams, "status": "diverged" if diverged else "ok"}
    for part, drop in (("validation", 0.0), ("test", 0.03)):
        value = None if diverged else level - drop + key.normal(0, noise)
        ccc = dict.fromkeys(("valence", "arousal", "dominance", "mean"), value)
        low = dict.fromkeys(ccc, None if diverged else 0.8 * value)
        row[part] = {"ccc": ccc, "ccc_batch32": low}
    row |= more
    return {"run": run_id(row), **row}


def weight_grid(seeds=3, values=WEIGHTS_01, level=surface, diverged=(), **more):
    """Rows over alpha and beta, as `dser sweep --grid` has them."""
    key = np.random.default_rng(0)
    return [
        search_row(
            {"loss_weights": [alpha, beta, round(1 - alpha - beta, 10)]},
            seed,
            level(alpha, beta),
            key,
            diverged=(alpha, beta) in diverged,
            **more,
        )
        for seed in range(seeds)
        for alpha in values
        for beta in values
    ]


def weight_lines(seeds=3, values=WEIGHTS_01, **more):
    """Rows of three lines through the point 1, 1, 1."""
    key = np.random.default_rng(1)
    points = {(1.0, 1.0, 1.0)}
    for axis in range(3):
        points |= {tuple(v if at == axis else 1.0 for at in range(3)) for v in values}
    return [
        search_row(
            {"loss_weights": list(point)},
            seed,
            0.6 - sum(0.15 * np.exp(-7 * weight) for weight in point),
            key,
            **more,
        )
        for seed in range(seeds)
        for point in sorted(points)
    ]


def rate_grid(seeds=3, values=WEIGHTS_01[:-1], **more):
    """Rows over both dropout rates."""
    key = np.random.default_rng(2)
    return [
        search_row(
            {"acoustic_dropout": one, "text_dropout": two},
            seed,
            0.6 - 0.06 * (one - 0.2) ** 2 - 0.1 * (two - 0.5) ** 2,
            key,
            **more,
        )
        for seed in range(seeds)
        for one in values
        for two in values
    ]
