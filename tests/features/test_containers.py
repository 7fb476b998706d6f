"""Every container is held against its own length: what was cut short is refused, or was not cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from dser_jax.features.audio import RATE, read
from dser_jax.features.containers.mpeg import frame_bytes
from dser_jax.system.errors import DataError

SAMPLES = 5001
FORMATS = [
    (format, subtype)
    for format in soundfile.available_formats()
    for subtype in soundfile.available_subtypes(format)
    if format not in ("RAW", "SD2") and not subtype.startswith("DWVW")  # It does not read these.
]
UNKNOWN = {
    *("AVR", "HTK", "IRCAM", "MAT4", "MAT5", "MPC2K", "PAF", "PVF", "SDS", "SVX", "VOC", "WVE"),
    "XI",
}
BLOCKS = ("IMA_ADPCM", "MS_ADPCM", "NMS_ADPCM", "GSM610", "G72")
"""Codecs of whole blocks, the last of which is filled up."""


def write(path: Path, format: str = "WAV", subtype: str | None = None) -> Path:
    random = np.random.default_rng(0)
    tone = 0.3 * np.sin(2 * np.pi * 220 * np.arange(SAMPLES) / RATE)
    sound = tone + 0.05 * random.standard_normal(SAMPLES)
    soundfile.write(path, sound, RATE, format=format, subtype=subtype)
    return path


def change(path: Path, changes: dict[int, bytes]) -> None:
    data = bytearray(path.read_bytes())
    for at, new in changes.items():
        data[at : at + len(new)] = new
    path.write_bytes(data)


def cut(path: Path, keep: int) -> Path:
    short = path.with_name("cut")
    short.write_bytes(path.read_bytes()[:keep])
    return short


@pytest.mark.parametrize(("format", "subtype"), FORMATS)
def test_cut_anywhere_it_is_refused_or_read_whole(tmp_path, format, subtype):
    try:
        path = write(tmp_path / "whole", format, subtype)
    except soundfile.LibsndfileError:
        pytest.skip("the library does not write it")
    if format in UNKNOWN:
        with pytest.raises(DataError, match=r"a container that is not known, found .* OUT\.wav"):
            read(path)
        return
    whole = read(path)
    # The library takes the byte that fills up an AIFF for a sample of eight bits.
    assert 0 <= len(whole) - SAMPLES < (1100 if subtype.startswith(BLOCKS) else 2)
    np.testing.assert_allclose(read(path, 0.1, 0.2), whole[1600:3200], atol=1e-6)
    size = path.stat().st_size
    for keep in (size - 1, size - 2, size - 3, size - 57, size * 9 // 10, size // 2, size // 9):
        try:
            signal = read(cut(path, keep))
        except DataError:
            continue
        assert keep > size - 8, "more than what chunks are filled up with"
        np.testing.assert_array_equal(signal, whole)


@pytest.mark.parametrize("format", ["WAV", "WAVEX", "RF64", "AU", "NIST"])
def test_a_cut_header_and_samples(tmp_path, format):
    path = cut(write(tmp_path / "whole", format, "PCM_16"), -5002)
    message = (
        f"{path}: a truncated recording (of labels.csv:7), found '5000 bytes of samples'; "
        "expected 10002, as its header says"
    )
    with pytest.raises(DataError) as caught:
        read(path, source="labels.csv:7")
    assert str(caught.value) == message
    with pytest.raises(DataError, match="a truncated recording"):
        read(path, 0.0, 0.1)


STREAMS = {
    "WAV of GStreamer": ("WAV", {b"RIFF": bytes(4), b"data": bytes(4)}),
    "WAV of ffmpeg": ("WAV", {b"RIFF": b"\xff" * 4, b"data": b"\xff" * 4}),
    "WAV of sox": ("WAV", {b"RIFF": b"\x24\xf0\xff\x7f", b"data": b"\x00\xf0\xff\x7f"}),
    "WAV of arecord": ("WAV", {b"RIFF": b"\x24\x00\x00\x80", b"data": b"\x00\x00\x00\x80"}),
    "RF64 of 0": ("RF64", {b"ds64\x1c\0\0\0": bytes(24)}),
    "RF64 of -1": ("RF64", {b"ds64\x1c\0\0\0": b"\xff" * 24}),
    "W64 of 0": ("W64", {b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a": bytes(8)}),
    "W64 of -1": ("W64", {b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a": b"\xff" * 8}),
    "W64 of ffmpeg": (
        "W64",
        {b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a": b"\xff" * 7 + b"\x7f"},
    ),
    "AIFF of 0": ("AIFF", {b"FORM": bytes(4), b"SSND": bytes(4)}),
    "AU of 0": ("AU", {b".snd\0\0\0\x18": bytes(4)}),
    "AU of -1": ("AU", {b".snd\0\0\0\x18": b"\xff" * 4}),
    "CAF of -1": ("CAF", {b"data": b"\xff" * 8}),
}


@pytest.mark.parametrize(("format", "sizes"), STREAMS.values(), ids=STREAMS)
def test_a_stream_is_read_to_the_end_of_the_file(tmp_path, format, sizes):
    path = write(tmp_path / "a.wav", format, "PCM_16")
    whole = read(path)
    data = path.read_bytes()
    change(path, {data.index(name) + len(name): size for name, size in sizes.items()})
    signal = read(path)
    np.testing.assert_array_equal(signal[: len(whole)], whole)
    assert len(signal) - len(whole) <= 3  # What a W64 is filled up with, as nobody knows better.
    np.testing.assert_array_equal(read(path, 0.1, 0.2), whole[1600:3200])


def test_no_sample_and_another_chunk_are_no_stream(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, [], RATE)
    path.write_bytes(path.read_bytes() + b"LIST\x04\0\0\0INFO")
    with pytest.raises(DataError, match="a recording without a sample"):
        read(path)


def test_what_comes_behind_the_samples_may_be_cut(tmp_path):
    path = write(tmp_path / "a.wav")
    whole = read(path)
    path.write_bytes(path.read_bytes() + b"LIST\xff\0\0\0INFO")
    np.testing.assert_array_equal(read(path), whole)


def test_a_bw64_is_an_rf64(tmp_path):
    path = write(tmp_path / "a.wav", "RF64")
    whole = read(path)
    change(path, {0: b"BW64"})
    np.testing.assert_array_equal(read(path), whole)
    with pytest.raises(DataError, match="a truncated recording"):
        read(cut(path, -2))
    change(path, {20: bytes(24)})
    np.testing.assert_array_equal(read(path), whole)


def test_a_flac_that_does_not_know_its_length(tmp_path):
    path = write(tmp_path / "a.flac", "FLAC")
    whole = read(path)
    change(path, {22: bytes(4)})  # Of 36 bits of samples; the first four are 0 anyway.
    np.testing.assert_array_equal(read(path), whole)
    np.testing.assert_array_equal(read(path, 0.1, 0.2), whole[1600:3200])
    with pytest.raises(DataError, match="a truncated recording, found 'no frame that is whole"):
        read(cut(path, -1))


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_an_ogg_that_ends_between_two_pages(tmp_path, subtype):
    path = write(tmp_path / "a.ogg", "OGG", subtype)
    with pytest.raises(DataError, match=r"'no page that ends it'.*ffmpeg -i IN\.ogg OUT\.wav"):
        read(cut(path, path.read_bytes().rindex(b"OggS")))
    with pytest.raises(DataError, match="'an end amid a page'; expected whole pages"):
        read(cut(path, -1))


DELAY = 529
"""Samples that every decoder of MP3 puts in front, and the library leaves out."""


def write_mp3(path: Path, mode: str = "VARIABLE", rate: int = RATE) -> list[int]:
    """Writes an MP3; returns where its frames begin, whose first tells the number of the others."""
    sound = 0.3 * np.sin(np.arange(rate) * np.linspace(0.05, 0.1, rate))
    sound *= np.linspace(0, 1, rate)  # Begins with smaller frames than it ends with.
    soundfile.write(path, sound, rate, bitrate_mode=mode, compression_level=0.5)
    data, frames = path.read_bytes(), [0]
    while (size := frame_bytes(data[frames[-1] : frames[-1] + 4])) is not None:
        frames.append(frames[-1] + size)
    assert frames.pop() == len(data)
    assert b"Xing" in data[: frames[1]] or b"Info" in data[: frames[1]]
    return frames


def test_an_mp3_of_fewer_frames_than_the_first_says(tmp_path):
    path = tmp_path / "a.mp3"
    frames = write_mp3(path)
    assert len(read(path)) == RATE
    count = len(frames) - 1
    with pytest.raises(DataError, match=f"found '{count - 1} frames'; expected {count}, as"):
        read(cut(path, frames[-1]))
    with pytest.raises(DataError, match=f"found '3 frames'; expected {count}, as"):
        read(cut(path, frames[4]))


@pytest.mark.parametrize("rate", [RATE, 44100])
@pytest.mark.parametrize("mode", ["CONSTANT", "AVERAGE", "VARIABLE"])
def test_an_mp3_whose_first_frame_tells_nothing(tmp_path, mode, rate):
    path = tmp_path / "a.mp3"
    frames = write_mp3(path, mode, rate)
    whole = read(path, convert=True)
    path.write_bytes(path.read_bytes()[frames[1] :])
    signal = read(path, convert=True)
    samples = (len(frames) - 1) * (1152 if rate == 44100 else 576)
    assert len(signal) == -(-(samples - DELAY) * RATE // rate)
    # What the encoder put in front goes only where it is told how much it is.
    delay = np.correlate(signal, whole[4000:8000], "valid").argmax() - 4000
    assert 0 < delay < 1200
    np.testing.assert_allclose(signal[delay:][1000:12000], whole[1000:12000], atol=0.02)
    with pytest.raises(DataError, match=r"found '\d+ bytes of a frame'; expected \d+"):
        read(cut(path, -9), convert=True)
    last = frames[-1] - frames[1]
    with pytest.raises(DataError, match="found '3 bytes of a frame'; expected a whole one"):
        read(cut(path, last + 3), convert=True)
    path.write_bytes(path.read_bytes() + bytes(100))
    np.testing.assert_array_equal(read(path, convert=True), signal)
    path.write_bytes(path.read_bytes() + b"something else")
    with pytest.raises(DataError, match=r"found 'no frame at byte \d+'; expected .*ffmpeg"):
        read(path, convert=True)


def test_parts_of_an_mp3(tmp_path):
    path = tmp_path / "a.mp3"
    frames = write_mp3(path)
    for first in (0, frames[1]):
        path.write_bytes(path.read_bytes()[first:])
        whole = read(path)
        for start in range(1600, 12000, 400):
            part = read(path, start / RATE, (start + 800) / RATE)
            np.testing.assert_array_equal(part, whole[start : start + 800])


def test_tags_of_an_mp3_are_none_of_its_frames(tmp_path):
    path = tmp_path / "a.mp3"
    frames = write_mp3(path)
    whole = read(path)
    tag = b"ID3\x04\0\0\0\0\x01\x02" + bytes(130)
    path.write_bytes(tag + path.read_bytes() + b"TAG" + bytes(125))
    np.testing.assert_allclose(read(path), whole, atol=1e-6)
    data = path.read_bytes()
    path.write_bytes(data[: len(tag) + frames[-1]] + data[-128:])
    with pytest.raises(DataError, match=r"a truncated recording, found '\d+ frames'"):
        read(path)


@pytest.mark.parametrize(
    ("head", "size"),
    [
        ("fffb9000", 417),  # MPEG-1, layer III: 144 * 128000 / 44100 = 417.96
        ("fffb9200", 418),  # the same with a byte more
        ("fff38000", 208),  # MPEG-2, layer III: 72 * 64000 / 22050 = 208.98
        ("ffe38000", 417),  # MPEG-2.5, layer III: 72 * 64000 / 11025 = 417.96
        ("fffb0000", None),  # a free rate
        ("fffbf000", None),  # no rate
        ("fffb9c00", None),  # no sampling rate
        ("ffeb9000", None),  # no version
        ("fff99000", None),  # no layer
        ("fffdc400", None),  # layer II
        ("00000000", None),
        ("fffb", None),
    ],
)
def test_the_size_of_an_mpeg_frame(head, size):
    assert frame_bytes(bytes.fromhex(head)) == size


@pytest.mark.parametrize(
    ("format", "subtype"), [("WAV", "GSM610"), ("WAV", "G721_32"), ("AU", "G723_24")]
)
def test_codecs_that_cannot_seek_are_read_from_their_beginning(tmp_path, format, subtype):
    path = write(tmp_path / "a.wav", format, subtype)
    whole = read(path)
    assert len(whole) >= SAMPLES
    np.testing.assert_array_equal(read(path, 0.1, 0.2), whole[1600:3200])
    random = np.random.default_rng(0)
    tone = 0.3 * np.sin(2 * np.pi * 220 * np.arange(SAMPLES) / RATE)
    noisy = tone + 0.05 * random.standard_normal(SAMPLES)
    assert np.corrcoef(whole[:SAMPLES], noisy)[0, 1] > 0.9


def test_what_a_recording_is_called_does_not_matter(tmp_path):
    whole = read(write(tmp_path / "a.wav"))
    np.testing.assert_array_equal(read(write(tmp_path / "a.raw")), whole)
    np.testing.assert_array_equal(read(write(tmp_path / "a.mp3")), whole)
