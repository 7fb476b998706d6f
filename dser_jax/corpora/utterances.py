"""The utterance table: what every corpus loader returns and everything after it reads."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ATTRS = ("valence", "arousal", "dominance")
"""The three emotion attributes, in the order they have inside arrays."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """One utterance of a corpus, with its labels as the corpus gives them.

    Attributes:
      id: Unique within the corpus.
      speaker, session: Names, or None where the corpus does not say.
      file: Path of the recording, or None in a corpus of text alone.
      start, end: Part of the recording in seconds, or None for its beginning and its end.
      transcript: The words, or None in a corpus of speech alone.
      valence, arousal, dominance: Labels on the corpus' scale; NaN where there is none.
      split: "train", "validation" or "test", or "test1", "test2" and so on where the corpus has
        several test sets; None where it has no split of its own, or the row is in no part.
      source: Where the row comes from, as "file:line", for messages.
      dialogue: Name of the dialogue that it is a turn of; None where that is not known.
      turn: Its place in the dialogue, in seconds or as a number; later turns have more. None for
        an utterance that is in none.
    """

    id: str
    speaker: str | None = None
    session: str | None = None
    file: Path | None = None
    start: float | None = None
    end: float | None = None
    transcript: str | None = None
    valence: float = math.nan
    arousal: float = math.nan
    dominance: float = math.nan
    split: str | None = None
    source: str = ""
    dialogue: str | None = None
    turn: float | None = None


@dataclass(frozen=True)
class Corpus:
    """Utterances in the order of their ids, and the scale of their labels.

    Attributes:
      name: Name of the corpus, as tables show it.
      utterances: Sorted by id, except where a table gives an order of its own.
      scale: Lowest and highest label, e.g. (1, 5); by attribute where these differ.
      found: Lines that tell what the loader found, e.g. one per session.
      gaps: Of a table that gives the order, the rows that were left out, counted from 0, and where
        each is; so features that have a row for each of its rows find theirs.
      tolerated: Lowest and highest label of a corpus that has some beyond its own scale, to whose
        ends these are clipped; by default such labels are refused.
    """

    name: str
    utterances: tuple[Utterance, ...]
    scale: tuple[float, float] | Mapping[str, tuple[float, float]]
    found: tuple[str, ...] = ()
    gaps: dict[int, str] = field(default_factory=dict)
    tolerated: tuple[float, float] | None = None


def place_of(name: str) -> tuple[list[str | int], str]:
    """Returns by what to sort names as people do: numbers in them count as numbers."""
    parts = re.split(r"(\d+)", name)
    return [int(part) if at % 2 else part for at, part in enumerate(parts)], name


def in_order(names: Iterable[str | None]) -> list[str]:
    """Sorts names of sessions, speakers or parts as people do, each once; who has none is left out.

    >>> in_order(["10", "9", "Ses10", "Ses2", "9", None])
    ['9', '10', 'Ses2', 'Ses10']
    """
    return sorted({name for name in names if name is not None}, key=place_of)
