"""A journal's rows against the published ones, cell by cell.

The rule. Only `ccc_batch32` is compared, the metric of the paper. A row compares if all its
settings are the paper's as far as they are known, on the same test session and under the protocol
"paper"; else its cells are *not comparable*, and the reasons are told. Of the cells that compare,
the difference (ours minus published) has a 95% interval:

- runs on both sides: Welch's, over seeds here and over the paper's repeats there;
- one run published: where a single run of ours could have come out, taking the deviation of our
  seeds for the published run's too;
- one run of ours, repeats published: the same the other way round.

A cell *agrees* if that interval contains 0 or the difference is at most `TOLERANCE`, and *differs*
otherwise. It is *undecided* if the interval contains 0 only because it reaches further than
`WIDEST`, and where both sides have one run. Each cell has an interval of its own: of a hundred that
agree in truth, some five differ by chance.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from dser_jax.report.published.held import Held, hold, obstacles
from dser_jax.report.published.numbers import Score
from dser_jax.stats import COLUMNS, Row, Summary, count_lost, in_words, t_quantile

TOLERANCE = 0.005
"""Differences up to this agree, however narrow the interval. The smallest lead that the paper
builds on is that of two weights over three, .508 to .497: rows that are each within .005 of theirs
still come out in the same order."""

WIDEST = 0.05
"""An interval that reaches further to either side decides nothing for agreement: it could not tell
the first row of Table 4 from the last (.392 and .339)."""

AGREES, DIFFERS = "agrees", "differs"
UNDECIDED, NOT_COMPARABLE = "undecided", "not comparable"
VERDICTS = (AGREES, DIFFERS, UNDECIDED, NOT_COMPARABLE)


class Difference(NamedTuple):
    """A difference with its 95% interval, None where nothing tells it, and how that was found."""

    value: float
    reach: float | None
    basis: str


@dataclass(frozen=True)
class Cell:
    """One score against the published one.

    Attributes:
      held: The runs and the published row.
      attribute: An attribute, or "mean".
      ours: The score over seeds; None where no run went on to its end, or there are no labels.
      published: The score it is held against.
      difference: Ours minus the published; None without ours.
      low, high: The 95% interval of the difference; None where nothing tells it.
      basis: What the interval is, in words.
      verdict: One of `VERDICTS`.
      reason: Why, in words.
    """

    held: Held
    attribute: str
    ours: Summary | None
    published: Score
    difference: float | None
    low: float | None
    high: float | None
    basis: str
    verdict: str
    reason: str


def diff(rows: Iterable[Row], table: str) -> list[Cell]:
    """Compares a journal's rows with a published table.

    Args:
      rows: Rows of the journal; those that do not name a row of this table are passed over.
      table: One of `SOURCES`.
    """
    return [cell for held in hold(rows, table)[0] for cell in compare(held)]


def compare(held: Held) -> list[Cell]:
    """Compares one row with its published one, attribute by attribute."""
    reasons = obstacles(held)
    lost = count_lost(held.runs)
    cells = []
    for column in COLUMNS:
        ours, published = held.scores(column), held.published.scores[column]
        if ours is None:
            whole = len(held.runs) - sum(lost.values())
            why = "no labels here" if whole else f"no run to compare: {in_words(lost)}"
            nothing = (None, None, None, "", NOT_COMPARABLE, "; ".join([why, *reasons]))
            cells.append(Cell(held, column, None, published, *nothing))
            continue
        found = difference(ours, published, held.published.source.n)
        verdict, reason = judge(found)
        if reasons:
            verdict, reason = NOT_COMPARABLE, "; ".join(reasons)
        if lost:
            reason += f"; left out of {len(held.runs)} runs: {in_words(lost)}"
        low, high = (
            (None, None)
            if found.reach is None
            else (found.value - found.reach, found.value + found.reach)
        )
        cells.append(
            Cell(
                *(held, column, ours, published, found.value, low, high),
                *(found.basis, verdict, reason),
            )
        )
    return cells


def difference(ours: Summary, published: Score, n: int) -> Difference:
    """Takes the difference of a score to the published one, with its interval.

    Args:
      ours: Our score over seeds.
      published: The paper's.
      n: Runs behind the paper's.
    """
    value = ours.mean - published.mean
    if ours.sd is not None and published.sd is not None:
        one, two = ours.sd**2 / ours.n, published.sd**2 / n
        basis = f"Welch: means of {ours.n} and {n} runs"
        if one + two == 0:
            return Difference(value, 0.0, basis)
        freedom = (one + two) ** 2 / (one**2 / (ours.n - 1) + two**2 / (n - 1))
        return Difference(value, t_quantile(freedom) * math.sqrt(one + two), basis)
    if ours.sd is not None:
        reach = t_quantile(ours.n - 1) * ours.sd * math.sqrt(1 + 1 / ours.n)
        basis = f"one published run against where one more of our {ours.n} could come out"
        return Difference(value, reach, basis)
    if published.sd is not None:
        reach = t_quantile(n - 1) * published.sd * math.sqrt(1 + 1 / n)
        basis = f"one run of ours against where one more of the {n} published could come out"
        return Difference(value, reach, basis)
    return Difference(value, None, "one run on each side")


def judge(found: Difference) -> tuple[str, str]:
    """Applies the rule to a difference; returns the verdict and why."""
    if found.reach is None:
        return UNDECIDED, "one run on each side: nothing tells how far either could move"
    if abs(found.value) > max(found.reach, TOLERANCE):
        return DIFFERS, "the interval of the difference does not contain 0"
    if found.reach > WIDEST:
        wide = f"the interval reaches {found.reach:.3f} to either side, and would contain anything"
        return UNDECIDED, wide
    if abs(found.value) <= found.reach:
        return AGREES, "the interval of the difference contains 0"
    return AGREES, f"the difference is at most {TOLERANCE:g}"
