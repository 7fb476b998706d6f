"""`dser inspect`: what a prepared folder holds."""

from __future__ import annotations

import argparse
from pathlib import Path

from dser_jax.commands.base import Commands, add_command


def add(commands: Commands) -> None:
    """Adds the subcommand to the command line."""
    parser = add_command(
        commands,
        "inspect",
        run,
        "show what a prepared folder holds",
        description="Shows a prepared folder: speakers, labels, words, features, splits.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="a folder of `dser prepare --out`")


def run(args: argparse.Namespace) -> None:
    """Carries out `dser inspect`."""
    from dser_jax.data import inspect, load_prepared

    inspect(load_prepared(args.folder))
