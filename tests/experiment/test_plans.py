"""What a plan is held against before anything is trained: doubts, what is missing, constants."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from sweeping import draw_nothing, fails, planned, prepare_sentences, rows_of, sweep_arguments

from dser_jax.cli import main


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return prepare_sentences(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            ("--weights", "70,20"),
            "weights of 70 (valence), 20 (arousal), -89 (dominance): in percent? 0.7,0.2",
        ),
        (
            ("--weights", "none", "a=0.9,0.9"),
            "'a': loss weights of 0.9 (valence), 0.9 (arousal), -0.8 (dominance): one below zero",
        ),
        (("--batch-size", "21"), "column: 20 utterances to train on, fewer than one batch of 21"),
    ],
)
def test_a_plan_that_looks_wrong_is_refused_unless_it_is_meant(
    data, tmp_path, capsys, monkeypatch, given, said
):
    command = sweep_arguments(data, tmp_path / "out", *given)
    message = fails(capsys, command)
    assert said in message
    assert "--yes goes on" in message
    assert not (tmp_path / "out").exists()
    assert planned(monkeypatch, command)
    assert said in capsys.readouterr().out


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "goes_on"), [("y\n", True), ("\n", False), ("", False)])
def test_on_a_terminal_it_is_asked_about(data, tmp_path, monkeypatch, capsys, answer, goes_on):
    command = sweep_arguments(data, tmp_path / "out", "--weights", "70,20")
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    monkeypatch.setattr("sys.stderr", asked := Terminal())
    if goes_on:
        assert planned(monkeypatch, command, yes=False)
    else:
        fails(capsys, command)
    assert "Go on with it? [y/N]" in asked.getvalue()


def test_a_grid_may_cross_zero_as_the_papers_does(data, tmp_path, monkeypatch):
    axes = ("--grid", "alpha=0.1,0.9", "--grid", "beta=0.9", "--seeds", "1")
    (group,) = planned(monkeypatch, sweep_arguments(data, tmp_path, *axes), yes=False)
    assert len(group.runs) == 2


def test_inputs_that_were_asked_for_and_are_not_there_are_an_error(
    data, tmp_path, capsys, monkeypatch
):
    """GloVe is four wide here, and nobody has prepared FastText."""
    out = tmp_path / "out"
    given = ("--vectors", "we,glove,fasttext", "--seeds", "1")
    message = fails(capsys, sweep_arguments(data, out, *given))
    assert "glove, no weights: not trained" in message
    assert "have 4 dimensions" in message
    assert "no word vectors 'fasttext'" in message
    assert "--skip-missing trains the others alone" in message
    assert not out.exists()
    draw_nothing(monkeypatch)
    main(sweep_arguments(data, out, *given, "--skip-missing"))
    assert [row["name"] for row in rows_of(out)] == ["we, no weights"]
    capsys.readouterr()
    main(["report", str(out)])
    for said in (capsys.readouterr().out, (out / "report/report.md").read_text("utf-8")):
        text = " ".join(said.split())
        assert "glove, no weights: not trained: " in text
        assert "fasttext, no weights: not trained: " in text


def test_no_seed_gives_the_baselines_alone(data, tmp_path, capsys, monkeypatch):
    draw_nothing(monkeypatch)
    command = sweep_arguments(data, tmp_path, "--seeds", "0")
    assert "--no-baselines leaves none" in fails(capsys, command)
    command.remove("--no-baselines")
    main(command)
    assert "Baselines alone: there is no network" in capsys.readouterr().out
    assert {row["kind"] for row in rows_of(tmp_path)} == {"baseline"}
    planned = json.loads((tmp_path / "manifest.json").read_bytes())["baselines"]
    assert planned == [row["run"] for row in rows_of(tmp_path)]
    for row in rows_of(tmp_path):
        assert f"| {row['name']} |" in (tmp_path / "report/report.md").read_text("utf-8")


@pytest.mark.parametrize("constant", ["everywhere", "test"])
def test_labels_that_never_vary_are_left_out_of_the_mean(tmp_path, capsys, monkeypatch, constant):
    random = np.random.default_rng(0)
    table = tmp_path / "labels.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["transcript", "valence", "arousal", "dominance", "split"])
        for i, (v, a, d) in enumerate(random.uniform(1, 5, (48, 3))):
            split = ["train", "train", "dev", "test"][i % 4]
            alike = constant in ("everywhere", split)
            writer.writerow([f"it was {round(v)}", v, a, 3 if alike else d, split])
    prepare = ["prepare", "--corpus", "table", str(table), "--scale", "1", "5"]
    main([*prepare, "--out", str(tmp_path / "data")])
    main(["inspect", str(tmp_path / "data")])
    told = " ".join(capsys.readouterr().out.split())
    said = "all labels of dominance are alike: it is neither trained nor scored"
    if constant == "test":
        said = "all labels of dominance in test are alike: it has no score there"
    assert told.count(said) == 2
    draw_nothing(monkeypatch)
    sweep = ["sweep", "--data", str(tmp_path / "data"), "--acoustic", "none", "--seeds", "0"]
    main([*sweep, "--split", "column", "--out", str(tmp_path / "out")])
    rows = rows_of(tmp_path / "out")
    for row in rows:
        scores = row["test"]["ccc"]
        assert set(scores) == {"valence", "arousal", "mean"}
        assert scores["mean"] == pytest.approx((scores["valence"] + scores["arousal"]) / 2)
        assert ("dominance" in row["validation"]["ccc"]) == (constant == "test")
    (line,) = json.loads((tmp_path / "out/manifest.json").read_text())["constant"]
    assert "all labels of dominance in t" in line
    assert line in (tmp_path / "out/report/report.md").read_text("utf-8")
