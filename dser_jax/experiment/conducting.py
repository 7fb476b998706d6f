"""An experiment from its flags to its report: what every file in `experiments/` ends with."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dser_jax.data import Prepared, folds_of
from dser_jax.experiment.doubts import doubts_of
from dser_jax.experiment.flags.places import with_places
from dser_jax.experiment.flags.settings import prepared_of
from dser_jax.experiment.flags.sweep_file import write_flags
from dser_jax.experiment.running import run_experiment
from dser_jax.journal import Row
from dser_jax.plan import Group
from dser_jax.report import write_report
from dser_jax.system import DserError, Signals, settle, tell


@with_places
def conduct(
    args: argparse.Namespace,
    groups: Sequence[Group],
    *,
    steps: bool = False,
    arms: dict[str, Any] | None = None,
) -> None:
    """Trains what the journal in `--out` does not have yet, and writes the report.

    The flags are kept there as `sweep.toml`.

    Args:
      args: Flags, as `make_parser` has them.
      groups: Runs, one group a program. Under `--split leave_one_session_out` or `folds:N` each is
        trained once for every fold that it is then tested on, and these are pooled.
      steps: Whether each row adds something to the row above; the report then tests each step.
      arms: What the report holds rows against each other by, where they are arms; see `Options`.

    Raises:
      DserError: The data set cannot be used as asked, or the plan looks wrong and nobody says
        that it is meant.
    """
    if not (args.baselines or any(group.runs or group.search for group in groups)):
        raise DserError("--seeds 0 is for the baselines alone, and --no-baselines leaves none")
    prepared = prepared_of(args)
    groups = in_folds(groups, prepared, args.split)
    grid = any(text.startswith("alpha") for text in getattr(args, "grid", ()))
    _settle(args, doubts_of(groups, prepared, grid=grid))
    with Signals() as signals:
        run_experiment(
            args.data,
            part_folder(args.out, args.part),
            groups,
            lanes=args.lanes,
            keep_weights=args.keep_weights,
            baselines=args.baselines,
            extend=args.extend,
            skip_missing=args.skip_missing,
            retry_failed=args.retry_failed,
            part=args.part,
            steps=steps,
            arms=arms,
            save_seconds=60 * args.save_every,
            ray=args.ray,
            opened=lambda: write_flags(args),
            stop=lambda: signals.caught,
        )
    if args.part is None:
        write_report(args.out)
    else:
        tell(f"{args.out}: part {args.part[0]} of {args.part[1]} is done; `dser merge` joins them")


def train_beside(
    args: argparse.Namespace, groups: Sequence[Group], folder: Path, *, report: bool = False
) -> Sequence[Row]:
    """Trains runs that others follow from, in a folder of their own, without baselines.

    Args:
      args: Flags of an experiment.
      groups: Runs.
      folder: Their journal's; what it has already is not trained again.
      report: Whether to write a report of them.

    Returns:
      Its rows.

    Raises:
      DserError: The data set cannot be used as asked, the plan looks wrong and nobody says that it
        is meant, or the folder holds another sweep.
    """
    _settle(args, doubts_of(groups, prepared_of(args)))
    with Signals() as signals:
        view = run_experiment(
            args.data,
            folder,
            groups,
            lanes=args.lanes,
            baselines=False,
            extend=args.extend,
            save_seconds=60 * args.save_every,
            ray=args.ray,
            stop=lambda: signals.caught,
        )
    if report:
        write_report(folder, followed=True)
    return view.rows


def _settle(args: argparse.Namespace, doubts: Sequence[str]) -> None:
    """Settles doubts, each once in an experiment, however many times it trains."""
    known = vars(args).setdefault("doubts", set())
    settle([line for line in doubts if line not in known], args.yes)
    known.update(doubts)


def part_folder(out: str, part: tuple[int, int] | None) -> Path:
    """Returns the folder of a sweep's journal, or of the journal of one of its parts."""
    return Path(out) if part is None else Path(out) / f"part-{part[0]}-of-{part[1]}"


def in_folds(groups: Sequence[Group], prepared: Prepared, split: str) -> Sequence[Group]:
    """Repeats each group for every fold, where a split has folds."""
    found = folds_of(prepared.utterances, split)
    if found is None:
        return groups
    pool, splits = found
    return [
        replace(group, config=replace(group.config, split=each), pool=pool)
        for group in groups
        for each in splits
    ]
