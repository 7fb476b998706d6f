"""The voice of the demo corpus: eSpeak NG, through its C interface.

The synthesizer carries state from one utterance to the next (the phase of the voice, the place in
its noise) that no call resets, not even ending and starting it anew. So a list of utterances is
spoken in its order by a process of its own, which always begins in the same state: an equal list
gives equal bytes, whatever was spoken before. A crash of the C library is an error message then.
"""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dser_jax.system import DserError

RATE = 22_050
"""Sampling rate of the synthesizer, in Hz."""


class Spoken(NamedTuple):
    """What to say and how.

    Attributes:
      words: One sentence; its punctuation shapes the melody.
      voice: A voice of eSpeak NG and a variant, e.g. "en-us+f2".
      speed: Words a minute, from 80 to 450.
      pitch, pitch_range: From 0 to 99.
      volume: From 0 to 200; 100 is usual, and it clips some way above.
    """

    words: str
    voice: str
    speed: int
    pitch: int
    pitch_range: int
    volume: int


def speak(utterances: Sequence[Spoken], *, seed: int = 0) -> Iterator[np.ndarray]:
    """Speaks utterances one after another, yielding the 16-bit samples of each at `RATE`.

    Raises:
      DserError: if the synthesizer is not installed, or fails.
    """
    library, data = _find()
    job = json.dumps(
        {"library": library, "data": data, "rate": RATE, "seed": seed, "utterances": utterances}
    )
    worker = Path(__file__).with_name("espeak_worker.py")
    with subprocess.Popen(
        [sys.executable, "-I", str(worker)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            process.stdin.write(job.encode())
            process.stdin.close()
            for spoken in utterances:
                head = process.stdout.read(4)
                size = struct.unpack("<i", head)[0] if len(head) == 4 else -1
                samples = process.stdout.read(max(size, 0))
                if size <= 0 or len(samples) != size:
                    said = process.stderr.read().decode(errors="replace").strip()
                    raise DserError(f"eSpeak NG failed at {spoken.words!r}: {said or 'no sound'}")
                yield np.frombuffer(samples, dtype="<i2")
        except BrokenPipeError as error:
            said = process.stderr.read().decode(errors="replace").strip()
            raise DserError(f"eSpeak NG did not start: {said}") from error
        finally:
            process.kill()


def _find() -> tuple[str, str]:
    """Locates the library and its data without loading it into this process."""
    try:
        import espeakng_loader
    except ImportError as error:
        raise DserError(
            'the demo corpus is spoken by eSpeak NG; install it: pip install "dser_jax[demo]"'
        ) from error
    return espeakng_loader.get_library_path(), espeakng_loader.get_data_path()
