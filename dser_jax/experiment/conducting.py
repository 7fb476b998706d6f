"""An experiment from its flags to its report: what every file in `experiments/` ends with."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from dser_jax.corpora import in_order
from dser_jax.data import load_prepared
from dser_jax.experiment.doubts import doubts_of, settle
from dser_jax.experiment.flags.arguments import LEAVE_ONE_OUT
from dser_jax.experiment.flags.sweep_file import write_flags
from dser_jax.experiment.running import run_experiment
from dser_jax.plan import Group
from dser_jax.report import write_report
from dser_jax.system import Signals, tell


def conduct(args: argparse.Namespace, groups: Sequence[Group]) -> None:
    """Trains what the journal in `--out` does not have yet, and writes the report.

    The flags are kept there as `sweep.toml`.

    Args:
      args: Flags, as `make_parser` has them.
      groups: Runs, one group a program. Under `--split leave_one_session_out` each is trained once
        for every session that it is then tested on.

    Raises:
      DserError: The data set cannot be used as asked, or the plan looks wrong and nobody says
        that it is meant.
    """
    if args.split == LEAVE_ONE_OUT:
        groups = leave_one_session_out(groups, args.data)
    grid = any(text.startswith("alpha") for text in getattr(args, "grid", ()))
    settle(doubts_of(groups, load_prepared(args.data), grid=grid), args.yes)
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
            save_seconds=60 * args.save_every,
            ray=args.ray,
            opened=lambda: write_flags(args),
            stop=lambda: signals.caught,
        )
    if args.part is None:
        write_report(args.out)
    else:
        tell(f"{args.out}: part {args.part[0]} of {args.part[1]} is done; `dser merge` joins them")


def part_folder(out: str, part: tuple[int, int] | None) -> Path:
    """Returns the folder of a sweep's journal, or of the journal of one of its parts."""
    return Path(out) if part is None else Path(out) / f"part-{part[0]}-of-{part[1]}"


def leave_one_session_out(groups: Sequence[Group], data: str) -> list[Group]:
    """Repeats each group for every session of a prepared data set."""
    sessions = in_order(utterance.session for utterance in load_prepared(data).utterances)
    return [
        dataclasses.replace(
            group, config=dataclasses.replace(group.config, split=f"session:{session}")
        )
        for group in groups
        for session in sessions
    ]
