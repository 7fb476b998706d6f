"""`dser completion`: what makes a shell complete commands, flags and their choices."""

from __future__ import annotations

import argparse

from dser_jax.commands.base import Commands, add_command

SHELLS = ("bash", "zsh", "fish")

_HELP = """\
Prints what makes a shell complete `dser`: commands, flags, choices, files.
To have it in every shell, put the line in its start-up file.

  eval "$(dser completion bash)"        # ~/.bashrc
  eval "$(dser completion zsh)"         # ~/.zshrc, after compinit
  dser completion fish | source         # ~/.config/fish/config.fish
"""


def add(commands: Commands) -> None:
    """Adds the subcommand to the command line."""
    parser = add_command(
        commands, "completion", run, "complete commands in a shell", description=_HELP
    )
    parser.add_argument("shell", choices=SHELLS, help="which shell")


def run(args: argparse.Namespace) -> None:
    """Carries out `dser completion`."""
    import argcomplete

    print(argcomplete.shellcode(["dser"], shell=args.shell))
