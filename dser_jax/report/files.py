"""A report as files: Markdown for readers, CSV for programs, LaTeX for papers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dser_jax.journal import JournalView, read_intervals
from dser_jax.report.sections import Section
from dser_jax.report.text import (
    HEADLINE,
    MANY,
    NONE,
    caption,
    heading,
    interval,
    note,
    number,
    origin,
    over_utterances,
    p_value,
    progress,
    score_cell,
    tested,
    verdict,
    what,
)
from dser_jax.stats import COLUMNS, Table, in_words, is_baseline, score, tables, untrained
from dser_jax.system import csv_text, harmless, printable

PARTS = ("test", "validation")
METRICS = ("ccc", "ccc_batch32", "rmse")


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    return csv_text([header, *([harmless(cell) for cell in row] for row in rows)])


def table_csv(view: JournalView) -> str:
    """Writes the summaries, one a line: tidy, ready for any statistics program."""
    header = (
        "name attribute metric part n mean sd low high protocol split corpus truth diverged kind "
        "unit unit_low unit_high failed pruned"
    )
    intervals = read_intervals(view.folder)
    lines = []
    for part in PARTS:
        for metric in METRICS:
            for table in tables(view.rows, metric, part, intervals):
                where = (table.protocol, table.split, table.corpus, table.truth)
                for row in table.everything:
                    drawn = row.over_utterances
                    kind = "baseline" if row in table.baselines else "network"
                    for column, found in row.scores.items():
                        spread = (found.n, found.mean, found.sd, found.low, found.high)
                        ends = drawn.scores.get(column) if drawn else None
                        unit = (drawn.unit, *ends) if drawn and ends else (None, None, None)
                        others = [row.lost.get(status, 0) for status in ("failed", "pruned")]
                        last = (*where, row.diverged, kind, *unit, *others)
                        lines.append((row.name, column, metric, part, *spread, *last))
    return _csv(header.split(), lines)


def runs_csv(view: JournalView) -> str:
    """Writes the runs, one a line, with all their scores, also of what a run has not learned."""
    about = "run name network features seed corpus protocol split truth status epochs best_epoch"
    keys = about.split()
    scores = [(part, metric, at) for part in PARTS for metric in METRICS for at in COLUMNS]
    lines = [
        (
            *(row.get(key) for key in keys),
            *(score(row, at, metric, part) for part, metric, at in scores),
            "baseline" if is_baseline(row) else "network",
            " ".join(untrained(row)),
        )
        for row in view.rows
    ]
    return _csv([*keys, *("_".join(names) for names in scores), "kind", "untrained"], lines)


def tests_csv(view: JournalView, part: str) -> str:
    """Writes the paired tests of every table, metric and attribute, one a line."""
    header = (
        "first second attribute metric part n difference low high t p p_holm effect unpaired note "
        "protocol split corpus truth ranks_n ranks_zeros ranks_ties ranks_plus ranks_minus ranks_p "
        "ranks_p_holm ranks_effect ranks_note"
    )
    lines = []
    for metric in METRICS:
        for table in tables(view.rows, metric, part):
            where = (table.protocol, table.split, table.corpus, table.truth)
            against = table.best() if len(table.rows) > MANY else None
            for column in table.columns:
                for each in table.comparisons(column, against):
                    test = each.test
                    names = (each.first, each.second, column, metric, part)
                    values = (test.n, test.difference, test.low, test.high, test.t, test.p)
                    more = (each.p_holm, test.effect, each.unpaired, test.note)
                    ranks = each.ranks
                    sums = (ranks.n, ranks.zeros, ranks.ties, ranks.plus, ranks.minus)
                    last = (*sums, ranks.p, each.ranks_p_holm, ranks.effect, ranks.note)
                    lines.append((*names, *values, *more, *where, *last))
    return _csv(header.split(), lines)


def markdown(
    view: JournalView,
    groups: Sequence[Table],
    part: str,
    said: Sequence[str],
    figures: Mapping[str, Path],
    sections: Sequence[Section] = (),
) -> str:
    """Writes the report that a person reads.

    Args:
      view: The journal.
      groups: Its tables.
      part: The part of the data whose scores are shown.
      said: What the reader must know first, a line each.
      figures: title -> file, relative to the report.
      sections: What stands between the tables and the figures.
    """
    text = [f"# Report: {_md(view.folder.resolve().name)}", f"{progress(view)}."]
    text += [f"- {_md(line)}" for line in said]
    for headline in groups:
        text.append(f"## {_md(heading(headline))}")
        for metric in HEADLINE:
            table = headline.by(metric)
            text += [_md(caption(table)), _md_table(table)]
            if verdict(table):
                text.append(_md(verdict(table)))
        found, told = tested(headline)
        if found:
            header = ["first", "second", "n", "difference", "95% interval", "p", "p (Holm)", "d_z"]
            header += ["p (ranks)", "p (ranks, Holm)", "rank-biserial", ""]
            lines = [
                (
                    *(each.first, each.second, str(each.test.n), number(each.test.difference)),
                    *(interval(each.test), p_value(each.test.p), p_value(each.p_holm)),
                    *(number(each.test.effect), p_value(each.ranks.p), p_value(each.ranks_p_holm)),
                    *(number(each.ranks.effect), each.test.note),
                )
                for each in found
            ]
            cells = [[_md(cell) for cell in line] for line in lines]
            text += [_md(told[0].upper() + told[1:] + "."), _md_lines(header, cells)]
    text.append(_md(note(groups)))
    for section in sections:
        text += [f"## {_md(section.title)}", *map(_md, section.told)]
        if section.lines:
            cells = [[_md_cell(cell) for cell in line] for line in section.lines]
            text.append(_md_lines(section.header, cells))
        text += map(_md, section.after)
    text += [f"![{_md(title)}](<{file.as_posix()}>)" for title, file in figures.items()]
    text += ["## Origin", "\n".join(f"- {_md(line)}" for line in origin(view.manifest))]
    return "\n\n".join(text) + "\n"


def _md(text: str) -> str:
    """Escapes what Markdown would read as markup."""
    return re.sub(r"([\\`*_<>|\[\]#$~])", r"\\\1", printable(" ".join(text.split())))


def _md_cell(text: str) -> str:
    """Escapes a cell; what stands below each other is parted by a break."""
    return "<br>".join(map(_md, text.split("\n")))


def _md_table(table: Table) -> str:
    best = {column: table.best(column, baselines=True) for column in COLUMNS}
    lines = []
    for row in table.everything:
        if row in table.baselines[:1]:
            lines.append(["*baselines*", *[""] * (len(COLUMNS) + 3)])
        cells = []
        for column in COLUMNS:
            found = row.scores.get(column)
            mark = "**" if best[column] == row.name else ""
            spreads = (interval(found), over_utterances(row, column))
            below = "".join(f"<br>{_md(spread)}" for spread in spreads if spread)
            cells.append(f"{mark}{score_cell(row, column)}{mark}{below}")
        runs = str(row.n) + (f" ({in_words(row.lost)})" if row.lost else "")
        lines.append([_md(row.name), _md(row.network), _md(row.features), *cells, runs])
    return _md_lines(["name", "network", "features", *COLUMNS, "n"], lines)


def _md_lines(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---"] * len(header)
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, rule, *lines))


def latex(view: JournalView, part: str) -> str:
    """Writes the tables for a paper; they need the package booktabs."""
    text = ["% \\usepackage{booktabs}"]
    intervals = read_intervals(view.folder)
    for metric in HEADLINE:
        for table in tables(view.rows, metric, part, intervals):
            text.append(_latex_table(table))
    return "\n\n".join(text) + "\n"


def _latex_table(table: Table) -> str:
    best = {column: table.best(column, baselines=True) for column in COLUMNS}
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_tex(caption(table))}}}",
        rf"\begin{{tabular}}{{ll{'c' * len(COLUMNS)}r}}",
        r"\toprule",
        " & ".join(["Name", "Network, features", *map(str.capitalize, COLUMNS), r"$n$"]) + r" \\",
    ]
    for row in table.everything:
        if row in (table.everything[0], *table.baselines[:1]):
            lines.append(r"\midrule")
        # Braces: a name in square brackets would be taken for the argument of the \\ before it.
        means, spreads, drawn = [f"{{{_tex(row.name)}}}", _tex(what(row))], ["", ""], ["", ""]
        for column in COLUMNS:
            found = row.scores.get(column)
            shown = _tex(score_cell(row, column))
            means.append(rf"\textbf{{{shown}}}" if best[column] == row.name else shown)
            for cells, text in ((spreads, interval(found)), (drawn, over_utterances(row, column))):
                cells.append(rf"{{\scriptsize {_tex(text)}}}" if text else "")
        lines.append(" & ".join([*means, str(row.n)]) + r" \\")
        for cells in (spreads, drawn):
            if any(cells):
                lines.append(" & ".join([*cells, ""]) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    if verdict(table):
        lines.append(rf"\par\smallskip{{\footnotesize {_tex(verdict(table))}}}")
    lines.append(r"\end{table}")
    return "\n".join(lines)


TEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "−": "$-$",
    NONE: "--",
}


def _tex(text: str) -> str:
    """Escapes what LaTeX would read as a command; a minus before a number becomes one."""
    signed = re.sub(r"(?<![\w.)])-(?=\.?\d)", "−", printable(" ".join(text.split())))
    return "".join(TEX.get(letter, letter) for letter in signed)
