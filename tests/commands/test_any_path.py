"""Every command on folders whose names hold all that a file system allows."""

from __future__ import annotations

import csv
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sweeping import TINY, draw_nothing, rows_of

from dser_jax.cli import main
from dser_jax.engine import SweepProgress

NAME = """-a [v2]*?{x,y}\\n'so' "b"\t\n日é%20 100%#$HOME~:;&|<>!@`=^+\x01\x1b[31m."""
"""Everything but the slash, and bytes that are no text."""


@pytest.fixture
def recordings(tmp_path, monkeypatch) -> Path:
    """Beeps in a folder of this name, and a table of them."""
    random = np.random.default_rng(0)
    (tmp_path / NAME).mkdir()
    monkeypatch.chdir(tmp_path)
    # A quoted cell may span lines only where it says so; and white space is a single space there.
    name = NAME.translate({ord(sign): "_" for sign in "\t\n\x01\x1b"})
    (Path(NAME) / name).mkdir()
    with (Path(NAME) / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "transcript", "valence", "arousal", "dominance", "split"])
        for i, labels in enumerate(random.uniform(1, 5, (16, 3))):
            path = Path(name) / f"{name}{i}.wav"
            soundfile.write(os.fspath(NAME / path), random.normal(0, 0.1, 4800), 16000)
            split = ["train", "train", "dev", "test"][i % 4]
            writer.writerow([path, f"it was {i % 3}", *labels, split])
    return Path(NAME)


def interrupted(monkeypatch, arguments: list[str]) -> None:
    """Runs a sweep that is told to stop after its first epoch."""
    advance, told = SweepProgress.__call__, []

    def tell(self, *tick):
        if not told:
            told.append(os.kill(os.getpid(), signal.SIGTERM))
        advance(self, *tick)

    with monkeypatch.context() as patch:
        patch.setattr(SweepProgress, "__call__", tell)
        with pytest.raises(SystemExit) as caught:
            main(arguments)
    assert caught.value.code == 75


def test_a_path_may_hold_any_character(recordings, monkeypatch, capsys):
    at = {name: str(recordings / name) for name in ("data", "sweep", "model", "labels.csv")}
    table = ["--corpus", "table", "--scale", "1", "5", "--features", "paa_hsf", "--jobs", "1"]
    main(["prepare", *table, f"--out={at['data']}", "--", at["labels.csv"]])
    main(["inspect", "--", at["data"]])
    draw_nothing(monkeypatch)
    sweep = ["sweep", f"--data={at['data']}", f"--out={at['sweep']}", "--split", "column", *TINY]
    sweep += ["--acoustic", "dense", "--text", "dense", "--no-baselines", "--keep-weights"]
    sweep += ["--seeds", "2", "--patience", "1", "--batch-size", "8"]
    interrupted(monkeypatch, sweep)
    assert list((recordings / "sweep").glob("lanes/*/*/manifest.json"))
    capsys.readouterr()
    main(sweep)
    said = capsys.readouterr()
    assert "damaged" not in said.out + said.err
    assert [row["status"] for row in rows_of(recordings / "sweep")] == ["ok", "ok"]
    main(["report", f"--html={recordings / 'page.html'}", "--", at["sweep"]])
    assert (recordings / "page.html").exists()
    main(["export", "--best", "--no-stablehlo", f"--out={at['model']}", "--", at["sweep"]])
    main(["predict", f"--out={recordings / 'of.csv'}", "--", at["model"], at["labels.csv"]])
    with (recordings / "of.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 16
