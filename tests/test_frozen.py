"""Folders that version 0.1.0 wrote, read by this one: `frozen/` has one of each kind.

They are of two dozen beeps (the pitch tells the dominance, the loudness the arousal) with a word
that tells the valence: prepared with `--features paa_hsf,gemaps_hsf --acoustic --glove`; a sweep of
2 x 3 runs with its baselines and weights; the same, of 3,000 epochs, stopped by SIGTERM with 4 runs
finished and 2 under way; and `dser export --ensemble` of the first.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

import dser_jax
from dser_jax.cli import main
from dser_jax.config import Config
from dser_jax.data import load_dataset, load_prepared
from dser_jax.experiment import load_weights
from dser_jax.journal import read_intervals, read_journal
from dser_jax.stats import tables

FROZEN = Path(__file__).parent / "frozen"
RATE = 16000
SWEEP = (
    *("sweep", "--split", "column", "--features", "paa_hsf", "--weights", "none", "0.7,0.2"),
    *("--acoustic", "lstm", "--text", "lstm", "--units", "3", "--layers", "1", "--seeds", "3"),
    *("--embedding-dim", "3", "--text-dense", "3", "--fusion", "4", "3", "--max-tokens", "4"),
    *("--batch-size", "8", "--no-baselines"),
)


@pytest.fixture(scope="module")
def frozen(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("frozen")
    for archive in FROZEN.glob("*.tar.xz"):
        with tarfile.open(archive) as file:
            file.extractall(folder, filter="data")
    return folder


def test_a_prepared_folder(frozen):
    prepared = load_prepared(frozen / "prepared")
    assert [utt.id for utt in prepared.utterances] == [f"utt{i:02d}" for i in range(24)]
    first = prepared.utterances[0]
    assert (first.transcript, first.speaker, first.session) == ("it was good", "s0", "S0")
    assert (first.valence, first.arousal, first.dominance) == (3.548, 2.079, 1.164)
    dataset = load_dataset(
        prepared, Config(features="mine", vectors="glove", embedding_dim=3, split="column")
    )
    assert dataset.data.acoustic is not None
    given = np.random.default_rng(5).normal(size=(24, 3)).astype(np.float32)
    train = dataset.split.train
    scaled = (given - given[train].mean(0)) / given[train].std(0)
    np.testing.assert_allclose(dataset.data.acoustic[:, 0], scaled, atol=1e-5)
    assert dataset.data.word_vectors is not None
    assert dataset.data.word_vectors.shape == (dataset.words, 3)


def test_a_journal(frozen):
    view = read_journal(frozen / "journal")
    networks = [row for row in view.rows if row.get("kind") != "baseline"]
    assert sorted((row["name"], row["seed"]) for row in networks) == [
        (name, seed) for name in ("0.7/0.2/0.1", "no weights") for seed in range(3)
    ]
    (table,) = tables(view.rows)
    assert [row.name for row in table.rows] == ["no weights", "0.7/0.2/0.1"]
    for row in networks:
        truth, arrays = view.truth(row["truth"]), view.arrays(row["run"])
        assert arrays["test_pred"].shape == truth["test_gold"].shape == (6, 3)
        weights = load_weights(frozen / "journal", row["run"])
        assert np.shape(weights["params"]["text"]["embedding"]["embedding"])[1] == 3
    assert read_intervals(view.folder)


def test_a_report_of_it_is_written(frozen, tmp_path, capsys):
    main(["report", str(frozen / "journal"), "--out", str(tmp_path), "--no-figures"])
    text = (tmp_path / "report.md").read_text("utf-8")
    assert "6 of 6 runs finished" in text
    assert "| no weights |" in text


def test_the_same_command_trains_nothing_again(frozen, capsys):
    rows = frozen / "journal" / "rows.jsonl"
    before = rows.read_bytes()
    main([*SWEEP, *where(frozen, "journal"), "--max-epochs", "3", "--patience", "99"])
    assert rows.read_bytes() == before


def test_a_sweep_in_its_middle_goes_on(frozen, capsys):
    rows = frozen / "interrupted" / "rows.jsonl"
    before = rows.read_bytes()
    more = ["--lanes", "4", "--max-epochs", "3000", "--patience", "99999"]
    main([*SWEEP, *where(frozen, "interrupted"), *more])
    assert rows.read_bytes().startswith(before)
    done = [json.loads(line) for line in rows.read_text("utf-8").splitlines()]
    assert [row["status"] for row in done] == ["ok"] * 6
    with np.load(frozen / "losses.npz") as losses:
        assert sorted(losses) == sorted(row["run"] for row in done[4:])
        for run in losses:  # The epochs before it was stopped; another program trains the others.
            after = read_journal(frozen / "interrupted").arrays(run)["train_loss"]
            assert len(after) == 3000
            np.testing.assert_array_equal(after[: len(losses[run])], losses[run])


def where(frozen: Path, out: str) -> list[str]:
    return ["--data", str(frozen / "prepared"), "--out", str(frozen / out)]


def test_a_model(frozen):
    view, model = read_journal(frozen / "journal"), dser_jax.load(frozen / "model")
    utterances = {utt.id: utt for utt in load_prepared(frozen / "prepared").utterances}
    row = next(row for row in view.rows if row.get("kind") != "baseline")
    asked = [utterances[name] for name in view.truth(row["truth"])["test_ids"].tolist()]
    files = []
    for utt in asked:
        files.append(frozen / f"{utt.id}.wav")
        soundfile.write(files[-1], beep(100 + 80 * utt.dominance, utt.arousal / 6), RATE)
    estimate = model(files, [utt.transcript for utt in asked])
    runs = [member.run for member in model.bundle.members]
    want = np.stack([view.arrays(run)["test_pred"] for run in runs])
    np.testing.assert_allclose(estimate.members, want, atol=1e-4)
    assert want.std(0).max() > 1e-2  # The networks differ, so each was compared with its own.


def beep(pitch: float, loudness: float) -> np.ndarray:
    time = np.arange(round(0.4 * RATE)) / RATE
    noise = np.random.default_rng(round(pitch)).normal(0, 0.01, len(time))
    return loudness * np.sin(2 * np.pi * pitch * time) + noise
