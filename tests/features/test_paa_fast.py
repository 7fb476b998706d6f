"""Every number is the package's own: pyAudioAnalysis is the referee."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dser_jax.features.audio import HOP, RATE, WINDOW, read
from dser_jax.features.extractors.paa_fast import BATCH, mel_bank
from dser_jax.features.functionals import hsf, nonzero_hsf
from dser_jax.features.sets import EXTRACTORS, FEATURES

ROOT = Path(__file__).parents[2]
SPEECH = ROOT.parent / "shared" / "data" / "speech"
RECORDINGS = sorted(SPEECH.glob("*.wav"))

RTOL = 1e-4
ATOL = np.full(34, 1e-9)
"""By column. None for the zero crossings; where a column's usual values are as small as 1e-6 and
less, as of energy and flux, less than the rest; for the cepstra, which cross 0, more."""
ATOL[0] = 0
ATOL[[1, 6]] = 1e-12
ATOL[8:21] = 1e-6


@cache
def running(name: str):
    """Starts every extractor once."""
    return EXTRACTORS[name].make()


def assert_equal(signal: np.ndarray) -> None:
    """Compares frames, and both kinds of functionals."""
    signal = signal.astype(np.float32)
    want, got = running("paa_package_lld")(signal), running("paa_lld")(signal)
    assert got.dtype == np.float32
    assert got.flags.c_contiguous
    assert got.shape == want.shape
    wrong = np.abs(got.astype(np.float64) - want) > ATOL + RTOL * np.abs(want)
    columns = FEATURES["paa_lld"].columns
    assert not wrong.any(), [columns[i] for i in np.flatnonzero(wrong.any(axis=0))]
    for functionals in (hsf, nonzero_hsf):
        off = np.abs(functionals(got).astype(np.float64) - functionals(want))
        assert (off <= np.tile(ATOL, 2) + 1e-9 + RTOL * np.abs(functionals(want))).all()


def sixteen_bits(signal: np.ndarray) -> np.ndarray:
    return np.clip(np.round(signal * 2**15), -(2**15), 2**15 - 1) / 2**15


def noise(samples: int = 12_000, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, samples)


def clicks() -> np.ndarray:
    signal = np.zeros(12_000)
    signal[[100, 3000, 3001, 9000]] = 0.5, 1 - 2**-15, -1, 0.3
    return signal


TIME = np.arange(12_000) / RATE
SIGNALS = {
    "noise": sixteen_bits(noise()),
    "noise of more than 16 bits": noise(),
    "a sine": sixteen_bits(0.5 * np.sin(2 * np.pi * 440 * TIME)),
    "a sine on a bin": sixteen_bits(0.5 * np.sin(2 * np.pi * 400 * TIME)),
    "a high sine": sixteen_bits(0.9 * np.sin(2 * np.pi * 7990 * TIME)),
    "a sweep": sixteen_bits(np.sin(2 * np.pi * 5000 * TIME**2)),
    "silence": np.zeros(12_000),
    "a constant": np.full(12_000, 0.3),
    "the least constant": np.full(12_000, 2.0**-15),
    "one bit": np.where(noise() > 0, 2.0**-15, 0),
    "clicks": clicks(),
    "a click in silence": np.eye(1, 12_000, 5000)[0],
    "silence between": sixteen_bits(noise() * (np.abs(TIME - 0.4) > 0.2)),
    "sound between": sixteen_bits(noise() * (np.abs(TIME - 0.4) < 0.2)),
    "16-bit extremes": np.where(noise() > 0, 2**15 - 1, -(2**15)) / 2**15,
    "a full square": np.where(np.arange(12_000) // 50 % 2, 2**15 - 1, -(2**15)) / 2**15,
    "with an offset": sixteen_bits(0.5 + 0.3 * noise()),
}


@pytest.mark.parametrize("name", SIGNALS)
def test_made_up_signals(name):
    assert_equal(SIGNALS[name])


@pytest.mark.skipif(not RECORDINGS, reason="no speech recordings beside this checkout")
@pytest.mark.parametrize("file", RECORDINGS, ids=lambda file: file.stem)
def test_recordings(file):
    assert_equal(read(file))


def test_the_demo_corpus(tmp_path):
    pytest.importorskip("espeakng_loader", reason="eSpeak NG is not installed")
    from dser_jax.corpora.demo.corpus import LEAST, load_demo

    utterances = load_demo(tmp_path, utterances=LEAST).utterances
    for utt in utterances[::8]:
        assert utt.file is not None
        assert_equal(read(utt.file))


@settings(max_examples=25, deadline=None)
@given(
    samples=st.integers(WINDOW, WINDOW + 60 * HOP), seed=st.integers(0, 99), silent=st.booleans()
)
@example(samples=WINDOW, seed=0, silent=False)
@example(samples=WINDOW + HOP - 1, seed=0, silent=False)
@example(samples=WINDOW + HOP, seed=0, silent=True)
@example(samples=WINDOW + BATCH * HOP - 1, seed=0, silent=False)  # a full batch
@example(samples=WINDOW + BATCH * HOP, seed=0, silent=False)  # and one frame
@example(samples=WINDOW + (2 * BATCH - 1) * HOP, seed=0, silent=True)
def test_any_length(samples, seed, silent):
    signal = noise(samples, seed)
    if silent:
        signal[samples // 3 : samples // 2] = 0
    assert_equal(sixteen_bits(signal))


@pytest.mark.parametrize("samples", [0, 1, WINDOW - 1])
def test_no_frame_of_less_than_a_window(samples):
    frames = running("paa_lld")(np.zeros(samples, np.float32))
    assert frames.shape == (0, 34)


def test_the_signal_stays_as_it_was():
    signal = noise().astype(np.float32)
    before = signal.copy()
    running("paa_lld")(signal)
    np.testing.assert_array_equal(signal, before)


def test_the_mel_bank_is_the_packages():
    from pyAudioAnalysis.ShortTermFeatures import mfcc_filter_banks

    want, _ = mfcc_filter_banks(RATE, WINDOW // 2)
    np.testing.assert_allclose(mel_bank(), want.T, rtol=1e-9, atol=1e-12)


def test_the_implementations_are_never_mixed_up():
    ours, package = EXTRACTORS["paa_lld"], EXTRACTORS["paa_package_lld"]
    assert ours.columns == package.columns
    assert ours.shortest == package.shortest
    assert ours.source != package.source
    assert package._replace(name="paa_lld").key_parts() != ours.key_parts()


def test_the_package_is_not_needed():
    program = (
        "import sys; sys.modules['pyAudioAnalysis'] = None\n"
        "import numpy as np\n"
        "from dser_jax.features import FEATURES\n"
        "extractor = FEATURES['paa_hsf'].extractor\n"
        "print(extractor.make()(np.zeros(16000, np.float32)).shape, extractor.source)"
    )
    environment = {**os.environ, "PYTHONPATH": os.fspath(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("(98, 34) scipy ")
