"""Rows of the journal, gathered into the tables of a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dser_jax.journal import Intervals, Resampled, interval_key
from dser_jax.stats.means import Summary, summary
from dser_jax.stats.paired import Comparison, compare
from dser_jax.stats.rows import (
    COLUMNS,
    STRETCHED,
    Row,
    below_zero,
    count_lost,
    is_baseline,
    is_derived,
    is_whole,
    learned,
    score,
)


@dataclass(frozen=True)
class TableRow:
    """The runs of one name.

    Attributes:
      name, network, features: As the rows have them; networks or features that differ are joined.
      runs: All runs, in the order of the journal.
      lost: status -> how many of them ended before their time; they are in no mean.
      scores: column -> its summary, for the columns that have any score.
      untrained: Columns that have none because the loss has no weight on an attribute.
      over_utterances: How the scores would move with other test utterances, where that is known.
    """

    name: str
    network: str
    features: str
    runs: tuple[Row, ...]
    lost: Mapping[str, int]
    scores: Mapping[str, Summary]
    untrained: frozenset[str] = frozenset()
    over_utterances: Resampled | None = None

    @property
    def kind(self) -> str:
        """Returns "network", "baseline", or what it is made of others: one of `DERIVED`."""
        first = self.runs[0]
        return str(first["kind"]) if is_baseline(first) or is_derived(first) else "network"

    @property
    def of(self) -> str:
        """The network's name whose predictions a derived row is made of; of others their own."""
        return str(self.runs[0].get("of", self.name))

    @property
    def finished(self) -> list[str]:
        """The ids of the runs that went on to their end."""
        return [run["run"] for run in self.runs if is_whole(run)]

    @property
    def n(self) -> int:
        """The number of runs that went on to their end."""
        return len(self.runs) - sum(self.lost.values())

    @property
    def diverged(self) -> int:
        """The number of runs that diverged."""
        return self.lost.get("diverged", 0)


@dataclass(frozen=True)
class Table:
    """Rows that may be compared: of one corpus, protocol and split, predicting the same labels.

    Attributes:
      corpus, protocol, split, truth: What its runs have in common.
      metric, part: What the scores are, as the journal names it.
      rows: Networks by name, in the order in which the names first occur in the journal.
      baselines: What they are held against, likewise.
      stopped: Names whose runs a search has stopped, all of them; they are only counted.
      derived: What is made of the networks' predictions: stretched, the mean of the seeds, both.
      left_out: How many more baselines there are, which are not shown.
      derived_left_out: How many more derived rows, likewise.
      complete: Whether all baselines are there; without, validation cannot pick the best.
      few: Whether the test set has too few labels to tell who is ahead.
    """

    corpus: str
    protocol: str
    split: str
    truth: str
    metric: str
    part: str
    rows: tuple[TableRow, ...]
    baselines: tuple[TableRow, ...] = ()
    stopped: tuple[TableRow, ...] = ()
    derived: tuple[TableRow, ...] = ()
    left_out: int = 0
    derived_left_out: int = 0
    complete: bool = True
    few: bool = False

    @property
    def everything(self) -> tuple[TableRow, ...]:
        """Networks, what is made of them, then baselines."""
        return (*self.rows, *self.derived, *self.baselines)

    @property
    def runs(self) -> list[Row]:
        """The rows of the journal, those of networks first."""
        return [run for row in (*self.everything, *self.stopped) for run in row.runs]

    @property
    def yardstick(self) -> TableRow | None:
        """The baseline of the best mean CCC on validation, whatever is shown; none if some lack."""
        found = {
            row.name: value
            for row in self.baselines
            if (value := score(row.runs[0], "mean", "ccc", "validation")) is not None
        }
        best = max(found, key=found.__getitem__, default=None) if self.complete else None
        return next((row for row in self.baselines if row.name == best), None)

    @property
    def picked(self) -> TableRow | None:
        """The network, or what is made of one, of the best mean CCC on validation.

        One that has not learned all attributes has no such mean. One with a loss weight below zero
        is picked only where there is no other: it was trained to be wrong on an attribute.
        """
        found: dict[str, float] = {}
        rows = (*self.rows, *self.derived)
        for row in rows:
            known = [learned(run, "mean", "ccc", "validation") for run in row.runs]
            values = [value for value in known if value is not None]
            if values:
                found[row.name] = sum(values) / len(values)
        meant = {row.name for row in rows if not any(map(below_zero, row.runs))}
        may = {name: value for name, value in found.items() if name in meant} or found
        best = max(may, key=may.__getitem__, default=None)
        return next((row for row in rows if row.name == best), None)

    @property
    def network(self) -> TableRow | None:
        """The network that is picked, or that what is picked is made of."""
        picked = self.picked
        return next((row for row in self.rows if picked and row.name == picked.of), None)

    @property
    def stretched(self) -> Table:
        """The table of the networks' stretched rows alone, which may be tested among themselves."""
        rows = tuple(row for row in self.derived if row.kind == STRETCHED)
        return replace(self, rows=rows, derived=(), baselines=(), stopped=())

    def usual(self) -> Table:
        """Returns the table without what is shown on request alone.

        Beside networks that is baselines that validation did not pick, and what is made of networks
        other than the one that it did.
        """
        network, base = self.network, self.yardstick
        derived = tuple(row for row in self.derived if network and row.of == network.name)
        baselines = (base,) if base and self.rows else self.baselines
        return replace(
            self,
            derived=derived,
            baselines=baselines,
            left_out=len(self.baselines) - len(baselines),
            derived_left_out=len(self.derived) - len(derived),
        )

    def by(self, metric: str) -> Table:
        """Returns the table of the same runs in another metric."""
        other = self if metric == self.metric else tables(self.runs, metric, self.part)[0]
        same = ("left_out", "derived_left_out", "complete", "few")
        return replace(other, **{name: getattr(self, name) for name in same})

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns in which any row has a score."""
        return tuple(name for name in COLUMNS if any(name in row.scores for row in self.rows))

    @property
    def lost(self) -> dict[str, int]:
        """Status -> how many runs ended before their time, and are left out of the means."""
        return count_lost(run for row in (*self.rows, *self.stopped) for run in row.runs)

    def best(self, column: str = "mean", *, baselines: bool = False) -> str | None:
        """Returns the network, or also baseline, of a column's best mean; None without a score."""
        sign = -1 if self.metric == "rmse" else 1
        rows = self.everything if baselines else self.rows
        scores = {row.name: row.scores[column] for row in rows if column in row.scores}
        return max(scores, key=lambda name: sign * scores[name].mean, default=None)

    def comparisons(
        self, column: str = "mean", against: str | None = None
    ) -> tuple[Comparison, ...]:
        """Tests names against each other on a column; those that have not learned it are left out.

        Args:
          column: An attribute or "mean".
          against: A name to test all the others against; by default every pair is tested.

        Returns:
          The tests, their p-values adjusted for as many tests as these.
        """

        def value(row: Row) -> float | None:
            return learned(row, column, self.metric, self.part)

        rows = {row.name: row.runs for row in self.rows if column not in row.untrained}
        return compare(rows, value, against)


def tables(
    rows: Iterable[Row],
    metric: str = "ccc",
    part: str = "test",
    intervals: Intervals | None = None,
) -> tuple[Table, ...]:
    """Gathers the rows of a journal into tables.

    Rows go to one table only if corpus, protocol, split and truth are equal: scores on other
    utterances, or with scalers that saw the test rows, do not compare. Tables, and the names in
    each, come in the order in which they first occur, those of pooled folds before the folds.

    Args:
      rows: Rows of the journal, and what is made of them; each run once.
      metric: "ccc", "ccc_batch32" or "rmse".
      part: "test" or "validation".
      intervals: Of the CCC over test utterances; shown with that metric and part only.
    """
    groups: dict[tuple[str, str, str, str], dict[tuple[str, int], list[Row]]] = {}
    for row in sorted(rows, key=lambda row: "pooled" not in row):
        corpus, protocol, split, truth = (
            str(row.get(key, "")) for key in ("corpus", "protocol", "split", "truth")
        )
        group = (corpus, protocol, split, truth)
        key = (str(row["name"]), is_baseline(row) + 3 * is_derived(row))
        groups.setdefault(group, {}).setdefault(key, []).append(row)
    found = []
    for group, names in groups.items():
        named = [_row(name, runs, metric, part) for (name, _), runs in names.items()]
        if intervals and (metric, part) == ("ccc", "test"):
            named = [
                replace(
                    row,
                    over_utterances=intervals.get(interval_key(group[3], row.name, row.finished)),
                )
                for row in named
            ]
        kind: tuple[list[TableRow], ...] = ([], [], [], [])
        for row, (_, at) in zip(named, names, strict=True):
            stopped = row.lost.get("pruned", 0) == len(row.runs)
            kind[2 if stopped else at].append(row)
        networks, baselines, stopped, derived = map(tuple, kind)
        found.append(Table(*group, metric, part, networks, baselines, stopped, derived))
    return tuple(found)


def _row(name: str, runs: list[Row], metric: str, part: str) -> TableRow:
    scores = {}
    for column in COLUMNS:
        values = [learned(run, column, metric, part) for run in runs]
        known = [value for value in values if value is not None]
        if known:
            scores[column] = summary(known)
    return TableRow(
        name,
        _joined(run.get("network") for run in runs),
        _joined(run.get("features") for run in runs),
        tuple(runs),
        count_lost(runs),
        scores,
        _untrained(runs, scores, metric, part),
    )


def _untrained(
    runs: Sequence[Row], scores: Mapping[str, Summary], metric: str, part: str
) -> frozenset[str]:
    """Names the columns in which runs have scores, but none of what they have learned."""
    return frozenset(
        column
        for column in COLUMNS
        if column not in scores
        and any(score(run, column, metric, part) is not None for run in runs)
    )


def _joined(values: Iterable[Any]) -> str:
    return ", ".join(dict.fromkeys(str(value) for value in values if value))
