"""How networks were trained is told beside their scores, where it is not the default."""

from __future__ import annotations

import csv
import io

import pytest
from fabricated import NAMES, fabricate, weight_grid
from held_against import add_baselines
from rewritten import rewrite_rows
from rich.console import Console

from dser_jax.journal import Journal
from dser_jax.report import write_page, write_report

FILES = ("report.md", "table.tex", "report.html")


def said(folder):
    """Writes a report and a page; returns what is printed and what the files have."""
    stream = io.StringIO()
    write_report(folder, None, Console(file=stream, width=300), draw=False)
    write_page([folder])
    return [stream.getvalue(), *((folder / "report" / name).read_text("utf-8") for name in FILES)]


def lines(folder, name):
    with open(folder / "report" / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_another_loss_is_named_by_every_table(tmp_path):
    config = {"loss": "mse", "weighting": "uncertainty", "optimizer": "rmsprop"}
    fabricate(tmp_path, seeds=2, config=config)
    add_baselines(tmp_path)
    for text in said(tmp_path):
        assert "split last session, loss mse, weighting uncertainty; CCC over the whole" in text
    for name in ("table.csv", "runs.csv"):
        kinds = {(line["kind"] == "baseline", line["loss"]) for line in lines(tmp_path, name)}
        assert kinds == {(False, "mse"), (True, "")}


def test_the_default_is_in_the_files_alone(tmp_path):
    fabricate(tmp_path, seeds=2)
    for text in said(tmp_path):
        assert "split last session; CCC over the whole" in text
    trained = {
        (line["loss"], line["weighting"], line["optimizer"]) for line in lines(tmp_path, "runs.csv")
    }
    assert trained == {("ccc", "fixed", "rmsprop")}


@pytest.mark.parametrize(
    ("losses", "told"),
    [
        (("ccc", "mse", "mse"), "loss mse, but ccc of 'a'; CCC"),
        (tuple("123456789"), "loss one of 9 (runs.csv has each); CCC"),
    ],
)
def test_rows_that_differ_are_told_apart(tmp_path, losses, told):
    names = dict.fromkeys("abcdefghi"[: len(losses)], NAMES["text LSTM"])
    fabricate(tmp_path, names, seeds=1)
    config = {name: {"loss": loss} for name, loss in zip(names, losses, strict=True)}
    rewrite_rows(tmp_path / "rows.jsonl", lambda row: row | {"config": config[row["name"]]})
    assert told in said(tmp_path)[0]


def test_settings_that_differ_are_columns_of_the_runs(tmp_path):
    with Journal.open(tmp_path, {}) as journal:
        for at, row in enumerate(weight_grid(seeds=1, values=[0.1, 0.2])):
            journal.commit(row | {"name": f"trial {at}"}, {})
    said(tmp_path)
    found = {line["name"]: (line["alpha"], line["beta"]) for line in lines(tmp_path, "runs.csv")}
    assert found["trial 1"] == ("0.1", "0.2")
    assert "learning_rate" not in lines(tmp_path, "runs.csv")[0]
