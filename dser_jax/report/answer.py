"""The answer of a sweep, which a report begins with, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from dser_jax.journal import Difference, JournalView, interval_key, read_differences
from dser_jax.report.sections.section import signed
from dser_jax.report.sections.trials import best_command
from dser_jax.report.text import heading, mean_sd, number, planned_and_done
from dser_jax.stats import (
    ENSEMBLE,
    LEAST_LABELS,
    STRETCHED,
    Table,
    TableRow,
    differences_of,
    labels_of,
    too_few,
)
from dser_jax.system import DataError, held, plural

TOLD = 3
"""Tables whose answers stand before what to do next: both are on the first screen."""


class Answer(NamedTuple):
    """What a report begins with.

    Attributes:
      lines: Of each table, its scores and their difference.
      why: What the next command is for.
      command: That command, to be pasted as it is; empty where none is known.
    """

    lines: tuple[str, ...]
    why: str
    command: str


def answer(
    view: JournalView, groups: Sequence[Table], problems: list[str], *, page: bool = False
) -> Answer:
    """Says what validation picks of a journal, how far that is from the best baseline, what next.

    Args:
      view: The journal.
      groups: Its tables, of all that may be compared.
      problems: Takes what could not be read, in words.
      page: Whether it is for a page, which need not name itself.
    """
    known = read_differences(view.folder, problems)
    lines = []
    own, folds = _apart(view, groups)
    for table in own[:TOLD]:
        told = list(_of_table(view, table, known, problems))
        mark = f"{heading(table)}: " if len(groups) > 1 else ""
        lines += [mark + told[0], *told[1:]]
    if len(own) > TOLD:
        lines.append(f"{plural(len(own) - TOLD, 'more table')}: see below.")
    if folds:
        lines.append(f"{plural(len(folds), 'fold')} alone: see below.")
    if not groups:
        lines = [
            "No run has finished yet: there is nothing to report.",
            "There is nothing to compare.",
        ]
    elif lost := _lost_baselines(view):
        lines = [_in_words(view, lost), *lines]
    return Answer(tuple(lines), *_next(view, groups, page))


def _apart(view: JournalView, groups: Sequence[Table]) -> tuple[Sequence[Table], Sequence[Table]]:
    """Parts tables from those of folds that are pooled in one of them."""
    pooled = {run for row in view.rows for run in row.get("pooled", ())}
    folds = [
        table
        for table in groups
        if (rows := (*table.rows, *table.baselines))
        and all(run["run"] in pooled for row in rows for run in row.runs)
    ]
    return [table for table in groups if table not in folds], folds


def judged(view: JournalView, groups: Sequence[Table]) -> tuple[Table, ...]:
    """Marks tables that allow no verdict: baselines are lacking, or the test set has few labels."""
    complete = not _lost_baselines(view)
    return tuple(replace(each, complete=complete, few=_few(view, each)) for each in groups)


def _few(view: JournalView, table: Table) -> bool:
    try:
        return table.part == "test" and bool(too_few(labels_of(view, table.truth)))
    except DataError:  # That they cannot be read is said where they are.
        return False


def _lost_baselines(view: JournalView) -> int:
    """Counts the baselines that were planned and have no row; older journals planned none."""
    planned = set(view.manifest.get("baselines") or ())
    return len(planned - {row["run"] for row in view.rows})


def _in_words(view: JournalView, lost: int) -> str:
    what = f"{lost} of {plural(len(view.manifest['baselines']), 'baseline')}"
    what += " is" if lost == 1 else " are"
    if held(view.folder):
        return f"{what} still to come."
    return f"{what} missing: the same command fits {'it' if lost == 1 else 'them'} again."


def _of_table(
    view: JournalView,
    table: Table,
    known: Mapping[tuple[str, str], Difference],
    problems: list[str],
) -> Iterator[str]:
    """Yields the scores of one table, and their difference."""
    picked, base = table.picked, table.yardstick
    if picked is None or "mean" not in picked.scores:
        if table.rows:
            yield "No network has a mean CCC to be picked by on validation: there is no result."
        else:
            yield "Baselines alone: there is no network to hold against them."
        has = base is not None and "mean" in base.scores
        alone = f"Mean {table.part} CCC {_baseline(base)}." if base and has else ""
        yield alone or "There is nothing to compare."
        return
    mean = picked.scores["mean"]
    text = f"Mean {table.part} CCC {mean_sd(mean)} of {picked.name!r}"
    several = len(table.rows) + len(table.derived) > 1 or "search" in view.manifest
    if base is None or "mean" not in base.scores:
        yield f"{text}, {'picked on validation' if several else 'the only row'}."
        none = "There is no baseline to hold it against."
        yield none if table.complete else "There is no verdict before all baselines are there."
        return
    how = "both picked on validation" if several else "there is no other row"
    yield f"{text} against {_baseline(base)}; {how}."
    step = f"Difference {signed(mean.mean - base.scores['mean'].mean)}"
    if table.part != "test":
        yield f"{step}, on the rows by which both were picked: it says nothing of new speech."
        return
    found = _difference(view, table, picked, base, known, problems)
    yield f"{step}{_reach(found) or _unreached(view, table, found)}"


def _baseline(base: TableRow) -> str:
    return f"{number(base.scores['mean'].mean)} of the baseline {base.name!r}"


def _difference(
    view: JournalView,
    table: Table,
    picked: TableRow,
    base: TableRow,
    known: Mapping[tuple[str, str], Difference],
    problems: list[str],
) -> Difference | None:
    """Returns the difference that the journal has, or computes it."""
    keys = [interval_key(table.truth, row.name, row.finished) for row in (picked, base)]
    return differences_of(view, table, known, problems).get((keys[0], keys[1]))


def _reach(found: Difference | None) -> str:
    """Writes an interval with a verdict; nothing where there is none."""
    ends = found.scores.get("mean") if found else None
    if found is None or ends is None:
        return ""
    over = f"{found.count:,} test {found.unit}s"
    interval = f", 95% interval ({number(ends.low)}, {number(ends.high)}) over {over}"
    if ends.low > 0:
        return f"{interval}: ahead of the baseline."
    if ends.high < 0:
        return f"{interval}: behind the baseline."
    return f"{interval}: level with the baseline, as 0 is in the interval."


def _unreached(view: JournalView, table: Table, found: Difference | None) -> str:
    """Says why there is no interval."""
    if found is None:
        return "; no interval: its labels or predictions cannot be read, see below."
    try:
        gold = labels_of(view, table.truth)
    except DataError:
        return "; no interval: the labels cannot be read any more."
    few = [f"{count} of {attr}" for attr, count in too_few(gold).items()]
    if few:
        return (
            f"; no interval: the test set has few labels, {' and '.join(few)}; {LEAST_LABELS} are "
            "needed."
        )
    if not gold.size:
        return "; no interval: the labels of the test set are not on disk."
    return "; no interval: a run has no predictions for this test set, or some that are no numbers."


def _next(view: JournalView, groups: Sequence[Table], page: bool) -> tuple[str, str]:
    """Returns what to do next and the command for it."""
    folder = shlex.quote(str(view.folder))
    planned, done = planned_and_done(view)
    if held(view.folder):
        return "Next, to follow the sweep:", f"dser watch {folder}"
    to_come = 0 if planned is None else max(planned - done, 0)
    lost = _lost_baselines(view)
    if to_come or lost:
        missing = plural(to_come, "run") if to_come else plural(lost, "baseline")
        same = _again(view)
        how = "the same command again" + (":" if same else " as before.")
        return f"Next, for the {missing} still to come, {how}", same
    if command := best_command(view):
        return "Next, the best trials over new seeds:", command
    if not page:
        return "Next, as a page:", f"dser report {folder} --html"
    picked = groups[0].picked if groups else None
    if picked is None:
        return "", ""
    return "Next, to predict with it:", _export(view, groups[0], picked)


def _export(view: JournalView, table: Table, picked: TableRow) -> str:
    """Returns the command that makes a model of what is picked; of single runs, of their best."""
    network = next(row for row in table.rows if row.name == picked.of)
    flags = ["--ensemble" if ENSEMBLE in picked.kind else "--best"]
    flags += ["--stretch"] if STRETCHED in picked.kind else []
    flags += ["--row", picked.of] if len(table.rows) > 1 else []
    kept = all((view.folder / "params" / run).is_dir() for run in network.finished)
    flags += [] if kept else ["--retrain"]
    return shlex.join(["dser", "export", str(view.folder), *flags, "--out", f"{view.folder}-model"])


def _again(view: JournalView) -> str:
    """Returns the command that goes on with a sweep where its folder is now; nothing if unknown."""
    same = _same_command(str(view.manifest.get("command") or ""))
    flags = view.folder / "sweep.toml"
    # A script is another command, and the flags of a part lie in the folder of the whole.
    if not same.startswith("dser sweep") or not flags.exists():
        return same
    data = str(view.manifest.get("data") or "DATA")
    parts = ("--config", str(flags), "--data", data, "--out", str(view.folder))
    meant = " --yes" if "--yes" in shlex.split(same) else ""  # Files of older versions lack it.
    return f"dser sweep {shlex.join(parts)}{meant}"


def _same_command(command: str) -> str:
    """Returns a manifest's command as it is typed; nothing where it was none.

    A stranger's may hold what a shell would obey: each part is quoted anew.
    """
    try:
        program, *parts = shlex.split(command)
    except ValueError:
        return ""
    rest = shlex.join(parts)
    if Path(program).name == "dser":
        return f"dser {rest}"
    script = program.endswith(".py") and rest
    return f"python {shlex.quote(program)} {rest}" if script else ""
