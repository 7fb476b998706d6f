"""Trains what a journal does not have yet, and writes it there: where sweep and journal meet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dser_jax.baselines import Baseline, check_baselines, fit_baselines, plan_baselines
from dser_jax.bootstrap import update_intervals
from dser_jax.config import Config
from dser_jax.corpora.utterances import ATTRS
from dser_jax.dataset import Dataset, check_inputs, load_dataset
from dser_jax.environment import environment
from dser_jax.errors import DserError
from dser_jax.journal import Journal, JournalView, run_id
from dser_jax.journal_files import Row
from dser_jax.leaks import MARKS, mark
from dser_jax.metrics import scores
from dser_jax.models import make_network
from dser_jax.prepared import Prepared, load_prepared
from dser_jax.progress import Progress
from dser_jax.sweep import Outcome, RunSpec, sweep
from dser_jax.sweep_progress import SweepProgress
from dser_jax.train import HParams


@dataclass(frozen=True)
class Group:
    """Runs of one program.

    Attributes:
      config: Static settings of all of them.
      runs: What to train.
    """

    config: Config
    runs: tuple[RunSpec, ...]


def paired_runs(
    named: Mapping[str, HParams],
    seeds: Iterable[int],
    paper: Mapping[str, dict[str, Any]] | None = None,
) -> tuple[RunSpec, ...]:
    """Crosses named settings with seeds; the runs of equal seed make the pairs of the tests.

    Args:
      named: Settings by the name of their row.
      seeds: Seeds of every row.
      paper: The published rows of some names, as `RunSpec.paper`.
    """
    rows, seeds = paper or {}, tuple(seeds)
    return tuple(
        RunSpec(name, hparams, seed, rows.get(name))
        for name, hparams in named.items()
        for seed in seeds
    )


def run_experiment(
    data: str | Path,
    out: str | Path,
    groups: Sequence[Group],
    *,
    lanes: int | None = None,
    keep_weights: bool = False,
    baselines: bool = True,
) -> JournalView:
    """Trains the runs of all groups that the journal in `out` does not have yet.

    Each run's row is on disk as soon as the run has finished. An interrupted experiment goes on
    with the same call; a finished one returns at once.

    Args:
      data: A prepared data set.
      out: Folder of the journal, made where there is none.
      groups: Runs, one group a program; they are trained one after the other. A group whose
        features or word vectors are not prepared is left out, and said, unless all are.
      lanes: Runs at a time.
      keep_weights: Whether the weights of each run's best epoch are saved, as Orbax checkpoints.
      baselines: Whether the mean, ridge and SVR are fitted first, as rows to hold the runs against.

    Raises:
      DserError: The data set cannot be used as configured, or the journal is another experiment's.
    """
    prepared = load_prepared(data)
    groups, skipped = _usable(groups, prepared)
    plans = [_plan(group, prepared) for group in groups]
    inputs = {name for group in groups for name in group.config.prepared_inputs}
    planned = list(dict.fromkeys(run for plan in plans for run in plan))
    manifest = {
        **environment(),
        "device": _device(),
        "data": str(data),
        "data_fingerprint": prepared.fingerprint_of(inputs),
        "planned": planned,
        "configs": [group.config.to_json() for group in groups],
        "skipped": skipped,
    }
    beside = plan_baselines(prepared, [group.config for group in groups]) if baselines else {}
    with Journal.open(out, manifest) as journal:
        for notice in journal.notices:
            print(notice, flush=True)
        _check_names(journal.rows(), groups)
        check_baselines(beside, {s.name for group in groups for s in group.runs}, journal.rows())
        _fit_baselines(journal, prepared, beside)
        todo = [
            {run: spec for run, spec in plan.items() if run not in journal.finished}
            for plan in plans
        ]
        total = sum(map(len, todo))
        before = len(planned) - total
        with SweepProgress(total, before) as progress:
            for group, pending in zip(groups, todo, strict=True):
                if not pending:
                    continue
                progress.start(f"{group.config.network}, {group.config.inputs}")
                dataset = load_dataset(prepared, group.config)
                _write_truth(journal, prepared, dataset)
                ids = {id(spec): run for run, spec in pending.items()}
                for outcome in sweep(
                    dataset,
                    group.config,
                    list(pending.values()),
                    lanes=lanes,
                    keep_weights=keep_weights,
                    progress=progress,
                ):
                    run = ids[id(outcome.spec)]
                    if outcome.weights is not None:
                        _save_weights(journal.folder / "params" / run, outcome.weights)
                    row, arrays = make_row(run, group.config, dataset, outcome)
                    journal.commit(row, arrays)
                    progress.committed()
        for problem in update_intervals(journal.view()):
            print(problem, flush=True)
        return journal.view()


def _fit_baselines(journal: Journal, prepared: Prepared, baselines: Mapping[str, Baseline]) -> None:
    """Fits the baselines that the journal does not have yet, and writes them there."""
    missing = {run: each for run, each in baselines.items() if run not in journal.finished}
    if not missing:
        return
    with Progress("baselines", len(missing), "rows") as progress:
        progress.go_on("baselines", "fitting")
        for dataset, row, arrays in fit_baselines(prepared, missing):
            _write_truth(journal, prepared, dataset)
            journal.commit(row, arrays)
            progress.advance()


def make_row(
    run: str, config: Config, dataset: Dataset, outcome: Outcome
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Makes the journal's row and arrays of a finished run (see docs/design.md)."""
    spec, result = outcome.spec, outcome.result
    epochs = int(result.epochs)
    row = {
        "run": run,
        "name": spec.name,
        "network": config.network,
        "features": config.inputs,
        "seed": spec.seed,
        "corpus": dataset.corpus,
        "protocol": config.protocol,
        "split": dataset.split.name,
        "truth": dataset.truth,
        "config": config.to_json(),
        "hparams": hparams_json(spec.hparams),
        "status": "diverged" if bool(result.diverged) else "ok",
        "epochs": epochs,
        "best_epoch": int(result.best_epoch),
        "validation": scores(dataset.gold("validation"), result.validation_pred),
        "test": scores(dataset.gold("test"), result.test_pred),
    }
    if spec.paper is not None:
        row["paper"] = spec.paper
    curve = np.array(result.history.validation_ccc[:epochs])
    curve[:, np.isnan(dataset.gold("validation")).all(0)] = np.nan  # On the device it is 0.
    arrays = {
        "train_loss": result.history.train_loss[:epochs],
        "validation_loss": result.history.validation_loss[:epochs],
        "validation_ccc": curve,
        "validation_pred": result.validation_pred,
        "test_pred": result.test_pred,
    }
    return row, {name: np.asarray(array) for name, array in arrays.items()}


def hparams_json(hparams: HParams) -> dict[str, Any]:
    """Returns traced settings as Python numbers: 0.1, not float32's 0.10000000149."""
    for name, value in hparams._asdict().items():
        if not np.isfinite(value).all():
            raise DserError(f"{name} is {value}; expected a finite number")
    return {name: _short(np.asarray(value).tolist()) for name, value in hparams._asdict().items()}


def _short(value):
    if isinstance(value, list):
        return [_short(v) for v in value]
    return float(f"{value:.7g}") if isinstance(value, float) else value


def _usable(groups: Sequence[Group], prepared: Prepared) -> tuple[list[Group], list[str]]:
    """Parts the groups that the data set can train from those it cannot, and says why not.

    Raises:
      DserError: It can train none of them.
    """
    usable, skipped, errors = [], [], []
    for group in groups:
        rows = ", ".join(dict.fromkeys(spec.name for spec in group.runs))
        try:
            make_network(group.config)  # names an unknown network before anything is written
            for note in check_inputs(prepared, group.config):
                print(f"{rows}: {note}", flush=True)
            usable.append(group)
        except DserError as error:
            errors.append(error)
            skipped.append(f"{rows}: not trained: {error}")
    if errors and not usable:
        raise errors[0]
    for line in skipped:
        print(line, flush=True)
    return usable, skipped


def _plan(group: Group, prepared: Prepared) -> dict[str, RunSpec]:
    """Keys a group's runs by what determines them; a run that is given twice is one run."""
    plan: dict[str, RunSpec] = {}
    fingerprint = prepared.fingerprint_of(group.config.prepared_inputs)
    for spec in group.runs:
        identity = {
            "config": group.config.to_json(),
            "hparams": hparams_json(spec.hparams),
            "seed": spec.seed,
            "data": fingerprint,
        }
        run = run_id(identity)
        if (first := plan.setdefault(run, spec)).name != spec.name:
            raise DserError(
                f"{first.name!r} and {spec.name!r} are the same run: equal settings, seed "
                f"{spec.seed}; give each setting one name"
            )
    return plan


def _check_names(rows: Sequence[Row], groups: Sequence[Group]) -> None:
    """Refuses to train under a name what would not compare with the runs that already have it."""
    planned: dict[str, list[dict[str, Any]]] = {}
    for group in groups:
        for spec in group.runs:
            settings = group.config.to_json() | hparams_json(spec.hparams)
            planned.setdefault(spec.name, []).append(settings)
    for row in rows:
        had = row["config"] | row["hparams"]
        now = planned.get(row["name"], [had])
        if had not in now:
            changed = [f"{k} {had[k]} -> {now[0][k]}" for k in had if had[k] != now[0].get(k)]
            raise DserError(
                f"the folder has runs called {row['name']!r} with other settings "
                f"({', '.join(changed)}); choose another --out, or the settings it was made with"
            )


def _write_truth(journal: Journal, prepared: Prepared, dataset: Dataset) -> None:
    journal.write_truth(
        dataset.truth,
        attrs=np.array(ATTRS),
        validation_ids=np.array(dataset.part_ids("validation")),
        validation_gold=dataset.gold("validation"),
        test_ids=np.array(dataset.part_ids("test")),
        test_gold=dataset.gold("test"),
    )
    # A file of its own: a journal from before there were marks can still be taken up.
    journal.write_truth(f"{dataset.truth}.{MARKS}", **mark(prepared.utterances, dataset.split))


def _device() -> str:
    import jax

    devices = jax.devices()
    return f"{len(devices)} x {devices[0].device_kind} ({devices[0].platform})"


def _save_weights(folder: Path, weights) -> None:
    """Saves trainable parameters and running statistics as an Orbax checkpoint."""
    from orbax.checkpoint import v1 as ocp

    ocp.save(str(folder.absolute()), weights._asdict(), overwrite=True)
