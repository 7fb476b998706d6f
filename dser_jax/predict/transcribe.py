"""Words recognized from speech: what a recognizer is, and those that there are."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Protocol, runtime_checkable

import numpy as np

from dser_jax.features import RATE, Signal
from dser_jax.system import DserError


@runtime_checkable
class Transcriber(Protocol):
    """Recognizes the words of an utterance."""

    def __call__(self, signal: Signal) -> str:
        """Returns the words, in lower case or not; an empty text where it understood nothing.

        Args:
          signal: An utterance, 16 kHz, on [-1, 1].
        """
        ...


def make_pocketsphinx() -> Transcriber:
    """Starts PocketSphinx with the model of US English that its wheel brings.

    Raises:
      DserError: It is not installed.
    """
    try:
        from pocketsphinx import Decoder
    except ImportError as error:
        raise DserError(
            "--asr pocketsphinx needs the package pocketsphinx: pip install 'dser_jax[asr]'"
        ) from error

    decoder = Decoder(samprate=float(RATE), loglevel="FATAL")

    def transcribe(signal: Signal) -> str:
        samples = np.clip(np.round(signal * 32767), -32768, 32767).astype("<i2")
        decoder.start_utt()
        decoder.process_raw(samples.tobytes(), full_utt=True)
        decoder.end_utt()
        found = decoder.hyp()
        return "" if found is None else found.hypstr

    return transcribe


TRANSCRIBERS: dict[str, Callable[[], Transcriber]] = {"pocketsphinx": make_pocketsphinx}
"""What `--asr` knows by name; a new one is a function that makes a `Transcriber`, and a line."""


def make_transcriber(name: str) -> Transcriber:
    """Starts a recognizer.

    Args:
      name: One of `TRANSCRIBERS`; or MODULE:FUNCTION, a function that makes one.

    Raises:
      DserError: There is none of this name, or it is not installed.
    """
    if name in TRANSCRIBERS:
        return TRANSCRIBERS[name]()
    module, mark, function = name.partition(":")
    expected = f"one of {', '.join(TRANSCRIBERS)}, or MODULE:FUNCTION that makes a recognizer"
    if not (module and mark and function):
        raise DserError(f"no recognizer is called {name!r}; expected {expected}")
    if "" not in sys.path:
        sys.path.insert(0, "")  # As `python -m` does: a module in the current folder is found.
    try:
        make = getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise DserError(f"--asr {name}: {error}; expected {expected}") from error
    return make()
