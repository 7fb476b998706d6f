"""Baselines as rows of the journal, each attribute by the setting that validation chose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float

from dser_jax.config import Config
from dser_jax.corpora import ATTRS
from dser_jax.data import Dataset, Prepared, load_dataset
from dser_jax.stats.baselines.inputs import blocks_of
from dser_jax.stats.baselines.models import GRIDS, MODELS, candidates_of
from dser_jax.stats.baselines.planning import Baseline
from dser_jax.stats.derived.stretching import fit_stretch
from dser_jax.training import ccc, scores


def fit_baselines(
    prepared: Prepared, baselines: Mapping[str, Baseline]
) -> Iterator[tuple[Dataset, dict[str, Any], dict[str, np.ndarray]]]:
    """Fits baselines, and yields for each its data set, and its row and arrays for the journal.

    Args:
      prepared: The data set.
      baselines: Run -> baseline, as `plan_baselines` has them.
    """

    @lru_cache(maxsize=1)  # Those of a place follow one another.
    def dataset_of(config: Config) -> Dataset:
        return load_dataset(prepared, config, inputs=False)

    @lru_cache(maxsize=1)  # The plain and the stretched row come of the same fits.
    def candidates(plain: Baseline):
        dataset = dataset_of(plain.config)
        return candidates_of(plain.model, blocks_of(prepared, dataset, plain), dataset)

    for run, baseline in baselines.items():
        dataset = dataset_of(baseline.config)
        tried = candidates(replace(baseline, name="", stretched=False))
        chosen, validation_pred, test_pred = _choose(tried, dataset, baseline.stretched)
        grid = GRIDS.get(baseline.model)
        row = {
            "run": run,
            "name": baseline.name,
            "kind": "baseline",
            "network": baseline.model,
            "features": baseline.inputs_with(prepared.shown(baseline.config.features)),
            "seed": 0,
            "corpus": dataset.corpus,
            "protocol": baseline.config.protocol,
            "split": dataset.split.name,
            "truth": dataset.truth,
            "config": baseline.to_json(),
            "hparams": MODELS[baseline.model],
            "chosen": {attr: grid[at] for attr, at in chosen.items()} if grid else {},
            "status": "ok",
            "validation": scores(dataset.gold("validation"), validation_pred),
            "test": scores(dataset.gold("test"), test_pred),
        }
        yield dataset, row, {"validation_pred": validation_pred, "test_pred": test_pred}


def stretch(
    pred: Float[np.ndarray, " utt"],
    validation_pred: Float[np.ndarray, " validation"],
    validation_gold: Float[np.ndarray, " validation"],
) -> Float[np.ndarray, " utt"]:
    """Maps predictions so that those of validation get the mean and deviation of its labels.

        pred' = (pred - mean(validation_pred)) / sd(validation_pred) * sd(gold) + mean(gold)

    Args:
      pred: Predictions of any rows.
      validation_pred: Of the validation rows, by the same model.
      validation_gold: Their labels; rows without one (NaN) count for nothing.

    Returns:
      The mapped predictions; where they never vary only shifted, without labels as they were.
    """
    return fit_stretch(validation_pred[:, None], validation_gold[:, None])(pred[:, None])[:, 0]


def _choose(
    tried: Float[np.ndarray, "setting utt attr"], dataset: Dataset, stretched: bool
) -> tuple[dict[str, int], Float[np.ndarray, "validation attr"], Float[np.ndarray, "test attr"]]:
    """Takes for each attribute the setting of the best CCC on validation; says which."""
    gold = dataset.gold("validation")
    chosen, best = {}, np.empty(tried.shape[1:])
    for column, attr in enumerate(ATTRS):
        known = np.isfinite(gold[:, column])
        preds = tried[:, :, column]
        if stretched:
            preds = np.stack([stretch(p, p[: len(gold)], gold[:, column]) for p in preds])
        found = [ccc(gold[known, column], p[: len(gold)][known]) for p in preds]
        at = int(np.argmax(found)) if max(found) > min(found) else len(found) // 2
        best[:, column] = preds[at]
        if attr in dataset.attrs:
            chosen[attr] = at
    return chosen, best[: len(gold)], best[len(gold) :]
