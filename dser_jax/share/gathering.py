"""From a journal and its prepared data to a model: weights, and all that recordings need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dser_jax.config import Config, side_by_side
from dser_jax.data import Dataset, Prepared, feature_name, load_dataset, load_prepared
from dser_jax.journal import JournalView, Row, environment, read_journal, weights_folder
from dser_jax.share.baseline import baseline_of
from dser_jax.share.bundle import Bundle, Member, Weights
from dser_jax.share.choice import Choice, choose
from dser_jax.share.forward import Networks, flat, rows_of
from dser_jax.share.parts import Features
from dser_jax.share.usual import fit_usual
from dser_jax.stats import Stretch, fit_stretch
from dser_jax.system import DataError, DserError
from dser_jax.training import scores

CLOSE = 1e-4
"""How near the kept weights come to the journal's predictions, which are on [-1, 1]."""
_CHOICE = Choice()


def gather(
    folder: str | Path,
    choice: Choice = _CHOICE,
    *,
    data: str | Path | None = None,
    retrain: bool = False,
) -> Bundle:
    """Makes a model of runs of a journal, and makes sure that it predicts what they predicted.

    Args:
      folder: The journal.
      choice: Which runs.
      data: The prepared data set; by default where it was when the journal was made.
      retrain: Whether to train the chosen runs again rather than to look for their weights.

    Raises:
      DserError: There are no such runs, their weights were not kept, or the data set is another.
    """
    view = read_journal(folder)
    rows = choose(view, choice)
    config = Config.from_json(rows[0]["config"])
    prepared = _load_prepared(view, config, data)
    dataset = load_dataset(prepared, config)
    if retrain:
        weights = _train_again(dataset, config, rows)
    else:
        weights = {row["run"]: _kept_weights(view, row["run"], len(rows)) for row in rows}
    bundle = Bundle(
        name=rows[0]["name"],
        corpus=dataset.corpus,
        scale=prepared.scale,
        attrs=dataset.attrs,
        config=config,
        hparams=rows[0]["hparams"],
        features=_features(prepared, feature_name(prepared, config), dataset.data.acoustic),
        scaler=dataset.scaler,
        tokenizer=dataset.tokenizer,
        members=tuple(Member(row["run"], row["seed"], weights[row["run"]]) for row in rows),
        scores={},
        made_with={**environment(), "journal_versions": view.manifest.get("versions", {})},
        usual=None if config.acoustic is None else fit_usual(prepared, dataset, config),
        turns=dataset.turn_vectors,
        text_features=_features(prepared, config.vectors, dataset.data.text),
        text_scaler=dataset.text_scaler,
    )
    networks = Networks(bundle)
    pred = {
        part: networks(rows_of(dataset.data, getattr(dataset.split, part), bundle.half_life))
        for part in ("validation", "test")
    }
    if not retrain:
        for row, member in zip(rows, pred["test"], strict=True):
            _check(view, row["run"], member)
    stretch = _stretch(dataset, pred) if choice.stretch else None
    bundle.scores.update(_scores(dataset, rows, pred, stretch))
    bundle.scores.update(chosen=choice.words(), trained_again=retrain)
    bundle.scores.update(baseline=baseline_of(view, rows[0]))
    if whole := _pool(view, config.split):
        bundle.scores.update(fold_of=whole)
    return replace(bundle, stretch=stretch)


def _stretch(dataset: Dataset, pred: Mapping[str, np.ndarray]) -> Stretch:
    """Fits the map of the mean of the networks; of one network its own."""
    mean = np.asarray(pred["validation"], np.float64).mean(0)
    return fit_stretch(mean, dataset.gold("validation"))


def _pool(view: JournalView, split: str) -> str:
    """Returns what the folds are called together of which a split is one; else nothing."""
    pools = view.manifest.get("pools", {})
    return next((name for name, splits in pools.items() if split in splits), "")


def _load_prepared(view: JournalView, config: Config, data: str | Path | None) -> Prepared:
    """Opens the data set that the journal was made with."""
    path = Path(data or view.manifest.get("data", ""))
    try:
        prepared = load_prepared(path)
    except DataError as error:
        raise DserError(
            f"{error}. Scaler and vocabulary come from the data set that {view.folder} was made "
            "with; --data says where it is now"
        ) from error
    was = view.manifest.get("inputs", {})
    same = view.manifest.get("data_fingerprint") == prepared.fingerprint_of(())
    names = config.prepared_inputs
    if not same or any(was.get(n, "") != prepared.fingerprint_of([n]) for n in names):
        raise DserError(
            f"{path} is not the data set that {view.folder} was made with: its labels, words or "
            "features differ; --data says where that one is"
        )
    return prepared


def _features(prepared: Prepared, name: str, array: np.ndarray | None) -> Features | None:
    """Describes the features, [utt, step, feat], that a half of the network reads."""
    if array is None:
        return None
    sets = side_by_side(name)
    if len(sets) > 1:
        parts = [_set_of(prepared, each, 1) for each in sets]
        columns = tuple(f"{part.name} {column}" for part in parts for column in part.columns)
        source = "; ".join(f"{part.name}: {part.source}" for part in parts)
        return Features(name, "hsf", columns, source, 1, parts=tuple(parts))
    return _set_of(prepared, name, array.shape[1])


def _set_of(prepared: Prepared, name: str, steps: int) -> Features:
    """Describes one set of features, of which the network sees so many steps."""
    entry, layers = prepared.manifest["features"][name], prepared.layers_of(name)
    columns = tuple(entry["columns"])
    return Features(
        name, entry["kind"], columns, entry["source"], steps, layers, entry.get("encoder")
    )


def _kept_weights(view: JournalView, run: str, count: int) -> Weights:
    """Loads the weights that `--keep-weights` left in a journal."""
    from dser_jax.experiment import load_weights

    folder = weights_folder(view.folder, run)
    if not folder.is_dir():
        runs = "this run" if count == 1 else f"these {count} runs"
        raise DserError(
            f"{folder}: the weights of this run were not kept. `dser export ... --retrain` trains "
            f"{runs} again; a sweep with --keep-weights keeps all of them"
        )
    tree = load_weights(view.folder, run)
    return flat({"params": tree["params"], "batch_stats": tree["stats"]})


def _train_again(dataset: Dataset, config: Config, rows: Sequence[Row]) -> dict[str, Weights]:
    """Trains runs as the journal has them; close to what they were, not equal bit for bit."""
    from dser_jax.engine import train_runs
    from dser_jax.plan import RunSpec
    from dser_jax.search import hparams_of
    from dser_jax.system import Progress

    specs = [RunSpec(row["name"], hparams_of(row), row["seed"]) for row in rows]
    runs = [row["run"] for row in rows]
    found = {}
    with Progress("training again", len(rows), "run") as progress:
        progress.go_on("training again", "compiling")
        outcomes = train_runs(
            dataset, config, list(zip(runs, specs, strict=True)), keep_weights=True
        )
        for run, outcome in outcomes:
            if outcome.weights is None:
                raise DserError(f"run {run} failed when it was trained again: {outcome.traceback}")
            weights = outcome.weights
            found[run] = flat({"params": weights.params, "batch_stats": weights.stats})
            progress.advance()
    return found


def _check(view: JournalView, run: str, pred: np.ndarray) -> None:
    """Makes sure that weights give the predictions that the journal has of their run."""
    there = view.arrays(run)["test_pred"]
    if there.shape == pred.shape:
        away = float(np.abs(there - pred).max(initial=0.0))
        if away <= CLOSE:
            return
        problem = f"its weights do not give its predictions, but differ by up to {away:.2g}"
    else:
        problem = f"it predicted {there.shape[0]} test utterances, and here are {pred.shape[0]}"
    raise DserError(f"{view.folder}: run {run}: {problem}; --retrain trains it again")


def _scores(
    dataset: Dataset,
    rows: Sequence[Row],
    pred: Mapping[str, np.ndarray],
    stretch: Stretch | None,
) -> dict[str, Any]:
    """Scores the model: the mean of its networks; and each of them, which is not stretched."""
    found: dict[str, Any] = {
        "protocol": rows[0]["protocol"],
        "split": rows[0]["split"],
        "seeds": [row["seed"] for row in rows],
        "utterances": {
            part: len(getattr(dataset.split, part)) for part in ("train", "validation", "test")
        },
    }
    for part, each in pred.items():
        gold = dataset.gold(part)
        mean = np.asarray(each, np.float64).mean(0)
        found[part] = scores(gold, mean if stretch is None else stretch(mean))
        alone = [scores(gold, member)["ccc"].get("mean") for member in each]
        found[part]["ccc_mean_of_each"] = dict(zip([r["run"] for r in rows], alone, strict=True))
    return found
