"""A section of a report, common to the terminal and to Markdown, and the CSV file behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from dser_jax.report.text import NONE, number
from dser_jax.system import csv_text, harmless


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Attributes:
      title: Its heading.
      told: Sentences before the table.
      header: Names of the columns.
      lines: Cells; a newline parts what stands below each other.
      after: Sentences after it.
      long: Whether a terminal shows it on request alone.
    """

    title: str
    told: tuple[str, ...]
    header: tuple[str, ...] = ()
    lines: tuple[tuple[str, ...], ...] = ()
    after: tuple[str, ...] = ()
    long: bool = False


class Written(NamedTuple):
    """The header and the lines of a CSV file."""

    header: tuple[str, ...]
    lines: list[tuple[Any, ...]]

    def csv(self) -> str:
        """Returns the file's text."""
        lines = ([harmless(cell) for cell in line] for line in self.lines)
        return csv_text([self.header, *lines])


def signed(value: float | None) -> str:
    """Writes a difference with its sign."""
    if value is None:
        return NONE
    return number(value) if value < 0 else f"+{number(value)}"


def plain(value: float) -> str:
    """Writes a setting, in four digits at most."""
    return f"{value:.4g}".replace("-", "−")


def some(*texts: str) -> tuple[str, ...]:
    """Returns the texts that say anything."""
    return tuple(text for text in texts if text)
