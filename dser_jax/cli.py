"""The `dser` command, whose subcommands are the files of `commands`."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Sequence

from dser_jax import __version__
from dser_jax.commands import inspect, merge, prepare, report, sweep
from dser_jax.errors import DserError
from dser_jax.signals import EXIT_INTERRUPTED, Interrupted

COMMANDS = (prepare, inspect, sweep, report, merge)
"""In the order in which `dser --help` lists them."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line; ends with `SystemExit` where something went wrong."""
    parser = make_parser()
    arguments = sys.argv[1:] if arguments is None else arguments
    args = parser.parse_args(arguments)
    args.command = shlex.join(["dser", *arguments])
    if args.run is None:
        parser.print_help()
        return
    guarded(lambda: args.run(args), debug=args.debug)


def guarded(function: Callable[[], object], *, debug: bool = False) -> None:
    """Calls a function; says in one paragraph what a user can mend, without a traceback.

    Raises:
      SystemExit: With code 2 for a `DserError` or a file that cannot be used, 75 for a sweep that
        a signal ended with all runs saved, 130 for Ctrl-C elsewhere.
    """
    try:
        function()
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output, as `head`, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (DserError, OSError) as error:
        if debug:
            raise
        _say(str(error))
        sys.exit(2)
    except Interrupted as interrupt:
        _say(str(interrupt))
        sys.exit(EXIT_INTERRUPTED)
    except KeyboardInterrupt as interrupt:
        if debug:
            raise
        _say(str(interrupt) or "stopped")
        sys.exit(130)


def _say(text: str) -> None:
    print("dser:", " ".join(text.split()), file=sys.stderr)


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line; `run` is the function of the subcommand."""
    parser = argparse.ArgumentParser(
        prog="dser",
        description="Dimensional speech emotion recognition: many training runs as one program.",
    )
    parser.add_argument("--version", action="version", version=f"dser_jax {__version__}")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser


if __name__ == "__main__":
    main()
