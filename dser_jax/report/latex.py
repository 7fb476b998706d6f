"""Tables for papers, in LaTeX."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dser_jax.report.captions import caption, verdict
from dser_jax.report.text import NONE, Asked, interval, over_utterances, score_cell, what
from dser_jax.stats import COLUMNS, Table
from dser_jax.system import printable


def latex(groups: Sequence[Table], asked: Asked, name: str) -> str:
    """Writes tables over both columns of a paper; they need the packages booktabs and array.

    Args:
      groups: Tables of a journal.
      asked: What more of them is shown.
      name: Of the journal; the labels are tab:NAME, tab:NAME-2 and so on.
    """
    text = ["% \\usepackage{array,booktabs}"]
    label = f"tab:{re.sub(r'[^A-Za-z0-9]+', '-', name).strip('-')}"
    for headline in groups:
        for metric in asked.metrics(headline):
            mark = label if len(text) == 1 else f"{label}-{len(text)}"
            text.append(_latex_table(asked.rows(headline.by(metric)), asked, mark))
    return "\n\n".join(text) + "\n"


def _latex_table(table: Table, asked: Asked, label: str) -> str:
    best = {column: table.best(column, baselines=True) for column in COLUMNS}
    heads = ["Name", "Network, features", *map(str.capitalize, COLUMNS), "$n$"]
    lines = [
        r"\begin{table*}",
        r"\centering\footnotesize\setlength{\tabcolsep}{4pt}",
        rf"\caption{{{_tex(caption(table, intervals=asked.intervals))}}}",
        rf"\label{{{label}}}",
        rf"\begin{{tabular}}{{@{{}}{_words(0.19)}{_words(0.2)}{'c' * len(COLUMNS)}r@{{}}}}",
        r"\toprule",
        " & ".join(heads) + r" \\",
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
        for cells in (spreads, drawn) if asked.intervals else ():
            if any(cells):
                lines.append(" & ".join([*cells, ""]) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    if verdict(table):
        lines.append(rf"\par\smallskip{{\footnotesize {_tex(verdict(table))}}}")
    lines.append(r"\end{table*}")
    return "\n".join(lines)


def _words(share: float) -> str:
    """Returns a column of so much of the text's width, whose words go on below."""
    return rf">{{\raggedright\arraybackslash}}p{{{share}\textwidth}}"


TEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_\allowbreak{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "−": "$-$",
    "+": r"+\allowbreak{}",
    "/": r"/\allowbreak{}",
    NONE: "--",
}


def _tex(text: str) -> str:
    """Escapes what LaTeX would read as a command; a long word may break after `_`, `+` or `/`."""
    plain = printable(" ".join(text.split()))
    return "".join(TEX.get(letter, letter) for letter in plain)
