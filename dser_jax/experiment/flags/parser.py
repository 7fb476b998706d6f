"""A parser of flags that says what may have been meant, and whose help is in its own words."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from dser_jax.system import printable


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one paragraph, as all others are, and name the nearest word."""

    def error(self, message: str) -> NoReturn:
        """Says what is wrong with the arguments and where help is; exits with code 2."""
        mark = "" if message.endswith("?") else ";"
        self.exit(2, f"dser: {printable(message)}{mark} `{self.prog} --help` shows what there is\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parses arguments; where one is unknown, it is this command that says so."""
        args = list(sys.argv[1:] if args is None else args)
        self._refuse_unknown(args)
        namespace, rest = super().parse_known_args(args, namespace)
        if rest and self._subparsers is None:
            self.error(f"nothing is expected here: {' '.join(rest)}")
        return namespace, rest

    def _refuse_unknown(self, args: Sequence[str]) -> None:
        """Refuses flags that there are not, before anything that is missing is asked for."""
        known = self._option_string_actions
        for text in args:
            if text == "--" or (self._subparsers is not None and not text.startswith("-")):
                break  # What follows is not a flag, or the subcommand's.
            name = text.partition("=")[0]
            if not name.startswith("--") or " " in name:
                continue
            if not any(flag.startswith(name) for flag in known):
                self.error(f"there is no {name}{meant(name, known)}")

    def _check_value(self, action: argparse.Action, value: object) -> None:
        """Refuses what is not among the choices of a flag, or of the commands."""
        if action.choices is None or value in action.choices:
            return
        near = meant(str(value), map(str, action.choices))
        if isinstance(action, argparse._SubParsersAction):
            self.error(f"there is no command {value!r}{near}")
        listed = ", ".join(map(str, action.choices))
        raise argparse.ArgumentError(action, f"found {value!r}; expected one of {listed}{near}")


def meant(word: str, words: Iterable[str]) -> str:
    """Asks whether another word was meant, if there is one that is near."""
    near = difflib.get_close_matches(word, list(words), n=1)
    return f"; did you mean {near[0]}?" if near else ""
