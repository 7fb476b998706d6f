"""What a journal keeps of what its arrays give, intervals over utterances first: `bootstrap.json`.

The file says again what can be computed from the journal's arrays, so a missing or damaged one
costs nothing but the intervals in a report, which says so, and is written anew by the next call of
the experiment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from dser_jax.journal.files import odd_entry
from dser_jax.plan import canonical
from dser_jax.system import DserError, read_sealed, write_sealed

T = TypeVar("T")

FILE = "bootstrap.json"

SCHEMA = 1


class Interval(NamedTuple):
    """The bounds of a 95% interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Resampled:
    """The intervals of one name of a table.

    Attributes:
      name: The name.
      unit: What was drawn: "utterance", or "speaker" with all of their utterances.
      count: How many of these the test set has.
      resamples: How often as many were drawn, with replacement.
      scores: Attribute or "mean" -> the interval of its CCC, averaged over seeds.
    """

    name: str
    unit: str
    count: int
    resamples: int
    scores: Mapping[str, Interval] = field(default_factory=dict)


Intervals = dict[str, Resampled]
"""By `interval_key`."""


@dataclass(frozen=True)
class Difference:
    """How far the score of one name is above another's, over the same resamples of both.

    Attributes:
      first, second: The names; the difference is the first's score minus the second's.
      unit, count, resamples: As of `Resampled`.
      scores: Attribute or "mean" -> the interval of the difference of their CCCs, each averaged
        over seeds; empty where there is none.
    """

    first: str
    second: str
    unit: str
    count: int
    resamples: int
    scores: Mapping[str, Interval] = field(default_factory=dict)


Differences = dict[tuple[str, str], Difference]
"""By the `interval_key` of the first and of the second."""

Derived = dict[str, Mapping[str, Any]]
"""Scores of rows that are made of the predictions of others, by their run; see `stats.derived`."""


def interval_key(truth: str, name: str, runs: Iterable[str]) -> str:
    """Names what an interval is of: these runs, under this name, of these labels."""
    return canonical([truth, name, sorted(runs)])


def read_intervals(folder: Path, problems: list[str] | None = None) -> Intervals:
    """Reads the intervals of a journal; none where there are none that can be believed.

    Args:
      folder: The journal's.
      problems: Takes what is amiss, in words.
    """

    def take(entry: Mapping[str, Any]) -> tuple[str, Resampled]:
        return entry["of"], Resampled(entry["name"], *_drawn(entry))

    return dict(_entries(folder, "rows", take, [] if problems is None else problems))


def read_differences(folder: Path, problems: list[str] | None = None) -> Differences:
    """Reads the differences of a journal likewise; none where an older version wrote its file."""

    def take(entry: Mapping[str, Any]) -> tuple[tuple[str, str], Difference]:
        return (
            (entry["of"], entry["less"]),
            Difference(entry["first"], entry["second"], *_drawn(entry)),
        )

    return dict(_entries(folder, "differences", take, [] if problems is None else problems))


def read_derived(folder: Path, problems: list[str] | None = None) -> Derived:
    """Reads the scores of derived rows likewise; they say again what the arrays give."""

    def take(entry: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        scored = {part: entry[part] for part in ("validation", "test") if part in entry}
        if odd := odd_entry({"name": "", **scored}):
            raise ValueError(odd)
        return entry["run"], scored

    return dict(_entries(folder, "derived", take, [] if problems is None else problems))


def _entries(
    folder: Path, kind: str, take: Callable[[Mapping[str, Any]], T], problems: list[str]
) -> list[T]:
    again = "the command of the sweep, again, computes its intervals anew"
    try:
        content = read_sealed(folder / FILE, again)
        if content is None:
            return []
        if content["schema"] != SCHEMA:
            raise ValueError(f"schema {content['schema']}")
        return [take(entry) for entry in content.get(kind, [])]
    except DserError as error:
        problems.append(str(error))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problems.append(f"{folder / FILE}: not what was written ({error}); {again}")
    return []


def _drawn(entry: Mapping[str, Any]) -> tuple[str, int, int, dict[str, Interval]]:
    scores = {column: Interval(*map(float, ends)) for column, ends in entry["scores"].items()}
    return entry["unit"], int(entry["count"]), int(entry["resamples"]), scores


def write_intervals(
    folder: Path,
    intervals: Intervals,
    differences: Differences | None = None,
    derived: Derived | None = None,
) -> None:
    """Writes the intervals of a journal, atomically; by whoever holds the journal's lock.

    The differences and the scores of derived rows stand beside the rows, where readers of older
    versions do not look.
    """
    rows = [{"of": key, **asdict(entry)} for key, entry in intervals.items()]
    apart = [
        {"of": first, "less": second, **asdict(entry)}
        for (first, second), entry in (differences or {}).items()
    ]
    made = [{"run": run, **scored} for run, scored in (derived or {}).items()]
    content = {"schema": SCHEMA, "level": 0.95, "rows": rows, "differences": apart}
    content |= {"derived": made} if made else {}
    write_sealed(folder / FILE, content)
