"""Orders instead of values: what can be compared with the paper on any corpus.

On another corpus, or with other settings, no score can be the published one. Whether the same rows
are ahead still can be asked: by the rank correlation of the rows' means (Spearman's, ties sharing
the mean of their ranks), and by which row leads on each attribute.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dser_jax.report.published.held import Group, Held, hold
from dser_jax.report.published.numbers import METRIC
from dser_jax.stats import COLUMNS, PairedTest, Row, pair_by_seed, paired_t, score

LEAST_ROWS = 3
"""Fewer rows have no rank correlation worth the name: two are in the same order or in the other."""

MOST_EXACT = 8
"""With at most so many rows, all their orders are counted to tell how rare a correlation is."""


class Pattern(NamedTuple):
    """The rows of one table on one attribute, ours beside the published ones.

    Attributes:
      attribute: An attribute, or "mean".
      ours, published: Row -> mean, for the rows that both have, the highest first.
      correlation: Spearman's; None with fewer than three rows, or where all rows of a side tie.
      chance: The share of all orders of so many rows with a correlation at least as high; None with
        more than eight rows.
      lead: Our first row tested against our second, over common seeds; None with one row.
      ties: Rows of equal means, on either side, in words.
    """

    attribute: str
    ours: dict[str, float]
    published: dict[str, float]
    correlation: float | None
    chance: float | None
    lead: PairedTest | None
    ties: tuple[str, ...]


def patterns(rows: Iterable[Row], table: str) -> dict[Group, list[Pattern]]:
    """Compares the order of a journal's rows with that of a published table.

    Published rows whose numbers are an accident of the authors' code are left out.

    Returns:
      The patterns, attribute by attribute, for each corpus, protocol and split of the journal.
    """
    groups: dict[Group, list[Held]] = {}
    for held in hold(rows, table)[0]:
        if not held.published.flaw:
            groups.setdefault(held.group, []).append(held)
    return {
        group: [found for column in COLUMNS if (found := pattern(members, column))]
        for group, members in groups.items()
    }


def pattern(members: Sequence[Held], column: str) -> Pattern | None:
    """Compares one attribute; None where no row has a score of it."""
    known = [(held, found.mean) for held in members if (found := held.scores(column))]
    if not known:
        return None
    names = _names([held for held, _ in known])
    ours = [mean for _, mean in known]
    theirs = [held.published.scores[column].mean for held, _ in known]
    correlation = spearman(ours, theirs)
    chance = None
    if correlation is not None and len(known) <= MOST_EXACT:
        chance = share_of_orders(ours, theirs)
    by_ours = sorted(range(len(known)), key=lambda row: -ours[row])
    by_theirs = sorted(range(len(known)), key=lambda row: -theirs[row])
    lead = None
    if len(known) > 1:
        lead = _lead(known[by_ours[0]][0], known[by_ours[1]][0], column)
    ties = [*_ties("here", names, ours), *_ties("in the paper", names, theirs)]
    return Pattern(
        column,
        {names[row]: ours[row] for row in by_ours},
        {names[row]: theirs[row] for row in by_theirs},
        correlation,
        chance,
        lead,
        tuple(ties),
    )


def _names(members: Sequence[Held]) -> list[str]:
    """Names rows as the paper does; where two of ours answer to one, by ours as well."""
    labels = [held.published.label for held in members]
    return [
        label if labels.count(label) == 1 else f"{label} ({held.name})"
        for label, held in zip(labels, members, strict=True)
    ]


def ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """Ranks values from 1, the lowest first; ties share the mean of their ranks."""
    _, places, counts = np.unique(np.round(values, 12), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[places]


def spearman(one: Sequence[float], two: Sequence[float]) -> float | None:
    """Returns Spearman's rank correlation; None with fewer than three values or only ties."""
    if len(one) < LEAST_ROWS:
        return None
    first, second = ranks(one) - (len(one) + 1) / 2, ranks(two) - (len(two) + 1) / 2
    spread = math.sqrt(float((first**2).sum() * (second**2).sum()))
    return float((first * second).sum() / spread) if spread > 0 else None


def share_of_orders(one: Sequence[float], two: Sequence[float]) -> float:
    """Returns the share of all orders of `one` that correlate with `two` at least as well."""
    first, second = ranks(one), ranks(two)
    orders = np.array(list(itertools.permutations(first)))
    return float(np.mean(orders @ second >= first @ second - 1e-9))


def _lead(first: Held, second: Held, column: str) -> PairedTest:
    pairs = pair_by_seed(first.runs, second.runs, lambda row: score(row, column, METRIC))
    return paired_t(pairs.first, pairs.second)


def _ties(where: str, names: Sequence[str], values: Sequence[float]) -> Iterable[str]:
    groups: dict[float, list[str]] = {}
    for name, value in zip(names, values, strict=True):
        groups.setdefault(round(value, 12), []).append(name)
    for value, members in groups.items():
        if len(members) > 1:
            few = ", ".join(members[:3]) + (" and others" if len(members) > 3 else "")
            yield f"{few} tie {where} at {value:.3f}".replace(" 0.", " .")
