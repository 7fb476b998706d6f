"""A few dozen sentences, prepared, and `dser sweep` on them."""

from __future__ import annotations

import csv
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from dser_jax.cli import main
from dser_jax.plan import Group
from dser_jax.report import write_report

ROWS = 40
WORDS = ["awful", "bad", "poor", "plain", "fair", "good", "great"]
TINY = (
    *("--units", "3", "--layers", "1", "--embedding-dim", "3", "--text-dense", "3"),
    *("--max-tokens", "4", "--batch-size", "16", "--max-epochs", "2", "--size", "paper"),
)


def prepare_sentences(folder: Path) -> Path:
    """Sentences whose last word tells the valence, with word vectors and two acoustic features."""
    random = np.random.default_rng(0)
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "V", "A", "D", "split", "session"])
        for i, labels in enumerate(random.uniform(1, 5, (ROWS, 3))):
            word = WORDS[int((labels[0] - 1) / 4 * len(WORDS))]
            split = ["train", "train", "dev", "test"][i % 4]
            writer.writerow([f"it was {word}", *labels, split, f"S{i // 14}"])
    (folder / "glove.txt").write_text("was 1 0 0 1\ngood 0 1 0 1\nbad 0 0 1 1\n")
    for name in ("one", "two"):
        np.save(folder / f"{name}.npy", random.normal(size=(ROWS, 2)).astype(np.float32))
    columns = ["--column", "valence=V", "arousal=A", "dominance=D", "transcript=text"]
    common = ["prepare", "--corpus", "table", str(folder / "labels.csv"), "--scale", "1", "5"]
    main([*common, *columns, "--glove", str(folder / "glove.txt"), "--out", str(folder / "text")])
    acoustic = [f"{name}={folder / f'{name}.npy'}" for name in ("one", "two")]
    main([*common, *columns, "--acoustic", *acoustic, "--out", str(folder / "both")])
    return folder


def sweep_arguments(data: Path, out: Path, *more: str) -> list[str]:
    where = ["--data", str(data / "text"), "--out", str(out), "--split", "column"]
    return [
        "sweep",
        *where,
        "--acoustic",
        "none",
        "--text",
        "dense",
        "--no-baselines",
        *TINY,
        *more,
    ]


def draw_nothing(patch: pytest.MonkeyPatch) -> None:
    """Has reports written without figures, which take longer than all the training."""
    report = partial(write_report, draw=False)
    for module in ("dser_jax.experiment.conducting", "dser_jax.report"):
        patch.setattr(f"{module}.write_report", report)


def rows_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]


def planned(monkeypatch, arguments: list[str], yes: bool = True) -> list[Group]:
    """Returns what a command would train; a plan that looks wrong is gone on with."""
    groups: list[Group] = []
    monkeypatch.setattr(
        "dser_jax.experiment.conducting.run_experiment",
        lambda data, out, given, **_: groups.extend(given),
    )
    monkeypatch.setattr("dser_jax.experiment.conducting.write_report", lambda out: None)
    main([*arguments, "--yes"] if yes else arguments)
    return groups


def fails(capsys, arguments: list[str]) -> str:
    """Runs a command that ends with code 2; returns what it says, on one line."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    return said.err
