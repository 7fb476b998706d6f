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

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from dser_jax.report.published.numbers import (
    CORPUS,
    METRIC,
    SOURCES,
    SPLITS,
    PublishedRow,
    Score,
    key_of,
    load,
)
from dser_jax.stats import COLUMNS, LEVEL, Row, Summary, count_lost, in_words, score, summary

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


class Group(NamedTuple):
    """What runs must share to be one row of ours."""

    corpus: str
    protocol: str
    split: str
    truth: str


@dataclass(frozen=True)
class Held:
    """Runs of one name, held against one published row.

    Attributes:
      name: The row of our table.
      group: Where its runs were tested.
      published: The row of the paper.
      runs: All its runs.
    """

    name: str
    group: Group
    published: PublishedRow
    runs: tuple[Row, ...]

    def values(self, column: str) -> list[float]:
        """Returns the scores of the runs that did not diverge."""
        values = [score(run, column, METRIC) for run in self.runs]
        return [value for value in values if value is not None]

    def scores(self, column: str) -> Summary | None:
        """Summarises a column over seeds; None where there is no score."""
        values = self.values(column)
        return summary(values) if values else None


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


def compared_with(rows: Iterable[Row]) -> tuple[str, ...]:
    """Names the published tables that a journal's rows answer to, in the order of `SOURCES`."""
    named = {row["paper"].get("table") for row in rows if isinstance(row.get("paper"), Mapping)}
    return tuple(name for name in SOURCES if name in named)


def hold(rows: Iterable[Row], table: str) -> tuple[list[Held], list[str]]:
    """Puts a journal's rows beside the published rows that they name.

    Args:
      rows: Rows of the journal. `row["paper"]` is `{"table": ..., "row": ...}`, where "row" is the
        name of a row, the values of a figure's axes, or a list of either.
      table: One of `SOURCES`.

    Returns:
      The pairs, in the order in which they first occur, and what names no published row, in words.
    """
    published = {row.key: row for row in load(table)}
    found: dict[tuple, list[Row]] = {}
    unknown: dict[str, None] = {}
    for row in rows:
        paper = row.get("paper")
        if not isinstance(paper, Mapping) or paper.get("table") != table:
            continue
        named = paper.get("row")
        for one in named if isinstance(named, list) else [named]:
            key = key_of(SOURCES[table], one)
            if key is None or key not in published:
                unknown[f"{row['name']!r} names a row that {table} does not have: {one}"] = None
                continue
            group = Group(*(str(row.get(part, "")) for part in Group._fields))
            found.setdefault((str(row["name"]), group, key), []).append(row)
    held = [
        Held(name, group, published[key], tuple(runs)) for (name, group, key), runs in found.items()
    ]
    return held, list(unknown)


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
        return Difference(value, _quantile(freedom) * math.sqrt(one + two), basis)
    if ours.sd is not None:
        reach = _quantile(ours.n - 1) * ours.sd * math.sqrt(1 + 1 / ours.n)
        basis = f"one published run against where one more of our {ours.n} could come out"
        return Difference(value, reach, basis)
    if published.sd is not None:
        reach = _quantile(n - 1) * published.sd * math.sqrt(1 + 1 / n)
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


def _quantile(freedom: float) -> float:
    from scipy import special

    return float(special.stdtrit(freedom, (1 + LEVEL) / 2))


def obstacles(held: Held) -> list[str]:
    """Lists why runs do not compare with their published row; empty if they do."""
    group, published = held.group, held.published
    reasons = []
    if group.corpus != CORPUS:
        reasons.append(f"the corpus is {group.corpus or 'not known'}, not {CORPUS}")
    if group.protocol != "paper":
        reasons.append(f"the protocol is {group.protocol or 'not known'}, not paper")
    if published.flaw:
        reasons.append(published.flaw)
    settings = {
        json.dumps([run.get("config"), run.get("hparams")], sort_keys=True): run
        for run in held.runs
    }
    if len(settings) > 1:
        return [*reasons, f"its runs have {len(settings)} different settings"]
    (run,) = settings.values()
    used = {**(run.get("config") or {}), **(run.get("hparams") or {})}
    if group.corpus == CORPUS and used.get("split") not in SPLITS:
        reasons.append(f"tested on {group.split or 'what is not known'}, not on session 5")
    reasons += _unlike({**THEIRS, **used}, {**published.settings, **THEIRS})
    if published.settings.get("acoustic") and published.settings.get("features") == "gemaps_hsf":
        reasons.append("its authors fed 47 columns, the 46 here and a ratio of silence")
    return reasons


def _unlike(used: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Lists the settings that are not the published ones, of those that matter to the network."""
    reasons = []
    for name, value in wanted.items():
        if not _matters(name, wanted):
            continue
        if name not in used:
            reasons.append(f"{_spell(name)} not known, published {_show(value)}")
        elif not _same(used[name], value):
            if name == "max_tokens":
                reasons.append(f"{used[name]} tokens, where the authors' code had {value}")
            else:
                reasons.append(f"{_spell(name)} {_show(used[name])}, published {_show(value)}")
    return reasons


THEIRS = {"loss": "ccc", "weighting": "fixed", "optimizer": "rmsprop"}
"""What all published rows were trained with; so were the rows of journals that do not tell."""

_SPEECH_ONLY = ("features", "acoustic_dropout")
_TEXT_ONLY = ("vectors", "embedding_dim", "text_dense", "max_tokens", "text_dropout")
_FUSED_ONLY = ("fusion", "fusion_dropout")


def _matters(name: str, settings: Mapping[str, Any]) -> bool:
    """Returns whether a setting plays a part in the network that the settings describe."""
    acoustic, text = settings.get("acoustic"), settings.get("text")
    if name == "taps":
        return "cnn" in (acoustic, text)
    if name == "layers":
        return bool({"lstm", "dense"} & {acoustic, text})
    if name in _SPEECH_ONLY:
        return bool(acoustic)
    if name in _TEXT_ONLY:
        return bool(text)
    return name not in _FUSED_ONLY or bool(acoustic and text)


def _same(one: Any, two: Any) -> bool:
    if isinstance(one, Sequence) and isinstance(two, Sequence) and not isinstance(one, str):
        return len(one) == len(two) and all(map(_same, one, two))
    if isinstance(one, int | float) and isinstance(two, int | float):
        return math.isclose(one, two, abs_tol=1e-6)
    return one == two


def _spell(name: str) -> str:
    return name.replace("_", " ")


def _show(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "/".join(map(_show, value))
    return f"{value:g}" if isinstance(value, float) else "none" if value is None else str(value)
