"""Rows of the journal, gathered into the tables of a report."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dser_jax.corpora.utterances import ATTRS
from dser_jax.stats import PairedTest, Row, Summary, by_seed, holm, pair, paired_t, summary

COLUMNS = (*ATTRS, "mean")
"""What a table has scores of."""


def score(row: Row, column: str, metric: str = "ccc", part: str = "test") -> float | None:
    """Returns a score of a row; None where the run diverged or the attribute has no labels."""
    if row.get("status", "ok") != "ok":
        return None
    value = ((row.get(part) or {}).get(metric) or {}).get(column)
    return None if value is None or not math.isfinite(value) else float(value)


@dataclass(frozen=True)
class TableRow:
    """The runs of one name.

    Attributes:
      name, network, features: As the rows have them; networks or features that differ are joined.
      runs: All runs, in the order of the journal.
      diverged: How many of them diverged; they are in no mean.
      scores: column -> its summary, for the columns that have any score.
    """

    name: str
    network: str
    features: str
    runs: tuple[Row, ...]
    diverged: int
    scores: Mapping[str, Summary]

    @property
    def n(self) -> int:
        """The number of runs that did not diverge."""
        return len(self.runs) - self.diverged


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two names of a table, tested on one column.

    Attributes:
      first, second: The names; the difference is the first minus the second.
      test: The paired test, over the seeds that both have.
      unpaired: Runs of either that had no partner.
      p_holm: The test's p, adjusted for all the tests of this column of the table.
    """

    first: str
    second: str
    test: PairedTest
    unpaired: int
    p_holm: float | None = None


@dataclass(frozen=True)
class Table:
    """Rows that may be compared: of one corpus, protocol and split, predicting the same labels.

    Attributes:
      corpus, protocol, split, truth: What its runs have in common.
      metric, part: What the scores are, as the journal names it.
      rows: By name, in the order in which the names first occur in the journal.
    """

    corpus: str
    protocol: str
    split: str
    truth: str
    metric: str
    part: str
    rows: tuple[TableRow, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns in which any row has a score."""
        return tuple(name for name in COLUMNS if any(name in row.scores for row in self.rows))

    @property
    def diverged(self) -> int:
        """The number of runs that diverged, and are left out of the means."""
        return sum(row.diverged for row in self.rows)

    def best(self, column: str = "mean") -> str | None:
        """Returns the name with the best mean of a column; None where there is no score."""
        sign = -1 if self.metric == "rmse" else 1
        scores = {row.name: row.scores[column] for row in self.rows if column in row.scores}
        return max(scores, key=lambda name: sign * scores[name].mean, default=None)

    def comparisons(
        self, column: str = "mean", against: str | None = None
    ) -> tuple[Comparison, ...]:
        """Tests names against each other on a column.

        Args:
          column: An attribute or "mean".
          against: A name to test all the others against; by default every pair is tested.

        Returns:
          The tests, their p-values adjusted for as many tests as these.
        """

        def value(row: Row) -> float | None:
            return score(row, column, self.metric, self.part)

        seeds = {row.name: by_seed(row.runs, value) for row in self.rows}
        runs = {row.name: len(row.runs) for row in self.rows}
        found = []
        for one, two in itertools.combinations(seeds, 2):
            if against is not None and against not in (one, two):
                continue
            pairs = pair(seeds[one], seeds[two], runs[one] + runs[two])
            test = paired_t(pairs.first, pairs.second)
            found.append(Comparison(one, two, test, pairs.unpaired))
        tested = [place for place, each in enumerate(found) if each.test.p is not None]
        adjusted = holm([found[place].test.p or 0.0 for place in tested])
        for place, p_holm in zip(tested, adjusted, strict=True):
            found[place] = replace(found[place], p_holm=p_holm)
        return tuple(found)


def tables(rows: Iterable[Row], metric: str = "ccc", part: str = "test") -> tuple[Table, ...]:
    """Gathers the rows of a journal into tables.

    Rows go to one table only if corpus, protocol, split and truth are equal: scores on other
    utterances, or with scalers that saw the test rows, do not compare. Tables, and the names in
    each, come in the order in which they first occur.

    Args:
      rows: Rows of the journal; each run once.
      metric: "ccc", "ccc_batch32" or "rmse".
      part: "test" or "validation".
    """
    groups: dict[tuple[str, str, str, str], dict[str, list[Row]]] = {}
    for row in rows:
        corpus, protocol, split, truth = (
            str(row.get(key, "")) for key in ("corpus", "protocol", "split", "truth")
        )
        group = (corpus, protocol, split, truth)
        groups.setdefault(group, {}).setdefault(str(row["name"]), []).append(row)
    return tuple(
        Table(*group, metric, part, tuple(_row(*named, metric, part) for named in names.items()))
        for group, names in groups.items()
    )


def _row(name: str, runs: list[Row], metric: str, part: str) -> TableRow:
    scores = {}
    for column in COLUMNS:
        values = [score(run, column, metric, part) for run in runs]
        known = [value for value in values if value is not None]
        if known:
            scores[column] = summary(known)
    return TableRow(
        name,
        _joined(run.get("network") for run in runs),
        _joined(run.get("features") for run in runs),
        tuple(runs),
        sum(run.get("status", "ok") != "ok" for run in runs),
        scores,
    )


def _joined(values: Iterable[Any]) -> str:
    return ", ".join(dict.fromkeys(str(value) for value in values if value))
