"""What a reader must know of a sweep beside its numbers, a line each, where there is any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dser_jax.journal import JournalView
from dser_jax.report.sections.leaks import leak_lines
from dser_jax.report.sections.section import plain
from dser_jax.report.sections.trials import said_of
from dser_jax.report.text import LISTED, failures, mixtures
from dser_jax.stats import Table, below_zero
from dser_jax.system import plural

GRIDDED = {"alpha": "penalty", "C": "cost"}
"""What a baseline's settings with a grid are called: each has one of them."""


def remarks(view: JournalView, groups: Sequence[Table]) -> list[str]:
    """Lists what was amiss, what was not trained, what leaks, what does not compare.

    Args:
      view: The journal, with all its runs.
      groups: Its tables.
    """
    lines = [*view.notices, *said_of(view)]
    lines += [str(line) for line in view.manifest.get("skipped") or ()]
    lines += [str(line) for line in view.manifest.get("constant") or ()]
    lines += failures(view.rows)
    lines += mixtures(row for table in groups for row in (*table.rows, *table.baselines))
    lines += _below_zero(groups)
    lines += dict.fromkeys(line for table in groups for line in _at_the_edge(table))
    lines += leak_lines(view, groups)
    if len(groups) > 1:
        lines.append(
            f"{len(groups)} tables: runs of another corpus, protocol or split, or with other "
            "labels, do not compare"
        )
    return lines


def _below_zero(groups: Sequence[Table]) -> Iterator[str]:
    """Names the rows that were trained to be wrong on an attribute."""
    found = {
        row.name: attrs
        for table in groups
        for row in table.rows
        if (attrs := dict.fromkeys(attr for run in row.runs for attr in below_zero(run)))
    }
    if not found:
        return
    names = ", ".join(f"{name!r} ({', '.join(attrs)})" for name, attrs in found.items())
    who = names if len(found) <= LISTED else plural(len(found), "row")
    yield f"a loss weight below zero, which rewards being wrong: {who}"


def _at_the_edge(table: Table) -> Iterator[str]:
    """Says where the best baseline has the first or the last setting of its grid."""
    base = table.yardstick
    row = base.runs[0] if base else {}
    for field, called in GRIDDED.items():
        grid = (row.get("hparams") or {}).get(field) or []
        chosen = row.get("chosen") or {}
        found = [
            f"{plain(at)} for {attr}" for attr, at in chosen.items() if at in grid[:1] + grid[-1:]
        ]
        if base and found:
            yield (
                f"at the edge of its grid: the {called} of {base.name!r}, {', '.join(found)}, of "
                f"{plain(grid[0])} to {plain(grid[-1])}; one beyond may be better"
            )
