"""`dser watch`: the page of a sweep, kept up to date while the sweep runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from dser_jax.commands.base import Commands, add_command

DESCRIPTION = """\
Writes the page of a sweep (see `dser report --html`) anew whenever runs have
finished, and says how far the sweep is. Open the page in a browser: it follows
by itself. Ends with the sweep, or with Ctrl-C, which does not end the sweep.

examples:
  dser watch runs/weights
  dser watch runs/weights --html page.html --every 60
"""


def add(commands: Commands) -> None:
    """Adds the subcommand to the command line."""
    parser = add_command(
        commands,
        "watch",
        run,
        "keep the page of a running sweep up to date",
        description=DESCRIPTION,
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the --out of a sweep")
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="the page (DIR/report/report.html)"
    )
    parser.add_argument(
        "--every", type=_seconds, default=15.0, metavar="SECONDS", help="between two looks (15)"
    )


def run(args: argparse.Namespace) -> None:
    """Carries out `dser watch`."""
    from dser_jax.report import watch

    watch(args.folder, args.html, seconds=args.every)


def _seconds(text: str) -> float:
    value = float(text)
    if not 1 <= value <= 86400:
        raise argparse.ArgumentTypeError(f"{text}: expected 1 to 86400 seconds")
    return value
