"""Ways to weigh the losses, each held against the fixed weights that validation picked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dser_jax.corpora import ATTRS
from dser_jax.journal import GRID_FOLDER, JournalView, read_journal
from dser_jax.report.sections.section import Section, some
from dser_jax.report.sections.verdicts import verdict_section
from dser_jax.report.text import NONE, number, p_value
from dser_jax.stats import (
    Ranking,
    Table,
    Verdict,
    beyond,
    friedman,
    front,
    is_whole,
    learned,
    score,
    verdicts,
)
from dser_jax.system import DserError, plural

ALONE = "each task alone"
"""A network an attribute, of which each predicts the one that it was trained on."""

Scores = dict[int, float]
"""By seed; NaN of a run that ended before its time."""


def arm_sections(view: JournalView, groups: Sequence[Table], problems: list[str]) -> list[Section]:
    """Makes the sections of an experiment whose rows are ways to do one thing; else none.

    Args:
      view: The journal, whose manifest says under `arms` what is held against what.
      groups: Its tables, of which the first has the arms; of folds it is of all together.
      problems: Takes what could not be read, in words.
    """
    told = view.manifest.get("arms")
    if not told:
        return []
    if not groups or told["reference"] not in scores_of(groups[0], told):
        return []
    cost = cost_of(groups[0], told, view.manifest.get("paces") or {})
    return [_held(groups[0], told, cost), *_beside_grid(view, groups[0], told, problems)]


def scores_of(table: Table, told: Mapping[str, Any]) -> dict[str, Scores]:
    """Returns the mean CCC of each arm by seed; rows of one task each are one arm together.

    Rows of an earlier call, which the last one had no choice made for, are left out.
    """
    arms: dict[str, Scores] = {}
    alone: dict[str, Scores] = {}
    for row in table.rows:
        if row.name not in told["chosen"]:
            continue
        if row.name in told.get("alone", ()):
            attr = row.name.split()[0]
            alone[row.name] = _by_seed(row.runs, attr, table)
        else:
            arms[row.name] = _by_seed(row.runs, "mean", table)
    own = [alone.get(f"{attr} alone") for attr in scored(table)]
    if own and None not in own:
        seeds = set.intersection(*(set(each) for each in own if each))
        arms[ALONE] = {s: float(np.mean([each[s] for each in own if each])) for s in seeds}
    return arms


def scored(table: Table) -> list[str]:
    """Lists the attributes that a table has scores of: those with labels."""
    scores = [
        [score(run, attr, table.metric, table.part) for row in table.rows for run in row.runs]
        for attr in ATTRS
    ]
    return [attr for attr, found in zip(ATTRS, scores, strict=True) if set(found) - {None}]


def differences(arms: Mapping[str, Scores], reference: str) -> dict[str, list[float]]:
    """Returns by arm what it is above the reference, a seed each that both have ended with."""
    base = arms[reference]
    return {
        name: [scores[seed] - base[seed] for seed in sorted(base.keys() & scores.keys())]
        for name, scores in arms.items()
        if name != reference
    }


def _by_seed(runs: Sequence[Mapping[str, Any]], column: str, table: Table) -> Scores:
    found = {
        run["seed"]: learned(run, column, table.metric, table.part) if is_whole(run) else np.nan
        for run in runs
    }
    return {seed: value for seed, value in found.items() if value is not None}


def arm_verdicts(table: Table, told: Mapping[str, Any]) -> tuple[Verdict, ...]:
    """Holds all arms of a table against the one that `told` names."""
    return verdicts(differences(scores_of(table, told), told["reference"]), told["margin"])


def ranking_of(table: Table, told: Mapping[str, Any]) -> tuple[list[str], Ranking] | None:
    """Ranks all arms of a table over the seeds that all of them have ended with, if there are."""
    arms = scores_of(table, told)
    seeds = sorted(set.intersection(*(set(scores) for scores in arms.values())))
    if len(arms) < 2 or not seeds:
        return None
    return list(arms), friedman([[arms[name][seed] for name in arms] for seed in seeds])


def cost_of(table: Table, told: Mapping[str, Any], paces: Mapping[str, Any]) -> str:
    """Says how long an epoch of each arm takes, by the program of which its runs are lanes.

    Args:
      table: Has the arms.
      told: The manifest's `arms`.
      paces: Its `paces`: how long how many epochs of each program took.
    """
    took: dict[str, list[float]] = {}
    for each in paces.values():
        epochs, seconds = took.get(each["weighting"], (0, 0.0))
        took[each["weighting"]] = [epochs + each["epochs"], seconds + each["seconds"]]
    seconds = {name: spent / epochs for name, (epochs, spent) in took.items() if epochs}
    programs = {
        row.name: row.runs[0]["config"].get("weighting", "") for row in table.rows if row.runs
    }
    own = programs.get(told["reference"], "")
    if not seconds.get(own):
        return ""
    said = [
        f"Cost: an epoch of a run of {told['reference']!r}, and of all that are lanes of one "
        f"program with it, takes {_short(seconds[own])}"
    ]
    for program in dict.fromkeys(programs.values()):
        names = [name for name in programs if programs[name] == program and name in told["chosen"]]
        if program != own and names and program in seconds:
            many = f"each of {plural(len(names), 'arm')} ({names[0]!r}, ...)"
            arms = many if len(names) > 1 else repr(names[0])
            said.append(f"{arms} {seconds[program] / seconds[own]:.1f} times as long")
    if told.get("alone"):
        said.append(f"each task alone is {plural(len(told['alone']), 'run')} a seed")
    return f"{'; '.join(said)}."


def _short(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def _held(table: Table, told: Mapping[str, Any], cost: str) -> Section:
    found = verdict_section(arm_verdicts(table, told), told["reference"], f"mean {table.part} CCC")
    chosen = {row.name: told["chosen"].get(row.name) for row in table.rows}
    settings = [f"{name}: {_setting(given)}" for name, given in chosen.items() if given]
    placed = ranking_of(table, told)
    ranking, ranked = placed[1] if placed else None, ""
    if ranking and ranking.p is not None and ranking.critical is not None:
        ranked = (
            f"Ranks over seeds: Friedman's p {p_value(ranking.p)}; two arms differ where their "
            f"mean ranks are {ranking.critical:.1f} apart (Nemenyi, .05)."
        )
    text = (
        *found.told,
        f"Each arm tried {plural(told['settings'], 'setting')}; its best on validation went on "
        f"with new seeds, the same in all arms, for all epochs. {told['reference']!r} has the "
        "fixed weights of all tasks that were best on validation.",
    )
    after = some(*found.after, ranked, cost, f"Chosen: {'; '.join(settings)}." if settings else "")
    return replace(found, told=text, after=after)


def _setting(given: Sequence[Any]) -> str:
    """Writes what was chosen for an arm: learning rate, its own setting, weights."""
    _, rate, own, weights = given
    said = [f"rate {rate:g}"]
    said += [f"setting {own:g}"] if own else []
    said += ["/".join(f"{weight:g}" for weight in weights)] if len(set(weights)) > 1 else []
    return ", ".join(said)


def _beside_grid(
    view: JournalView, table: Table, told: Mapping[str, Any], problems: list[str]
) -> list[Section]:
    """Places the arms beside the grid of fixed weights, where there is one."""
    folder = view.folder / GRID_FOLDER
    if not (folder / "rows.jsonl").exists():
        return []
    try:
        rows = read_journal(folder).rows
        kind = "pooled" if view.manifest.get("pools") else None
        rows = [row for row in rows if row.get("kind") == kind]
    except DserError as error:
        problems.append(f"{error}; nothing is said of the grid")
        return []
    seeds, attrs = sorted({row["seed"] for row in rows}), scored(table)
    points = {
        name: found
        for name in dict.fromkeys(row["name"] for row in rows)
        if (found := _each([row for row in rows if row["name"] == name], seeds, table, attrs))
        is not None
    }
    if not points:
        return []
    names, grid = list(points), np.array(list(points.values()))
    best = front(grid.mean(1))
    lines = []
    for row in table.rows:
        own = _each(row.runs, seeds, table, attrs)
        if own is None or row.name in told.get("alone", ()):
            continue
        placed = beyond(grid, own)
        means = (number(float(value)) for value in own.mean(0))
        outside = f"{placed.share:.0%}" if len(seeds) > 1 else NONE
        lines.append((row.name, *means, str(placed.beaten), outside))
    text = (
        f"{plural(len(names), 'point')} of the simplex in steps of .1, "
        f"{plural(len(seeds), 'seed')} each, those with weight on all; {int(best.sum())} are "
        f"on the front: {', '.join(np.array(names)[best])}.",
        "beaten by: points that are as good in all; outside: in how many resamples of the "
        "seeds no point is. The best of many points is flattered by chance.",
    )
    header = ("arm", *attrs, "beaten by", "outside")
    named = " and ".join(part for part in (", ".join(attrs[:-1]), attrs[-1]) if part)
    title = f"What fixed weights reach in {named} at once"
    return [Section(title, some(*text), header, tuple(lines))]


def _each(
    runs: Sequence[Mapping[str, Any]], seeds: Sequence[int], table: Table, attrs: Sequence[str]
) -> np.ndarray | None:
    """Returns [seed, attr] scores; None where one is missing."""
    found = {
        run["seed"]: [learned(run, attr, table.metric, table.part) for attr in attrs]
        for run in runs
    }
    if any(seed not in found or None in found[seed] for seed in seeds):
        return None
    return np.array([found[seed] for seed in seeds], np.float64)
