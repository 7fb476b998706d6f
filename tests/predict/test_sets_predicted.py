"""A model of several sets of features side by side: exported, and used on recordings."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import soundfile

from dser_jax.cli import main
from dser_jax.data.prepared import load_prepared
from dser_jax.journal.reading import read_journal
from dser_jax.predict.predictor import load
from dser_jax.share.parts import Features
from dser_jax.system.errors import DserError

ROWS = 40
TINY = (
    *("--acoustic", "dense", "--text", "none", "--units", "3", "--layers", "1"),
    *("--fusion", "4", "3", "--batch-size", "8", "--max-epochs", "2", "--split", "column"),
    *("--no-baselines", "--keep-weights", "--seeds", "1", "--yes"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Recordings, two sets of their features and an imported one, and models of two at a time."""
    folder = tmp_path_factory.mktemp("sets")
    random = np.random.default_rng(0)
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "speaker", "valence", "arousal", "dominance", "split"])
        for i, labels in enumerate(random.uniform(1, 5, (ROWS, 3))):
            sound = random.normal(0, 0.02 * labels[1], 4800 + 160 * i)
            soundfile.write(folder / f"{i:02d}.wav", sound, 16000)
            split = ["train", "train", "dev", "test"][i // (ROWS // 4)]
            writer.writerow([f"{i:02d}.wav", f"s{i // 10}", *labels, split])
    np.save(folder / "mine.npy", random.normal(size=(ROWS, 2)).astype(np.float32))
    main(
        [
            *("prepare", "--corpus", "table", str(folder / "labels.csv"), "--scale", "1", "5"),
            *("--features", "paa_hsf,gemaps_hsf", "--acoustic", f"mine={folder / 'mine.npy'}"),
            *("--out", str(folder / "data")),
        ]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dser_jax.experiment.conducting.write_report", lambda out: None)
        for name, features, more in (
            ("both", "paa_hsf+gemaps_hsf", ("--normalize", "speaker")),
            ("own", "mine+paa_hsf", ()),
        ):
            given = ["sweep", "--data", str(folder / "data"), "--features", features, *TINY, *more]
            main([*given, "--out", str(folder / name)])
            model = ["export", str(folder / name), "--best", "--out", str(folder / f"{name}-model")]
            main(model)
    return folder


def truth(folder, name):
    """What the run predicted, and of which utterances."""
    view = read_journal(folder / name)
    (row,) = view.rows
    ids = view.truth(row["truth"])["test_ids"].tolist()
    utterances = load_prepared(folder / "data").utterances
    rows = [next(i for i, utt in enumerate(utterances) if utt.id == id) for id in ids]
    return rows, [utterances[i] for i in rows], view.arrays(row["run"])["test_pred"]


def test_recordings_give_what_the_run_gave_one_by_one_and_by_the_command(folder, tmp_path):
    _, utterances, want = truth(folder, "both")
    files = [utterance.file for utterance in utterances]
    speakers = [utterance.speaker for utterance in utterances]
    model = load(folder / "both-model")
    np.testing.assert_allclose(model(files, speaker=speakers).pred, want, atol=1e-4)
    table, out = tmp_path / "asked.csv", tmp_path / "out.csv"
    lines = [f"{file},{who}" for file, who in zip(files, speakers, strict=True)]
    table.write_text("\n".join(["file,speaker", *lines]) + "\n")
    main(["predict", str(folder / "both-model"), str(table), "--out", str(out)])
    with out.open(newline="") as file:
        found = [float(row["unit_valence"]) for row in csv.DictReader(file)]
    np.testing.assert_allclose(found, want[:, 0], atol=1e-4)


def test_the_folder_says_which_sets(folder):
    settings = json.loads((folder / "both-model/config.json").read_text())["features"]
    assert settings["name"] == "paa_hsf+gemaps_hsf"
    assert [each["name"] for each in settings["parts"]] == ["paa_hsf", "gemaps_hsf"]
    assert settings["columns"][0].startswith("paa_hsf ")
    features = Features.from_json(settings)
    assert Features.from_json(features.to_json()) == features
    with pytest.raises(ValueError, match="its parts"):
        Features.from_json({**settings, "parts": settings["parts"][:1]})
    card = (folder / "both-model/README.md").read_text()
    assert "paa_hsf by speaker + gemaps_hsf by speaker on labels" in card
    assert 'model("hello.wav")' in card


def test_a_set_from_elsewhere_is_named_and_its_features_can_be_given(folder, capsys):
    with pytest.raises(SystemExit):
        main(["predict", str(folder / "own-model"), str(folder / "00.wav")])
    assert "the features 'mine'" in capsys.readouterr().err
    model = load(folder / "own-model")
    with pytest.raises(DserError, match="the features 'mine'"):
        model(folder / "00.wav")
    rows, _, want = truth(folder, "own")
    values, _ = load_prepared(folder / "data").feature("mine+paa_hsf")
    found = model.predict([values[[row]] for row in rows], None).pred
    np.testing.assert_allclose(found, want, atol=1e-4)
    assert "model.predict([features]" in (folder / "own-model/README.md").read_text()


def test_what_is_wrong_with_a_recording_is_said_once(folder, tmp_path, capsys):
    (tmp_path / "bad.wav").write_bytes(b"no recording")
    loud = np.random.default_rng(1).normal(0, 0.3, 8000)
    loud[100] = 1.2
    soundfile.write(tmp_path / "loud.wav", loud, 16000, subtype="FLOAT")
    with pytest.raises(SystemExit):
        main(
            ["predict", str(folder / "own-model").replace("own", "both"), str(tmp_path / "bad.wav")]
        )
    assert capsys.readouterr().err.count("bad.wav") == 1
    files = [tmp_path / "loud.wav", *sorted(folder.glob("*.wav"))[:10]]
    main(["predict", str(folder / "both-model"), *map(str, files)])
    assert capsys.readouterr().err.count("reaches above 1") == 1
