"""Steps of an experiment, each against the row above, as scipy has them."""

import dataclasses
import json

import numpy as np
import pytest
import scipy.stats
from fabricated import NAMES, fabricate

from dser_jax.journal.reading import read_journal
from dser_jax.report.sections.steps import step_sections
from dser_jax.stats.table import tables
from dser_jax.system.files.sealed import parse_sealed, write_sealed


@pytest.fixture(scope="module")
def view(tmp_path_factory):
    folder = tmp_path_factory.mktemp("steps") / "journal"
    fabricate(folder, seeds=6)
    path = folder / "manifest.json"
    manifest = {**parse_sealed(path.read_bytes()), "steps": [*NAMES, "one that was left out"]}
    manifest.pop("checksum", None)
    write_sealed(path, json.loads(json.dumps(manifest)))
    return read_journal(folder)


def test_each_row_is_held_against_the_row_above(view):
    groups = tables(view.rows)
    (section,) = step_sections(view, groups)
    assert [line[0] for line in section.lines] == list(NAMES)
    scores = {name: {} for name in NAMES}
    for row in view.rows:
        scores[row["name"]][row["seed"]] = row["test"]["ccc"]["mean"]
    one, two = (np.array([scores[name][s] for s in range(6)]) for name in list(NAMES)[:2])
    test = scipy.stats.ttest_rel(two, one)
    cells = section.lines[1]
    assert f"{abs((two - one).mean()):.3f}".removeprefix("0") in cells[2]
    low, high = test.confidence_interval()
    assert all(f"{abs(end):.3f}".removeprefix("0") in cells[2] for end in (low, high))
    assert ("<" in cells[3]) == (test.pvalue < 0.001)


def test_why_no_step_is_tested_is_said_once(view):
    rows = [row for row in view.rows if row["seed"] < 2]
    (section,) = step_sections(view, tables(rows))
    assert section.after == ("No test with fewer than 3 seeds in common.",)
    third = list(NAMES)[-1]
    rows = [row for row in view.rows if row["name"] != third or row["seed"] < 2]
    (section,) = step_sections(view, tables(rows))
    assert section.after == (f"No test with fewer than 3 seeds in common: {third!r}.",)


def test_other_journals_have_no_steps(view):
    without = {key: value for key, value in view.manifest.items() if key != "steps"}
    groups = tables(view.rows)
    assert step_sections(dataclasses.replace(view, manifest=without), groups) == []
