"""A report as files: Markdown for readers, CSV for programs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dser_jax.config import TRAINING
from dser_jax.journal import JournalView, read_intervals
from dser_jax.report.answer import Answer
from dser_jax.report.captions import caption, verdict
from dser_jax.report.page.runs import differing
from dser_jax.report.sections.section import Section
from dser_jax.report.text import (
    MANY,
    USUAL,
    Asked,
    heading,
    interval,
    is_command,
    note,
    number,
    origin,
    over_utterances,
    p_value,
    progress,
    score_cell,
    tested,
)
from dser_jax.stats import (
    COLUMNS,
    DerivedView,
    Row,
    Table,
    TableRow,
    in_words,
    score,
    settings_of,
    tables,
    untrained,
)
from dser_jax.system import csv_text, harmless, printable

PARTS = ("test", "validation")
METRICS = ("ccc", "ccc_batch32", "rmse")


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    return csv_text([header, *([harmless(cell) for cell in row] for row in rows)])


def table_csv(view: DerivedView) -> str:
    """Writes the summaries, one a line: tidy, ready for any statistics program."""
    header = (
        "name attribute metric part n mean sd low high protocol split corpus truth diverged kind "
        "unit unit_low unit_high failed pruned loss weighting optimizer"
    )
    intervals = read_intervals(view.folder)  # What is amiss is said beside.
    lines = []
    for part in PARTS:
        for metric in METRICS:
            for table in tables(view.scored, metric, part, intervals):
                where = (table.protocol, table.split, table.corpus, table.truth)
                for row in table.everything:
                    drawn = row.over_utterances
                    trained = [_joined(row, field) for field in TRAINING]
                    for column, found in row.scores.items():
                        spread = (found.n, found.mean, found.sd, found.low, found.high)
                        ends = drawn.scores.get(column) if drawn else None
                        unit = (drawn.unit, *ends) if drawn and ends else (None, None, None)
                        others = [row.lost.get(status, 0) for status in ("failed", "pruned")]
                        last = (*where, row.diverged, row.kind, *unit, *others, *trained)
                        lines.append((row.name, column, metric, part, *spread, *last))
    return _csv(header.split(), lines)


def _joined(row: TableRow, field: str) -> str:
    found = (settings_of(run).get(field) for run in row.runs)
    return ", ".join(dict.fromkeys(str(value) for value in found if value is not None))


def runs_csv(view: DerivedView) -> str:
    """Writes the runs, one a line, with all their scores, also of what a run has not learned.

    What is made of them follows, and says so under `kind`: an ensemble has no seed. The last
    columns are settings, those that differ among them.
    """
    about = "run name network features seed corpus protocol split truth status epochs best_epoch"
    keys = about.split()
    scores = [(part, metric, at) for part in PARTS for metric in METRICS for at in COLUMNS]
    differ = [key for key, *_ in differing(view.scored)]
    settings = list(dict.fromkeys([*TRAINING, *differ]))
    lines = [
        (
            *(row.get(key) for key in keys),
            *(score(row, at, metric, part) for part, metric, at in scores),
            row.get("kind", "network"),
            " ".join(untrained(row)),
            *_settings(row, settings),
        )
        for row in view.scored
    ]
    header = [*keys, *("_".join(names) for names in scores), "kind", "untrained", *settings]
    return _csv(header, lines)


def _settings(row: Row, keys: Iterable[str]) -> Iterator[Any]:
    found = settings_of(row)
    for value in map(found.get, keys):
        yield " ".join(map(str, value)) if isinstance(value, list | tuple) else value


def tests_csv(view: DerivedView, part: str, asked: Asked) -> str:
    """Writes the paired tests of every table, metric and attribute, one a line."""
    header = (
        "first second attribute metric part n difference low high t p p_holm effect unpaired note "
        "protocol split corpus truth ranks_n ranks_zeros ranks_ties ranks_plus ranks_minus ranks_p "
        "ranks_p_holm ranks_effect ranks_note"
    )
    lines = []
    for metric in METRICS:
        whole = tables(view.scored, metric, part)
        for table in (each for one in whole for each in asked.tested(one)):
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
    answer: Answer,
    said: Sequence[str],
    figures: Mapping[str, Path],
    sections: Sequence[Section] = (),
    asked: Asked = USUAL,
) -> str:
    """Writes the report that a person reads.

    Args:
      view: The journal.
      groups: Its tables.
      answer: What the report begins with.
      said: What the reader must know, a line each.
      figures: title -> file, relative to the report.
      sections: What stands between the tables and the figures.
      asked: What more of the tables is shown.
    """
    text = [f"# Report: {_md(view.folder.resolve().name)}"]
    text += [f"**{_md(line)}**" for line in answer.lines]
    text += [_md(answer.why), *_paragraphs([answer.command])]
    text += [f"{progress(view)}.", "\n".join(f"- {_md(line)}" for line in said)]
    for headline in groups:
        text.append(f"## {_md(heading(headline))}")
        for metric in asked.metrics(headline):
            table = asked.rows(headline.by(metric))
            text += [_md(caption(table)), _md_table(table)]
            if verdict(table):
                text.append(_md(verdict(table)))
        for each in asked.tested(headline):
            text += _md_tests(each)
    text.append(_md(note(groups)))
    for section in sections:
        text += [f"## {_md(section.title)}", *_paragraphs(section.told)]
        if section.lines:
            cells = [[_md_cell(cell) for cell in line] for line in section.lines]
            text.append(_md_lines(section.header, cells))
        text += _paragraphs(section.after)
    text += [f"![{_md(title)}](<{file.as_posix()}>)" for title, file in figures.items()]
    text += ["## Origin", "\n".join(f"- {_md(line)}" for line in origin(view.manifest))]
    return "\n\n".join(filter(None, text)) + "\n"


def _md_tests(table: Table) -> list[str]:
    """Writes the tests of a table, with a sentence on them; nothing where there are none."""
    found, told = tested(table)
    if not found:
        return []
    header = ["first", "second", "n", "difference", "95% interval", "p", "p (Holm)", "d_z"]
    header += ["p (ranks)", "p (ranks, Holm)", "rank-biserial"]
    lines = [
        (
            *(each.first, each.second, str(each.test.n), number(each.test.difference)),
            *(interval(each.test), p_value(each.test.p), p_value(each.p_holm)),
            *(number(each.test.effect), p_value(each.ranks.p), p_value(each.ranks_p_holm)),
            number(each.ranks.effect),
        )
        for each in found
    ]
    cells = [[_md(cell) for cell in line] for line in lines]
    return [_md(told[0].upper() + told[1:] + "."), _md_lines(header, cells)]


def _paragraphs(lines: Iterable[str]) -> list[str]:
    """Returns sentences as they are read, and commands as they are pasted."""
    return [
        f"```sh\n{printable(line)}\n```" if is_command(line) else _md(line)
        for line in lines
        if line
    ]


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
            named = "*baselines*" if len(table.baselines) > 1 else "*best baseline*"
            lines.append([named, *[""] * (len(COLUMNS) + 3)])
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
