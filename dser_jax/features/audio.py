"""Recordings: read as 16 kHz mono, converted where that is asked for, or refused with a reason."""

from __future__ import annotations

import io
import math
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np
from jaxtyping import Float32

from dser_jax.features.containers import KNOWN, Length, examine
from dser_jax.features.samples import Channels, Wrong, check_samples, mean_of
from dser_jax.system import DataError, plural, unread

if TYPE_CHECKING:
    import soundfile

RATE = 16000
"""Samples a second."""
WINDOW, HOP = 400, 160
"""Samples in a window (25 ms), and from one window to the next (10 ms)."""

Signal = Float32[np.ndarray, "sample"]

_CONVERT = "--convert makes it so, and `ffmpeg -i IN.wav -ar 16000 -ac 1 OUT.wav` a file that is"

_CONTAINERS = f"{KNOWN}; `ffmpeg -i IN OUT.wav` makes a wav of what it knows"


def check_file(file: Path | None, source: str = "") -> Path:
    """Returns the path of a recording that exists and is not empty.

    Raises:
      DataError: There is none; `source` says which row of which table names it.
    """
    if file is None:
        raise DataError(f"a transcript without audio{_named(source)}", expected="a recording")
    try:
        size = file.stat().st_size if file.is_file() else None
    except OSError as error:
        problem = unread(file, error).problem + _named(source)
        raise DataError(problem, file=file, expected="an existing wav file") from None
    if size is None:
        what = "a folder, not a recording" if os.path.isdir(file) else "no such recording"
        raise DataError(f"{what}{_named(source)}", file=file, expected="an existing wav file")
    if size == 0:
        raise DataError(
            f"an empty file{_named(source)}", file=file, value="0 bytes", expected="a wav file"
        )
    return file


class Heard(NamedTuple):
    """A recording, or a part of one.

    Attributes:
      signal: On [-1, 1], or a little beyond.
      peak: The largest magnitude of its samples before they were averaged and resampled.
    """

    signal: Signal
    peak: float


def read(
    file: Path,
    start: float | None = None,
    end: float | None = None,
    source: str = "",
    convert: bool = False,
) -> Signal:
    """Reads a recording, or the part from `start` to `end` (in seconds), as `hear` does."""
    return hear(file, start, end, source, convert).signal


def hear(
    file: Path,
    start: float | None = None,
    end: float | None = None,
    source: str = "",
    convert: bool = False,
) -> Heard:
    """Reads a recording, or the part from `start` to `end` (in seconds).

    An end that lies less than one hop (10 ms) behind the recording's is taken for it.

    Args:
      file: The recording.
      start: Where the part begins; None for the beginning.
      end: Where the part ends; None for the end.
      source: Which row of which table names it, for messages.
      convert: Whether several channels are averaged, and another rate is resampled to 16 kHz, or
        such a recording is refused. What is 16 kHz mono stays as it is.

    Raises:
      DataError: The file is missing, damaged, cut short, not 16 kHz mono, or shorter than one
        window; the part lies outside of it; or it is no signal, as `check_samples` has it.
    """
    import soundfile

    check_file(file, source)

    def wrong(problem: str, value: object = None, expected: str | None = None) -> DataError:
        return DataError(f"{problem}{_named(source)}", file=file, value=value, expected=expected)

    try:
        with file.open("rb") as data:
            length = examine(data)
            if length is not None and length.cut is not None:
                raise wrong("a truncated recording", *length.cut)
            with _open(data, length) as sound:
                rate = sound.samplerate
                if length is None or (sound.format == "MP3") != sound.subtype.startswith("MPEG"):
                    # The sound library does not say whether such a recording has been cut short.
                    kind = f"{sound.format_info}, {sound.subtype_info}"
                    raise wrong("a container that is not known", kind, _CONTAINERS)
                if sound.channels != 1 and not convert:
                    kind = "a stereo recording" if sound.channels == 2 else "not a mono recording"
                    raise wrong(kind, f"{sound.channels} channels", f"one; {_CONVERT}")
                if rate != RATE and not convert:
                    raise wrong("not a 16 kHz recording", f"{rate} Hz", f"{RATE}; {_CONVERT}")
                if sound.frames == 0:
                    raise wrong("a recording without a sample", "0 samples", "speech")
                first, channels = _samples(sound, start, end, wrong)
    except PermissionError as error:
        raise wrong(unread(file, error).problem, expected="a recording") from None
    except (soundfile.LibsndfileError, OSError) as error:
        reason = getattr(error, "error_string", str(error))
        raise wrong(f"not a readable audio file ({reason})", expected=_CONTAINERS) from None
    peak = check_samples(channels, wrong, rate=rate, first=first)
    signal = _resampled(mean_of(channels, wrong), rate)
    if len(signal) < WINDOW:
        seconds = f"{len(signal) / RATE:.4f} s"
        raise wrong("shorter than one window", seconds, f"at least {WINDOW / RATE} s")
    return Heard(signal, peak)


def say_converted(files: Iterable[Path]) -> list[str]:
    """Says how many of these recordings, which can be read, are not 16 kHz mono, and what they are.

    Nothing if all are.
    """
    kinds, total = Counter[str](), 0
    for file in dict.fromkeys(files):
        total += 1
        with file.open("rb") as data, _open(data, examine(data)) as sound:
            if (sound.samplerate, sound.channels) != (RATE, 1):
                many = "mono" if sound.channels == 1 else f"{sound.channels} channels"
                kinds[f"{sound.samplerate} Hz, {many}"] += 1
    if not kinds:
        return []
    told = "; ".join(f"{count:,} of {kind}" for kind, count in kinds.most_common())
    return [
        f"{kinds.total():,} of {plural(total, 'recording')} converted to 16 kHz mono when read: "
        f"{told}"
    ]


def _open(data: BinaryIO, length: Length | None) -> soundfile.SoundFile:
    """Opens a recording by what is in it, whatever it is called; with its header mended."""
    import soundfile

    if length is None or not length.mend:
        os.lseek(data.fileno(), 0, os.SEEK_SET)
        return soundfile.SoundFile(data.fileno(), closefd=False)
    data.seek(0)
    mended = bytearray(data.read())
    for first, last, new in length.mend:
        mended[first:last] = new
    return soundfile.SoundFile(io.BytesIO(mended))


def _samples(
    sound: soundfile.SoundFile, start: float | None, end: float | None, wrong: Wrong
) -> tuple[int, Channels]:
    """Reads a part: the number of its first sample, and the samples.

    Raises:
      DataError: It lies outside of the recording, or that has fewer samples than it says.
    """
    first, last = _part(start, end, sound.frames, sound.samplerate, wrong)
    skipped = first
    # A frame of an MP3 leans on those before it, which the library leaves out when it seeks.
    if sound.seekable() and sound.format != "MP3":
        sound.seek(first)
        skipped = 0
    channels = sound.read(skipped + last - first, dtype="float32", always_2d=True)[skipped:]
    if len(channels) < last - first:
        found = f"{len(channels)} samples"
        raise wrong("a truncated recording", found, f"{last - first} as it says")
    return first, channels


def _resampled(signal: Float32[np.ndarray, " before"], rate: int) -> Signal:
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
    wrong: Wrong,
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


def _named(source: str) -> str:
    """Says which row of a table names the recording."""
    return f" (of {source})" if source else ""
