"""Samples that are no signal are refused with what they are; what is merely loud is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from dser_jax.features.audio import RATE, hear, read
from dser_jax.features.samples import check_samples, mean_of, say_loud
from dser_jax.system.errors import DataError


def noise(count: int = RATE // 10, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, count)


def write(path: Path, samples: np.ndarray, subtype: str = "FLOAT", rate: int = RATE) -> Path:
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_integers_that_were_written_as_floats(tmp_path, subtype):
    samples = np.round(noise() * 16000)
    samples[100] = -8279
    path = write(tmp_path / "a.wav", samples, subtype)
    with pytest.raises(DataError, match=r"a\.wav: samples reach 8279 \(of labels\.csv:7\); expe"):
        read(path, source="labels.csv:7")
    np.testing.assert_allclose(read(write(path, samples / 32768)), samples / 32768, atol=1e-7)


@pytest.mark.parametrize(("peak", "fine"), [(1.0, True), (-2.0, True), (2.01, False)])
def test_overshoot_has_a_bound(tmp_path, peak, fine):
    samples = noise()
    samples[[20, 900]] = 0.9, peak
    path = write(tmp_path / "a.wav", samples)
    if fine:
        heard = hear(path)
        assert heard.peak == abs(peak)
        np.testing.assert_allclose(heard.signal, samples, atol=1e-7)
        assert hear(path, 0, 0.05).peak == pytest.approx(0.9)
    else:
        with pytest.raises(DataError, match=r"samples reach 2\.01; expected \[-1, 1\]; 16-bit"):
            read(path)


def test_who_overshoots_is_counted():
    assert say_loud({Path("a.wav"): 1.0, Path("b.wav"): 0.2}) == []
    (one,) = say_loud({Path("a.wav"): 1.0, Path("b.wav"): 1.0312})
    assert one.startswith("1 recording reaches above 1, b.wav 1.03: ")
    (two,) = say_loud({Path("a.wav"): 1.5, Path("b.wav"): 1.25})
    assert two.startswith("2 recordings reach above 1, a.wav 1.5: ")


@pytest.mark.parametrize(
    ("sound", "found"),
    [
        (np.zeros(1600, np.int16), "nothing but 0"),
        (np.full(1600, 328, np.int16), r"0\.0100098 to 0\.0100098"),
        (np.arange(1600, dtype=np.int16) % 3 - 1, r"-3\.05176e-05 to 3\.05176e-05"),
    ],
    ids=["zeros", "an offset", "dither"],
)
def test_silence(tmp_path, sound, found):
    path = write(tmp_path / "a.wav", sound, "PCM_16")
    with pytest.raises(DataError, match=f"a silent recording, found '{found}'; expected a sound"):
        read(path)
    sound = np.concatenate([sound, np.round(noise() * 100).astype(np.int16)])
    write(path, sound, "PCM_16")
    assert len(read(path)) == 3200
    with pytest.raises(DataError, match="a silent recording"):
        read(path, 0, 0.1)


@pytest.mark.parametrize("other", [-1.0, -0.9, -1.15])
def test_channels_that_cancel_out(tmp_path, other):
    path = write(tmp_path / "a.wav", np.stack([noise(), other * noise()], 1))
    with pytest.raises(DataError, match=r"channels that cancel out, found .a mean with .*pan=mono"):
        read(path, convert=True)


@pytest.mark.parametrize(
    "other",
    [noise(), np.zeros(1600), noise(seed=1), -0.7 * noise()],
    ids=["alike", "one is silent", "of their own", "unequal"],
)
def test_channels_that_do_not(other):
    both = np.stack([noise(), other], 1).astype(np.float32)
    np.testing.assert_array_equal(mean_of(both), both.mean(1))


def test_the_share_that_is_left_of_two_channels():
    """Of equal power and correlation r it is (1 + r) / 2, here for r = -0.99 and -0.975."""
    one, two = np.sin(np.arange(16000) * 0.1), np.cos(np.arange(16000) * 0.1)
    for r, fine in ((-0.99, False), (-0.975, True)):
        both = np.stack([one, r * one + np.sqrt(1 - r * r) * two], 1).astype(np.float32)
        if fine:
            mean_of(both)
        else:
            with pytest.raises(DataError, match=r"a mean with 0\.5% of their power"):
                mean_of(both)


def test_which_sample_is_no_number():
    channels = np.zeros((1600, 2), np.float32)
    channels[80, 1] = np.nan
    with pytest.raises(DataError, match=r"no number, found 'nan at 0\.105 s'"):
        check_samples(channels, rate=RATE, first=1600)
