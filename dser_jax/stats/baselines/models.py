"""The mean, ridge regression, SVR and kernel ridge, each with every setting of its grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse

from dser_jax.data import Dataset

Block = np.ndarray | sparse.csr_matrix
"""Inputs of all utterances, [utt, column]."""

ALPHAS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Penalties of ridge, in scikit-learn's sense, for inputs of unit variance in all."""

COSTS = (0.3, 1.0, 3.0)
"""Costs of SVR, for labels of unit variance."""

EPSILON = 0.1
"""Errors that SVR takes for none, in deviations of the labels."""

SVR_ROWS = 10_000
"""SVR trains on so many rows at most, evenly picked: its time and memory grow with their square."""

PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Penalties of kernel ridge, likewise, for a kernel that is 1 on its diagonal."""

KERNEL_ROWS = 10_000
"""Kernel ridge trains on so many rows at most, likewise; its time grows with their cube."""

CHUNK = 1024
"""Rows of a kernel that are made at a time."""

MODELS: dict[str, dict[str, Any]] = {
    "mean": {},
    "ridge": {"alpha": list(ALPHAS)},
    "svr": {"C": list(COSTS), "epsilon": EPSILON, "rows": SVR_ROWS},
    "kernel": {"alpha": list(PENALTIES), "rows": KERNEL_ROWS},
}
"""The settings of each model, as the journal has them."""

GRIDS = {"ridge": ALPHAS, "svr": COSTS, "kernel": PENALTIES}
"""Model -> the settings of which validation chooses one for each attribute."""


def candidates_of(
    model: str, blocks: Sequence[Block], dataset: Dataset
) -> Float[np.ndarray, "setting utt attr"]:
    """Predicts the validation rows, then the test rows, with each setting of a model's grid."""
    train = dataset.split.train
    rows = np.concatenate([dataset.split.validation, dataset.split.test])
    gold = dataset.gold("train")
    fitted = {"ridge": _ridge, "svr": _svr, "kernel": _kernel_ridge}.get(model)
    if fitted is not None and np.isfinite(gold).any():
        return fitted(blocks, gold, train, rows)
    return np.tile(_means(gold), (len(GRIDS.get(model, [0])), len(rows), 1))


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
    preds = np.tile(_means(gold), (len(ALPHAS), len(rows), 1))
    for mask, columns in _labelled_alike(gold):
        x, y = whole[train[mask]], gold[mask][:, columns]
        for at, alpha in enumerate(ALPHAS):
            fitted = Ridge(alpha=alpha).fit(x, y).predict(whole[rows])
            preds[at][:, columns] = fitted.reshape(len(rows), len(columns))
    return preds


def _labelled_alike(
    gold: Float[np.ndarray, "train attr"],
) -> Iterator[tuple[Bool[np.ndarray, " train"], Int[np.ndarray, " attr"]]]:
    """Yields the rows that have labels, and the attributes that have them there: fitted at once."""
    known = np.isfinite(gold)
    for mask in np.unique(known, axis=1).T:
        if mask.sum() >= 2:
            yield mask, np.flatnonzero((known == mask[:, None]).all(0))


def _svr(
    blocks: Sequence[Block],
    gold: Float[np.ndarray, "train attr"],
    train: Int[np.ndarray, " train"],
    rows: Int[np.ndarray, " utt"],
) -> Float[np.ndarray, "setting utt attr"]:
    """Support vector regression; all fits share one kernel, which is what takes the time."""
    from sklearn.svm import SVR

    some = _evenly(gold, SVR_ROWS)
    train, gold = train[some], gold[some]
    kernel = _whole(_product(blocks, train, train), len(train))
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
    for start, part in _product(blocks, rows, train):
        for at, column, vectors, weights, intercept in fitted:
            preds[at, start : start + len(part), column] = part[:, vectors] @ weights + intercept
    return preds


def _kernel_ridge(
    blocks: Sequence[Block],
    gold: Float[np.ndarray, "train attr"],
    train: Int[np.ndarray, " train"],
    rows: Int[np.ndarray, " utt"],
) -> Float[np.ndarray, "setting utt attr"]:
    """Ridge regression on a kernel, of labels less their mean, by Cholesky for each penalty."""
    from scipy.linalg import cho_factor, cho_solve

    some = _evenly(gold, KERNEL_ROWS)
    train, gold = train[some], gold[some]
    kernel = _whole(_mean_kernel(blocks, train, train), len(train))
    fitted = []
    for mask, columns in _labelled_alike(gold):
        known = np.flatnonzero(mask)
        labels = gold[known][:, columns]
        means = labels.mean(0)
        for at, penalty in enumerate(PENALTIES):
            # A copy, which the factor is written over.
            own = kernel.copy() if mask.all() else kernel[np.ix_(known, known)]
            own[np.diag_indices_from(own)] += penalty
            # It is symmetric: its transpose is itself in the order that LAPACK wants.
            factor = cho_factor(own.T, lower=True, overwrite_a=True, check_finite=False)
            weights = cho_solve(factor, labels - means, check_finite=False)
            fitted.append((at, columns, known, weights, means))
    del kernel
    preds = np.tile(_means(gold), (len(PENALTIES), len(rows), 1))
    for start, part in _mean_kernel(blocks, rows, train):
        for at, columns, known, weights, means in fitted:
            preds[at, start : start + len(part), columns] = (part[:, known] @ weights + means).T
    return preds


def _evenly(gold: Float[np.ndarray, "train attr"], most: int) -> Int[np.ndarray, " row"]:
    """Picks rows that have any label, evenly where there are more than so many."""
    some = np.flatnonzero(np.isfinite(gold).any(1))
    if len(some) <= most:
        return some
    return some[np.linspace(0, len(some) - 1, most).round().astype(int)]


def _whole(parts: Iterator[tuple[int, np.ndarray]], rows: int) -> np.ndarray:
    """Puts the parts of a kernel of so many rows with themselves together."""
    kernel = np.empty((rows, rows))
    for start, part in parts:
        kernel[start : start + len(part)] = part
    return kernel


def _product(
    blocks: Sequence[Block], rows: Int[np.ndarray, " utt"], others: Int[np.ndarray, " train"]
) -> Iterator[tuple[int, np.ndarray]]:
    """Yields the Gaussian kernel of rows with others, some rows at a time, and where they begin.

        k(x, y) = exp(-|x - y|^2 / v), v the variance of the blocks, which is 1 for each

    This is scikit-learn's gamma "scale".
    """
    for start, distances in _distances(blocks, rows, others):
        yield start, np.exp(-sum(distances) / len(blocks))


def _mean_kernel(
    blocks: Sequence[Block], rows: Int[np.ndarray, " utt"], others: Int[np.ndarray, " train"]
) -> Iterator[tuple[int, np.ndarray]]:
    """Yields the mean of a Gaussian kernel for each block, likewise.

        k(x, y) = mean over blocks b of exp(-|x_b - y_b|^2 / v_b), v_b the block's variance, 1

    Two utterances are alike where either half is: the product asks that both are.
    """
    for start, distances in _distances(blocks, rows, others):
        alike = [np.exp(-distance) for distance in distances]
        yield start, sum(alike[1:], alike[0]) / len(blocks)


def _distances(
    blocks: Sequence[Block], rows: Int[np.ndarray, " utt"], others: Int[np.ndarray, " train"]
) -> Iterator[tuple[int, list[np.ndarray]]]:
    """Yields the squared distances of rows from others in each block, some rows at a time."""
    from sklearn.metrics.pairwise import euclidean_distances

    sides = [block[others] for block in blocks]
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        yield (
            start,
            [
                euclidean_distances(block[part], side, squared=True)
                for block, side in zip(blocks, sides, strict=True)
            ],
        )
