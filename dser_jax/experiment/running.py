"""Trains what a journal does not have yet, and writes it there: where engine and journal meet."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np

from dser_jax.config import Config
from dser_jax.data import Dataset, Prepared, load_dataset, load_prepared
from dser_jax.engine import (
    Checkpoints,
    Hooks,
    SweepProgress,
    cluster,
    cluster_devices,
    train_on_ray,
    train_runs,
)
from dser_jax.experiment.ahead import Ahead
from dser_jax.experiment.options import Options
from dser_jax.experiment.saved_weights import save_weights
from dser_jax.experiment.sizes import Sizes, program_key, this_device
from dser_jax.experiment.task import make_task
from dser_jax.experiment.yardsticks import mend_truth, write_baselines, write_truth
from dser_jax.journal import Journal, JournalView, Row, make_row
from dser_jax.models import RULE
from dser_jax.plan import Group, Outcome, Plan, RunSpec
from dser_jax.search import Decisions, Search, check_count, chosen
from dser_jax.stats import Baseline, check_baselines, plan_baselines, pool_folds, update_intervals
from dser_jax.system import (
    check_device,
    enable_compile_cache,
    nothing_to_lose,
    say,
    tell,
    use_all_cores,
)

LANES = "lanes"
"""The folder, in a journal's, of the lanes in flight."""


def sweep(
    data: str | Path,
    config: Config,
    runs: Sequence[RunSpec] | Search,
    out: str | Path,
    **options: Any,
) -> Iterator[Row]:
    """Trains runs of one configuration as lanes of one program; yields rows as runs finish.

    Each row is on disk before it is yielded. An interrupted sweep goes on with the same call, and
    yields only what was missing; `results(out)` has all.

    Args:
      data: A prepared data set.
      config: Static settings of all runs.
      runs: What to train, e.g. of `product`, or a search that says so.
      out: Folder of the journal, made where there is none.
      **options: As `Options` has them.

    Raises:
      DserError: The data set cannot be used as configured, or the journal is another sweep's.
    """
    search = isinstance(runs, Search)
    group = Group(config, search=runs) if search else Group(config, tuple(runs))
    return train_groups(data, out, [group], Options(**options))


def run_experiment(
    data: str | Path, out: str | Path, groups: Sequence[Group], **options: Any
) -> JournalView:
    """Trains the runs of all groups that the journal in `out` does not have yet, and reads it.

    Arguments and errors as of `train_groups` and `Options`.
    """
    from dser_jax.journal import read_journal

    for _ in train_groups(data, out, groups, Options(**options)):
        pass
    return read_journal(out)


def train_groups(
    data: str | Path, out: str | Path, groups: Sequence[Group], options: Options
) -> Iterator[Row]:
    """Trains the runs of all groups that the journal in `out` does not have yet.

    Args:
      data: A prepared data set.
      out: Folder of the journal, made where there is none.
      groups: Runs, one group a program; they are trained one after the other.
      options: How to go about it.

    Yields:
      The row of each run, once it is on disk.

    Raises:
      DserError: The data set cannot be used as configured, or the journal is another experiment's.
    """
    use_all_cores()
    if options.ray is None:
        check_device(lanes=True)
        yield from _train_groups(data, out, groups, options, this_device())
    else:
        with cluster(options.ray):  # This process has no need of a device until the workers end.
            yield from _train_groups(data, out, groups, options, cluster_devices())


def _train_groups(
    data: str | Path, out: str | Path, groups: Sequence[Group], options: Options, device: str
) -> Iterator[Row]:
    for notice in enable_compile_cache():
        say(notice)
    prepared = load_prepared(data)
    task = make_task(data, prepared, groups, options, device)
    if task.search is not None:
        check_count(Path(out), task.search, options.extend)
    beside: Mapping[str, Baseline] = {}
    if options.baselines and (options.part is None or options.part[0] == 1):
        beside = plan_baselines(prepared, [group.config for group in task.groups])
    with Journal.open(
        out,
        task.manifest,
        must_match=task.must_match,
        extend=options.extend,
        retry=lambda run: options.retry_failed,
        mend=options.retry_failed,
    ) as journal:
        options.opened()
        for notice in journal.notices:
            tell(notice)
        names = {spec.name for group in task.groups for spec in group.runs}
        check_baselines(beside, names, journal.rows())
        mend_truth(journal, prepared, [group.config for group in task.groups])
        write_baselines(journal, prepared, beside)
        todo: list[Plan | Decisions] = [
            {run: spec for run, spec in plan.items() if run not in journal.finished}
            for plan in task.plans
        ]
        with ExitStack() as stack:
            if task.search is not None:
                config = task.groups[0].config
                fingerprint = prepared.fingerprint_of(config.prepared_inputs)
                decisions = Decisions(task.search, journal, config, fingerprint, say)
                todo = [stack.enter_context(closing(decisions))]
            total = sum(map(len, todo))
            trained = [row for row in journal.rows() if row.get("kind") is None]
            progress = stack.enter_context(SweepProgress(total, task.count - total, trained))
            turns = [turn for turn in zip(task.groups, todo, strict=True) if turn[1]]
            ahead = Ahead(data, journal.folder, options)
            stack.enter_context(closing(ahead))
            for number, (group, pending) in enumerate(turns, 1):
                ahead.wait()
                following = [(group.config, len(runs)) for group, runs in turns[number:][:1]]
                told = ahead.beginning(progress, following)
                hooks = Hooks(told, say, options.stop)
                given = (group, pending, progress, options, hooks)
                yield from _train_group(journal, prepared, *given)
        problems = pool_folds(journal)
        with nothing_to_lose():
            problems += update_intervals(chosen(journal.view()))
        for problem in problems:
            tell(problem)


def _train_group(
    journal: Journal,
    prepared: Prepared,
    group: Group,
    pending: Plan | Decisions,
    progress: SweepProgress,
    options: Options,
    hooks: Hooks,
) -> Iterator[Row]:
    """Trains the pending runs of one program."""
    inputs = group.config.inputs_with(prepared.shown(group.config.features))
    progress.start(f"{group.config.network}, {inputs}", max_epochs=group.config.max_epochs)
    dataset = load_dataset(prepared, group.config)
    write_truth(journal, prepared, dataset)
    with closing(_outcomes(journal, dataset, group.config, pending, options, hooks)) as outcomes:
        for run, outcome in outcomes:
            if outcome.weights is not None:
                journal.check()
                save_weights(journal.folder, run, outcome.weights)
            row, arrays = make_row(run, group.config, dataset, outcome)
            journal.commit(row, arrays)
            if isinstance(pending, Decisions):
                pending.tell(row)
            progress.committed(row)
            yield row
    _note_pace(journal, program_key(group.config, dataset), group.config, progress)


def _note_pace(journal: Journal, key: str, config: Config, progress: SweepProgress) -> None:
    """Keeps how fast a program trained; of several calls that which trained most."""
    epochs, seconds = progress.pace()
    known = journal.manifest.get("paces") or {}
    if epochs > known.get(key, {}).get("epochs", 0):
        found = {"weighting": config.weighting, "epochs": epochs, "seconds": round(seconds, 3)}
        journal.note({"paces": {**known, key: found}})


def _outcomes(
    journal: Journal,
    dataset: Dataset,
    config: Config,
    pending: Plan | Decisions,
    options: Options,
    hooks: Hooks,
) -> Generator[tuple[str, Outcome], None, None]:
    """Trains the pending runs of one program, here or on a cluster."""
    items = list(pending.items()) if isinstance(pending, dict) else pending.runs()
    if options.ray is not None:
        yield from train_on_ray(
            dataset,
            config,
            list(items),
            address=options.ray,
            lanes=options.lanes,
            keep_weights=options.keep_weights,
            hooks=hooks,
        )
        return
    key = program_key(config, dataset)
    sizes = Sizes(journal.folder, key, say)
    checkpoints = Checkpoints(journal.folder / LANES / key, say)
    judge = None
    if isinstance(pending, Decisions):
        judge = pending.judge(np.asarray(~np.isnan(dataset.gold("validation")).all(0)))
    yield from train_runs(
        dataset,
        config,
        items,
        count=len(pending),
        lanes=options.lanes,
        at_most=sizes.lanes(),
        schedule=sizes.schedule() or (RULE if checkpoints.any() else None),
        keep_weights=options.keep_weights,
        checkpoints=checkpoints,
        save_seconds=options.save_seconds,
        judge=judge,
        hooks=hooks._replace(shrunk=sizes.keep, measured=sizes.keep, ordered=sizes.follow),
        measure=True,
    )
