from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dser_jax.features.audio import RATE, read
from dser_jax.system.errors import DataError


def noise(seconds: float = 0.1) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.5, 0.5, round(seconds * RATE))


def test_reads_the_samples(tmp_path):
    numbers = np.arange(-400, 400, dtype=np.int16)
    soundfile.write(tmp_path / "a.wav", numbers, RATE)
    signal = read(tmp_path / "a.wav")
    assert signal.dtype == np.float32
    np.testing.assert_array_equal(signal * 2**15, numbers)


def test_reads_a_part(tmp_path):
    file = tmp_path / "a.wav"
    soundfile.write(file, np.arange(16000, dtype=np.int16), RATE)
    np.testing.assert_array_equal(read(file, 0.25, 0.5) * 2**15, np.arange(4000, 8000))
    np.testing.assert_array_equal(read(file, 0.9)[[0, -1]] * 2**15, [14400, 15999])
    assert len(read(file, None, 1.005)) == 16000, "an end is allowed to be a hop late"


@pytest.mark.parametrize(
    ("start", "end"), [(-0.1, None), (0.5, 0.5), (0.6, 0.5), (0.5, 1.02), (1.5, None)]
)
def test_a_part_outside(tmp_path, start, end):
    soundfile.write(tmp_path / "a.wav", noise(1), RATE)
    with pytest.raises(DataError, match=r"a\.wav: not a part of the recording, found '.* to .* s'"):
        read(tmp_path / "a.wav", start, end)


def broken(folder: Path) -> dict[str, tuple[Path, str]]:
    """Every kind of bad recording, with what is said of it."""
    kinds = {}

    def kind(name: str, message: str) -> Path:
        path = folder / f"{name}.wav"
        kinds[name] = (path, message)
        return path

    kind("missing", "no such recording (of labels.csv:7); expected an existing wav file")
    kind("folder", "a folder, not a recording (of labels.csv:7)").mkdir()
    kind("zero", "an empty file (of labels.csv:7), found '0 bytes'").touch()
    kind("text", "not a readable audio file (").write_text("id,valence\n" * 100)
    soundfile.write(kind("none", "a recording without a sample (of labels.csv:7)"), [], RATE)
    stereo = kind("stereo", "a stereo recording (of labels.csv:7), found '2 channels'; expected")
    soundfile.write(stereo, np.stack([noise(), noise()], 1), RATE)
    soundfile.write(kind("eight", "not a mono recording"), np.zeros((900, 8)), RATE)
    slow = kind("slow", "not a 16 kHz recording (of labels.csv:7), found '8000 Hz'; expected 16000")
    soundfile.write(slow, noise(), 8000)
    short = kind("short", "shorter than one window (of labels.csv:7), found '0.0125 s'; expected")
    soundfile.write(short, noise(0.0125), RATE)
    for name, value in (("nan", np.nan), ("inf", -np.inf)):
        signal = noise()
        signal[160] = value
        path = kind(name, f"a sample that is no number (of labels.csv:7), found '{value} at 0.01")
        soundfile.write(path, signal, RATE, subtype="FLOAT")
    cut = kind("cut", "a truncated recording (of labels.csv:7), found '2200 bytes of samples'; exp")
    soundfile.write(cut, noise(), RATE)
    cut.write_bytes(cut.read_bytes()[:-1000])
    header = kind("header", "a truncated recording (of labels.csv:7), found '0 bytes of samples'")
    soundfile.write(header, noise(), RATE)
    header.write_bytes(header.read_bytes()[:44])
    return kinds


KINDS = (
    *("missing", "folder", "zero", "text", "none", "stereo", "eight", "slow", "short", "nan"),
    *("inf", "cut", "header"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_recording_is_named(tmp_path, kind):
    kinds = broken(tmp_path)
    assert set(kinds) == set(KINDS)
    path, message = kinds[kind]
    with pytest.raises(DataError) as caught:
        read(path, source="labels.csv:7")
    assert str(caught.value).startswith(f"{path}: {message}")


def test_says_how_to_convert(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(), 44100)
    with pytest.raises(DataError, match=r"--convert .* `ffmpeg -i IN\.wav -ar 16000 -ac 1 OUT"):
        read(tmp_path / "a.wav")


def tone(hertz: float, rate: int, seconds: float = 0.5) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
def test_converts_what_is_not_16_khz_mono(tmp_path, rate):
    both = np.stack([tone(1000, rate), 0.5 * tone(1000, rate)], 1)
    soundfile.write(tmp_path / "a.wav", both, rate, subtype="FLOAT")
    signal = read(tmp_path / "a.wav", convert=True)
    assert signal.dtype == np.float32
    assert len(signal) == 8000
    np.testing.assert_allclose(signal[500:-500], 0.75 * tone(1000, RATE)[500:-500], atol=2e-3)
    part = read(tmp_path / "a.wav", 0.1, 0.3, convert=True)
    np.testing.assert_allclose(part[300:-300], signal[1900:4500], atol=2e-3)


def test_converting_leaves_nothing_of_what_16_khz_cannot_hold(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(11000, 48000), 48000)
    signal = read(tmp_path / "a.wav", convert=True)
    assert np.abs(signal[500:-500]).max() < 2e-3


def test_converting_leaves_16_khz_mono_alone(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(), RATE)
    np.testing.assert_array_equal(read(tmp_path / "a.wav", convert=True), read(tmp_path / "a.wav"))


def test_a_bad_sample_of_any_channel_is_named(tmp_path):
    both = np.stack([noise(), noise()], 1)
    both[800, 1] = np.inf
    soundfile.write(tmp_path / "a.wav", both, 2 * RATE, subtype="FLOAT")
    with pytest.raises(DataError, match=r"a sample that is no number, found 'inf at 0\.025 s'"):
        read(tmp_path / "a.wav", convert=True)


def test_a_recording_that_permissions_keep_from_us(tmp_path, monkeypatch):
    path, opened = tmp_path / "a.wav", io.open
    soundfile.write(path, np.full(1600, 0.5), RATE)

    def refusing(name, *more, **named):
        if str(name) == str(path):
            raise PermissionError(13, "Permission denied", name)
        return opened(name, *more, **named)

    monkeypatch.setattr(io, "open", refusing)
    with pytest.raises(
        DataError, match=r"a\.wav: cannot be read: its permissions, .*labels\.csv:7"
    ):
        read(path, source="labels.csv:7")
