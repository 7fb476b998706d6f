"""The tables of scores and of tests as HTML, which needs no script to be read or printed."""

from __future__ import annotations

from collections.abc import Iterable

from dser_jax.report.leaks import leading
from dser_jax.report.page.markup import element, escape, paragraphs, scrolled, table
from dser_jax.report.text import (
    HEADLINE,
    about,
    caption,
    heading,
    in_words,
    interval,
    number,
    over_utterances,
    p_value,
    score_cell,
    tested,
    verdict,
    what,
)
from dser_jax.stats import COLUMNS, Summary, Table, TableRow

TALL = 40
"""With more rows than this a table scrolls in a box of its own, save in print."""

NAMES = 200
"""With more names than this a table shows those that lead on validation; table.csv has all."""


def score_tables(headline: Table, *, titled: bool) -> str:
    """Writes the tables of one group of runs, with captions, verdicts and tests.

    Args:
      headline: Its table of CCCs.
      titled: Whether a heading tells it from other groups.
    """
    content = element("h3", escape(heading(headline))) if titled else ""
    first, *others = (headline.by(metric) for metric in HEADLINE)
    content += _table(first)
    for each in others:
        about_it = about(each.metric, each.part)
        content += _folded(about_it[0].upper() + about_it[1:], _table(each))
    found, told = tested(headline)
    if found:
        header = ("first − second", "difference", "p", "p (Holm)", "d_z", "p (ranks)", "n")
        lines = [
            (
                f"{each.first} − {each.second}" + (f"\n{each.test.note}" if each.test.note else ""),
                f"{number(each.test.difference)}\n{interval(each.test)}".strip(),
                p_value(each.test.p),
                p_value(each.p_holm),
                number(each.test.effect),
                p_value(each.ranks.p),
                str(each.test.n),
            )
            for each in found
        ]
        tests = paragraphs([told[0].upper() + told[1:] + "."], "caption") + table(header, lines)
        content += _folded(f"Paired tests ({len(found)})", tests)
    return content


def _folded(title: str, content: str) -> str:
    return element("details", element("summary", escape(title)) + content)


def _table(shown: Table) -> str:
    """Writes a table of scores, the interval of each row's mean drawn beside it."""
    networks = leading(shown.rows, NAMES)
    rows = [*networks, *shown.baselines]
    best = {column: shown.best(column, baselines=True) for column in COLUMNS}
    bar = shown.yardstick.scores.get("mean") if shown.yardstick else None
    means = [row.scores["mean"] for row in networks if "mean" in row.scores]
    axis = _axis([*means, *([bar] if bar else [])])
    head = [("name", "text"), *((column, "number") for column in COLUMNS), ("n", "number")]
    header = "".join(_heading(*each) for each in head)
    same = len({what(row) for row in networks}) == 1 and len(networks) > 1
    drawn = (
        element("th", f"mean {number(axis[0])} to {number(axis[1])}", scope="col") if axis else ""
    )
    lines = []
    for row in rows:
        cells = [_name(row, brief=same and row in networks)]
        for column in COLUMNS:
            cells.append(_score(row, column, best=best[column] == row.name))
        lost = element("small", escape(in_words(row.lost))) if row.lost else ""
        cells.append(element("td", f"{row.n}{lost}", class_="number", data_value=str(row.n)))
        if axis:
            cells.append(element("td", _drawn(row.scores.get("mean"), axis, bar), class_="drawn"))
        is_base = row in shown.baselines
        first = is_base and row is shown.baselines[0]
        kind = "baseline first" if first else "baseline" if is_base else None
        lines.append(element("tr", "".join(cells), class_=kind))
    about_all = f"All networks: {what(networks[0])}." if same and what(networks[0]) else ""
    told = paragraphs([f"{caption(shown)} {about_all}".strip()], "caption")
    if len(networks) < len(shown.rows):
        told += paragraphs(
            [
                f"Shown are the {len(networks)} names, of {len(shown.rows)}, with the highest mean "
                "on validation; the table of runs below has all."
            ],
            "caption",
        )
    body = element("thead", element("tr", header + drawn)) + element("tbody", "".join(lines))
    whole = element("table", body, class_="scores sortable")
    told_after = paragraphs([verdict(shown)], "verdict")
    box = scrolled(whole, f"Scores: {heading(shown)}", tall=len(rows) > TALL)
    return told + box + told_after


def _heading(name: str, kind: str) -> str:
    button = element("button", escape(name), type="button")
    number_ = "number" if kind == "number" else None
    return element("th", button, scope="col", data_kind=kind, class_=number_)


def _name(row: TableRow, *, brief: bool) -> str:
    below = "" if brief else what(row)
    small = element("small", escape(below)) if below and below != row.name else ""
    return element("th", escape(row.name) + small, scope="row", data_value=row.name)


def _score(row: TableRow, column: str, *, best: bool) -> str:
    found = row.scores.get(column)
    content = escape(score_cell(row, column))
    content = element("b", content) if best else content
    for each in (interval(found), over_utterances(row, column)):
        content += element("small", escape(each)) if each else ""
    value = f"{found.mean:.6f}" if found else ""
    return element("td", content, class_="number", data_value=value)


Axis = tuple[float, float]
"""The scores at both ends of the drawings of a table."""


def _axis(means: Iterable[Summary]) -> Axis | None:
    """Returns what the drawings span; None where there is nothing to set side by side."""
    ends = [v for each in means for v in (each.mean, each.low, each.high) if v is not None]
    if len(ends) < 2 or min(ends) == max(ends):
        return None
    room = 0.04 * (max(ends) - min(ends))
    return min(ends) - room, max(ends) + room


def _drawn(found: Summary | None, axis: Axis, bar: Summary | None) -> str:
    """Draws a mean in its interval, and a line where the baseline is that counts."""
    if found is None:
        return ""

    def at(value: float) -> str:
        return f"{4 + 132 * (value - axis[0]) / (axis[1] - axis[0]):.1f}"

    low, high = axis
    marks = ""
    if bar is not None:
        marks += element("line", class_="bar", x1=at(bar.mean), x2=at(bar.mean), y1="0", y2="18")
    if found.low is not None and found.high is not None:
        marks += element(
            "line", class_="reach", x1=at(found.low), x2=at(found.high), y1="9", y2="9"
        )
    if low <= found.mean <= high:
        marks += element("circle", cx=at(found.mean), cy="9", r="3.2")
    else:  # A baseline far off would leave the others no room.
        side = ("‹", "0") if found.mean < low else ("›", "134")
        marks += element("text", side[0], x=side[1], y="13")
    told = f"{number(found.mean)} {interval(found)}".strip()
    box = {"viewBox": "0 0 140 18", "width": "140", "height": "18", "role": "img"}
    return element("svg", marks, **box, aria_label=told)
