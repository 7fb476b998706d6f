"""What speakers' own measure and the turns before are worth to baselines, which have one seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dser_jax.config import CONTEXTS
from dser_jax.corpora import ATTRS
from dser_jax.journal import Difference, JournalView
from dser_jax.report.sections.section import Section, signed
from dser_jax.report.text import NONE, heading
from dser_jax.stats import Table, TableRow, difference_between
from dser_jax.system import plural

_ADDED = {
    **{f" + {name}": f"with {name}" for name in CONTEXTS.values() if name},
    " by speaker": "measured by speaker",
}
_COLUMNS = ("mean", *ATTRS)


def gain_sections(view: JournalView, groups: Sequence[Table], problems: list[str]) -> list[Section]:
    """Holds stretched baselines against those that see the same but for what was added.

    Args:
      view: The journal.
      groups: Its tables; those of the validation set have no such section.
      problems: Takes what could not be read, in words.
    """
    # Of folds, all together.
    shown = groups[:1] if view.manifest.get("pools") else groups
    found = [_of_table(view, table, len(shown) > 1, problems) for table in shown]
    return [section for section in found if section is not None]


def _of_table(
    view: JournalView, table: Table, several: bool, problems: list[str]
) -> Section | None:
    if table.part != "test" or table.metric != "ccc":
        return None
    lines, drawn = [], ""
    for added, more, less in _pairs(table):
        apart = difference_between(view, table.truth, more, less, problems)
        if apart is None:
            continue
        drawn = plural(apart.count, apart.unit)
        cells = [_difference(more, less, apart, column) for column in _COLUMNS]
        lines.append((f"{less.name}: {_ADDED[added]}", *cells))
    if not lines:
        return None
    title = "What is added to the inputs of baselines, in CCC"
    told = (
        f"Each stretched baseline less the one above it that lacks it, with the 95% interval over "
        f"{drawn} of the test set, which both see alike.",
    )
    header = ("baseline", "mean", "valence", "arousal", "dominance")
    return Section(f"{title}, {heading(table)}" if several else title, told, header, tuple(lines))


def _pairs(table: Table) -> Iterator[tuple[str, TableRow, TableRow]]:
    """Yields what was added, the baseline that has it, and the one that lacks nothing else.

    Only those that see most: speech and text, where there are both.
    """
    rows = {row.name: row for row in table.baselines if row.name.endswith(", stretched")}
    for added in _ADDED:
        found = [
            (rows[name], rows[less])
            for name in rows
            if added in name and (less := name.replace(added, "", 1)) in rows
        ]
        most = max((less.name.count(" + ") for _, less in found), default=0)
        for more, less in found:
            if less.name.count(" + ") == most:
                yield added, more, less


def _difference(more: TableRow, less: TableRow, apart: Difference, column: str) -> str:
    if column not in more.scores or column not in less.scores:
        return NONE
    value = signed(more.scores[column].mean - less.scores[column].mean)
    ends = apart.scores.get(column)
    return value if ends is None else f"{value}\n({signed(ends.low)}, {signed(ends.high)})"
