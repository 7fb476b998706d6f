"""How a subcommand is added to the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from dser_jax.system import DserError, printable

Commands = Any
"""What `ArgumentParser.add_subparsers` returns; argparse keeps the name of its class private."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one paragraph, as all others are."""

    def error(self, message: str) -> NoReturn:
        """Says what is wrong with the arguments and where help is; exits with code 2."""
        self.exit(2, f"dser: {printable(message)}; `{self.prog} --help` shows what there is\n")


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


def pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    """Parts the `NAME=VALUE` arguments of an option."""
    found: dict[str, str] = {}
    for text in texts:
        name, mark, value = text.partition("=")
        if not (name and mark and value):
            raise DserError(f"{option} {text}: expected NAME=VALUE, without spaces")
        if name in found:
            raise DserError(f"{option} {text}: {name} is given twice")
        found[name] = value
    return found
