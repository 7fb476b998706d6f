"""What a report says of a search: the best on validation, and no list to pick test scores from."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from fabricated import search_row
from rich.console import Console

from dser_jax.journal.journal import Journal
from dser_jax.journal.reading import read_journal
from dser_jax.report.sections.trials import said_of, search_sections
from dser_jax.report.writing import write_report
from dser_jax.search.trials import best_settings, chosen, setting
from dser_jax.system.errors import DserError

ABOUT = {
    "kind": "random",
    "seed": 3,
    "ranges": {"alpha": "0:1", "beta": "0:1", "learning_rate": "0.0001:0.01:log"},
    "fixed": {"patience": 10},
    "attributes": ["valence", "arousal", "dominance"],
    "halving": {"first": 4, "eta": 3},
}


def trial(number, level, status="ok", test=None):
    """A row of a trial with this score on validation, and this one on test."""
    random = np.random.default_rng(number)
    alpha, beta = random.random(2).round(4) / 2
    rate = float(f"{10 ** random.uniform(-4, -2):.4g}")
    hparams = {"loss_weights": [alpha, beta, round(1 - alpha - beta, 7)], "learning_rate": rate}
    row = search_row(hparams, 1000 + number, level, random, noise=0)
    row |= {"name": f"trial {number}", "status": status, "epochs": 20, "best_epoch": 9}
    row["run"] = f"run{number}"
    if test is not None:
        row["test"]["ccc"] = dict.fromkeys(row["test"]["ccc"], test)
    if status == "failed":
        row = {k: v for k, v in row.items() if k not in ("test", "validation", "epochs")}
        row["traceback"] = "ValueError: no room"
    return row


def fabricate(folder, rows, about=ABOUT, planned=60):
    manifest = {"data_fingerprint": "x", "planned": planned, "search": about, "data": "runs/demo"}
    with Journal.open(folder, manifest) as journal:
        for row in rows:
            journal.commit(row, {})
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A search in which the best on test is another than the best on validation."""
    rows = [trial(number, 0.3 + 0.005 * number) for number in range(40)]
    rows += [trial(40, 0.6, test=0.44), trial(41, 0.55, test=0.99)]
    rows += [trial(42 + n, 0.9, "pruned") for n in range(15)]
    rows += [trial(57, 0.9, "diverged"), trial(58, 0.9, "failed")]
    baseline = trial(99, 0.7) | {"kind": "baseline", "name": "ridge", "seed": 0, "hparams": {}}
    return fabricate(tmp_path_factory.mktemp("search"), [*rows, baseline])


@pytest.fixture(scope="module")
def reported(folder):
    console = Console(file=io.StringIO(), width=100)
    files = write_report(folder, console=console)
    return console.file.getvalue(), {file.name: file for file in files}


def test_the_best_on_validation_are_listed(reported, folder):
    said, files = reported
    flat = " ".join(said.split())
    assert "Search: the best 10 on validation" in said
    assert "Random search, seed 3, with halving (first rung 4 epochs, eta 3) over alpha" in flat
    assert "Of 59 trials, 42 went on to their end, 1 diverged, 1 failed, 15 were pruned." in flat
    (section,) = search_sections(read_journal(folder))
    assert [line[0] for line in section.lines[:3]] == ["trial 40", "trial 41", "trial 39"]
    assert len(section.lines) == 10
    assert section.lines[0][-2:] == (".600", "9 of 20")
    assert f"--best-of {folder} --seeds 20" in section.after[-1]
    page = files["report.md"].read_text()
    assert "59 of 60 runs finished" in page
    assert "## Search: the best 10 on validation" in page


def test_what_the_caller_does_next_is_told_to_nobody(folder, tmp_path):
    console = Console(file=io.StringIO(), width=100)
    write_report(folder, tmp_path, console, draw=False, followed=True)
    for text in (console.file.getvalue(), (tmp_path / "report.md").read_text()):
        assert "Search: the best 10 on validation" in text
        assert "--best-of" not in text
        assert "Next" not in text


def test_only_what_validation_picked_shows_test_scores(reported):
    said, files = reported
    assert ".440" in said
    assert ".990" not in said
    assert "'trial 40' alone" in " ".join(said.split())
    with files["table.csv"].open(newline="") as file:
        assert {line["name"] for line in csv.DictReader(file)} == {"trial 40", "ridge"}
    with files["runs.csv"].open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 60


def test_each_setting_has_its_panel(reported):
    _, files = reported
    assert files["trials.png"].stat().st_size > 10_000
    assert "trials.pdf" in files


def test_the_best_settings_are_those_of_validation(folder):
    best = best_settings(folder, 2)
    assert list(best) == ["trial 40", "trial 41"]
    row = next(row for row in read_journal(folder).rows if row["name"] == "trial 40")
    assert float(best["trial 40"].learning_rate) == pytest.approx(row["hparams"]["learning_rate"])
    assert setting(row, "beta") == row["hparams"]["loss_weights"][1]


def test_a_sweep_without_a_search_is_reported_as_ever(tmp_path):
    rows = [trial(number, 0.4) for number in range(3)]
    view = read_journal(fabricate(tmp_path, rows, about=None))
    assert chosen(view) is view
    assert search_sections(view) == said_of(view) == []
    with pytest.raises(DserError, match="holds no search"):
        best_settings(tmp_path)


def test_a_search_of_which_nothing_ended_well_is_reported(tmp_path):
    fabricate(tmp_path, [trial(0, 0.4, "diverged"), trial(1, 0.4, "failed")])
    console = Console(file=io.StringIO(), width=100)
    write_report(tmp_path, console=console)
    assert "No trial has gone on to its end yet" in " ".join(console.file.getvalue().split())
    with pytest.raises(DserError, match="no trial has ended well yet"):
        best_settings(tmp_path)


def test_attributes_that_no_trial_learns_do_not_count(tmp_path):
    about = ABOUT | {"attributes": ["valence"], "ranges": {"learning_rate": "0.1,0.2"}}
    rows = [trial(0, 0.4), trial(1, 0.3)]
    rows[1]["validation"]["ccc"] |= {"valence": 0.5}
    view = read_journal(fabricate(tmp_path, rows, about))
    (section,) = search_sections(view)
    assert section.lines[0][0] == "trial 1"
    assert "mean CCC of valence on" in section.told[1]


def test_one_trial_of_several_is_not_the_only_row(tmp_path):
    fabricate(tmp_path, [trial(0, 0.3), trial(1, 0.4)], planned=2)
    stream = io.StringIO()
    write_report(tmp_path, None, Console(file=stream, width=100), draw=False)
    assert "of 'trial 1', picked on validation." in " ".join(stream.getvalue().split())
