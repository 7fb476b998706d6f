"""Two sweeps held against each other: the names that both have, paired by seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dser_jax.journal import differences
from dser_jax.report.page.sweep import Content, Sweep
from dser_jax.report.sections.section import Section, signed, some
from dser_jax.report.text import (
    LISTED,
    NONE,
    about,
    heading,
    interval,
    mean_sd,
    number,
    p_value,
    why_untested,
)
from dser_jax.stats import (
    COLUMNS,
    STRETCHED,
    PairedTest,
    Summary,
    Table,
    TableRow,
    holm_of_known,
    learned,
    pair_by_seed,
    paired_t,
    settings_of,
)
from dser_jax.system import plural

ORIGINS = (
    "data_fingerprint",
    "git_commit",
    "git_dirty",
    "device",
    "platform",
    "versions",
    "command",
)
"""What of two manifests may tell why scores differ."""

SETTINGS = 12
"""At most so many differing settings are told."""


@dataclass(frozen=True)
class Held:
    """A name that both sweeps have, in tables that compare.

    Attributes:
      name: The name.
      first, second: Its rows.
      tests: Column -> the second minus the first, over the seeds that both have.
      p_holm: Of the test of the mean, adjusted for all names.
      settings: Where the settings of its runs differ, in words.
    """

    name: str
    first: TableRow
    second: TableRow
    tests: Mapping[str, PairedTest]
    p_holm: float | None
    settings: tuple[str, ...]


def hold(first: Sweep, second: Sweep) -> list[tuple[Table, Table, list[Held]]]:
    """Pairs the tables of two sweeps that predict the same labels under the same protocol.

    The stretched rows of both, where there are any, are a pair of their own behind each.
    """
    found = []
    for table in first.groups if first.part == second.part else ():
        other = next((each for each in second.groups if _key(each) == _key(table)), None)
        if other is None:
            continue
        found.append((table, other, _held(table, other)))
        if stretched := _held(table.stretched, other.stretched):
            found.append((table.stretched, other.stretched, stretched))
    return found


def _held(table: Table, other: Table) -> list[Held]:
    theirs = {row.name: row for row in other.rows}
    pairs = [(row, theirs[row.name]) for row in table.rows if row.name in theirs]
    tests = [_tests(table, one, two) for one, two in pairs]
    adjusted = holm_of_known([test["mean"].p for test in tests])
    return [
        Held(one.name, one, two, test, p, _settings(one, two))
        for (one, two), test, p in zip(pairs, tests, adjusted, strict=True)
    ]


def _key(table: Table) -> tuple[str, ...]:
    return table.corpus, table.protocol, table.split, table.truth


def _tests(table: Table, one: TableRow, two: TableRow) -> dict[str, PairedTest]:
    found = {}
    for column in COLUMNS:
        pairs = pair_by_seed(
            two.runs, one.runs, lambda row, at=column: learned(row, at, table.metric, table.part)
        )
        found[column] = paired_t(pairs.first, pairs.second)
    return found


def _settings(one: TableRow, two: TableRow) -> tuple[str, ...]:
    was, now = (settings_of(row.runs[0]) for row in (one, two))
    return tuple(differences(was, now))


def compare_sections(first: Sweep, second: Sweep) -> list[Section]:
    """Says what differs between two sweeps: the scores of equal names, and their making."""
    found = []
    pairs = hold(first, second)
    for table, other, held in pairs:
        found.append(_scores(first, second, table, other, held))
    if not pairs:
        found.append(Section("Scores", (_apart(first, second),)))
    found.append(_origins(first, second))
    return found


def _apart(first: Sweep, second: Sweep) -> str:
    """Says why no table of one compares with one of the other."""
    if first.part != second.part:
        parts = f"{first.label} shows {first.part} scores, {second.label} {second.part} scores"
        return f"They do not compare: {parts}."
    tables = (first.groups, second.groups)
    one, two = ("; ".join(heading(table) for table in each) or "no runs" for each in tables)
    if one == two:
        return f"They do not compare: both are {one}, but the labels or the utterances differ."
    return f"They do not compare: {first.label} has {one}; {second.label} has {two}."


def _scores(first: Sweep, second: Sweep, table: Table, other: Table, held: list[Held]) -> Section:
    header = ("name", first.label, second.label, "difference of the mean", "p", "p (Holm)", "n")
    header += ("verdict", *(f"Δ {column}" for column in COLUMNS[:-1]))
    lines = []
    for each in held:
        test = each.tests["mean"]
        lines.append(
            (
                each.name + "".join(f"\n{line}" for line in each.settings[:SETTINGS]),
                _cell(each.first.scores.get("mean")),
                _cell(each.second.scores.get("mean")),
                _difference(test),
                p_value(test.p),
                p_value(each.p_holm),
                str(test.n),
                judged(each),
                *(_difference(each.tests[column]) for column in COLUMNS[:-1]),
            )
        )
    told = (
        f"{heading(table)}; {about(table.metric, table.part)}. Difference: {second.label} minus "
        f"{first.label}, over the seeds that both have [95% interval]; paired t-test, two-tailed; "
        f"Holm: p adjusted for {plural(len(held), 'name')}. Verdict by the interval of the mean: "
        "higher, lower, or undecided where it holds 0. Intervals are over seeds, not speakers."
    )
    why = why_untested([(repr(each.name), each.tests["mean"].note) for each in held])
    after = (
        *some(f"{why[0].upper()}{why[1:]}." if why else ""),
        *_alone(first, table, held),
        *_alone(second, other, held),
    )
    title = f"{second.label} against {first.label}"
    if any(row.kind == STRETCHED for row in table.rows):
        title += ", stretched"
    if not lines:
        return Section(
            title, (told.split(" Difference")[0], "They have no name in common."), after=after
        )
    return Section(title, (told,), header, tuple(lines), after)


def judged(held: Held) -> str:
    """Says whether the second is higher or lower, as far as the interval tells."""
    test = held.tests["mean"]
    if test.low is None or test.high is None:
        return "equal" if test.n and test.difference == 0 else NONE
    return "higher" if test.low > 0 else "lower" if test.high < 0 else "undecided"


def _cell(found: Summary | None) -> str:
    return f"{mean_sd(found)}\n{interval(found)}".strip()


def _difference(test: PairedTest) -> str:
    step = number(0.0) if test.difference == 0 else signed(test.difference)
    return f"{step}\n{interval(test)}".strip()


def _alone(sweep: Sweep, table: Table, held: list[Held]) -> Iterator[str]:
    both = {each.name for each in held}
    names = [row.name for row in table.rows if row.name not in both]
    if names:
        few = ", ".join(map(repr, names[:LISTED]))
        more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
        yield f"Only in {sweep.label}: {few}{more}."


def _origins(first: Sweep, second: Sweep) -> Section:
    """Lists what of the manifests differs."""
    lines = []
    for key in ORIGINS:
        one, two = first.view.manifest.get(key), second.view.manifest.get(key)
        if isinstance(one, dict) and isinstance(two, dict):
            for name in {**one, **two}:
                if one.get(name) != two.get(name):
                    lines.append((f"{key}: {name}", _text(one.get(name)), _text(two.get(name))))
        elif one != two:
            lines.append((key.replace("_", " "), _text(one), _text(two)))
    if not lines:
        told = "Data, commit, device, versions and command are the same."
        return Section("What differs in their making", (told,))
    header = ("", first.label, second.label)
    return Section("What differs in their making", (), header, tuple(lines))


def _text(value: Any) -> str:
    return NONE if value is None else str(value)


def pack_comparison(first: Sweep, second: Sweep) -> list[Content]:
    """Describes the differences of the mean for a drawing: name, difference, interval, pairs."""
    return [
        {
            "name": each.name,
            "difference": test.difference,
            "low": test.low,
            "high": test.high,
            "n": test.n,
            "verdict": judged(each),
        }
        for *_, held in hold(first, second)
        for each in held
        if (test := each.tests["mean"]).difference is not None
    ]
