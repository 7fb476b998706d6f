from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from dser_jax.features.audio import RATE, read
from dser_jax.features.functionals import hsf, hsf_columns
from dser_jax.features.sets import EXTRACTORS, FEATURES

SPEECH = Path(__file__).parents[3] / "shared" / "data" / "speech"
RUNNING = {}


def running(name: str):
    """Starts every extractor once."""
    if name not in RUNNING:
        RUNNING[name] = EXTRACTORS[name].make()
    return RUNNING[name]


def tone(seconds: float = 0.5, seed: int = 0) -> np.ndarray:
    """A buzz of 150 Hz with noise."""
    time = np.arange(round(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * 150 * k * time) / k for k in range(1, 20))
    noise = np.random.default_rng(seed).normal(size=len(time))
    signal = np.round((0.2 * buzz + 0.01 * noise) * 2**15) / 2**15
    return signal.astype(np.float32)


def signals() -> list[np.ndarray]:
    recordings = sorted(SPEECH.glob("*.wav"))[:2] if SPEECH.exists() else []
    return [tone(), tone(0.9, 1), *map(read, recordings)]


def test_gemaps_is_opensmiles():
    import opensmile

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        smile = opensmile.Smile(
            opensmile.FeatureSet.eGeMAPSv01b, opensmile.FeatureLevel.LowLevelDescriptors
        )
    assert list(FEATURES["gemaps_lld"].columns) == smile.feature_names
    for signal in signals():
        want = smile.process_signal(signal, RATE).to_numpy()
        np.testing.assert_array_equal(running("gemaps_lld")(signal), want)


def test_paa_package_is_pyaudioanalysis():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pyAudioAnalysis.ShortTermFeatures import feature_extraction
    for signal in signals():
        numbers = np.round(signal * 2**15).astype(np.int16)
        want, names = feature_extraction(numbers, RATE, 400, 160, deltas=False)
        assert list(FEATURES["paa_package_lld"].columns) == names
        np.testing.assert_array_equal(running("paa_package_lld")(signal), want.T.astype(np.float32))


@pytest.mark.skipif(not SPEECH.exists(), reason="no speech recordings beside this checkout")
def test_paa_reads_as_pyaudioanalysis_does():
    from scipy.io import wavfile

    file = min(SPEECH.glob("*.wav"))
    _, numbers = wavfile.read(file)
    np.testing.assert_array_equal(np.round(read(file) * 2**15), numbers)


@pytest.mark.parametrize("name", EXTRACTORS)
def test_a_frame_every_10_ms(name):
    extractor = EXTRACTORS[name]
    for seconds in (0.5, 0.6):
        frames = running(name)(tone(seconds))
        assert frames.dtype == np.float32
        assert frames.flags.c_contiguous
        assert frames.shape[1] == len(extractor.columns)
        assert len(frames) == pytest.approx(seconds * 100 - 4, abs=2)
        assert np.isfinite(frames).all()


@pytest.mark.parametrize("name", EXTRACTORS)
def test_the_shortest_is_enough_and_less_is_not(name):
    extractor = EXTRACTORS[name]
    samples = round(extractor.shortest * RATE)
    assert np.isfinite(running(name)(tone()[:samples])).all()
    if name == "gemaps_lld":
        assert np.isnan(running(name)(tone()[: samples - 1])).all()


@pytest.mark.parametrize("name", EXTRACTORS)
def test_silence_is_finite(name):
    frames = running(name)(np.zeros(RATE // 4, np.float32))
    assert np.isfinite(frames).all()


def test_gemaps_limits_what_16_bits_cannot_hold():
    loud = np.clip(tone() * 100, -1, 1)
    quieter = np.clip(loud, -1, 32767 / 32768)
    np.testing.assert_array_equal(running("gemaps_lld")(loud), running("gemaps_lld")(quieter))


def test_extractors_say_their_version():
    for extractor in EXTRACTORS.values():
        assert extractor.source.startswith(extractor.library + " ")
        assert extractor.source.split()[1][0].isdigit()


def test_the_table_of_features():
    assert {name: len(feature.columns) for name, feature in FEATURES.items()} == {
        "gemaps_lld": 23,
        "gemaps_hsf": 46,
        "paa_lld": 34,
        "paa_hsf": 68,
        "paa_package_lld": 34,
        "paa_package_hsf": 68,
    }
    assert FEATURES["paa_hsf"].columns[0] == "zcr_mean"
    assert FEATURES["paa_hsf"].columns[34] == "zcr_std"


def test_hsf_is_mean_and_std():
    # Column 0: mean 2, deviations -1, 0, 1: variance 2 / 3. Column 1 is constant.
    frames = np.array([[1, 5], [2, 5], [3, 5]], np.float32)
    np.testing.assert_allclose(hsf(frames), [2, 5, np.sqrt(2 / 3), 0], atol=1e-6)
    assert hsf(frames).dtype == np.float32
    assert hsf_columns(("a", "b")) == ("a_mean", "b_mean", "a_std", "b_std")


def test_hsf_accumulates_in_double():
    frames = np.full((4096, 1), 1e6, np.float32)
    frames[::2] += 1
    np.testing.assert_allclose(hsf(frames), [1e6 + 0.5, 0.5], rtol=1e-6)
