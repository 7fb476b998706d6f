"""How a subcommand is added to the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

Commands = Any
"""What `ArgumentParser.add_subparsers` returns; argparse keeps the name of its class private."""


def add_command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], None],
    help: str,
    **options: Any,
) -> argparse.ArgumentParser:
    """Adds a subcommand.

    Args:
      commands: Where to.
      name: What it is called.
      run: Carries it out, given the arguments; `args.command` is the whole command line.
      help: One line, for `dser --help`.
      **options: Of `argparse.ArgumentParser`.
    """
    parser = commands.add_parser(
        name, help=help, formatter_class=argparse.RawDescriptionHelpFormatter, **options
    )
    parser.add_argument(
        "--debug", action="store_true", default=argparse.SUPPRESS, help="show tracebacks"
    )
    parser.set_defaults(run=run)
    return parser
