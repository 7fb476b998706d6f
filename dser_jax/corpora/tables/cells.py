"""What a cell says: words, a number, a time, or that there is nothing; the same in every table."""

from __future__ import annotations

import re

MISSING = ("", "nan", "nat", "none", "null", "na", "n/a", "<na>")
"""How tables write that there is nothing, in any case; in a column of words these are words."""

_UNSEEN = re.compile("[\u2060\ufeff\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# Between letters these two belong to the spelling of a word, as in Persian.
_JOINERS = re.compile(r"(?<!\w)[\u200c\u200d]+|[\u200c\u200d]+(?!\w)")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_CLOCK = re.compile(r"(?:(\d+) days? ?)?(?:\+?(\d+):(\d\d):(\d\d(?:[.,]\d+)?))?", re.ASCII)


def fold_space(text: str) -> str:
    r"""Writes white space of any kind as single spaces, none at the ends; drops what has no width.

    >>> fold_space("\ufeff the\u00a0lamp\r\n is\tout\u200b ")
    'the lamp is out'
    """
    if not text.isascii():
        text = _JOINERS.sub("", _UNSEEN.sub("", text.replace("\u200b", " ")))
    return " ".join(text.split())


def is_missing(cell: str) -> bool:
    """Tells whether a cell holds nothing, in one of the ways in which tables write that."""
    return cell.lower() in MISSING


def read_number(cell: str, decimal: str = ".") -> float | None:
    """Reads a number in decimal notation; None where it is none, `nan` and `inf` among them.

    Args:
      cell: Its text.
      decimal: The decimal sign, "." or ","; the other one has no place in a number.
    """
    text = cell.strip().replace("\u2212", "-")
    if decimal == ",":
        text = text.translate(_SWAPPED)
    return float(text) if _NUMBER.fullmatch(text) else None


_SWAPPED = str.maketrans(",.", ".,")


def read_seconds(cell: str, decimal: str = ".") -> float | None:
    """Reads seconds, or a time such as pandas writes it; None where it is neither, or negative.

    >>> [read_seconds(cell) for cell in ("1.5", "0 days 00:01:01.500000", "00:00:02", "soon")]
    [1.5, 61.5, 2.0, None]
    """
    match = _CLOCK.fullmatch(cell)
    if cell and match is not None:
        days, hours, minutes, seconds = ((part or "0").replace(",", ".") for part in match.groups())
        return ((float(days) * 24 + float(hours)) * 60 + float(minutes)) * 60 + float(seconds)
    seconds = read_number(cell, decimal)
    return None if seconds is None or not 0 <= seconds < float("inf") else seconds
