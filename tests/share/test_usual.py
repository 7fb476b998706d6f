"""How far a recording lies from the training rows: hand-worked, learned, and in `dser predict`."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny import CONFIG, make_dataset
from untrained import make_model

from dser_jax.cli import main
from dser_jax.corpora.utterances import Corpus, Utterance
from dser_jax.data.preparing import prepare
from dser_jax.features.audio import RATE
from dser_jax.features.functionals import hsf
from dser_jax.predict.predictor import say_far
from dser_jax.share.bundle import USUAL, read_bundle, write_bundle
from dser_jax.share.usual import Usual, fit_usual
from dser_jax.system.errors import DserError

HAND = Usual(
    np.array([1.0, 10.0]),
    np.array([2.0, 5.0]),
    np.array([[2.0, -1.0], [-1.0, 2.0]]),
    limit=2.0,
)


def test_a_distance_by_hand():
    # (3 - 1) / 2 = 1 and (20 - 10) / 5 = 2: (2 - 2 - 2 + 8) / 2 columns = 3.
    values = np.array([[3.0, 20.0], [1.0, 10.0]])
    np.testing.assert_allclose(HAND.distance(values), [np.sqrt(3), 0], atol=1e-12)
    far = HAND.far([values[:1].astype(np.float32), np.zeros((0, 2), np.float32)])
    assert far[0] == pytest.approx(np.sqrt(3) / 2)
    assert np.isnan(far[1])


def test_of_frames_it_is_that_of_their_means_and_deviations():
    frames = np.array([[1.0], [5.0]], np.float32)  # Mean 3, deviation 2.
    np.testing.assert_array_equal(hsf(frames), [3, 2])
    assert HAND.far([frames])[0] == pytest.approx(HAND.distance(np.array([[3.0, 2.0]]))[0] / 2)


def test_what_is_written_comes_back_and_nothing_else_does():
    plain = json.loads(json.dumps(HAND.to_json()))
    back = Usual.from_json(plain, 2)
    for name in ("mean", "scale", "precision"):
        np.testing.assert_array_equal(getattr(back, name), getattr(HAND, name))
    for key, value in (("limit", 0), ("mean", [1.0]), ("precision", [[1.0, float("inf")]] * 2)):
        with pytest.raises(ValueError, match="columns that the model reads"):
            Usual.from_json(plain | {key: value}, 2)


def test_the_limit_is_what_hardly_any_row_of_the_corpus_is_beyond(tmp_path):
    random = np.random.default_rng(0)
    values = random.multivariate_normal([1, 5], [[1, 0.9], [0.9, 1]], 61).astype(np.float32)
    values = np.concatenate([values, np.full((61, 1), 7, np.float32)], 1)  # One that never varies.
    np.save(tmp_path / "toy.npy", values)
    table = tuple(Utterance(f"{i:02d}", session=f"{i % 3}", valence=i % 5) for i in range(61))
    prepared = prepare(
        Corpus("toy", table, (0.0, 4.0)),
        tmp_path / "out",
        acoustic={"toy_hsf": tmp_path / "toy.npy"},
    )
    dataset = make_dataset(61)
    usual = fit_usual(prepared, dataset, CONFIG)
    assert usual is not None
    rows = np.concatenate([dataset.split.train, dataset.split.validation])
    far = usual.far([values[[row]] for row in rows])
    assert (far > 1).sum() <= 1
    assert 0.9 < far.max() < 1.5
    # Against the correlation it is far, along it as near as its parts are.
    against, along = usual.far([np.float32([[3, 3, 7]]), np.float32([[3, 7, 7]])])
    assert against > 2 > along
    assert usual.far([np.float32([[1, 5, 8]])])[0] > 0.05  # The one that never varied does.


def test_recordings_are_named_by_how_far_they_are():
    assert say_far([(Path("a.wav"), 0.99), (Path("b.wav"), None)]) == []
    (line,) = say_far([(Path("a.wav"), 1.2), (Path("b.wav"), 0.3), (None, 2.5)])
    assert line.startswith("2 utterances lie far from all that the model was trained on")
    assert "by up to 2.50 times" in line
    assert line.endswith("a.wav, an array")
    for far, written in ((1.04, "1.04"), (1.0001, "1.01")):
        assert f"by up to {written} times" in say_far([(None, far)])[0]


@pytest.fixture
def model(tmp_path) -> Path:
    """A model of pyAudioAnalysis' functionals, to which noise of one loudness is usual."""
    untrained = make_model(text=None)
    noise = [np.random.default_rng(i).normal(0, 0.05, 8000).astype(np.float32) for i in range(12)]
    values = np.concatenate([untrained.read(each) for each in noise]).astype(float)
    scale = np.maximum(values.std(0), 1e-3)
    usual = Usual(values.mean(0), scale, np.eye(values.shape[1]), 3.0)
    (tmp_path / "model").mkdir()
    write_bundle(make_model(text=None, usual=usual).bundle, tmp_path / "model")
    return tmp_path / "model"


def test_predict_warns_of_what_lies_far_off_by_file_and_has_a_column(model, tmp_path, capsys):
    folder = tmp_path / "recordings"
    folder.mkdir()
    noise = np.random.default_rng(99).normal(0, 0.05, 8000)
    soundfile.write(folder / "usual.wav", noise, RATE)
    tone = 0.4 * np.sin(2 * np.pi * 440 * np.arange(8000) / RATE) + noise / 50
    soundfile.write(folder / "tone.wav", tone, RATE)
    out = tmp_path / "out.csv"
    main(["predict", str(model), str(folder), "--out", str(out)])
    said = " ".join(capsys.readouterr().err.split())
    assert "1 utterance lies far from all that the model was trained on" in said
    assert "tone.wav" in said
    assert "usual.wav" not in said
    with out.open(newline="") as file:
        far = {Path(row["file"]).name: float(row["far"]) for row in csv.DictReader(file)}
    assert far["tone.wav"] > 1 > far["usual.wav"]
    main(["predict", str(model), str(folder), "--out", str(tmp_path / "out.json")])
    found = json.loads((tmp_path / "out.json").read_text("utf-8"))["utterances"]
    assert {Path(each["file"]).name: each["far"] for each in found} == pytest.approx(far)


def test_a_folder_of_an_older_version_predicts_without_a_word(model, tmp_path, capsys):
    bundle = read_bundle(model)
    (tmp_path / "older").mkdir()
    write_bundle(make_model(text=None).bundle, tmp_path / "older")
    assert not (tmp_path / "older" / USUAL).exists()
    assert read_bundle(tmp_path / "older").usual is None
    soundfile.write(tmp_path / "tone.wav", np.sin(np.arange(8000) / 9) / 2, RATE)
    out = tmp_path / "out.csv"
    main(["predict", str(tmp_path / "older"), str(tmp_path / "tone.wav"), "--out", str(out)])
    assert "far" not in capsys.readouterr().err
    assert "far" not in out.read_text().splitlines()[0].split(",")
    damaged = model / USUAL
    damaged.write_text(damaged.read_text().replace('"limit": 3.0', '"limit": 9.0'))
    assert bundle.usual is not None
    with pytest.raises(DserError, match=r"usual\.json"):
        read_bundle(model)
