"""What a network has to beat: the mean, ridge regression and SVR, as rows of the same journal.

Each predicts one attribute at a time, from speech (functionals; of sequences their means and
deviations over frames), from text (tf-idf of its words) or from both side by side. They see what a
network sees: its split, its labels, its protocol. Each comes twice, as it is and *stretched* to the
spread of the labels on validation, since least squares shrinks predictions to the mean, which the
CCC punishes.

One setting is chosen, on validation alone, for each attribute and row of the table, by the CCC of
that row's own predictions: the penalty of ridge (`ALPHAS`), the cost of SVR (`COSTS`). Where
validation cannot tell, the middle of the grid is taken.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from dser_jax.config import Config
from dser_jax.corpora import ATTRS
from dser_jax.data import Dataset, Prepared, feature_name, load_dataset, rows_to_fit
from dser_jax.features import hsf, split_words
from dser_jax.plan import run_id
from dser_jax.system import DserError
from dser_jax.training import ccc, scores

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

CHUNK = 1024
"""Rows of a kernel that are made at a time."""

MODELS: dict[str, dict[str, Any]] = {
    "mean": {},
    "ridge": {"alpha": list(ALPHAS)},
    "svr": {"C": list(COSTS), "epsilon": EPSILON, "rows": SVR_ROWS},
}
"""The settings of each model, as the journal has them."""


@dataclass(frozen=True)
class Baseline:
    """One row of the table.

    Attributes:
      name: As tables show it, e.g. "ridge (speech + text), stretched".
      model: mean, ridge or svr.
      config: Whose protocol, split and, if there is speech, whose features it has.
      speech, text: Whether it sees them.
      stretched: Whether its predictions are.
    """

    name: str
    model: str
    config: Config
    speech: bool = False
    text: bool = False
    stretched: bool = False

    @property
    def inputs(self) -> str:
        """The inputs' names as tables show them, e.g. "paa_hsf + tf-idf"."""
        speech = [self.config.features] if self.speech else []
        return " + ".join([*speech, "tf-idf"] if self.text else speech)

    @property
    def prepared_inputs(self) -> list[str]:
        """Names of the features that the prepared data set must have."""
        return [self.config.features] if self.speech else []

    def to_json(self) -> dict[str, Any]:
        """Returns what determines the row, save the data and the model's own settings."""
        return {
            "model": self.model,
            "inputs": self.inputs,
            "stretched": self.stretched,
            "protocol": self.config.protocol,
            "split": self.config.split,
        }


def plan_baselines(prepared: Prepared, configs: Sequence[Config]) -> dict[str, Baseline]:
    """Lists the baselines of some networks: run -> baseline, each once.

    Networks of equal protocol and split share theirs, which see no more than the networks do:
    speech if one of them does, text if one does, both if one has both. With several acoustic
    features there are baselines of each, and their names say of which.

    Args:
      prepared: The data set.
      configs: What the networks are built from.
    """
    places: dict[tuple[str, str], list[Config]] = {}
    for config in configs:
        places.setdefault((config.protocol, config.split), []).append(config)
    plan = {}
    for place in places.values():
        for baseline in _of_a_place(place):
            identity = {
                "config": baseline.to_json(),
                "hparams": MODELS[baseline.model],
                "data": prepared.fingerprint_of(baseline.prepared_inputs),
            }
            plan[run_id(identity)] = baseline
    return plan


def _of_a_place(configs: Sequence[Config]) -> Iterator[Baseline]:
    """Yields the baselines of networks with one protocol and split, in the order of the table."""
    speech: dict[str, Config] = {}
    both: dict[str, Config] = {}
    for config in configs:
        if config.acoustic:
            speech.setdefault(config.features, config)
        if config.acoustic and config.text:
            both.setdefault(config.features, config)
    text = next((config for config in configs if config.text), None)

    def called(features: str) -> str:
        return features if len(speech) > 1 else "speech"

    inputs = [(called(name), config, True, False) for name, config in speech.items()]
    if text is not None:
        inputs.append(("text", text, False, True))
    inputs += [(f"{called(name)} + text", config, True, True) for name, config in both.items()]
    yield Baseline("mean", "mean", configs[0])
    for model in ("ridge", "svr"):
        for label, config, has_speech, has_text in inputs:
            name = f"{model} ({label})"
            yield Baseline(name, model, config, has_speech, has_text)
            yield Baseline(f"{name}, stretched", model, config, has_speech, has_text, True)


def check_baselines(
    baselines: Mapping[str, Baseline],
    names: Collection[str],
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Makes sure that a name of the table means one thing.

    Args:
      baselines: Those planned.
      names: The networks' names.
      rows: What the journal has.

    Raises:
      DserError: A network has the name of a baseline, or the journal has such a baseline with other
        settings.
    """
    for run, baseline in baselines.items():
        if baseline.name in names:
            raise DserError(
                f"{baseline.name!r} is the name of a baseline; give the networks another name, or "
                "do without baselines"
            )
        mine = baseline.to_json()
        for row in rows:
            if row.get("kind") != "baseline" or row["name"] != baseline.name or row["run"] == run:
                continue
            if all(row["config"].get(key) == mine[key] for key in ("protocol", "split")):
                had, now = row["config"] | row["hparams"], mine | MODELS[baseline.model]
                changed = [f"{k} {had.get(k)} -> {now[k]}" for k in now if had.get(k) != now[k]]
                raise DserError(
                    f"the folder has a baseline {baseline.name!r} with other settings "
                    f"({', '.join(changed)}); choose another --out, or do without baselines"
                )


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
    def candidates(model: str, config: Config, speech: bool, text: bool):
        dataset = dataset_of(config)
        return _candidates(model, _blocks(prepared, dataset, config, speech, text), dataset)

    for run, baseline in baselines.items():
        dataset = dataset_of(baseline.config)
        tried = candidates(baseline.model, baseline.config, baseline.speech, baseline.text)
        chosen, validation_pred, test_pred = _choose(tried, dataset, baseline.stretched)
        grid = {"ridge": ALPHAS, "svr": COSTS}.get(baseline.model)
        row = {
            "run": run,
            "name": baseline.name,
            "kind": "baseline",
            "network": baseline.model,
            "features": baseline.inputs,
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
    pred: Float[np.ndarray, "utt"],
    validation_pred: Float[np.ndarray, "validation"],
    validation_gold: Float[np.ndarray, "validation"],
) -> Float[np.ndarray, "utt"]:
    """Maps predictions so that those of validation get the mean and deviation of its labels.

        pred' = (pred - mean(validation_pred)) / sd(validation_pred) * sd(gold) + mean(gold)

    Args:
      pred: Predictions of any rows.
      validation_pred: Of the validation rows, by the same model.
      validation_gold: Their labels; rows without one (NaN) count for nothing.

    Returns:
      The mapped predictions; where they never vary only shifted, without labels as they were.
    """
    known = np.isfinite(validation_gold)
    if not known.any():
        return pred
    guesses, labels = validation_pred[known], validation_gold[known]
    spread = guesses.std()
    scale = labels.std() / spread if spread > 1e-9 else 1.0  # less than that is rounding
    return (pred - guesses.mean()) * scale + labels.mean()


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


def _candidates(
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


def _means(gold: Float[np.ndarray, "train attr"]) -> Float[np.ndarray, "attr"]:
    """Returns the labels' means; the middle of the scale where there are no labels."""
    known = np.isfinite(gold)
    return np.where(known, gold, 0.0).sum(0) / np.maximum(known.sum(0), 1)


def _ridge(
    blocks: Sequence[Block],
    gold: Float[np.ndarray, "train attr"],
    train: Int[np.ndarray, "train"],
    rows: Int[np.ndarray, "utt"],
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
    train: Int[np.ndarray, "train"],
    rows: Int[np.ndarray, "utt"],
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
    blocks: Sequence[Block], rows: Int[np.ndarray, "utt"], others: Int[np.ndarray, "train"]
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


def _blocks(
    prepared: Prepared, dataset: Dataset, config: Config, speech: bool, text: bool
) -> list[Block]:
    """Makes the inputs of all rows, each half scaled to a variance of 1, summed over its columns.

    So neither half is penalised more for the number or the unit of its columns, and settings mean
    the same for all inputs.
    """
    fit_rows = rows_to_fit(dataset.split, len(dataset.ids), config.protocol)
    blocks: list[Any] = []
    if speech:
        values = _functionals(prepared, config)
        mean, deviation = values[fit_rows].mean(0), values[fit_rows].std(0)
        varies = deviation > 1e-6 * np.abs(mean)  # float32 features: less than that is rounding
        blocks.append((values - mean)[:, varies] / deviation[varies])
    if text:
        blocks.append(_tf_idf(prepared, fit_rows))
    return [block / np.sqrt(_variance(block[fit_rows]) or 1.0) for block in blocks]


def _functionals(prepared: Prepared, config: Config) -> Float[np.ndarray, "utt feat"]:
    values, offsets = prepared.feature(feature_name(prepared, config))
    if offsets is None:
        return np.asarray(values, np.float64)
    ends = itertools.pairwise(offsets.tolist())
    found = [hsf(np.asarray(values[start:end])) for start, end in ends]
    return np.stack(found).astype(np.float64)


def _tf_idf(prepared: Prepared, fit_rows: Int[np.ndarray, "rows"]) -> sparse.csr_matrix:
    """Weighs the words, those that a network's tokenizer finds, and learns them where it does."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = [utterance.transcript or "" for utterance in prepared.utterances]
    vectorizer = TfidfVectorizer(analyzer=split_words)
    try:
        vectorizer.fit([texts[i] for i in fit_rows])
    except ValueError as error:
        raise DserError(f"tf-idf of the transcripts: {error}") from error
    return sparse.csr_matrix(vectorizer.transform(texts))


def _variance(block: Block) -> float:
    """Sums the variances of the columns."""
    squares = block.multiply(block) if hasattr(block, "multiply") else block * block
    return float((squares.mean(0) - np.square(block.mean(0))).sum())
