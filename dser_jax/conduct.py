"""An experiment from its flags to its report: what every file in `experiments/` ends with."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence

from dser_jax.experiment import Group, run_experiment
from dser_jax.prepared import load_prepared
from dser_jax.report import write_report
from dser_jax.settings import LEAVE_ONE_OUT


def conduct(args: argparse.Namespace, groups: Sequence[Group]) -> None:
    """Trains what the journal in `--out` does not have yet, and writes the report.

    Args:
      args: Flags, as `settings.make_parser` has them.
      groups: Runs, one group a program. Under `--split leave_one_session_out` each is trained once
        for every session that it is then tested on.

    Raises:
      DserError: The data set cannot be used as asked.
    """
    if args.split == LEAVE_ONE_OUT:
        groups = leave_one_session_out(groups, args.data)
    run_experiment(
        args.data,
        args.out,
        groups,
        lanes=args.lanes,
        keep_weights=args.keep_weights,
        baselines=args.baselines,
    )
    write_report(args.out)


def leave_one_session_out(groups: Sequence[Group], data: str) -> list[Group]:
    """Repeats each group for every session of a prepared data set."""
    sessions = sorted({u.session for u in load_prepared(data).utterances if u.session is not None})
    return [
        dataclasses.replace(
            group, config=dataclasses.replace(group.config, split=f"session:{session}")
        )
        for group in groups
        for session in sessions
    ]
