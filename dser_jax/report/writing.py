"""What a journal says, as tables in the terminal, files and figures. Never imports JAX."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from dser_jax.journal import JournalView, read_intervals, read_journal
from dser_jax.report import files as report_files
from dser_jax.report.answer import answer, judged
from dser_jax.report.latex import latex
from dser_jax.report.remarks import remarks
from dser_jax.report.sections.experiment import experiment_sections
from dser_jax.report.sections.leaks import leak_sections
from dser_jax.report.sections.paper import paper_csv, paper_sections
from dser_jax.report.sections.section import Section, Written
from dser_jax.report.sections.trials import search_sections
from dser_jax.report.terminal import print_answer, print_line, print_section, print_tables
from dser_jax.report.text import USUAL, Asked, progress
from dser_jax.search import about, chosen
from dser_jax.stats import Table, score, tables, with_derived
from dser_jax.system import console_of, plural, quiet_matplotlib, saying, write_text

SCATTERS = 24
"""At most so many names get a figure of predictions against labels."""


def write_report(
    folder: str | os.PathLike,
    out: str | os.PathLike | None = None,
    console: Console | None = None,
    *,
    draw: bool = True,
    part: str | None = None,
    asked: Asked = USUAL,
    followed: bool = False,
) -> list[Path]:
    """Prints the tables of a journal, and writes them with figures to a folder.

    A journal that is still being written gives the report of the runs finished so far, and says so.

    Args:
      folder: The journal.
      out: Where to write; in the journal's folder by default, as `report` or, with another part
        than there would be by default, under that part's name.
      console: Where to print.
      draw: Whether to draw figures, which takes a second or two a name.
      part: "test" or "validation"; by default test, unless no run was tested. Predictions are drawn
        for the test set alone, and only in its report.
      asked: What more is shown.
      followed: Whether the caller does itself what comes next, so that nobody is told to.

    Returns:
      The files written: report.md, table.csv, runs.csv, tests.csv, table.tex; paper.csv, if rows
      name published ones; leaks.csv, if the test set can be divided; and, if Matplotlib is there,
      the figures. None for a journal without runs.

    Raises:
      DserError: if the folder holds no journal, a damaged one, or cannot be written to.
    """
    console = console_of() if console is None else console
    problems: list[str] = []
    whole = with_derived(read_journal(folder), problems)
    usual = _part(whole)
    part = part or usual
    view = chosen(whole)
    intervals = read_intervals(view.folder, problems)
    groups = judged(whole, tables(view.scored, "ccc", part, intervals))
    first = answer(whole, groups, problems)
    if followed:
        first = first._replace(why="", command="")
    print_answer(console, first)
    print_line(console, f"{view.folder}: {progress(whole)}")
    if not whole.rows:
        for notice in whole.notices:
            print_line(console, notice)
        return []
    trials = search_sections(whole, followed=followed)
    trials += experiment_sections(whole, groups, problems)
    for section in trials:
        print_section(console, section)
    console.print()
    print_tables(console, groups, asked)
    sections, extra = _sections(view, part, problems)
    for section in sections:
        if asked.everything or not section.long:
            print_section(console, section)
    sections = [*trials, *sections]
    name = "report" if part == usual else f"report-{part}"
    out = view.folder / name if out is None else Path(out)
    with saying(out):
        out.mkdir(parents=True, exist_ok=True)
    figures = _draw(whole, groups, out, problems, scatter=part == "test") if draw else {}
    said = [*remarks(whole, groups), *dict.fromkeys(problems)]
    for line in said:
        print_line(console, line)
    pictures = {
        title: file.relative_to(out)
        for title, files in figures.items()
        for file in files
        if file.suffix == ".png"
    }
    texts = {
        "report.md": report_files.markdown(whole, groups, first, said, pictures, sections, asked),
        "table.csv": report_files.table_csv(view),
        "runs.csv": report_files.runs_csv(whole),
        "tests.csv": report_files.tests_csv(view, part, asked),
        "table.tex": latex(groups, asked, view.folder.resolve().name),
        **{name: written.csv() for name, written in extra.items() if written.lines},
    }
    for name, text in texts.items():
        write_text(out / name, text)
    written = [
        *(out / name for name in texts),
        *(file for files in figures.values() for file in files),
    ]
    drawn = len(written) - len(texts)
    print_line(console, f"Written to {out}: {', '.join(texts)}, {plural(drawn, 'figure file')}")
    return written


def _sections(
    view: JournalView, part: str, problems: list[str]
) -> tuple[list[Section], dict[str, Written]]:
    """Holds the test scores against the paper and divides them; returns the files of both, too."""
    if part != "test":
        return [], {}
    leaks, scores = leak_sections(view, problems)
    files = {"paper.csv": paper_csv(view.rows), "leaks.csv": scores}
    return [*paper_sections(view.rows), *leaks], files


def _part(view: JournalView) -> str:
    """Returns the part to show: the test set, unless no run has been tested."""
    has = {
        part: any(score(row, "mean", part=part) is not None for row in view.rows)
        for part in ("test", "validation")
    }
    return "validation" if has["validation"] and not has["test"] else "test"


def _draw(
    view: JournalView, groups: Sequence[Table], out: Path, problems: list[str], *, scatter: bool
) -> dict[str, list[Path]]:
    """Draws what there is to draw: title -> files."""
    quiet_matplotlib()
    try:
        from dser_jax.report import figures
    except ModuleNotFoundError as error:
        problems.append(f"No figures: {error.name} is not installed (pip install matplotlib)")
        return {}
    drawn: dict[str, list[Path]] = {}
    left = SCATTERS
    skipped = 0
    with saying(out):
        if search := about(view.manifest):
            title = "Mean CCC of each trial on validation, over its settings"
            drawn[title] = figures.trial_figure(view.rows, search, out / "trials")
        drawn |= figures.experiment_figures(view, groups, out)
        for number_, table in enumerate(groups, 1):
            rows = [run for row in table.rows for run in row.runs]
            mark = "" if number_ == 1 else f"_{number_}"
            taken: set[str] = set()
            which = f", table {number_}" if len(groups) > 1 else ""
            title = f"{table.part.capitalize()} CCC, a dot a run, a line the mean{which}"
            drawn[title] = figures.result_figure(table, out / f"result{mark}")
            title = f"Learning curves{which}"
            drawn[title] = figures.learning_curves(
                view, out / f"learning_curves{mark}", rows, problems
            )
            drawn |= figures.search_figures(rows, out, mark)
            if scatter:
                title = f"Parts of the test set{which}"
                drawn[title] = figures.part_figure(view, table, out / f"parts{mark}")
            for row in table.rows if scatter else ():
                if left == 0:
                    skipped += 1
                    continue
                path = out / "gold_vs_pred" / (_file_name(row.name, taken) + mark)
                files = figures.gold_vs_pred(view, row.name, path, rows, problems)
                title = f"Predictions against labels: {row.name!r}{mark.replace('_', ', table ')}"
                drawn[title] = files
                left -= bool(files)
    if skipped:
        problems.append(
            f"predictions against labels are drawn for the first {SCATTERS} names, not for the "
            f"{skipped} after them"
        )
    return {title: files for title, files in drawn.items() if files}


def _file_name(name: str, taken: set[str]) -> str:
    """Makes a file name of a name, unlike all before."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:60] or "unnamed"
    unique, count = plain, 1
    while unique in taken:
        count += 1
        unique = f"{plain}-{count}"
    taken.add(unique)
    return unique
