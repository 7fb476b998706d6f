"""`dser report`: the tables and figures of one sweep, or of several."""

from __future__ import annotations

import argparse
from pathlib import Path

from dser_jax.commands.base import Commands, add_command
from dser_jax.errors import DserError


def add(commands: Commands) -> None:
    """Adds the subcommand to the command line."""
    parser = add_command(
        commands,
        "report",
        run,
        "print and write the tables of a sweep",
        description="Prints the tables of a sweep, and writes them with figures to a folder.",
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="the --out of a sweep")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where to write (DIR/report; several need one)"
    )
    parser.add_argument("--no-figures", action="store_true", help="write the tables alone")
    parser.add_argument(
        "--validation",
        action="store_true",
        help="scores of the validation rows, to choose settings by (DIR/report-validation)",
    )


def run(args: argparse.Namespace) -> None:
    """Carries out `dser report`."""
    if len(args.folders) > 1:
        from dser_jax.collection import write_collection

        if args.out is None or args.validation:
            raise DserError("a report of several sweeps needs --out, and has no --validation")
        page = write_collection(args.folders, args.out, draw=not args.no_figures)
        print(f"All together: {page}")
        return
    from dser_jax.report import write_report

    part = "validation" if args.validation else None
    write_report(args.folders[0], args.out, draw=not args.no_figures, part=part)
