"""Which turns come before which: the rows of each dialogue, in their order."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int32


@runtime_checkable
class Turn(Protocol):
    """What of an utterance tells its place among others."""

    @property
    def dialogue(self) -> str | None:
        """Name of the dialogue; None for an utterance on its own."""

    @property
    def turn(self) -> float | None:
        """Its place there: later turns have more."""

    @property
    def speaker(self) -> str | None:
        """Who speaks; None where that is not known."""


class Place(NamedTuple):
    """A turn of which nothing but its place is known; by default it is on its own."""

    dialogue: str | None = None
    turn: float | None = None
    speaker: str | None = None


Grid = Int32[np.ndarray, "line turn"]
"""Rows in the order of turns, one group behind another; a group begins with -1 - row.

Where a line has ended, it has the number behind the last row.
"""

Before = Int32[np.ndarray, "utt turn"]
"""For each row those of the turns before, the last one last; in front, the number behind all."""


def groups_of(turns: Sequence[Turn], same_speaker: bool = False) -> list[list[int]]:
    """Returns the rows of each dialogue, in the order of its turns; equal ones in that of the rows.

    Args:
      turns: All utterances; those that are in no dialogue are in no group.
      same_speaker: Whether a group is of one speaker; who is not known is in no group then.
    """
    groups: dict[tuple[str, str | None], list[int]] = {}
    for row, each in enumerate(turns):
        if each.dialogue is None or each.turn is None or (same_speaker and each.speaker is None):
            continue
        groups.setdefault((each.dialogue, each.speaker if same_speaker else None), []).append(row)
    return [sorted(rows, key=lambda row: turns[row].turn or 0.0) for rows in groups.values()]


def grid_of(groups: Sequence[Sequence[int]], count: int) -> Grid:
    """Lays groups of rows end to end in lines as long as the longest group, as few as will do.

    Args:
      groups: As `groups_of` returns them.
      count: How many rows there are in all.
    """
    size = max([1, *map(len, groups)])
    lines: list[list[int]] = []
    emptiest: list[tuple[int, int]] = []  # how much a line holds, and its number
    for rows in sorted(groups, key=len, reverse=True):
        if emptiest and emptiest[0][0] + len(rows) <= size:
            _, line = heappop(emptiest)
        else:
            line = len(lines)
            lines.append([])
        lines[line] += [-1 - rows[0], *rows[1:]]
        heappush(emptiest, (len(lines[line]), line))
    grid = np.full((max(1, len(lines)), size), count, np.int32)
    for number, rows in enumerate(lines):
        grid[number, : len(rows)] = rows
    return grid


def groups_in(grid: Grid, count: int) -> list[list[int]]:
    """Returns the groups that were laid in a grid."""
    groups: list[list[int]] = []
    for code in grid[grid < count].tolist():
        if code < 0:
            groups.append([-1 - code])
        else:
            groups[-1].append(code)
    return groups


def before_of(
    groups: Sequence[Sequence[int]], there: Bool[np.ndarray, " utt"], most: int
) -> Before:
    """Returns for each row the rows of the turns before it, `most` of them at most.

    Args:
      groups: As `groups_of` returns them.
      there: Which rows have a vector; turns that have none are passed over.
      most: How many of the last ones.
    """
    before = np.full((len(there), most), len(there), np.int32)
    for rows in groups:
        known: list[int] = []
        for row in rows:
            last = known[-most:]
            before[row, most - len(last) :] = last
            if there[row]:
                known.append(row)
    return before


def causal_means(
    vectors: Float[np.ndarray, "utt width"],
    groups: Sequence[Sequence[int] | np.ndarray],
    half_life: float,
) -> Float[np.ndarray, "utt width"]:
    """Averages the vectors of the turns before each, the last ones weighing most.

        mean_t = sum_k w^k x_(t-k) / sum_k w^k,  k = 1, 2, ...,  w = 2^(-1 / half_life)

    `training/context.py` has the same in JAX, where the half-life may differ between lanes.

    Args:
      vectors: Of each row; NaN counts as if the turn had not been, in that column.
      groups: As `groups_of` returns them.
      half_life: In turns: one that lies so many further back weighs half as much.

    Returns:
      Zeros for a first turn, and for rows in no group.
    """
    decay = 2.0 ** (-1.0 / half_life)
    means = np.zeros(vectors.shape)
    for rows in groups:
        total, weight = np.zeros((2, vectors.shape[1]))
        for row in rows:
            means[row] = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)
            there = ~np.isnan(vectors[row])
            total = np.where(there, decay * total + np.where(there, vectors[row], 0.0), total)
            weight = np.where(there, decay * weight + 1.0, weight)
    return means
