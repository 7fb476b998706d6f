"""A model as something to call: shapes, scales, spread, and what it refuses."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import soundfile
from untrained import make_model

from dser_jax.features.audio import RATE
from dser_jax.features.functionals import hsf, nonzero_hsf
from dser_jax.features.sets import FEATURES
from dser_jax.predict.estimate import Estimate
from dser_jax.predict.predictor import Predictor
from dser_jax.system.errors import DataError, DserError


def noise(seed: int = 0, seconds: float = 0.3) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * RATE)).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    return make_model()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noise")
    for seed in range(3):
        soundfile.write(folder / f"{seed}.wav", noise(seed), RATE, subtype="FLOAT")
    return sorted(folder.iterdir())


def test_one_and_several(model, files):
    texts = ["the weather", "is awful", "wonderful"]
    several = model(files, texts)
    assert several.pred.shape == several.on_scale.shape == several.spread.shape == (3, 3)
    assert len(several) == 3
    for i, (file, text) in enumerate(zip(files, texts, strict=True)):
        one = model(str(file), text=text)
        assert one.pred.shape == one.on_scale.shape == one.spread.shape == (3,)
        np.testing.assert_allclose(one.members, several[i].members, atol=1e-5)
        samples = model(noise(i), text)
        np.testing.assert_allclose(samples.members, one.members, atol=1e-5)
    assert np.ptp(several.pred, axis=0).min() > 1e-4  # They differ, so the order was right.


def test_the_two_scales_and_the_spread():
    members = np.array([[[-1, 0, 1]], [[0, 0, 0.5]]], np.float32)  # two networks, one utterance
    estimate = Estimate(("valence", "arousal", "dominance"), (1.0, 7.0), members)
    np.testing.assert_allclose(estimate.pred, [[-0.5, 0, 0.75]], atol=1e-6)
    np.testing.assert_allclose(
        estimate.on_scale, [[2.5, 4, 6.25]], atol=1e-6
    )  # 1 + (pred + 1) / 2 * 6
    spread = np.array([[0.5, 0, 0.25]]) * np.sqrt(2)  # |a - b| / sqrt(2)
    np.testing.assert_allclose(estimate.spread, spread, atol=1e-6)
    np.testing.assert_allclose(estimate.spread_on_scale, 3 * spread, atol=1e-6)
    alone = Estimate(estimate.attrs, estimate.scale, members[:1])
    assert alone.spread is None
    assert alone.spread_on_scale is None


def test_fifty_recordings_are_not_fifty_programs(model):
    frames = np.random.default_rng(0).normal(size=(70, 1, 68)).astype(np.float32)
    whole = model.predict(list(frames), ["the weather"] * 70)
    run = model._networks._run
    run.clear_cache()
    for count in (1, 2, 3, 5, 7, 8, 9, 20, 50, 63, 64, 65, 70):
        part = model.predict(list(frames[:count]), ["the weather"] * count)
        np.testing.assert_allclose(part.members, whole.members[:, :count], atol=1e-5)
    assert run._cache_size() == 3


def test_attributes_without_labels_are_left_out():
    model = make_model(text=None, attrs=("arousal",))
    whole = make_model(text=None)
    estimate = model(noise())
    assert estimate.attrs == ("arousal",)
    np.testing.assert_allclose(estimate.pred, whole(noise()).pred[1:2], atol=1e-5)


def test_zeros_are_missing_where_the_model_was_trained_so():
    one = make_model(text=None)
    features = dataclasses.replace(one.bundle.features, name="paa_hsf.nonzero")
    other = make_model(text=None, features="paa_hsf", members=1)
    other = Predictor(dataclasses.replace(other.bundle, features=features))
    frames = np.array([[0, 1], [2, 3]], np.float32)
    np.testing.assert_array_equal(one.hearing.sets[0].finish(frames), hsf(frames)[None])
    np.testing.assert_array_equal(other.hearing.sets[0].finish(frames), nonzero_hsf(frames)[None])
    assert other.hearing.sets[0].feature is FEATURES["paa_hsf"]


@pytest.mark.parametrize("padding", ["keras", "masked"])
def test_a_model_of_frames(padding):
    """Frames are padded in front to the steps of the network, or cut in front."""
    model = make_model("lstm", None, "paa_lld", 20, members=1, padding=padding)
    frames = model.read(noise(seconds=0.4))
    assert frames.shape == (38, 34)
    whole, last, short = model.predict([frames, frames[-20:], frames[-5:]], None).members[0]
    np.testing.assert_allclose(whole, last, atol=1e-5)
    assert np.abs(short - whole).max() > 1e-4
    mean = np.broadcast_to(model.bundle.scaler.mean, (15, 34)).astype(np.float32)  # 0 once scaled
    filled = np.concatenate([mean, frames[-5:]])
    away = np.abs(model.predict([filled], None).members[0, 0] - short).max()
    # Padding is fed to the network like frames of zeros, or it is none of its business.
    assert away < 1e-5 if padding == "keras" else away > 1e-4


def test_features_that_no_recording_gives(model):
    features = dataclasses.replace(model.bundle.features, source="imported from wav2vec.npy")
    imported = make_model(features="paa_hsf")
    imported = Predictor(dataclasses.replace(imported.bundle, features=features))
    with pytest.raises(DserError, match=r"trained on the features 'paa_hsf' \(imported from wav2v"):
        imported(noise(), "the weather")
    estimate = imported.predict([np.zeros((1, 68), np.float32)], ["the weather"])
    assert estimate.pred.shape == (1, 3)


def test_another_version_of_the_extractor_is_said(model):
    features = dataclasses.replace(model.bundle.features, source="scipy 0.1 something")
    other = make_model()
    other = Predictor(dataclasses.replace(other.bundle, features=features))
    other(noise(), "the weather")
    (notice,) = other.notices
    assert "the model was trained on those of scipy 0.1 something" in notice
    assert model.notices == []


def test_what_is_missing_is_said(model, files):
    with pytest.raises(DserError, match="reads words too: give `text`"):
        model(files[0])
    with pytest.raises(DserError, match="reads speech: give a recording"):
        model(text="the weather")
    with pytest.raises(DserError, match="2 recordings and 1 texts"):
        model(files[:2], ["the weather"])
    words = make_model(acoustic=None)
    with pytest.raises(DserError, match="reads words: give `text`"):
        words()
    assert words(text="the weather").pred.shape == (3,)
    assert words(text=["the weather", "is"]).pred.shape == (2, 3)


@pytest.mark.parametrize(
    ("samples", "problem"),
    [
        (np.zeros((2, 4800), np.float32), r"not a signal, found 'float32 \[2, 4800\]'"),
        (np.zeros(4800, np.int16), "not a signal, found 'int16"),
        (np.full(4800, np.nan), "expected finite samples"),
        (noise() * 1000, r"samples reach 499.*; expected \[-1, 1\]"),
        (np.zeros(4800), "a silent recording"),
        (noise(seconds=0.02), "too short for paa_lld"),
    ],
)
def test_samples_that_are_none(model, samples, problem):
    with pytest.raises(DataError, match=problem):
        model(samples, "the weather")


def test_a_file_is_named_and_converted_on_demand(model, tmp_path):
    file = tmp_path / "stereo.wav"
    signal = noise(seconds=0.5)
    soundfile.write(file, np.stack([signal, signal], 1), RATE, subtype="FLOAT")
    with pytest.raises(DataError, match=r"stereo\.wav: a stereo recording"):
        model(file, "is awful")
    converted = model(file, "is awful", convert=True)
    np.testing.assert_allclose(converted.pred, model(signal, "is awful").pred, atol=1e-5)


def test_overshoot_is_said_once(tmp_path):
    model, loud = make_model(), noise()
    loud[50] = 1.5
    soundfile.write(tmp_path / "a.wav", loud, RATE, subtype="FLOAT")
    for recording in (noise(), tmp_path / "a.wav", loud):
        model(recording, "the weather")
    (notice,) = model.notices
    assert notice.startswith(f"1 recording reaches above 1, {tmp_path / 'a.wav'} 1.5: ")


def test_unknown_words_are_passed_over(model):
    one, other = model(noise(), "The WEATHER, is!"), model(noise(), "the lovely weather is")
    np.testing.assert_array_equal(one.members, other.members)
    assert model.known_words("the lovely weather is") == 3
