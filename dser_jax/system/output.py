"""What people read: whatever names hold, no terminal obeys it and no spreadsheet computes it."""

from __future__ import annotations

import csv
import io
import logging
import re
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from dser_jax.system.errors import DserError

if TYPE_CHECKING:
    from rich.console import Console

NARROWEST, USUAL = 20, 80
"""Columns in which words can be read, and those of a console that has fewer."""

_OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Controls but for tab and line feed, what turns the direction of text, bytes that are no text."""

_FORMULAS = tuple("=+-@\t\r＝＋－＠")
"""What a cell begins with that spreadsheets compute; those of a Japanese keyboard, too."""


def printable(text: str) -> str:
    r"""Spells out what a terminal would obey, or could not show, as Python would write it.

    >>> print(printable("\x1b[2Jname"))
    \x1b[2Jname
    """
    return _OBEYED.sub(lambda found: ascii(found[0])[1:-1], text)


def plural(count: int, noun: str) -> str:
    """Writes `1 run` or `2 runs`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def console_of(*, highlight: bool = True, width: int | None = None) -> Console:
    """Returns a console on stdout; where COLUMNS is too small for words, of the usual width.

    Rich prints nothing at all in 0 columns.
    """
    from rich.console import Console

    console = Console(highlight=highlight, width=width)
    if console.width < NARROWEST:
        console.width = USUAL
    return console


def tell(text: str) -> None:
    """Prints a line on stdout at once."""
    print(printable(text), flush=True)


def _at_terminal() -> bool:
    return bool(sys.stdin and sys.stdin.isatty() and sys.stderr.isatty())


def _ask(question: str) -> bool:
    """Asks whoever sits at the terminal; no, where anything but yes is said."""
    print(f"{printable(question)} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def settle(doubts: Sequence[str], yes: bool) -> None:
    """Goes on with a plan that looks wrong only where somebody says so.

    Args:
      doubts: What looks wrong; nothing is asked where nothing does.
      yes: Whether somebody has said so already; else they are asked, if there is a terminal.

    Raises:
      DserError: Nobody says so.
    """
    if not doubts:
        return
    if yes:
        for line in doubts:
            tell(line)
    elif not _at_terminal():
        raise DserError(f"this looks wrong: {'; '.join(doubts)}. --yes goes on with it")
    elif not _ask("\n".join([*doubts, "This looks wrong. Go on with it?"])):
        raise DserError("this looks wrong, and was not gone on with; --yes does so unasked")


_CACHES = ("writable directory", "temporary cache directory", "mkdir -p failed")


def quiet_matplotlib() -> None:
    """Has Matplotlib say nothing of where it keeps its caches: it works without, as we do."""

    def of_more(record: logging.LogRecord) -> bool:
        return not any(words in record.getMessage() for words in _CACHES)

    logger = logging.getLogger("matplotlib")
    if not any(getattr(each, "__name__", "") == of_more.__name__ for each in logger.filters):
        logger.addFilter(of_more)


def replace_unknown() -> None:
    """Lets stdout and stderr replace what their encoding lacks, where they would fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="replace")


def print_utf8(text: str) -> None:
    """Writes data to stdout in UTF-8, whatever the locale; to a terminal only what it may show."""
    if sys.stdout.isatty():
        text = printable(text)
    sys.stdout.flush()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
    else:  # A notebook's, or a caller's own.
        sys.stdout.write(text)
    sys.stdout.flush()


def csv_text(lines: Iterable[Sequence[object]]) -> str:
    """Writes lines of cells as CSV."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


def harmless(cell: object) -> object:
    """Puts an apostrophe before a name that a spreadsheet would compute; numbers stay as they are.

    >>> harmless("=1+1"), harmless("-0.5"), harmless(-0.5), harmless("a=b")
    ("'=1+1", '-0.5', -0.5, 'a=b')
    """
    if not isinstance(cell, str) or not cell.startswith(_FORMULAS):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell
