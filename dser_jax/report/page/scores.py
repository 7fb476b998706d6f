"""The tables of scores and of tests as HTML, which needs no script to be read or printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dser_jax.report.captions import caption, verdict
from dser_jax.report.page.markup import element, escape, paragraphs, scrolled, table
from dser_jax.report.page.strip import axis_of, seed_scores, strip
from dser_jax.report.sections.leaks import leading
from dser_jax.report.text import (
    HEADLINE,
    USUAL,
    about,
    heading,
    in_pair,
    interval,
    number,
    over_utterances,
    p_value,
    score_cell,
    tested,
    what,
)
from dser_jax.stats import COLUMNS, Table, TableRow, in_words
from dser_jax.system import plural

TALL = 40
"""With more rows than this a table scrolls in a box of its own, save in print."""

NAMES = 200
"""With more names than this a table shows those that lead on validation; table.csv has all."""


def score_tables(headline: Table, *, titled: bool) -> str:
    """Writes the tables of one group of runs, with captions, verdicts and tests.

    The baselines that validation did not pick are in a fold, and what is made of networks that it
    did not; so are the scores over batches, save
    under the protocol `paper`.

    Args:
      headline: Its table of CCCs.
      titled: Whether a heading tells it from other groups.
    """
    content = element("h3", escape(heading(headline))) if titled else ""
    for metric in HEADLINE:
        told = _whole(headline.by(metric))
        if metric not in USUAL.metrics(headline):
            about_it = about(metric, headline.part)
            told = _folded(about_it[0].upper() + about_it[1:], told)
        content += told
    found, told = tested(headline)
    if found:
        header = ("first − second", "difference", "p", "p (Holm)", "d_z", "p (ranks)", "n")
        lines = [
            (
                in_pair(each),
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


def _whole(scored: Table) -> str:
    """Writes the networks and the best baseline, and folds the other baselines."""
    shown = scored.usual()
    networks = leading(shown.rows, NAMES)
    same = len({what(row) for row in networks}) == 1 and len(networks) > 1
    about_all = f"All networks: {what(networks[0])}." if same and what(networks[0]) else ""
    drawn = (
        "Drawn on the right: the mean in its interval over seeds, below it a dot a seed; dashed, "
        "the best baseline."
    )
    content = paragraphs([f"{caption(shown)} {about_all}".strip(), drawn], "caption")
    if len(networks) < len(shown.rows):
        content += paragraphs(
            [
                f"Shown are the {len(networks)} names, of {len(shown.rows)}, with the highest mean "
                "on validation; the table of runs below has all."
            ],
            "caption",
        )
    content += _table(shown, networks, brief=same) + paragraphs([verdict(shown)], "verdict")
    others = tuple(row for row in scored.baselines if row not in shown.baselines)
    if others:
        title = plural(len(others), "more baseline")
        alone = replace(scored, baselines=others, derived=())
        content += _folded(title, _table(alone, []))
    others = tuple(row for row in scored.derived if row not in shown.derived)
    if others:
        title = plural(len(others), "more stretched or ensemble row")
        alone = replace(scored, derived=others, baselines=())
        content += _folded(title, _table(alone, []))
    return content


def _table(shown: Table, networks: Sequence[TableRow], *, brief: bool = False) -> str:
    """Writes a table of scores, the seeds of each row drawn beside it.

    Args:
      shown: The table; all of its baselines and derived rows are written.
      networks: Those of it that are.
      brief: Whether all of these are the same network.
    """
    rows = [*networks, *shown.derived, *shown.baselines]
    best = {column: shown.best(column, baselines=True) for column in COLUMNS}
    base = shown.yardstick if networks else None
    bar = base.scores["mean"].mean if base and "mean" in base.scores else None
    axis = axis_of(shown, rows, bar)
    head = [("name", "text"), *((column, "number") for column in COLUMNS), ("n", "number")]
    header = "".join(_heading(*each) for each in head)
    header += element("th", axis.drawn(), scope="col", class_="drawn") if axis else ""
    lines = []
    for row in rows:
        cells = [_name(row, brief=row in shown.derived or (brief and row in networks))]
        for column in COLUMNS:
            cells.append(_score(row, column, best=best[column] == row.name))
        lost = element("small", escape(in_words(row.lost))) if row.lost else ""
        cells.append(element("td", f"{row.n}{lost}", class_="number", data_value=str(row.n)))
        if axis:
            drawn = strip(row, seed_scores(shown, row), axis, bar)
            cells.append(element("td", drawn, class_="drawn"))
        is_base = row in shown.baselines
        first = is_base and row is shown.baselines[0]
        kind = "baseline first" if first else "baseline" if is_base else None
        kind = "derived" if row in shown.derived else kind
        lines.append(element("tr", "".join(cells), class_=kind))
    body = element("thead", element("tr", header)) + element("tbody", "".join(lines))
    whole = element("table", body, class_="scores sortable")
    return scrolled(whole, f"Scores: {heading(shown)}", tall=len(rows) > TALL)


def _heading(name: str, kind: str) -> str:
    button = element("button", escape(name), type="button")
    class_ = " ".join(filter(None, ("number" if kind == "number" else "", _mark(name))))
    return element("th", button, scope="col", data_kind=kind, class_=class_ or None)


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
    class_ = " ".join(filter(None, ("number", _mark(column))))
    return element("td", content, class_=class_, data_value=value)


def _mark(column: str) -> str:
    """Marks the column that a narrow screen keeps in view."""
    return "column-mean" if column == "mean" else ""
