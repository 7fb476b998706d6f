"""The `dser` command, whose subcommands are the files of `commands`."""

from __future__ import annotations

import sys


def _interrupted(kind: type[BaseException], error: BaseException, trace: object) -> None:
    """Says in a line that Ctrl-C came before there was anything to stop."""
    if issubclass(kind, KeyboardInterrupt):
        print("dser: stopped", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)  # pyrefly: ignore


if sys.excepthook is sys.__excepthook__:
    sys.excepthook = _interrupted  # While this and an experiment's file import the rest.

# ruff: noqa: E402
import argparse
import os
import shlex
import tempfile
import traceback
from collections.abc import Callable, Sequence

from dser_jax import __version__
from dser_jax.commands import (
    completion,
    doctor,
    export,
    inspect,
    join,
    merge,
    predict,
    prepare,
    report,
    sweep,
    watch,
)
from dser_jax.experiment import Parser
from dser_jax.system import (
    EXIT_INTERRUPTED,
    DserError,
    Interrupted,
    printable,
    replace_unknown,
)

COMMANDS = (
    prepare,
    inspect,
    join,
    sweep,
    report,
    watch,
    merge,
    export,
    predict,
    doctor,
    completion,
)
"""In the order in which `dser --help` lists them."""

EXIT_UNEXPECTED = 70
"""The exit code of an error that nobody foresaw; EX_SOFTWARE of sysexits.h."""

LONGEST = 500
"""Characters that are shown of an error; XLA's may be pages."""

_CODES = """\
exit codes:
  0    done
  1    `dser doctor` found something to mend; or nobody reads its output
  2    the arguments or the data are not usable as they are; it says what to do
  3    `dser predict` could not predict some recordings, or any; it lists them
  70   an error that nobody foresaw; it says which file has the traceback
  75   a sweep ended by a signal (Ctrl-C, too), all saved; run it again to go on
  130  another command ended by Ctrl-C; what was finished is kept
  137, 143, ...  128 + the signal that ended it on the spot
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line; ends with `SystemExit` where something went wrong."""
    parser = make_parser()
    if "_ARGCOMPLETE" in os.environ:  # The shell asks, see `dser completion`.
        import argcomplete

        argcomplete.autocomplete(parser)
    given = sys.argv[1:] if arguments is None else list(arguments)
    guarded(lambda: _run(parser, given), debug="--debug" in given)


def _run(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    args = parser.parse_args(arguments)
    args.command = shlex.join(["dser", *arguments])
    if args.run is None:
        parser.print_help()
    else:
        args.run(args)


def guarded(function: Callable[[], object], *, debug: bool = False) -> None:
    """Calls a function; says what a user can mend, in lines as it has them, without a traceback.

    Raises:
      SystemExit: With code 2 for a `DserError` or a file that cannot be used, 75 for a sweep that
        a signal ended with all runs saved, 130 for Ctrl-C elsewhere, 70 for any other error, whose
        traceback is then in a file.
    """
    if sys.excepthook is _interrupted:
        sys.excepthook = sys.__excepthook__
    try:
        replace_unknown()
        function()
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output, as `head`, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (DserError, OSError) as error:
        if debug:
            raise
        _say(_of_system(error) if isinstance(error, OSError) else str(error))
        sys.exit(2)
    except Interrupted as interrupt:
        _say(str(interrupt))
        sys.exit(EXIT_INTERRUPTED)
    except KeyboardInterrupt as interrupt:
        if debug:
            raise
        _say(str(interrupt) or "stopped")
        sys.exit(130)
    except Exception as error:
        if debug:
            raise
        text = " ".join(str(error).split())
        if isinstance(error, ValueError) and "for environment 'JAX_" in text:
            _say(f"a setting that JAX cannot read: {text}; unset it")
            sys.exit(2)
        what = f"{type(error).__name__}: {text}" if text else type(error).__name__
        if len(what) > LONGEST:
            what = what[:LONGEST] + " ..."
        _say(
            f"an error that was not foreseen: {what} ({_keep_traceback()}). What is finished is "
            "kept. `dser doctor` tells what is missing here; if it finds nothing, this is a bug"
        )
        sys.exit(EXIT_UNEXPECTED)


def _of_system(error: OSError) -> str:
    """Says what the system refused, the file first, as all errors of files have it."""
    if error.filename is None or not error.strerror:
        return str(error)
    return f"{os.fsdecode(error.filename)}: {error.strerror}"


def _keep_traceback() -> str:
    """Writes the traceback of the error at hand to a file; says where it is."""
    text = traceback.format_exc()
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="dser-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write(text)
    except OSError:
        print(text, file=sys.stderr)
        return "its traceback is above"
    return f"its traceback is in {file.name}"


def _say(text: str) -> None:
    lines = "\n".join(line.rstrip() for line in text.strip().splitlines())
    print("dser:", printable(lines), file=sys.stderr)


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line; `run` is the function of the subcommand."""
    parser = Parser(
        prog="dser",
        description="Dimensional speech emotion recognition: many training runs as one program.",
        epilog=_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-V", "--version", action="version", version=f"dser_jax {__version__}")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser


if __name__ == "__main__":
    main()
