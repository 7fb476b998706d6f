"""Errors that a user can act on: what was found, where, and what was expected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


class DserError(Exception):
    """Says what went wrong and how to mend it; the command line prints it without a traceback."""


class DataError(DserError):
    """Names the file, the line, the value found and what was expected.

    Args:
      problem: What is wrong, in a few words.
      file: The file in which it was found.
      line: The line in that file, counted from 1.
      value: The value found, quoted in the message.
      expected: What would have been right.
    """

    def __init__(
        self,
        problem: str,
        *,
        file: str | Path | None = None,
        line: int | None = None,
        value: object = None,
        expected: str | None = None,
    ) -> None:
        self.problem, self.file, self.line = problem, file, line
        self.value, self.expected = value, expected
        super().__init__(str(self))

    def __str__(self) -> str:
        where = "" if self.file is None else f"{self.file}"
        if self.line is not None:
            where += f":{self.line}"
        text = f"{where}: {self.problem}" if where else self.problem
        if self.value is not None:
            text += f", found {self.value!r}"
        if self.expected is not None:
            text += f"; expected {self.expected}"
        return text

    def __reduce__(self) -> tuple:
        state = (self.problem, self.file, self.line, self.value, self.expected)
        return _rebuild, state


def _rebuild(problem, file, line, value, expected) -> DataError:
    """Restores a `DataError` that crossed a process boundary."""
    return DataError(problem, file=file, line=line, value=value, expected=expected)


def meant(word: str, words: Iterable[str]) -> str:
    """Asks, at the end of a message, whether another word was meant, if there is one that is near.

    >>> meant("swep", ["sweep", "report"])
    '; did you mean sweep?'
    """
    import difflib

    words = list(words)
    begun = [each for each in words if word and each.startswith(word)]
    near = min(begun, key=len) if begun else next(iter(difflib.get_close_matches(word, words)), "")
    return f"; did you mean {near}?" if near else ""


def look_up(table: Mapping[str, T], name: str, what: str) -> T:
    """Returns what a table has under a name.

    Raises:
      DserError: Nothing; the message lists what there is.
    """
    if name not in table:
        raise DserError(
            f"no {what} is called {name!r}; there are {', '.join(table)}{meant(name, table)}"
        )
    return table[name]


@dataclass
class BadInput:
    """Decides what a bad piece of input does: stop everything, or be left out and listed.

    Call it with the error where the bad input is found. With `skip=False` (the default) it raises;
    with `skip=True` (`--skip-bad`) it takes the error into `left_out` and returns, and the caller
    leaves that piece out.
    """

    skip: bool = False
    left_out: list[DataError] = field(default_factory=list)

    def __call__(self, error: DataError) -> None:
        """Raises the error, or notes it when bad input is to be skipped."""
        if not self.skip:
            raise error
        self.left_out.append(error)


def last_line(text: str) -> str:
    """Takes the line of an error's text, or of its traceback, that says most."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "no message"
