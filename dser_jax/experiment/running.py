"""Trains what a journal does not have yet, and writes it there: where engine and journal meet."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from dser_jax.config import Config
from dser_jax.corpora import ATTRS
from dser_jax.data import MARKS, Dataset, Prepared, load_dataset, load_prepared, mark
from dser_jax.engine import (
    Checkpoints,
    Hooks,
    SweepProgress,
    cluster,
    cluster_devices,
    train_on_ray,
    train_runs,
)
from dser_jax.journal import Journal, JournalView, Row, environment, make_row, part_of
from dser_jax.plan import Group, Outcome, Plan, RunSpec, describe, plan_runs, run_id, usable_groups
from dser_jax.search import Decisions, RandomSearch, Search, check_count, chosen
from dser_jax.stats import (
    Baseline,
    check_baselines,
    fit_baselines,
    plan_baselines,
    update_intervals,
)
from dser_jax.system import (
    DserError,
    Progress,
    enable_compile_cache,
    say,
    use_all_cores,
    write_text,
)

LANES = "lanes"
"""The folder, in a journal's, of the lanes in flight."""


@dataclass(frozen=True)
class Options:
    """How a sweep is carried out; nothing here changes what a run gives.

    Attributes:
      lanes: Runs at a time; by default what memory holds.
      keep_weights: Whether the weights of each run's best epoch are saved, as Orbax checkpoints.
      baselines: Whether the mean, ridge and SVR are fitted first, as rows to hold the runs against.
      extend: Whether a journal that was made for fewer runs takes the new ones in.
      retry_failed: Whether runs that failed are trained again; their rows are dropped.
      part: I and N, to train the I-th of N parts of the runs alone.
      save_seconds: Time between two checkpoints of the lanes in flight.
      ray: Address of a Ray cluster on which to train, as `engine.cluster` takes it.
      stop: Asked now and then; a signal's name ends the sweep, with everything saved.
    """

    lanes: int | None = None
    keep_weights: bool = False
    baselines: bool = True
    extend: bool = False
    retry_failed: bool = False
    part: tuple[int, int] | None = None
    save_seconds: float = 300.0
    ray: str | None = None
    stop: Callable[[], str | None] = lambda: None


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
      groups: Runs, one group a program; they are trained one after the other. A group whose
        features or word vectors are not prepared is left out, and said, unless all are.
      options: How to go about it.

    Yields:
      The row of each run, once it is on disk.

    Raises:
      DserError: The data set cannot be used as configured, or the journal is another experiment's.
    """
    use_all_cores()
    if options.ray is None:
        yield from _train_groups(data, out, groups, options, _device())
    else:
        with cluster(options.ray):  # This process has no need of a device until the workers end.
            yield from _train_groups(data, out, groups, options, cluster_devices())


def _train_groups(
    data: str | Path, out: str | Path, groups: Sequence[Group], options: Options, device: str
) -> Iterator[Row]:
    for notice in enable_compile_cache():
        say(notice)
    prepared = load_prepared(data)
    search = _only_search(groups, options)
    groups, skipped = usable_groups(groups, prepared)
    plans = [plan_runs(group, prepared) for group in groups]
    whole = list(dict.fromkeys(run for plan in plans for run in plan))
    if options.part is not None:
        plans = [_part(plan, *options.part) for plan in plans]
    inputs = sorted({name for group in groups for name in group.config.prepared_inputs})
    planned = list(dict.fromkeys(run for plan in plans for run in plan))
    manifest = {
        **environment(),
        "device": device,
        "data": str(data),
        "data_fingerprint": prepared.fingerprint_of(()),
        "inputs": {name: prepared.fingerprint_of([name]) for name in inputs},
        "planned": planned,
        "plan": describe(groups),
        "configs": [group.config.to_json() for group in groups],
        "skipped": skipped,
    }
    same = ["data_fingerprint", "inputs", "search"]
    if search is not None:
        check_count(Path(out), search, options.extend)
        manifest |= {"planned": search.count, "search": search.describe()}
        same.append("configs")
    if options.part is not None:
        manifest |= {"part": list(options.part), "planned_whole": whole}
    beside: Mapping[str, Baseline] = {}
    if options.baselines and (options.part is None or options.part[0] == 1):
        beside = plan_baselines(prepared, [group.config for group in groups])
    with Journal.open(
        out,
        manifest,
        must_match=same,
        extend=options.extend,
        retry=lambda run: options.retry_failed,
    ) as journal:
        for notice in journal.notices:
            print(notice, flush=True)
        check_baselines(beside, {s.name for group in groups for s in group.runs}, journal.rows())
        _fit_baselines(journal, prepared, beside)
        todo: list[Plan | Decisions] = [
            {run: spec for run, spec in plan.items() if run not in journal.finished}
            for plan in plans
        ]
        with ExitStack() as stack:
            if search is not None:
                config = groups[0].config
                fingerprint = prepared.fingerprint_of(config.prepared_inputs)
                decisions = Decisions(search, journal, config, fingerprint, say)
                todo = [stack.enter_context(closing(decisions))]
            total = sum(map(len, todo))
            before = (len(planned) if search is None else search.count) - total
            trained = [row for row in journal.rows() if row.get("kind") != "baseline"]
            progress = stack.enter_context(SweepProgress(total, before, trained))
            for group, pending in zip(groups, todo, strict=True):
                if pending:
                    yield from _train_group(journal, prepared, group, pending, progress, options)
        for problem in update_intervals(chosen(journal.view())):
            print(problem, flush=True)


def _train_group(
    journal: Journal,
    prepared: Prepared,
    group: Group,
    pending: Plan | Decisions,
    progress: SweepProgress,
    options: Options,
) -> Iterator[Row]:
    """Trains the pending runs of one program."""
    progress.start(f"{group.config.network}, {group.config.inputs}")
    dataset = load_dataset(prepared, group.config)
    _write_truth(journal, prepared, dataset)
    with closing(_outcomes(journal, dataset, group.config, pending, progress, options)) as outcomes:
        for run, outcome in outcomes:
            if outcome.weights is not None:
                journal.check()
                _save_weights(journal.folder / "params" / run, outcome.weights)
            row, arrays = make_row(run, group.config, dataset, outcome)
            journal.commit(row, arrays)
            if isinstance(pending, Decisions):
                pending.tell(row)
            progress.committed(row)
            yield row


def _outcomes(
    journal: Journal,
    dataset: Dataset,
    config: Config,
    pending: Plan | Decisions,
    progress: SweepProgress,
    options: Options,
) -> Generator[tuple[str, Outcome], None, None]:
    """Trains the pending runs of one program, here or on a cluster."""
    hooks = Hooks(progress, say, options.stop)
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
    key = run_id({"config": config.to_json(), "data": dataset.fingerprint})
    sizes = _Sizes(journal.folder / "lanes.json", key)
    judge = None
    if isinstance(pending, Decisions):
        judge = pending.judge(np.asarray(~np.isnan(dataset.gold("validation")).all(0)))
    yield from train_runs(
        dataset,
        config,
        items,
        count=len(pending),
        lanes=options.lanes,
        at_most=sizes.read(),
        keep_weights=options.keep_weights,
        checkpoints=Checkpoints(journal.folder / LANES / key, say),
        save_seconds=options.save_seconds,
        judge=judge,
        hooks=hooks._replace(shrunk=sizes.write),
    )


class _Sizes:
    """Lanes of a program that turned out to fit on this device, in a file of the journal."""

    def __init__(self, path: Path, key: str) -> None:
        self._path, self._key = path, f"{key} on {_device()}"

    def read(self) -> int | None:
        return self._all().get(self._key)

    def write(self, lanes: int) -> None:
        known = self._all() | {self._key: lanes}
        write_text(self._path, json.dumps(known, indent=1) + "\n")

    def _all(self) -> dict[str, int]:
        try:
            return json.loads(self._path.read_bytes())
        except (OSError, ValueError):  # Nothing is lost but a hint.
            return {}


def _only_search(groups: Sequence[Group], options: Options) -> Search | None:
    """Returns the search that says what is trained, if there is one."""
    searches = [group.search for group in groups if group.search is not None]
    if not searches:
        return None
    if len(groups) > 1:
        raise DserError(
            "a search is over one configuration: give one --features, one --vectors and one --split"
        )
    if options.retry_failed:
        raise DserError("a search goes without --retry-failed: what followed was chosen knowing it")
    if options.part is not None:
        raise DserError("a search cannot be divided: each choice depends on others; leave out part")
    if options.ray is not None and not isinstance(searches[0], RandomSearch):
        raise DserError("on a cluster a search cannot choose by what runs give: only at random")
    return cast(Search, searches[0])


def _part(plan: Plan, part: int, parts: int) -> Plan:
    """Takes the runs of the I-th of N parts, as their ids divide them."""
    if not 1 <= part <= parts:
        raise DserError(f"part {part}/{parts}; expected I/N with I from 1 to N")
    return {run: spec for run, spec in plan.items() if part_of(run, parts) == part - 1}


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
    marks = mark(prepared.utterances, dataset.split, prepared.folds)
    journal.write_truth(f"{dataset.truth}.{MARKS}", **marks)


def _device() -> str:
    import jax

    devices = jax.devices()
    return f"{len(devices)} x {devices[0].device_kind} ({devices[0].platform})"


def load_weights(out: str | Path, run: str) -> dict[str, Any]:
    """Loads the weights of a run's best epoch, which `keep_weights` saved in a journal.

    Args:
      out: Folder of the journal.
      run: The id of the run, `run` of its row.

    Returns:
      `params` and `stats`, nested dictionaries of arrays, as `train.Weights` has them.

    Raises:
      DserError: They were not kept.
    """
    from orbax.checkpoint import v1 as ocp

    folder = Path(out) / "params" / run
    if not folder.is_dir():
        raise DserError(f"{folder} is not there: the weights of this run were not kept")
    loaded: Any = ocp.load(str(folder.absolute()))
    return loaded


def _save_weights(folder: Path, weights) -> None:
    """Saves trainable parameters and running statistics as an Orbax checkpoint."""
    from orbax.checkpoint import v1 as ocp

    ocp.save(str(folder.absolute()), weights._asdict(), overwrite=True)
