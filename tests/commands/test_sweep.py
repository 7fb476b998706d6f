"""`dser sweep` end to end on a few dozen sentences: one small sweep, and what it refuses."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from sweeping import (
    ROWS,
    TINY,
    draw_nothing,
    fails,
    planned,
    prepare_sentences,
    rows_of,
    sweep_arguments,
)

from dser_jax.cli import main
from dser_jax.config import LEAVE_ONE_OUT
from dser_jax.training.metrics import ccc

FOUR = ("--weights", "none", "mine=0.7,0.2", "--seeds", "2", "--lanes", "2")
"""Two weightings of two seeds; in two lanes, so that a part of them is trained by one program."""


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return prepare_sentences(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def swept(data) -> tuple[Path, list[str]]:
    """A sweep of two weightings and two seeds, and its command."""
    command = sweep_arguments(data, data / "sweep", *FOUR)
    main(command)
    return data / "sweep", command


def test_every_name_and_seed_has_a_row(swept):
    rows = rows_of(swept[0])
    pairs = [("mine", 0), ("mine", 1), ("no weights", 0), ("no weights", 1)]
    assert sorted((row["name"], row["seed"]) for row in rows) == pairs
    for row in rows:
        assert (row["network"], row["features"]) == ("dense (text)", "we")
        assert row["status"] == "ok"
        assert row["epochs"] == 2
        assert row["config"]["units"] == 3
        weights = [0.7, 0.2, 0.1] if row["name"] == "mine" else [1.0, 1.0, 1.0]
        assert row["hparams"]["loss_weights"] == weights
        assert len(row["test"]["ccc"]) == 4


def test_the_scores_are_those_of_the_predictions_on_disk(swept):
    folder, _ = swept
    row = rows_of(folder)[0]
    with np.load(folder / f"truth/{row['truth']}.npz") as truth:
        gold, ids = truth["test_gold"], truth["test_ids"]
    with np.load(folder / f"arrays/{row['run']}.npz") as arrays:
        pred = arrays["test_pred"]
    assert gold.shape == pred.shape == (ROWS // 4, 3)
    assert list(ids) == [f"{i:02d}" for i in range(4, ROWS + 1, 4)]
    assert row["test"]["ccc"]["valence"] == pytest.approx(ccc(gold[:, 0], pred[:, 0]), abs=1e-9)


def test_the_report_is_written(swept):
    folder, _ = swept
    text = (folder / "report/report.md").read_text()
    assert "4 of 4 runs finished" in text
    for name in ("no weights", "mine"):
        assert f"| {name} |" in text
    assert "CCC over the whole test set" in text
    with (folder / "report/runs.csv").open(newline="") as file:
        kinds = [line["kind"] for line in csv.DictReader(file)]
    assert kinds[:4] == ["network"] * 4
    assert set(kinds[4:]) == {"stretched", "ensemble", "ensemble, stretched"}
    for file in ("table.csv", "tests.csv", "table.tex", "learning_curves.png"):
        assert (folder / "report" / file).stat().st_size > 0
    assert len(list((folder / "report/gold_vs_pred").glob("*.png"))) == 2


def test_the_same_command_again_trains_nothing_and_says_so(swept, capsys, monkeypatch):
    folder, command = swept
    draw_nothing(monkeypatch)
    before = (folder / "rows.jsonl").read_bytes()
    main(command)
    said = capsys.readouterr()
    assert "4 runs are finished already, nothing to do" in said.err
    assert "compiling" not in said.err
    assert "no weights" in said.out
    assert (folder / "rows.jsonl").read_bytes() == before


def test_a_report_on_the_validation_rows_goes_beside_that_on_the_test(swept, capsys):
    folder, _ = swept
    before = (folder / "report/report.md").read_bytes()
    main(["report", str(folder), "--validation"])
    said = " ".join(capsys.readouterr().out.split())
    assert "CCC over the whole validation set" in said
    assert "test set" not in said
    page = (folder / "report-validation/report.md").read_text()
    assert "CCC over the whole validation set" in page
    assert not (folder / "report-validation/gold_vs_pred").exists()
    assert (folder / "report/report.md").read_bytes() == before


def test_several_sweeps_make_one_page(swept, tmp_path, capsys):
    folder, _ = swept
    other = folder.with_name("another")
    other.mkdir()
    for name in ("manifest.json", "rows.jsonl"):
        (other / name).write_bytes((folder / name).read_bytes())
    main(["report", str(folder), str(other), "--no-figures", "--out", str(tmp_path)])
    assert "## another" in (tmp_path / "report.md").read_text()
    with pytest.raises(SystemExit):
        main(["report", str(folder), str(other)])
    assert "report of 2 sweeps needs --out DIR" in capsys.readouterr().err


def test_features_and_word_vectors_are_crossed(data, tmp_path, monkeypatch):
    given = [
        "--features",
        "one,two",
        "--vectors",
        "we,glove",
        "--weights",
        "none",
        "a=1,0,1",
        "--yes",
    ]
    where = ["--data", str(data / "both"), "--out", str(tmp_path), "--seeds", "3"]
    groups = planned(monkeypatch, ["sweep", *where, *given])
    inputs = [("one", "we"), ("one", "glove"), ("two", "we"), ("two", "glove")]
    assert [(g.config.features, g.config.vectors) for g in groups] == inputs
    for (features, vectors), group in zip(inputs, groups, strict=True):
        names = dict.fromkeys(run.name for run in group.runs)
        assert list(names) == [f"{features}, {vectors}, no weights", f"{features}, {vectors}, a"]
        assert len(group.runs) == 6


def test_a_grid_and_weights_are_crossed(data, tmp_path, monkeypatch):
    given = [
        "--grid",
        "learning_rate=0.1,0.2",
        "--grid",
        "patience=3",
        "--weights",
        "none",
        "valence",
    ]
    (group,) = planned(monkeypatch, sweep_arguments(data, tmp_path, *given, "--seeds", "1"))
    assert {run.name: float(run.hparams.learning_rate) for run in group.runs} == {
        f"{name} learning rate={rate} patience=3": pytest.approx(rate)
        for name in ("no weights", "valence only")
        for rate in (0.1, 0.2)
    }


def test_each_session_is_tested_on_where_that_is_asked(data, tmp_path, monkeypatch):
    groups = planned(
        monkeypatch, sweep_arguments(data, tmp_path, "--split", LEAVE_ONE_OUT, "--yes")
    )
    assert [group.config.split for group in groups] == ["session:S0", "session:S1", "session:S2"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("--vectors fasttext", "word vectors"),
        ("--vectors we,we", "--vectors we,we: expected names with commas, each once"),
        ("--features a,b", "--features a,b: --acoustic none has no use for several"),
        ("--normalize speaker", "--normalize speaker: --acoustic none has no use for it"),
        ("--text none", "a network needs an acoustic half, a text half, or both"),
        ("--grid units=2,3", "--grid units=2,3: expected one of alpha, beta, gamma,"),
        ("--grid alpha=0:1:0.3", "expected alpha=LOW:HIGH:STEP with whole steps"),
        ("--grid alpha=0:1:0.5", "--grid over loss weights needs alpha and beta"),
        ("--grid alpha=1 --grid beta=0 --weights none", "both set the loss weights"),
        ("--weights a=none a=valence", "'a' is there already"),
        ("--weights 0.7", "--weights 0.7: expected none, two numbers"),
        ("--seeds -1", "argument --seeds: -1 is less than 0"),
        ("--units 0", "argument --units: 0 is less than 1"),
        ("--split session:S9", "no session is called 'S9'; there are S0, S1, S2"),
    ],
)
def test_a_sweep_refuses_before_it_writes_anything(data, tmp_path, capsys, more, message):
    out = tmp_path / "out"
    assert message in fails(capsys, sweep_arguments(data, out, *more.split()))
    assert not out.exists()


@pytest.mark.parametrize(
    ("folder", "more", "message"),
    [
        ("text", "", "has no acoustic features; `dser prepare --features` adds some, and"),
        ("text", "--features paa_hsf", "'paa_hsf'"),
        ("both", "", "has several acoustic features: one, two; name one with --features"),
        ("both", "--features three", "'three'"),
        ("nowhere", "", "there is no such folder; expected a folder that `dser prepare --out`"),
    ],
)
def test_features_that_are_not_there_are_said(data, tmp_path, capsys, folder, more, message):
    out = str(tmp_path / "out")
    given = ["sweep", "--data", str(data / folder), "--out", out, "--split", "column", *TINY]
    assert message in fails(capsys, [*given, *more.split()])


def test_parts_of_a_sweep_are_merged_into_what_the_whole_gives(
    swept, data, tmp_path, capsys, monkeypatch
):
    whole, _ = swept
    out = tmp_path / "out"
    draw_nothing(monkeypatch)
    given = sweep_arguments(data, out, *FOUR)
    for part in ("1/2", "2/2"):
        main([*given, "--part", part])
    said = capsys.readouterr().out
    assert "part 2 of 2 is done; `dser merge` joins them" in said
    grid = out / "part-2-of-2/grid"  # As `experiments/weightings.py` leaves one in each part.
    shutil.copytree(whole, grid)
    first = out / "part-1-of-2/grid"  # Another part may have more of it by now.
    shutil.copytree(whole, first)
    lines = (whole / "rows.jsonl").read_text().splitlines(keepends=True)
    (first / "rows.jsonl").write_text("".join(lines[:1]))
    shutil.copytree(grid, out / "part-3-of-3/search-4")  # That part is not at its runs yet.
    for _ in range(2):
        main(["merge", str(out)])
        assert rows_of(out / "grid") == rows_of(grid)
        assert not (out / "settings").exists()
        assert not (out / "search-4").exists()
    (out / "grid/rows.jsonl").write_text("".join(lines[:1]))  # as merged before
    main(["merge", str(out)])
    assert rows_of(out / "grid") == rows_of(grid)
    scores = {
        folder: {row["run"]: row["test"]["ccc"]["mean"] for row in rows_of(folder)}
        for folder in (whole, out)
    }
    assert scores[out] == pytest.approx(scores[whole], abs=1e-4)
    assert (out / "report").is_dir()
    assert (out / "bootstrap.json").exists()
    capsys.readouterr()
    main(given)  # The whole sweep has nothing left to do there.
    assert "nothing to do" in capsys.readouterr().err


def test_a_part_that_is_none_is_refused(data, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(sweep_arguments(data, tmp_path, "--part", "3/2"))
    assert "expected I/N with I from 1 to N" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["merge", str(tmp_path)])
    assert "no part-I-of-N in it" in capsys.readouterr().err
