"""`dser join`: two prepared folders as one, to train on one corpus and test on another."""

from __future__ import annotations

import argparse
from pathlib import Path

from dser_jax.commands.base import Commands, add_command

_HELP = """\
Writes a prepared folder of two others, whose split column trains on one corpus
and tests on the other, with all labels on [-1, 1].

example:
  dser join --train runs/iemocap --test runs/msp_improv --out runs/across
  dser sweep --data runs/across --split column --out runs/across-weights
"""


def add(commands: Commands) -> None:
    """Adds the subcommand to the command line."""
    parser = add_command(
        commands,
        "join",
        run,
        "join two prepared folders, to train on one corpus and test on the other",
        description=_HELP,
    )
    parser.add_argument(
        "--train", required=True, type=Path, metavar="DIR", help="the folder to train on"
    )
    parser.add_argument(
        "--test", required=True, type=Path, metavar="DIR", help="the folder to test on"
    )
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="the folder to write"
    )
    parser.add_argument(
        "--all-rows",
        action="store_true",
        help="take all rows of both, whatever their own splits (else: of the first those that "
        "train and validate, of the second its test sets)",
    )


def run(args: argparse.Namespace) -> None:
    """Carries out `dser join`."""
    from dser_jax.data import join, summary
    from dser_jax.features import NONZERO
    from dser_jax.system import tell

    joined = join(args.train, args.test, args.out, all_rows=args.all_rows, command=args.command)
    tell(f"{joined.manifest['corpus']}, labels from -1 to 1")
    names = [name for name in joined.manifest["features"] if not name.endswith(NONZERO)]
    for line in summary(joined, [*names, *joined.manifest["vectors"]]):
        tell(line)
    tell(f"`dser sweep --data {args.out} --split column` trains and tests on it")
