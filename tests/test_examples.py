"""Every file of `examples/`: short, runnable, and doing what it says."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shutil
from pathlib import Path
from types import ModuleType

import jax.numpy as jnp
import numpy as np
import pytest
import soundfile
from scipy import signal

from dser_jax.cli import main
from dser_jax.corpora.utterances import Corpus, Utterance
from dser_jax.data.prepared import load_prepared
from dser_jax.data.preparing import prepare
from dser_jax.journal.reading import read_journal
from dser_jax.loss import LOSSES, WEIGHTINGS
from dser_jax.models.table import MODELS
from dser_jax.training.optimizers import OPTIMIZERS

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
WORDS = ["awful", "bad", "poor", "plain", "fair", "good", "great"]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """Utterances whose words tell the valence, loudness the arousal and pitch the dominance."""
    folder = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    gold = random.uniform(1, 5, (120, 3))
    utterances = tuple(
        Utterance(
            f"u{i:03d}",
            session=f"s{i // 30}",
            speaker=f"s{i // 30}{'fm'[i % 2]}",
            file=folder / f"u{i:03d}.wav",
            transcript=f"it was {WORDS[int((v - 1) / 4 * len(WORDS))]}",
            valence=v,
            arousal=a,
            dominance=d,
        )
        for i, (v, a, d) in enumerate(gold.tolist())
    )
    time = np.arange(4800) / 16000
    for utterance in utterances:
        hertz, loud = 80 + 60 * utterance.dominance, 0.02 * 2**utterance.arousal
        soundfile.write(utterance.file, loud * signal.sawtooth(2 * np.pi * hertz * time), 16000)
    prepare(
        Corpus("toy", utterances, (1.0, 5.0)), folder / "prepared", features=["gemaps_hsf"], jobs=1
    )
    return folder / "prepared"


@pytest.fixture(autouse=True)
def tables_as_they_were():
    """Takes out again what an example adds; what was there is not to be replaced."""
    tables = (LOSSES, WEIGHTINGS, OPTIMIZERS, MODELS["text"], MODELS["acoustic"])
    before = [dict(table) for table in tables]
    yield
    for table, entries in zip(tables, before, strict=True):
        replaced = [name for name, entry in entries.items() if table[name] is not entry]
        table.clear()
        table.update(entries)
        assert not replaced


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short_and_says_how_it_is_run(path):
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 40
    assert f"python examples/{path.name}" in ast.get_docstring(ast.parse(text))
    assert not re.search(r"import _|\._[a-z]", text), "an example needs something private"
    told = (ROOT / "docs" / "extend.md").read_text("utf-8")
    assert f"(../examples/{path.name})" in told


def trained(name: str, data: Path, out: Path) -> list[dict]:
    """Runs an example; returns the rows of its journal."""
    load(name).main(data, out)
    rows = read_journal(out).rows
    assert {row["status"] for row in rows} == {"ok"}
    return list(rows)


def ccc(row: dict, attr: str = "mean") -> float:
    return row["test"]["ccc"][attr]


def test_new_loss(prepared, tmp_path, capsys):
    rows = trained("new_loss", prepared, tmp_path)
    assert {row["config"]["loss"] for row in rows} == {"half and half"}
    assert min(ccc(row, "arousal") for row in rows) > 0.5
    said = capsys.readouterr().out.splitlines()
    assert sorted(said) == sorted(f"{row['name']} half and half {ccc(row):.3f}" for row in rows)
    module = load("new_loss")
    gold, pred, weight = jnp.zeros((4, 3)), jnp.full((4, 3), 2.0), jnp.ones((4, 3))
    # CCC is 0, the squared error 4.
    np.testing.assert_allclose(module.half_and_half(gold, pred, weight), [2.5] * 3, atol=1e-5)


def test_new_weighting(prepared, tmp_path, capsys):
    rows = trained("new_weighting", prepared, tmp_path)
    assert {row["config"]["weighting"] for row in rows} == {"uncertain"}
    assert min(ccc(row, "arousal") for row in rows) > 0.5
    shown = re.findall(r"weights of V, A, D: \[([\d. ]+)\]", capsys.readouterr().out)
    weights = np.array([row.split() for row in shown], float)
    assert weights.shape == (2, 3)
    # The optimum of exp(-s) L + s is exp(-s) = 1 / L: each loss is below 1, so weights rise.
    assert (weights > 1).all()


def test_remembering_weighting(prepared, tmp_path, capsys):
    rows = trained("remembering_weighting", prepared, tmp_path)
    assert {row["config"]["weighting"] for row in rows} == {"dynamic"}
    assert min(ccc(row, "arousal") for row in rows) > 0.5
    assert capsys.readouterr().out.count("dynamic") == 2
    weighting = load("remembering_weighting").by_progress
    last, before = np.float32([0.8, 0.4, 0.2]), np.float32([0.8, 0.8, 0.8])
    # Ratios of 1, 1/2, 1/4 over a temperature of 2.
    share = np.exp([0.5, 0.25, 0.125])
    share = 3 * share / share.sum()
    found = weighting((), (last, before), np.float32([1, 0, 0]), np.float32([2, 1, 1]))
    assert float(found) == pytest.approx(2 * share[0], abs=1e-5)


def test_gradient_weighting(prepared, tmp_path, capsys):
    rows = trained("gradient_weighting", prepared, tmp_path)
    assert min(ccc(row, "arousal") for row in rows) > 0.5
    assert capsys.readouterr().out.count("as hard") == 2
    gram = np.diag(np.float32([1, 4, 16]))  # Lengths of 1, 2, 4; their mean is 7/3.
    combine = load("gradient_weighting").as_hard
    found = combine((), (), np.float32([3, 0, 0]), np.float32([1, 1, 1]), gram=gram)
    assert float(found) == pytest.approx(7, abs=1e-5)


def test_step_weighting(prepared, tmp_path, capsys):
    rows = trained("step_weighting", prepared, tmp_path)
    assert min(ccc(row, "arousal") for row in rows) > 0.5
    assert capsys.readouterr().out.count("relative") == 2
    module = load("step_weighting")
    memory = module.move(np.float32([1, 1, 1]), np.float32([0, 1, 3]), None)
    np.testing.assert_allclose(memory, [0.95, 1, 1.1], atol=1e-6)


def test_new_encoder(prepared, tmp_path, capsys):
    (row,) = trained("new_encoder", prepared, tmp_path / "out")
    assert row["network"] == "attention pooling (text)"
    assert ccc(row, "valence") > 0.5
    assert "attention pooling (text)" in capsys.readouterr().out
    model = str(tmp_path / "model")
    main(["export", str(tmp_path / "out"), "--best", "--retrain", "--out", model])
    main(["predict", model, "--text", "fine"])
    assert "fine" in capsys.readouterr().out


def test_new_features(prepared, tmp_path, capsys):
    data = tmp_path / "prepared"
    shutil.copytree(prepared, data)
    rows = trained("new_features", data, tmp_path / "out")
    assert load_prepared(data).manifest["features"]["letters"]["kind"] == "hsf"
    assert [row["features"] for row in rows] == ["letters", "letters"]
    assert min(ccc(row, "valence") for row in rows) > 0.5
    assert capsys.readouterr().out.count("letters 0.") == 2


def test_new_optimizer(prepared, tmp_path, capsys):
    rows = trained("new_optimizer", prepared, tmp_path)
    assert {row["config"]["optimizer"] for row in rows} == {"clipped lion"}
    assert len({row["hparams"]["learning_rate"] for row in rows}) == 3
    assert max(ccc(row, "arousal") for row in rows) > 0.5
    assert "learning rate=0.003 clipped lion" in capsys.readouterr().out


def test_new_corpus(tmp_path):
    lines = [
        {"who": "anna", "said": "It rains.", "vad": [2, 3, 4.5]},
        {"who": "ben", "wav": "b.wav", "vad": [5, 1, 1]},
    ]
    (tmp_path / "labels.jsonl").write_text("\n".join(map(json.dumps, lines)))
    corpus = load("new_corpus").load_lines(tmp_path / "labels.jsonl")
    first, second = corpus.utterances
    assert (first.valence, first.arousal, first.dominance) == (2, 3, 4.5)
    assert (first.transcript, first.file, second.transcript) == ("It rains.", None, None)
    assert second.file == tmp_path / "b.wav"
    assert second.source.endswith("labels.jsonl:2")
    assert prepare(corpus, tmp_path / "out").manifest["corpus"] == "my lines"
