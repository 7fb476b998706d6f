"""The report as it is printed in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from dser_jax.report.answer import Answer, verdict
from dser_jax.report.captions import caption, left_out
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
from dser_jax.stats import COLUMNS, Table
from dser_jax.system import printable

RULES = box.Box("    \n    \n ── \n    \n ── \n    \n    \n    \n")
"""Rich's SIMPLE_HEAD, with the same rule between sections."""

SHORT = {"diverged": "div."}
"""What is too long for its column."""

ASCII = str.maketrans({"±": "+/-", "–": "-", "−": "-", "…": "..."})


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
            console.print(_scores(console, table))
            if more := left_out(table):
                _print(console, f"{more}: --all shows them, table.csv has them.")
            if verdict(table):
                console.print(Text(_fit(console, verdict(table) + "\n")))
        for each in asked.tested(headline):
            found, told = tested(each)
            if found:
                _print(console, told[0].upper() + told[1:] + ".")
                console.print(_tests(console, found))
    console.print(Text(_fit(console, note(groups))))


def print_section(console: Console, section: Section) -> None:
    """Prints a title, sentences, and a table between them."""
    console.print()
    console.print(Text(_fit(console, section.title), style="bold"))
    for line in section.told:
        _print(console, line)
    if section.lines:
        grid = _grid()
        for column in section.header:
            grid.add_column(column, overflow="fold")
        for cells in section.lines:
            grid.add_row(*(Text(_fit(console, cell)) for cell in cells))
        console.print(grid)
    for line in section.after:
        _print(console, line)


def _grid() -> RichTable:
    return RichTable(box=RULES, padding=(0, 1, 0, 0), pad_edge=False)


def _scores(console: Console, table: Table) -> RichTable:
    """Lays out a table of scores; on a narrow console the networks go below the names."""
    wide = console.width >= 120
    plain = not console.is_terminal  # A pipe has no bold.
    grid = _grid()
    grid.add_column("name", min_width=12, overflow="fold")  # A grid's names have no spaces.
    if wide:
        grid.add_column("network, features", style="dim")
    for column in COLUMNS:
        grid.add_column(column, justify="right", no_wrap=True)
    grid.add_column("n", justify="right")
    best = {column: table.best(column, baselines=True) for column in COLUMNS}
    for row in table.everything:
        if row in table.baselines[:1]:
            grid.add_section()
        name = Text(_fit(console, row.name))
        below = Text(_fit(console, what(row)), style="dim")
        cells = [name, below] if wide else [Text("\n").join([name, below])]
        if row not in table.rows and not wide:
            cells = [name]  # It says what the baseline is, or which network it is made of.
        for column in COLUMNS:
            found = row.scores.get(column)
            marked = best[column] == row.name
            star = "*" if marked and plain else ""
            cell = Text(
                _fit(console, star + score_cell(row, column)), style="bold" if marked else ""
            )
            ends = (interval(found), over_utterances(row, column))
            lines = [cell, *(Text(_fit(console, each), style="dim") for each in ends if each)]
            cells.append(Text("\n").join(lines))
        runs = Text(str(row.n))
        for status, count in row.lost.items():
            runs.append(f"\n{count} {SHORT.get(status, status)}", style="dim")
        grid.add_row(*cells, runs)
    return grid


def _tests(console: Console, found: Sequence) -> RichTable:
    grid = _grid()
    pairs = "first − second" if not console.options.ascii_only else "first - second"
    grid.add_column(pairs, overflow="fold")
    for column in ("difference", "p", "Holm", "d_z", "ranks", "n"):
        grid.add_column(column, justify="right", no_wrap=True)
    for each in found:
        pair = Text(_fit(console, in_pair(each)))
        cells = [
            f"{number(each.test.difference)} {interval(each.test)}".strip(),
            p_value(each.test.p),
            p_value(each.p_holm),
            number(each.test.effect),
            p_value(each.ranks.p),
            str(each.test.n),
        ]
        grid.add_row(pair, *(Text(_fit(console, cell)) for cell in cells))
    return grid
