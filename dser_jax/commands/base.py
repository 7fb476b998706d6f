"""How a subcommand is added to the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from dser_jax.corpora import DECIMALS, QUOTING, SEPARATORS, Dialect
from dser_jax.system import DserError

T = TypeVar("T")

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


def add_dialect(parser: argparse.ArgumentParser) -> None:
    """Adds the options that say how a table is written, where that is not recognised."""
    group = parser.add_argument_group(
        "how tables are written (recognised, and said, unless it is given)"
    )
    for option, names, help in (
        ("--separator", SEPARATORS, "what parts cells"),
        ("--quoting", QUOTING, "whether cells may stand in double quotes"),
        ("--decimal", DECIMALS, "the decimal sign"),
    ):
        group.add_argument(
            option,
            type=_one_of(names),
            metavar="NAME",
            help=f"{help}: {', '.join(names)}",
        )
    group.add_argument(
        "--encoding", metavar="NAME", help="cp1252, latin-1, ...; UTF-8, and UTF-16 with a mark"
    )
    group.add_argument(
        "--missing",
        nargs="+",
        action="extend",
        default=[],
        metavar="TEXT",
        help="cells that hold nothing, transcripts too, in which nan, None and the like are words",
    )


def _one_of(names: Mapping[str, T]) -> Callable[[str], T]:
    """Returns a parser of one of the names, or of the sign that it stands for."""

    def parse(text: str) -> T:
        if text in names:
            return names[text]
        for sign in names.values():
            if sign == text:
                return sign
        raise argparse.ArgumentTypeError(f"found {text!r}; expected {', '.join(names)}")

    return parse


def dialect_of(args: argparse.Namespace) -> Dialect:
    """Returns what the options of `add_dialect` say."""
    return Dialect(args.separator, args.quoting, args.decimal, args.encoding, tuple(args.missing))
