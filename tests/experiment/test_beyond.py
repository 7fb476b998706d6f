"""The experiments beyond the paper, from a prepared data set to their reports."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dser_jax.config import Config
from dser_jax.corpora.utterances import Corpus, Utterance
from dser_jax.data.dataset import load_dataset
from dser_jax.data.prepared import load_prepared
from dser_jax.data.preparing import prepare
from dser_jax.experiment.flags.sizes import SMALL as SIZES
from dser_jax.journal.reading import read_journal
from dser_jax.plan.groups import usable_groups

ROOT = Path(__file__).parents[2]
COUNT = 72
SMALL = {name: value for name, value in SIZES.items() if name != "learning_rate"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three sessions of two speakers, each with a dialogue, whose features follow the labels."""
    folder = tmp_path_factory.mktemp("beyond")
    random = np.random.default_rng(0)
    labels = random.uniform(1.5, 4.5, (COUNT, 3))
    utterances = tuple(
        Utterance(
            f"Ses{i // 24}_{i % 24:02d}",
            speaker=f"Ses{i // 24}{'FM'[i % 2]}",
            session=f"Ses{i // 24}",
            transcript=("good day", "bad day")[int(labels[i, 0] < 3)] + f" number {i % 7}",
            valence=labels[i, 0],
            arousal=labels[i, 1],
            dominance=labels[i, 2],
            dialogue=f"Ses{i // 24}",
            turn=float(i % 24),
        )
        for i in range(COUNT)
    )
    noise = random.normal(0, 0.3, (COUNT, 3))
    np.save(folder / "speech.npy", (labels + noise).astype(np.float32))
    vectors = (labels + random.normal(0, 0.3, (COUNT, 3))) @ random.normal(size=(3, 4)) + 1
    np.save(folder / "text.npy", vectors.astype(np.float32))
    prepare(
        Corpus("toy", utterances, (1.0, 5.0)),
        folder / "out",
        acoustic={"mine": folder / "speech.npy"},
        text={"mini": folder / "text.npy"},
    )
    return folder / "out"


def test_each_step_adds_to_the_one_above(data, monkeypatch, capsys):
    """What is trained, not the training: each program is trained in a test of its own."""
    asked = {}
    flags = ["--data", str(data), "--out", "none", "--seeds", "2", "--size", "small"]
    monkeypatch.setattr(sys, "argv", ["beyond.py", *flags])
    module = load("beyond")
    monkeypatch.setattr(module, "conduct", lambda _, groups, steps: asked.update({steps: groups}))
    module.main()
    (groups,) = asked.values()
    names = [group.runs[0].name for group in groups]
    assert names[:3] == ["paper", "dense, tuned", "+ small heads"]
    assert [group.config.head_scale for group in groups] == [1, 1, *[0.1] * 5]
    assert list(asked) == [True]
    inputs = [load_dataset(load_prepared(data), group.config).inputs for group in groups]
    assert inputs == [
        *["mine + we"] * 3,
        "mine by speaker + we",
        *["mine by speaker + we + context"] * 2,
        "mine by speaker + mini + context",
    ]
    assert groups[0].config == Config(features="mine", **SMALL)
    rates = [group.runs[0].hparams.modality_dropout for group in groups]
    assert [rate > 0 for rate in rates] == [False] * 5 + [True] * 2
    usable, skipped = usable_groups(groups, load_prepared(data), skip=True)
    assert (len(usable), skipped) == (7, [])


def load(name):
    """Loads an experiment's file."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"experiments/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_best_of_a_search_are_trained_anew(data, tmp_path):
    few = ("--trials", "3", "--best", "2", "--widths", "4", "--seeds", "2", "--max-epochs", "3")
    done = subprocess.run(
        [
            *(sys.executable, ROOT / "experiments/tuned.py", "--data", data),
            *("--out", tmp_path / "out", "--text", "none", "--batch-size", "24"),
            *("--no-baselines", *few),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert "--best-of" not in done.stdout
    assert done.stdout.count("Next, ") == 1
    trials = read_journal(tmp_path / "out/search-4").rows
    view = read_journal(tmp_path / "out")
    assert len(trials) == 3
    assert {row["config"]["units"] for row in view.rows} == {4}
    assert {row["config"]["head_scale"] for row in (*view.rows, *trials)} == {0.1}
    best = sorted(trials, key=lambda row: -row["validation"]["ccc"]["mean"])
    whole = [row for row in best if row["status"] == "ok"][:2]
    assert {row["name"] for row in view.rows} == {f"4 wide, {row['name']}" for row in whole}
    assert not {row["seed"] for row in view.rows} & {row["seed"] for row in trials}
    settings = {f"4 wide, {row['name']}": row["hparams"] for row in whole}
    assert all(row["hparams"] == settings[row["name"]] for row in view.rows)
