"""Folds as one test: what is pooled is held against audmetric, for networks and baselines."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from sweeping import TINY, draw_nothing, rows_of

from dser_jax.cli import main
from dser_jax.journal.reading import read_journal
from dser_jax.report.writing import write_report

audmetric = pytest.importorskip("audmetric")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Sixty sentences by seven speakers, without sessions, and a sweep over three folds of them."""
    folder = tmp_path_factory.mktemp("folds")
    random = np.random.default_rng(0)
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["transcript", "speaker", "valence", "arousal", "dominance"])
        for i, (v, a, d) in enumerate(random.uniform(1, 5, (63, 3))):
            writer.writerow([f"it was {round(v)} and {round(a)}", f"s{i % 7}", v, a, d])
    prepare = ["prepare", "--corpus", "table", str(folder / "labels.csv"), "--scale", "1", "5"]
    main([*prepare, "--out", str(folder / "data")])
    with pytest.MonkeyPatch.context() as patch:
        draw_nothing(patch)
        main(sweep(folder, folder / "whole"))
    return folder


def sweep(folder: Path, out: Path, *more: str) -> list[str]:
    where = ["sweep", "--data", str(folder / "data"), "--out", str(out), "--split", "folds:3"]
    return [*where, "--acoustic", "none", "--text", "dense", *TINY, "--seeds", "2", *more]


def test_the_pooled_score_is_that_of_all_test_predictions_one_behind_the_other(folder):
    view = read_journal(folder / "whole")
    pooled = [row for row in view.rows if "pooled" in row]
    assert Counter((row["name"], row["kind"]) for row in pooled if row["kind"] == "pooled") == {
        ("no weights", "pooled"): 2
    }
    assert len([row for row in pooled if row["kind"] == "baseline"]) == 7
    by_run = {row["run"]: row for row in view.rows}
    for row in pooled:
        folds = [by_run[run] for run in row["pooled"]]
        assert [each["config"]["split"] for each in folds] == ["fold:1/3", "fold:2/3", "fold:3/3"]
        assert {(each["name"], each["seed"]) for each in folds} == {(row["name"], row["seed"])}
        gold = np.concatenate([view.truth(each["truth"])["test_gold"] for each in folds])
        pred = np.concatenate([view.arrays(each["run"])["test_pred"] for each in folds])
        assert gold.shape == (63, 3)
        for column, attr in enumerate(("valence", "arousal", "dominance")):
            expected = audmetric.concordance_cc(gold[:, column], pred[:, column])
            assert row["test"]["ccc"][attr] == pytest.approx(expected, abs=1e-6)
        ids = view.truth(row["truth"])["test_ids"]
        assert len(set(ids.tolist())) == 63


def test_the_report_has_the_pooled_table_first_then_a_table_a_fold(folder, capsys):
    main(["report", str(folder / "whole"), "--no-figures"])
    text = (folder / "whole/report/report.md").read_text("utf-8")
    places = [text.index(f"split {name}") for name in ("3 folds of 7 speakers", "fold 1 of 3")]
    assert places == sorted(places)
    assert "6 of 6 runs finished" in text
    assert "95% interval" in capsys.readouterr().out
    found = json.loads((folder / "whole/bootstrap.json").read_text("utf-8"))
    (key,) = {row["truth"] for row in rows_of(folder / "whole") if row.get("kind") == "pooled"}
    pooled = [entry for entry in found["rows"] if json.loads(entry["of"])[0] == key]
    assert len(pooled) == 1 + 3 + 7
    assert {(entry["unit"], entry["count"]) for entry in pooled} == {("utterance", 63)}


def test_the_same_command_again_and_more_seeds_pool_what_is_new(folder, tmp_path, monkeypatch):
    draw_nothing(monkeypatch)
    before = (folder / "whole/rows.jsonl").read_bytes()
    main(sweep(folder, folder / "whole"))
    assert (folder / "whole/rows.jsonl").read_bytes() == before


def test_parts_are_pooled_when_they_are_merged(folder, tmp_path, monkeypatch):
    draw_nothing(monkeypatch)
    for part in ("1/2", "2/2"):
        main(sweep(folder, tmp_path, "--part", part))
        (parts,) = tmp_path.glob(f"part-{part[0]}-of-2")
        assert not any(row.get("kind") == "pooled" for row in rows_of(parts))
    main(["merge", str(tmp_path)])
    whole = {row["run"]: row["test"] for row in rows_of(folder / "whole") if "pooled" in row}
    merged = {row["run"]: row["test"] for row in rows_of(tmp_path) if "pooled" in row}
    assert merged.keys() == whole.keys()


def test_what_to_do_next_is_on_the_first_screen(folder, tmp_path):
    """Though there are tables of three folds, and of both."""
    stream = io.StringIO()
    console = Console(file=stream, width=80, force_terminal=True, color_system=None)
    write_report(folder / "whole", tmp_path, console, draw=False)
    lines = stream.getvalue().splitlines()
    (at,) = [at for at, line in enumerate(lines) if line.startswith("Next, ")]
    assert at < 24
    first = " ".join(lines[:at])
    assert "split 3 folds of 7 speakers: Mean test CCC" in first
    assert first.endswith("3 folds alone: see below.")


def test_a_model_of_one_fold_is_said_to_be_that(folder, tmp_path, capsys):
    given = ["export", str(folder / "whole"), "--best", "--retrain", "--no-stablehlo"]
    main([*given, "--out", str(tmp_path / "model")])
    said = capsys.readouterr().out
    assert "\n  It is of one fold alone, fold " in said
    assert " of 3 folds of 7 speakers: it was trained on what others test" in said
    assert "It is of one fold alone, fold " in (tmp_path / "model/README.md").read_text("utf-8")


def test_a_network_of_a_fold_is_shared_and_what_is_pooled_is_none(folder, capsys):
    run = next(row["run"] for row in rows_of(folder / "whole") if row.get("kind") == "pooled")
    with pytest.raises(SystemExit):
        main(["export", str(folder / "whole"), "--run", run, "--out", str(folder / "model")])
    assert "is pooled over folds ('no weights'), not a network" in capsys.readouterr().err
