"""A model that reads hidden layers of frozen encoders: exported, and used on recordings."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import small_encoders
import soundfile

from dser_jax.cli import main
from dser_jax.data.prepared import load_prepared
from dser_jax.journal.reading import read_journal
from dser_jax.predict.predictor import load
from dser_jax.share.parts import Features
from dser_jax.system.errors import DserError

pytest.importorskip("torch", reason="PyTorch is not installed: EXTRA=encoders")
pytest.importorskip("transformers", reason="transformers is not installed: EXTRA=encoders")

ROWS = 16
TINY = (
    *("--units", "3", "--layers", "1", "--fusion", "4", "3"),
    *("--batch-size", "8", "--max-epochs", "2"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Recordings and words, the layers of an encoder of each, a sweep over both, and its model."""
    folder = tmp_path_factory.mktemp("encoded")
    small_encoders.save_speech("wav2vec2-layer", folder / "hears")
    small_encoders.save_text("bert", folder / "reads")
    random = np.random.default_rng(0)
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "transcript", "valence", "arousal", "dominance", "split"])
        for i, labels in enumerate(random.uniform(1, 5, (ROWS, 3))):
            sound = random.normal(0, 0.02 * labels[1], 3200 + 160 * i)
            soundfile.write(folder / f"{i:02d}.wav", sound, 16000)
            words = f"the {'good' if labels[0] > 3 else 'bad'} {'cat' if i % 2 else 'dog'}"
            split = ["train", "train", "dev", "test"][i % 4]
            writer.writerow([f"{i:02d}.wav", words, *labels, split])
    main(
        [
            *("prepare", "--corpus", "table", str(folder / "labels.csv"), "--scale", "1", "5"),
            *("--encode", f"speech={folder / 'hears'}", f"text={folder / 'reads'}"),
            *("--encode-layers", "1:2", "--encode-pool", "speech=none"),
            *("--out", str(folder / "data")),
        ]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dser_jax.experiment.conducting.write_report", lambda out: None)
        main(
            [
                *("sweep", "--data", str(folder / "data"), "--split", "column", *TINY, "--yes"),
                *("--acoustic", "attention", "--features", "hears"),
                *("--text", "mlp", "--vectors", "reads"),
                *("--no-baselines", "--keep-weights", "--seeds", "1"),
                *("--out", str(folder / "runs")),
            ]
        )
    main(["export", str(folder / "runs"), "--best", "--out", str(folder / "model")])
    return folder


def test_recordings_and_words_give_what_the_run_gave(folder):
    """From files and texts the model computes the features that it was trained on."""
    view = read_journal(folder / "runs")
    row = view.rows[0]
    ids = view.truth(row["truth"])["test_ids"].tolist()
    prepared = load_prepared(folder / "data")
    utterances = {utt.id: utt for utt in prepared.utterances}
    want = view.arrays(row["run"])["test_pred"]
    model = load(folder / "model")
    files = [utterances[id].file for id in ids]
    texts = [utterances[id].transcript for id in ids]
    estimate = model(files, texts)
    np.testing.assert_allclose(estimate.pred, want, atol=1e-4)
    array, offsets = prepared.feature("hears")
    first = model.read(prepared.utterances[0].file)
    np.testing.assert_allclose(first, array[: offsets[1]], atol=1e-5)


def test_the_folder_says_which_encoders(folder):
    settings = json.loads((folder / "model" / "config.json").read_text())
    speech, text = settings["features"], settings["text_features"]
    manifest = load_prepared(folder / "data").manifest["features"]
    assert speech["encoder"] == manifest["hears"]["encoder"]
    assert text["encoder"] == manifest["reads"]["encoder"]
    assert (speech["layers"], text["layers"]) == (2, 2)
    assert "tokenizer.json" not in settings["files"]
    card = (folder / "model" / "README.md").read_text()
    assert "text (`reads`: bert by transformers" in card
    assert "np.float32(text)" in card


def test_the_command_line(folder, tmp_path, capsys):
    table = str(folder / "labels.csv")
    out = tmp_path / "predictions.csv"
    main(["predict", str(folder / "model"), table, "--out", str(out)])
    with out.open(newline="") as file:
        assert len(list(csv.DictReader(file))) == ROWS
    assert "words: the model knows" not in capsys.readouterr().err
    moved = shutil.copytree(folder / "reads", tmp_path / "elsewhere")
    given = ["--encoder", f"reads={moved}"]
    again = tmp_path / "again.csv"
    main(["predict", str(folder / "model"), table, *given, "--out", str(again)])
    assert again.read_text() == out.read_text()


def test_another_encoder_is_refused(folder, tmp_path):
    from safetensors.numpy import load_file, save_file

    other = shutil.copytree(folder / "hears", tmp_path / "other")
    weights = load_file(other / "model.safetensors")
    save_file({name: 2 * array for name, array in weights.items()}, other / "model.safetensors")
    with pytest.raises(DserError, match="not the encoder of the features hears"):
        load(folder / "model", {"hears": other}).check()
    with pytest.raises(DserError, match="reads no such features of an encoder, but hears and read"):
        load(folder / "model", {"mine": other})


def test_an_encoder_that_is_gone(folder, tmp_path):
    moved = shutil.copytree(folder / "model", tmp_path / "model")
    (folder / "hears").rename(folder / "away")
    try:
        with pytest.raises(DserError, match=r"no such folder.*--encoder hears=FOLDER says where"):
            load(moved).check()
        load(moved, {"hears": folder / "away"}).check()
    finally:
        (folder / "away").rename(folder / "hears")


def test_files_beside_the_weights_that_differ_are_said(folder, tmp_path):
    other = shutil.copytree(folder / "reads", tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"note": "edited"}))
    model = load(folder / "model", {"reads": other})
    model.check()
    assert "the files beside them" in model.notices[0]


def test_a_text_that_is_cut_is_said(folder):
    model = load(folder / "model")
    model(str(folder / "00.wav"), "the cat sat on a mat " * 9)
    assert "reads: 1 text of more than 18 tokens" in model.notices[0]


def test_features_of_older_folders_are_read():
    values = {"name": "paa_hsf", "kind": "hsf", "columns": ["a"], "source": "paa", "steps": 1}
    assert Features.from_json(values).to_json() == values | {"columns": ("a",)}
    with pytest.raises(ValueError, match="no sha256"):
        Features.from_json(values | {"encoder": {"model": "m", "layers": [1], "pool": "mean"}})
