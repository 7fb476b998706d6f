"""The report as it is printed in the terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.console import Console
from rich.text import Text

from dser_jax.report.answer import Answer
from dser_jax.report.captions import caption, left_out, verdict
from dser_jax.report.grids import Cell, Line, Row, lay_out
from dser_jax.report.sections.section import Section
from dser_jax.report.text import (
    Asked,
    in_pair,
    interval,
    is_command,
    note,
    number,
    over_utterances,
    p_value,
    score_cell,
    tested,
    what,
)
from dser_jax.stats import COLUMNS, Comparison, Table
from dser_jax.system import printable

WIDE = 120
"""From this width on a table of scores has a column for the networks."""

SHORT = {"diverged": "div."}
"""What is too long for its column."""

ASCII = str.maketrans({"±": "+/-", "–": "-", "−": "-", "─": "-", "…": "..."})


def _fit(console: Console, text: str) -> str:
    """Spells a text in what the console's encoding has, and nothing that a terminal obeys."""
    text = printable(text)
    if not console.options.ascii_only:
        return text
    return text.translate(ASCII).encode("ascii", "replace").decode()


def print_line(console: Console, text: str) -> None:
    """Prints a sentence, which only a terminal breaks into lines."""
    console.print(Text(_fit(console, text)), soft_wrap=not console.is_terminal)


def print_answer(console: Console, found: Answer) -> None:
    """Prints what a report begins with."""
    for line in found.lines:
        _print(console, line)
    if found.why:
        told = _fit(console, f"{found.why} {found.command}".rstrip())
        console.print(Text(told), soft_wrap=True)


def _print(console: Console, line: str) -> None:
    """Prints a sentence; a command as one line, however long, so that it can be pasted."""
    console.print(Text(_fit(console, line)), soft_wrap=is_command(line))


def print_tables(console: Console, groups: Sequence[Table], asked: Asked) -> None:
    """Prints each table by the metrics that are asked for, and its tests."""
    for headline in groups:
        for metric in asked.metrics(headline):
            table = asked.rows(headline.by(metric))
            _print(console, caption(table, "bold" if console.is_terminal else "*"))
            _print_grid(console, *_scores(table, console))
            if more := left_out(table):
                _print(console, f"{more}: --all shows them, table.csv has them.")
            if verdict(table):
                console.print(Text(_fit(console, verdict(table) + "\n")))
        for each in asked.tested(headline):
            found, told = tested(each)
            if found:
                _print(console, told[0].upper() + told[1:] + ".")
                _print_grid(console, *_tests(found, console.options.ascii_only))
    console.print(Text(_fit(console, note(groups))))


def print_section(console: Console, section: Section) -> None:
    """Prints a title, sentences, and a table between them."""
    console.print()
    console.print(Text(_fit(console, section.title), style="bold"))
    for line in section.told:
        _print(console, line)
    if section.lines:
        rows = [
            [[Line(part) for part in cell.split("\n")] for cell in cells] for cells in section.lines
        ]
        _print_grid(console, section.header, rows)
    for line in section.after:
        _print(console, line)


def _print_grid(
    console: Console, header: Sequence[str], rows: Sequence[Row], rules: Collection[int] = ()
) -> None:
    """Prints a table as it fits the console, and says so where intervals did not."""
    fitted = [
        [[Line(_fit(console, line.text), line.style) for line in cell] for cell in row]
        for row in rows
    ]
    laid = lay_out(header, fitted, console.width, rules=rules)
    lines = [Text(""), *laid.lines, Text("")]
    for line in lines:
        console.print(Text(_fit(console, line.plain), spans=line.spans), soft_wrap=True)
    if laid.lean:
        print_line(
            console, f"Intervals have no room in {console.width} columns: the files have them."
        )


def _scores(table: Table, console: Console) -> tuple[list[str], list[Row], set[int]]:
    """Returns a table of scores: header, rows, and before which of them there is a rule.

    On a narrow console the networks go below the names.
    """
    wide = console.width >= WIDE
    plain = not console.is_terminal  # A pipe has no bold.
    header = ["name", *(["network, features"] if wide else []), *COLUMNS, "n"]
    best = {column: table.best(column, baselines=True) for column in COLUMNS}
    rows: list[Row] = []
    for row in table.everything:
        name, below = [Line(row.name)], [Line(what(row), "dim")]
        cells: list[Cell] = [name, below] if wide else [[*name, *below]]
        if row not in table.rows and not wide:
            cells = [name]  # It says what the baseline is, or which network it is made of.
        for column in COLUMNS:
            marked = best[column] == row.name
            star = "*" if marked and plain else ""
            ends = (interval(row.scores.get(column)), over_utterances(row, column))
            cell = Line(star + score_cell(row, column), "bold" if marked else "")
            cells.append([cell, *(Line(each, "dim") for each in ends if each)])
        lost = [f"{count} {SHORT.get(status, status)}" for status, count in row.lost.items()]
        rows.append([*cells, [Line(str(row.n)), *(Line(each, "dim") for each in lost)]])
    rules = {at for at, row in enumerate(table.everything) if row in table.baselines[:1]}
    return header, rows, rules - {0}


def _tests(found: Sequence[Comparison], ascii_only: bool) -> tuple[list[str], list[Row]]:
    """Returns a table of tests: header and rows."""
    pairs = "first - second" if ascii_only else "first − second"
    rows: list[Row] = []
    for each in found:
        cells = [
            in_pair(each),
            f"{number(each.test.difference)} {interval(each.test)}".strip(),
            p_value(each.test.p),
            p_value(each.p_holm),
            number(each.test.effect),
            p_value(each.ranks.p),
            str(each.test.n),
        ]
        rows.append([[Line(cell)] for cell in cells])
    return [pairs, "difference", "p", "Holm", "d_z", "ranks", "n"], rows
