"""Recordings: read as 16 kHz mono, converted where that is asked for, or refused with a reason."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from dser_jax.system import DataError

RATE = 16000
"""Samples a second."""
WINDOW, HOP = 400, 160
"""Samples in a window (25 ms), and from one window to the next (10 ms)."""

Signal = Float32[np.ndarray, "sample"]

_CONVERT = "--convert makes it so, and `ffmpeg -i IN.wav -ar 16000 -ac 1 OUT.wav` a file that is"


def check_file(file: Path | None, source: str = "") -> Path:
    """Returns the path of a recording that exists and is not empty.

    Raises:
      DataError: There is none; `source` says which row of which table names it.
    """
    if file is None:
        raise DataError(f"a transcript without audio{_named(source)}", expected="a recording")
    try:
        size = file.stat().st_size if file.is_file() else None
    except OSError:
        size = None
    if size is None:
        what = "a folder, not a recording" if file.is_dir() else "no such recording"
        raise DataError(f"{what}{_named(source)}", file=file, expected="an existing wav file")
    if size == 0:
        raise DataError(
            f"an empty file{_named(source)}", file=file, value="0 bytes", expected="a wav file"
        )
    return file


def read(
    file: Path,
    start: float | None = None,
    end: float | None = None,
    source: str = "",
    convert: bool = False,
) -> Signal:
    """Reads a recording, or the part from `start` to `end` (in seconds), on [-1, 1].

    An end that lies less than one hop (10 ms) behind the recording's is taken for it.

    Args:
      file: The recording.
      start: Where the part begins; None for the beginning.
      end: Where the part ends; None for the end.
      source: Which row of which table names it, for messages.
      convert: Whether several channels are averaged, and another rate is resampled to 16 kHz, or
        such a recording is refused. What is 16 kHz mono stays as it is.

    Raises:
      DataError: The file is missing, damaged, not 16 kHz mono, or shorter than one window, the part
        lies outside of it, or a sample is NaN or infinite.
    """
    import soundfile

    check_file(file, source)

    def wrong(problem: str, value: object = None, expected: str | None = None) -> DataError:
        return DataError(f"{problem}{_named(source)}", file=file, value=value, expected=expected)

    missing = _missing_bytes(file)
    if missing:
        raise wrong("a truncated recording", f"{missing} bytes less than its header says")
    try:
        with soundfile.SoundFile(file) as sound:
            rate = sound.samplerate
            if sound.channels != 1 and not convert:
                kind = "a stereo recording" if sound.channels == 2 else "not a mono recording"
                raise wrong(kind, f"{sound.channels} channels", f"one; {_CONVERT}")
            if rate != RATE and not convert:
                raise wrong("not a 16 kHz recording", f"{rate} Hz", f"{RATE}; {_CONVERT}")
            if sound.frames == 0:
                raise wrong("a recording without a sample", "0 samples", "speech")
            first, last = _part(start, end, sound.frames, rate, wrong)
            sound.seek(first)
            channels = sound.read(last - first, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        reason = getattr(error, "error_string", str(error))
        raise wrong(f"not a readable audio file ({reason})", expected="a wav file") from None
    if len(channels) < last - first:
        found = f"{len(channels)} samples"
        raise wrong("a truncated recording", found, f"{last - first} as it says")
    if not np.isfinite(channels).all():
        at, channel = np.argwhere(~np.isfinite(channels))[0]
        raise wrong(
            "a sample that is no number",
            f"{channels[at, channel]} at {(first + at) / rate:.3f} s",
            "finite samples",
        )
    signal = _resampled(channels.mean(1), rate)
    if len(signal) < WINDOW:
        seconds = f"{len(signal) / RATE:.4f} s"
        raise wrong("shorter than one window", seconds, f"at least {WINDOW / RATE} s")
    return signal


def _resampled(signal: Float32[np.ndarray, "before"], rate: int) -> Signal:
    """Resamples to 16 kHz by a polyphase filter, which removes what lies above 8 kHz."""
    if rate == RATE:
        return signal
    from scipy.signal import resample_poly

    common = math.gcd(rate, RATE)
    return resample_poly(signal, RATE // common, rate // common).astype(np.float32)


def _part(
    start: float | None,
    end: float | None,
    frames: int,
    rate: int,
    wrong: Callable[[str, object, str], DataError],
) -> tuple[int, int]:
    """Returns the first sample of a part, and the one after its last."""
    first = 0.0 if start is None else start
    last = frames / rate if end is None else end
    if not 0 <= first < last <= frames / rate + HOP / RATE:
        raise wrong(
            "not a part of the recording",
            f"{first:g} to {last:g} s",
            f"start < end within its {frames / rate:g} s",
        )
    return round(first * rate), min(round(last * rate), frames)


def _missing_bytes(file: Path) -> int:
    """Returns how many bytes of samples a wav lacks of those that its header counts.

    The sound library reads such a file as a shorter recording, without a word. Headers of streams,
    which could not know the size, are left alone.
    """
    with file.open("rb") as data:
        if data.read(4) != b"RIFF" or data.seek(8) != 8 or data.read(4) != b"WAVE":
            return 0
        end = file.stat().st_size
        while len(head := data.read(8)) == 8:
            size = int.from_bytes(head[4:], "little")
            if head[:4] == b"data":
                unknown = size >= 0x7FFFF000
                return 0 if unknown else max(0, data.tell() + size - end)
            data.seek(size + size % 2, 1)
    return 0


def _named(source: str) -> str:
    """Says which row of a table names the recording."""
    return f" (of {source})" if source else ""
