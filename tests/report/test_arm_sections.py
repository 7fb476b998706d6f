"""Arms of an experiment in its report: against the reference, and beside the grid."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from fabricated import fabricate
from rich.console import Console

from dser_jax.journal import read_journal
from dser_jax.report.figures.arms import arm_figures
from dser_jax.report.page.build import make_page
from dser_jax.report.page.sweep import take
from dser_jax.report.sections.arms import (
    ALONE,
    _beside_grid,
    arm_sections,
    cost_of,
    ranking_of,
    scores_of,
)
from dser_jax.report.writing import write_report
from dser_jax.stats import tables
from dser_jax.system.files.sealed import parse_sealed, write_sealed

NET = ("lstm + lstm", "gemaps_hsf + we")
ARMS = {
    "valence alone": (*NET, (0.7, 0.1, 0.1)),
    "arousal alone": (*NET, (0.1, 0.7, 0.1)),
    "dominance alone": (*NET, (0.1, 0.1, 0.7)),
    "equal weights": (*NET, (0.6, 0.6, 0.6)),
    "dwa": (*NET, (0.61, 0.6, 0.6)),
    "mgda": (*NET, (0.3, 0.3, 0.3)),
}
TOLD = {
    "reference": "equal weights",
    "margin": 0.02,
    "alone": ["valence alone", "arousal alone", "dominance alone"],
    "settings": 4,
    "chosen": {
        **{name: [0.6, 0.002, 0, [1, 1, 1]] for name in ARMS},
        "dwa": [0.6, 0.001, 2.5, [1, 1, 1]],
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("arms") / "journal"
    fabricate(folder, ARMS, seeds=6)
    path = folder / "manifest.json"
    manifest = {**parse_sealed(path.read_bytes()), "arms": TOLD}
    manifest.pop("checksum", None)
    write_sealed(path, json.loads(json.dumps(manifest)))
    grid = {"1/0/0": (*NET, (0.65, 0.2, 0.2)), "0.3/0.3/0.4": (*NET, (0.62, 0.62, 0.62))}
    fabricate(folder / "grid", grid, seeds=2)
    return folder


def test_three_networks_of_one_task_each_are_one_arm(folder):
    view = read_journal(folder)
    (table,) = tables(view.rows)
    arms = scores_of(table, TOLD)
    assert set(arms) == {"equal weights", "dwa", "mgda", ALONE}
    rows = {(row["name"], row["seed"]): row["test"]["ccc"] for row in view.rows}
    three = [rows[f"{attr} alone", 3][attr] for attr in ("valence", "arousal", "dominance")]
    assert arms[ALONE][3] == pytest.approx(np.mean(three))


def test_arms_are_held_against_the_reference_and_beside_the_grid(folder):
    view = read_journal(folder)
    held, beside = arm_sections(view, tables(view.rows), [])
    lines = {line[0]: line for line in held.lines}
    assert set(lines) == {"dwa", "mgda", ALONE}
    assert "worse" in lines["mgda"]
    text = " ".join((*held.told, *held.after))
    assert "4 settings" in text
    assert "dwa: rate 0.001, setting 2.5" in text
    assert "Friedman" in text
    placed = {line[0]: line for line in beside.lines}
    assert set(placed) == {"equal weights", "dwa", "mgda"}
    assert placed["mgda"][-2:] == ("1", "0%")
    assert "2 points" in beside.told[0]


def test_what_an_epoch_of_each_arm_costs_is_said(folder):
    """By program, of folds all together; nothing where it was not kept."""
    (table,) = tables(read_journal(folder).rows)
    programs = {"dwa": "losses", "mgda": "gradients", "equal weights": "losses"}
    of = lambda name: {"weighting": programs.get(name, "losses")}  # noqa: E731
    rows = tuple(
        replace(row, runs=tuple({**run, "config": of(row.name)} for run in row.runs))
        for row in table.rows
    )
    table = replace(table, rows=rows)
    paces = {
        "a": {"weighting": "losses", "epochs": 100, "seconds": 1.0},
        "b": {"weighting": "losses", "epochs": 100, "seconds": 3.0},
        "c": {"weighting": "gradients", "epochs": 50, "seconds": 2.0},
    }
    assert cost_of(table, TOLD, paces) == (
        "Cost: an epoch of a run of 'equal weights', and of all that are lanes of one program with "
        "it, takes 20 ms; 'mgda' 2.0 times as long; each task alone is 3 runs a seed."
    )
    assert cost_of(table, TOLD, {}) == cost_of(table, TOLD, {"c": paces["c"]}) == ""


def changed(table, lost=(), without=()):
    """Returns the table with runs that diverged, and without runs, by name and seed."""
    rows = []
    for row in table.rows:
        runs = [
            {**run, "status": "diverged"} if (row.name, run["seed"]) in lost else run
            for run in row.runs
            if (row.name, run["seed"]) not in without
        ]
        rows.append(replace(row, runs=tuple(runs)))
    return replace(table, rows=tuple(rows))


def test_an_arm_of_which_all_runs_diverged_is_last_and_has_no_difference(folder, tmp_path):
    view = read_journal(folder)
    (table,) = tables(view.rows)
    table = changed(table, lost=[("dwa", seed) for seed in range(6)])
    held = arm_sections(view, [table], [])[0]
    lines = {line[0]: line for line in held.lines}
    assert lines["dwa"][1:3] == ("undecided", "–")
    assert "'dwa': 6 diverged." in held.after
    names, ranking = ranking_of(table, TOLD)
    assert max(zip(ranking.ranks, names, strict=True))[1] == "dwa"
    assert len(arm_figures(table, TOLD, tmp_path)) == 2


def test_what_has_not_ended_yet_has_not_diverged(folder, tmp_path):
    view = read_journal(folder)
    (table,) = tables(view.rows)
    under_way = changed(table, without=[("dwa", 4), ("dwa", 5)])
    held = arm_sections(view, [under_way], [])[0]
    assert "diverged" not in " ".join((*held.told, *held.after))
    assert {line[0]: line[-1] for line in held.lines} == {"dwa": "4", "mgda": "6", ALONE: "6"}
    none = changed(table, without=[("dwa", seed) for seed in range(6)])
    assert arm_sections(view, [none], [])
    assert ranking_of(none, TOLD) is None
    assert arm_figures(none, TOLD, tmp_path)


def test_arms_that_the_last_call_left_out_are_not_held_against_anything(folder, tmp_path):
    view = read_journal(folder)
    (table,) = tables(view.rows)
    few = {**TOLD, "alone": [], "chosen": {n: TOLD["chosen"][n] for n in ("equal weights", "dwa")}}
    assert set(scores_of(table, few)) == {"equal weights", "dwa"}
    one = {**few, "chosen": {"equal weights": TOLD["chosen"]["equal weights"]}}
    assert ranking_of(table, one) is None
    assert not any(arm_figures(table, one, tmp_path).values())


def test_of_two_attributes_each_task_alone_is_two_networks(folder):
    view, of_two = read_journal(folder), {**TOLD, "alone": TOLD["alone"][:2]}
    of_two["chosen"] = {name: each for name, each in TOLD["chosen"].items() if "domin" not in name}

    def without(row):
        known = ("valence", "arousal")
        ccc = {attr: row["test"]["ccc"][attr] for attr in known}
        ccc["mean"] = sum(ccc.values()) / 2
        return {**row, "test": {**row["test"], "ccc": ccc}}

    view = replace(view, rows=tuple(without(row) for row in view.rows))
    (table,) = tables(view.rows)
    arms = scores_of(table, of_two)
    rows = {(row["name"], row["seed"]): row["test"]["ccc"] for row in view.rows}
    two = [rows[f"{attr} alone", 3][attr] for attr in ("valence", "arousal")]
    assert arms[ALONE][3] == pytest.approx(np.mean(two))
    beside = _beside_grid(view, table, of_two, [])[0]
    assert beside.title == "What fixed weights reach in valence and arousal at once"
    assert beside.header[1:3] == ("valence", "arousal")
    one = {**of_two, "alone": ["valence alone"], "chosen": {**of_two["chosen"]}}
    one["chosen"].pop("arousal alone")
    assert ALONE not in scores_of(table, one)


def test_pooled_arms_are_not_held_against_a_grid_of_another_split(folder):
    view = read_journal(folder)
    pooled = replace(view, manifest={**view.manifest, "pools": {"2 folds": ["fold:1/2"]}})
    assert len(arm_sections(view, tables(view.rows), [])) == 2
    assert len(arm_sections(pooled, tables(view.rows), [])) == 1


def test_terminal_files_and_page_have_it(folder):
    stream = io.StringIO()
    written = write_report(folder, None, Console(file=stream, width=80))
    assert "Held against 'equal weights'" in stream.getvalue()
    assert {"differences.png", "ranks.png"} <= {path.name for path in written}
    shown = stream.getvalue().split("Held against")[1].split("What fixed weights")[0]
    assert all(len(line) <= 80 for line in shown.splitlines())
    page = make_page([take(read_journal(folder), "arms")], {})
    assert "Held against" in page
    assert page.count("data:image/png;base64,") == 2


def test_other_journals_have_none(tmp_path):
    fabricate(tmp_path / "j", seeds=2)
    view = read_journal(tmp_path / "j")
    assert arm_sections(view, tables(view.rows), []) == []
