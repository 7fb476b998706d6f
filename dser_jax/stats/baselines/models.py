"""The mean, ridge regression and SVR, each with every setting of its grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from dser_jax.data import Dataset
from dser_jax.stats.baselines.inputs import Block

ALPHAS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Penalties of ridge, in scikit-learn's sense, for inputs of unit variance in all."""

COSTS = (0.3, 1.0, 3.0)
"""Costs of SVR, for labels of unit variance."""

EPSILON = 0.1
"""Errors that SVR takes for none, in deviations of the labels."""

SVR_ROWS = 10_000
"""SVR trains on so many rows at most, evenly picked: its time and memory grow with their square."""

CHUNK = 1024
"""Rows of a kernel that are made at a time."""

MODELS: dict[str, dict[str, Any]] = {
    "mean": {},
    "ridge": {"alpha": list(ALPHAS)},
    "svr": {"C": list(COSTS), "epsilon": EPSILON, "rows": SVR_ROWS},
}
"""The settings of each model, as the journal has them."""


def candidates_of(
    model: str, blocks: Sequence[Block], dataset: Dataset
) -> Float[np.ndarray, "setting utt attr"]:
    """Predicts the validation rows, then the test rows, with each setting of a model's grid."""
    train = dataset.split.train
    rows = np.concatenate([dataset.split.validation, dataset.split.test])
    gold = dataset.gold("train")
    if model == "ridge":
        return _ridge(blocks, gold, train, rows)
    if model == "svr":
        return _svr(blocks, gold, train, rows)
    return np.tile(_means(gold), (1, len(rows), 1))


def _means(gold: Float[np.ndarray, "train attr"]) -> Float[np.ndarray, " attr"]:
    """Returns the labels' means; the middle of the scale where there are no labels."""
    known = np.isfinite(gold)
    return np.where(known, gold, 0.0).sum(0) / np.maximum(known.sum(0), 1)


def _ridge(
    blocks: Sequence[Block],
    gold: Float[np.ndarray, "train attr"],
    train: Int[np.ndarray, " train"],
    rows: Int[np.ndarray, " utt"],
) -> Float[np.ndarray, "setting utt attr"]:
    """Ridge regression on the blocks side by side."""
    from sklearn.linear_model import Ridge

    whole = blocks[0]
    if len(blocks) > 1:
        whole = sparse.hstack([sparse.csr_matrix(block) for block in blocks], format="csr")
    known = np.isfinite(gold)
    preds = np.tile(_means(gold), (len(ALPHAS), len(rows), 1))
    # Attributes that have labels for the same rows are fitted at once.
    for mask in np.unique(known, axis=1).T:
        if mask.sum() < 2:
            continue
        columns = np.flatnonzero((known == mask[:, None]).all(0))
        x, y = whole[train[mask]], gold[mask][:, columns]
        for at, alpha in enumerate(ALPHAS):
            fitted = Ridge(alpha=alpha).fit(x, y).predict(whole[rows])
            preds[at][:, columns] = fitted.reshape(len(rows), len(columns))
    return preds


def _svr(
    blocks: Sequence[Block],
    gold: Float[np.ndarray, "train attr"],
    train: Int[np.ndarray, " train"],
    rows: Int[np.ndarray, " utt"],
) -> Float[np.ndarray, "setting utt attr"]:
    """Support vector regression; all fits share one kernel, which is what takes the time."""
    from sklearn.svm import SVR

    some = np.flatnonzero(np.isfinite(gold).any(1))
    if len(some) > SVR_ROWS:
        some = some[np.linspace(0, len(some) - 1, SVR_ROWS).round().astype(int)]
    train, gold = train[some], gold[some]
    kernel = np.concatenate([part for _, part in _kernel(blocks, train, train)])
    fitted = []
    for column in range(gold.shape[1]):
        known = np.flatnonzero(np.isfinite(gold[:, column]))
        labels = gold[known, column]
        if len(known) < 2 or labels.std() == 0:
            continue
        own = kernel if len(known) == len(gold) else kernel[np.ix_(known, known)]
        mean, deviation = labels.mean(), labels.std()
        for at, cost in enumerate(COSTS):
            model = SVR(kernel="precomputed", C=cost, epsilon=EPSILON, cache_size=500)
            model.fit(own, (labels - mean) / deviation)
            vectors = known[model.support_]
            weights = model.dual_coef_[0] * deviation
            fitted.append((at, column, vectors, weights, model.intercept_[0] * deviation + mean))
    del kernel
    preds = np.tile(_means(gold), (len(COSTS), len(rows), 1))
    for start, part in _kernel(blocks, rows, train):
        for at, column, vectors, weights, intercept in fitted:
            preds[at, start : start + len(part), column] = part[:, vectors] @ weights + intercept
    return preds


def _kernel(
    blocks: Sequence[Block], rows: Int[np.ndarray, " utt"], others: Int[np.ndarray, " train"]
) -> Iterator[tuple[int, np.ndarray]]:
    """Yields the Gaussian kernel of rows with others, some rows at a time, and where they begin.

        k(x, y) = exp(-|x - y|^2 / v), v the variance of the blocks, which is 1 for each

    This is scikit-learn's gamma "scale".
    """
    from sklearn.metrics.pairwise import euclidean_distances

    sides = [block[others] for block in blocks]
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        total = np.zeros((len(part), len(others)))
        for block, side in zip(blocks, sides, strict=True):
            total += euclidean_distances(block[part], side, squared=True)
        yield start, np.exp(-total / len(blocks))
