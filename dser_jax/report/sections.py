"""A section of a report, common to the terminal and to Markdown, and the CSV file behind it."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Any, NamedTuple

from dser_jax.report.text import NONE, number


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Attributes:
      title: Its heading.
      told: Sentences before the table.
      header: Names of the columns.
      lines: Cells; a newline parts what stands below each other.
      after: Sentences after it.
    """

    title: str
    told: tuple[str, ...]
    header: tuple[str, ...] = ()
    lines: tuple[tuple[str, ...], ...] = ()
    after: tuple[str, ...] = ()


class Written(NamedTuple):
    """The header and the lines of a CSV file."""

    header: tuple[str, ...]
    lines: list[tuple[Any, ...]]

    def csv(self) -> str:
        """Returns the file's text."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([self.header, *self.lines])
        return text.getvalue()


def signed(value: float | None) -> str:
    """Writes a difference with its sign."""
    if value is None:
        return NONE
    return number(value) if value < 0 else f"+{number(value)}"


def some(*texts: str) -> tuple[str, ...]:
    """Returns the texts that say anything."""
    return tuple(text for text in texts if text)
