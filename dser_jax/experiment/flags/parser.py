"""A parser of flags that says what may have been meant, and whose help is in its own words."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Sequence
from typing import Any, NoReturn

from dser_jax.experiment.flags.sweep_file import Filed, flags_of, read_flags, refuse_choice
from dser_jax.system import DserError, meant, printable

WIDTH = 79
"""Columns of a description; a terminal has one more."""


def fitted(text: str) -> str:
    """Breaks the lines of a description that are wider than `WIDTH`.

    Sentences are filled anew, paragraph by paragraph; a command is broken where a shell goes on;
    other lines that are set in, as those of tables, stay.
    """
    return "\n\n".join(map(_narrow, text.split("\n\n")))


def _narrow(paragraph: str) -> str:
    lines = paragraph.split("\n")
    command = paragraph.lstrip().startswith(("python ", "dser "))
    if max(map(len, lines)) <= WIDTH or not (command or "\n " not in "\n" + paragraph):
        return paragraph
    words = " ".join(line.removesuffix("\\").strip() for line in lines)
    if not command:
        return textwrap.fill(words, WIDTH, break_on_hyphens=False)
    wrapped = textwrap.TextWrapper(
        WIDTH - 2,
        initial_indent="    ",
        subsequent_indent="        ",
        break_on_hyphens=False,
        break_long_words=False,
    )
    return " \\\n".join(wrapped.wrap(words))


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one paragraph, as all others are, and name the nearest word.

    Flags are written out: what begins one, as `--seed` does, may be meant as another.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **options})

    def format_help(self) -> str:
        """Writes the help; what stands in a description is no wider than a terminal."""
        wide, self.description = self.description, fitted(self.description or "")
        try:
            return super().format_help()
        finally:
            self.description = wide

    def error(self, message: str) -> NoReturn:
        """Says what is wrong with the arguments and where help is; exits with code 2."""
        mark = "" if message.endswith("?") else ";"
        self.exit(2, f"dser: {printable(message)}{mark} `{self.prog} --help` shows what there is\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parses arguments; where one is unknown, it is this command that says so.

        Flags that are not among them have their values from the file of `--config`, where there is
        such a flag. `named` are those that either has, be it with what is the default.
        """
        args = list(sys.argv[1:] if args is None else args)
        self._refuse_unknown(args)
        filed, usual = self._filed(args)
        flags = flags_of(self)
        self.set_defaults(**{flags[name].dest: value for name, value in usual.items()})
        values = {flags[name].dest: each.value for name, each in filed.items()}
        demanded = [a for a in self._actions if a.required and a.dest in values]
        for action in demanded:
            action.required = False
        # None is no value that a flag can have; argparse sets no default where there is something.
        start = argparse.Namespace() if namespace is None else namespace
        vars(start).update(dict.fromkeys(values))
        try:
            namespace, rest = super().parse_known_args(args, start)
        finally:
            for action in demanded:
                action.required = True
        if rest and self._subparsers is None:
            self.error(f"nothing is expected here: {' '.join(rest)}")
        taken = {name for name in filed if getattr(namespace, flags[name].dest) is None}
        for name in taken:
            setattr(namespace, flags[name].dest, values[flags[name].dest])
        if self._subparsers is None:
            words = {text.partition("=")[0] for text in args}
            namespace.named = taken | {name for name in flags if f"--{name}" in words}
        if filed:  # For `with_places`.
            namespace.filed = {name: filed[name].place for name in taken}
        return namespace, rest

    def _filed(self, args: Sequence[str]) -> tuple[dict[str, Filed], dict[str, Any]]:
        """Returns what `read_flags` finds in the file that `--config` names, if it is there."""
        if "--config" not in self._option_string_actions:
            return {}, {}
        only = argparse.ArgumentParser(add_help=False, exit_on_error=False, allow_abbrev=False)
        only.add_argument("--config")
        try:
            path = only.parse_known_args(args)[0].config
            return ({}, {}) if path is None else read_flags(path, self)
        except argparse.ArgumentError:  # It has no value, which is said when all are parsed.
            return {}, {}
        except DserError as error:
            self.exit(2, f"dser: {printable(str(error))}\n")

    def _refuse_unknown(self, args: Sequence[str]) -> None:
        """Refuses flags that there are not, before anything that is missing is asked for."""
        known = self._option_string_actions
        for text in args:
            if text == "--" or (self._subparsers is not None and not text.startswith("-")):
                break  # What follows is not a flag, or the subcommand's.
            name = text.partition("=")[0]
            if not name.startswith("--") or " " in name:
                continue
            if name not in known:
                self.error(f"there is no {name}{meant(name, known)}")

    def _check_value(self, action: argparse.Action, value: object) -> None:
        """Refuses what is not among the choices of a flag, or of the commands."""
        if isinstance(action, argparse._SubParsersAction) and value not in action.choices:
            near = meant(str(value), map(str, action.choices))
            self.error(f"there is no command {value!r}{near}")
        refuse_choice(action, value)
