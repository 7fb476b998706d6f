"""Which turn of a dialogue comes before which, as far as a table tells."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeVar

from dser_jax.corpora.tables.cells import read_number, read_seconds
from dser_jax.system import plural

Row = TypeVar("Row", bound=Any)
"""A dataclass with a dialogue, a turn, a file and a start, such as `Utterance`."""


def read_turn(cell: str, decimal: str = ".") -> float | None:
    """Reads the place of a turn in its dialogue: a number, or a time; None where it is neither."""
    place = read_number(cell, decimal)
    return read_seconds(cell, decimal) if place is None else place


def settle_turns(utterances: Sequence[Row], placed: bool) -> tuple[list[Row], list[str]]:
    """Gives each turn of a dialogue its place; what is in no dialogue has none.

    Args:
      utterances: As they were read, in the order of the table.
      placed: Whether the table has places of turns. If not, those of a dialogue that was cut from
        one recording are where they start, those of another in the order of the table.

    Returns:
      The utterances; and what to say of their dialogues, nothing where there are none.
    """
    dialogues: dict[str, list[int]] = {}
    for row, utterance in enumerate(utterances):
        if utterance.dialogue is not None:
            dialogues.setdefault(utterance.dialogue, []).append(row)
    turns = [None if utt.dialogue is None else utt.turn for utt in utterances]
    as_listed = 0
    for rows in [] if placed else dialogues.values():
        files = {utterances[row].file for row in rows}
        starts = [utterances[row].start for row in rows]
        cut = len(files) == 1 and None not in files and None not in starts
        as_listed += not cut
        for row, start in zip(rows, starts, strict=True):
            turns[row] = start if cut else float(row)
    settled = [
        dataclasses.replace(
            utterance, turn=turn, dialogue=None if turn is None else utterance.dialogue
        )
        for utterance, turn in zip(utterances, turns, strict=True)
    ]
    if not dialogues:
        return settled, []
    said = f"dialogues: {len(dialogues)}"
    if as_listed:
        said += f"; the turns of {as_listed} of them are taken to be in the order of the table"
    inside = sum(map(len, dialogues.values()))
    if lost := inside - sum(turn is not None for turn in turns):
        said += f"; {plural(lost, 'row')} of them without a turn belong to none"
    places = Counter((each.dialogue, each.turn) for each in settled if each.dialogue is not None)
    if shared := sum(count for count in places.values() if count > 1):
        said += (
            f"; {plural(shared, 'turn')} share their place with others of the same dialogue, and "
            "are taken in the order of the table"
        )
    return settled, [said]
