"""Rows that each add something to the row above: what each step is worth, over paired seeds."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from dser_jax.journal import JournalView
from dser_jax.report.sections.section import Section, signed, some
from dser_jax.report.text import NONE, heading, number, p_value, why_untested
from dser_jax.stats import (
    PairedTest,
    Table,
    TableRow,
    holm_of_known,
    learned,
    pair_by_seed,
    paired_t,
)


def step_sections(view: JournalView, groups: Sequence[Table]) -> list[Section]:
    """Tests each step of an experiment that names its rows as steps; nothing for any other.

    Args:
      view: The journal, whose manifest has the names under `steps`.
      groups: Its tables.
    """
    names = view.manifest.get("steps") or []
    shown = groups[:1] if view.manifest.get("pools") else groups  # Of folds, all together.
    return [found for table in shown if (found := _of_table(table, names, len(shown) > 1))]


def _of_table(table: Table, names: Sequence[str], several: bool) -> Section | None:
    rows = {row.name: row for row in table.rows}
    steps = [rows[name] for name in names if name in rows]
    if len(steps) < 2:
        return None
    tests = [_test(later, one, table) for one, later in itertools.pairwise(steps)]
    p_holm = holm_of_known([test.p for test in tests])
    lines = [(steps[0].name, _mean(steps[0]), "", "", "")]
    for row, test, p in zip(steps[1:], tests, p_holm, strict=True):
        lines.append((row.name, _mean(row), _difference(test), p_value(test.p), p_value(p)))
    why = why_untested(
        [(repr(row.name), test.note) for row, test in zip(steps[1:], tests, strict=True)]
    )
    title = f"Steps: each row less the row above, mean {table.part} CCC"
    told = (
        "Differences are over the seeds that both rows have, with their 95% interval; p by a "
        "paired t-test, and by Holm's correction for all steps.",
    )
    return Section(
        f"{title}, {heading(table)}" if several else title,
        told,
        ("step", "mean", "difference", "p", "p, Holm"),
        tuple(lines),
        some(f"{why[0].upper()}{why[1:]}." if why else ""),
    )


def _test(later: TableRow, one: TableRow, table: Table) -> PairedTest:
    pairs = pair_by_seed(
        later.runs, one.runs, lambda run: learned(run, "mean", table.metric, table.part)
    )
    return paired_t(pairs.first, pairs.second)


def _mean(row: TableRow) -> str:
    return number(row.scores["mean"].mean) if "mean" in row.scores else NONE


def _difference(test: PairedTest) -> str:
    if test.low is None or test.high is None:
        return signed(test.difference)
    return f"{signed(test.difference)} [{signed(test.low)}, {signed(test.high)}]"
