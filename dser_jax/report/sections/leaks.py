"""What of a test set has leaked, and the scores on its parts, as a section of a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from dser_jax.corpora import in_order
from dser_jax.journal import JournalView
from dser_jax.report.sections.section import Section, Written, signed, some
from dser_jax.report.text import heading, number, score_cell
from dser_jax.stats import (
    COLUMNS,
    LEAST_SCORED,
    PartScore,
    Shared,
    Summary,
    Table,
    TableRow,
    learned,
    marks_of,
    part_scores,
    parts_of,
    shared_with_training,
    tables,
)
from dser_jax.system import DataError, plural

NAMES = 6
"""Names whose parts of the test set are printed; the CSV file has more."""

SPEAKERS = 4
"""With more speakers than this, their scores are in the CSV file only."""

SEEN_SPEAKERS = {"speaker seen", "speaker not seen"}

NAMES_IN_FILES = 24
"""Names whose parts of the test set are scored: each run's predictions are read for it."""


def leak_sections(view: JournalView, problems: list[str]) -> tuple[list[Section], Written]:
    """Says what of each test set training has met, and scores the parts of it.

    Args:
      view: The journal.
      problems: Takes what cannot be read, in words.

    Returns:
      A section for each test set of which anything is known, and all scores for the CSV file.
    """
    header = (
        *("name", "part", "utterances", "attribute", "metric", "n", "mean", "sd", "low", "high"),
        *("change", "change_low", "change_high", "corpus", "protocol", "split", "truth"),
    )
    sections, lines = [], []
    for table in tables(view.rows):
        rows = leading(table.everything, NAMES_IN_FILES)
        try:
            ids = [str(name) for name in view.truth(table.truth)["test_ids"]]
            marks = marks_of(view, table.truth)
            parts = parts_of(ids, marks)
            runs = [run for row in rows for run in row.runs]
            found = of_learned(part_scores(view, runs, parts, problems), rows)
        except (DataError, KeyError) as error:
            problems.append(f"the test set of {heading(table)} cannot be divided: {error}")
            continue
        shared = shared_with_training(marks)
        if shared or any(each.scores for each in found):
            sections.append(_section(table, shared, found))
        where = (table.corpus, table.protocol, table.split, table.truth)
        for each in found:
            for column, ours in each.scores.items():
                lines.append((*_cells(each, column, ours), *where))
    return sections, Written(header, lines)


def leak_lines(view: JournalView, groups: Sequence[Table]) -> list[str]:
    """Says in a line what training has met of each test set, where it has met any of it."""
    lines = {}
    for table in groups:
        if table.part != "test":
            continue
        try:
            shared = shared_with_training(marks_of(view, table.truth))
        except DataError as error:
            lines[f"what training has met of the test set is not known: {error}"] = None
            continue
        if shared is None:
            continue
        transcripts, told = list(_shared(shared)), []
        if shared.transcripts:
            told.append(transcripts[0])
        if shared.speakers or shared.recordings:
            told.append(transcripts[1])
        if told:
            where = f" ({heading(table)})" if len(groups) > 1 else ""
            lines[f"leaks{where}: {' '.join(told)}"] = None
    return list(lines)


def leading(rows: Sequence[TableRow], most: int) -> list[TableRow]:
    """Picks the rows with the highest mean on validation, in their order, where there are more."""
    if len(rows) <= most:
        return list(rows)

    def height(row: TableRow) -> float:
        known = [learned(run, "mean", part="validation") for run in row.runs]
        values = [value for value in known if value is not None]
        return sum(values) / len(values) if values else float("-inf")

    picked = {row.name for row in sorted(rows, key=height, reverse=True)[:most]}
    return [row for row in rows if row.name in picked]


def of_learned(found: Sequence[PartScore], rows: Sequence[TableRow]) -> list[PartScore]:
    """Leaves out the scores of what the runs of a name have not learned."""
    left = {row.name: row.untrained for row in rows}

    def kept(scores: Mapping[str, Summary], name: str) -> dict[str, Summary]:
        return {column: each for column, each in scores.items() if column not in left[name]}

    return [
        replace(each, scores=kept(each.scores, each.name), change=kept(each.change, each.name))
        for each in found
    ]


def _cells(each: PartScore, column: str, ours: Summary) -> tuple:
    change = each.change.get(column)
    steps = (change.mean, change.low, change.high) if change else (None, None, None)
    spread = (ours.n, ours.mean, ours.sd, ours.low, ours.high)
    return (each.name, each.part, each.utterances, column, "ccc", *spread, *steps)


def _section(table: Table, shared: Shared | None, found: Sequence[PartScore]) -> Section:
    """Makes the section of one test set."""
    rows = leading(table.everything, NAMES)
    speakers = {each.part for each in found if each.part.startswith("speaker ")} - SEEN_SPEAKERS
    lines = []
    for row in rows:
        parts = [each for each in found if each.name == row.name and each.scores]
        if len(speakers) > SPEAKERS:
            parts = [each for each in parts if each.part not in speakers]
        for place, each in enumerate(parts):
            change = each.change.get("mean")
            first = row.name if place == 0 else ""
            step = signed(change.mean) if change else ""
            cells = (_cell(row, column, each.scores.get(column)) for column in COLUMNS)
            lines.append((first, each.part, str(each.utterances), *cells, step))
    about = (
        "CCC over the whole test set and over parts of it, means over seeds; change: the mean of "
        "the part less the whole's. The CCC of a part is a score of its own, and may be lower as "
        "its labels vary less: hold the change of a row that reads words against one that does not."
    )
    after = []
    if lines and len(rows) < (count := len(table.everything)):
        after.append(
            f"Shown are the {len(rows)} names, of {count}, with the highest mean on validation; "
            f"leaks.csv has {min(count, NAMES_IN_FILES)}."
        )
    if small := in_order(each.part for each in found if each.utterances < LEAST_SCORED):
        after.append(f"Not scored, with fewer than {LEAST_SCORED} utterances: {', '.join(small)}.")
    if len(speakers) > SPEAKERS:
        after.append(f"leaks.csv has each of the {len(speakers)} speakers.")
    header = ("name", "part", "utts", *COLUMNS, "change")
    told = [*(_shared(shared) if shared else []), *some(about if lines else "")]
    title = f"Leaks and parts of the test set: {heading(table)}"
    return Section(
        title, tuple(told), header if lines else (), tuple(lines), tuple(after), long=True
    )


def _cell(row: TableRow, column: str, found: Summary | None) -> str:
    if column in row.untrained:
        return score_cell(row, column)
    return number(found.mean if found else None)


def _shared(shared: Shared) -> Iterator[str]:
    share = 100 * shared.transcripts / max(shared.utterances, 1)
    yield (
        f"{shared.transcripts:,} of {plural(shared.utterances, 'test utterance')} ({share:.1f}%) "
        "have a transcript that occurs in training or validation too, whatever its case and "
        "punctuation."
    )
    speakers = ", ".join(shared.speakers[:5]) + (" and others" if len(shared.speakers) > 5 else "")
    who = f"{plural(len(shared.speakers), 'speaker')} ({speakers})" if speakers else "no speaker"
    cut = f"{plural(shared.recordings, 'test utterance')}" if shared.recordings else "none"
    yield (
        f"In training or validation and in the test set: {who}; cut from a file that both have: "
        f"{cut}."
    )
