"""`dser doctor`: whether this machine can do what the other commands want of it."""

from __future__ import annotations

import argparse
import sys
import textwrap
from pathlib import Path

from dser_jax.commands.base import Commands, add_command

_HELP = """\
Tries everything that the other commands need: packages, the device, memory,
disk, sound. Says what would fail and how to mend it. The exit code is 1 where
something needed is broken, and 0 where the rest could only be better.
"""
_INDENT = 10
_COLOURS = {"ok": "green", "note": "yellow", "broken": "bold red"}


def add(commands: Commands) -> None:
    """Adds the subcommand to the command line."""
    parser = add_command(
        commands, "doctor", run, "tell what would fail here, and how to mend it", description=_HELP
    )
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="where results are to go (here)",
    )


def run(args: argparse.Namespace) -> None:
    """Carries out `dser doctor`."""
    from rich.text import Text

    from dser_jax.commands.doctor.examination import examine
    from dser_jax.commands.doctor.findings import broken
    from dser_jax.system import console_of

    console = console_of(highlight=False)
    wrong = 0
    for title, findings in examine(args.folder):
        console.print(Text(title, style="bold"))
        wrong += broken(findings)
        for finding in findings:
            first, *others = textwrap.wrap(
                finding.what,
                max(40, console.width - _INDENT),
                break_long_words=False,
                break_on_hyphens=False,
            )
            state = Text(f"  {finding.state:<{_INDENT - 2}}", style=_COLOURS[finding.state])
            console.print(state.append(first, style="default"), soft_wrap=True)
            # Not wrapped: to be copied.
            for line in [*others, *([f"-> {finding.mend}"] if finding.mend else [])]:
                console.print(Text(" " * _INDENT + line), soft_wrap=True)
    if wrong:
        console.print(f"{wrong} of these must be mended (->) before everything works.")
        sys.stdout.flush()
        sys.exit(1)
    console.print("Everything that is needed works.")
