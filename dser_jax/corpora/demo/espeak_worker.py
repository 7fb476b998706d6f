"""Speaks utterances with eSpeak NG: run as a program, with nothing but the standard library.

It reads one JSON object from standard input and writes, for each utterance, the number of bytes as
a 32-bit little-endian integer and the samples as 16-bit ones, at the synthesizer's own rate.
"""

from __future__ import annotations

import ctypes
import json
import os
import struct
import sys

_RETRIEVAL, _DONT_EXIT = 1, 0x8000
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4
_UTF8 = 1

_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


def main() -> None:
    """Speaks the utterances of one job, in their order."""
    job = json.load(sys.stdin)
    # The synthesizer keeps paths in short buffers, so it gets one relative to this process' folder.
    os.chdir(os.path.dirname(os.path.abspath(job["data"])))
    synthesizer = ctypes.CDLL(job["library"])
    rate = synthesizer.espeak_Initialize(_RETRIEVAL, 0, b".", _DONT_EXIT)
    if rate != job["rate"]:
        sys.exit(f"eSpeak NG gives {rate} Hz, not {job['rate']}; a number below 0 means no data")
    # Breath and frication are noise, otherwise drawn by the clock.
    synthesizer.espeak_ng_SetRandSeed(ctypes.c_long(job["seed"]))
    samples = bytearray()

    def collect(wave, count, _events) -> int:
        if wave and count > 0:
            samples.extend(ctypes.string_at(wave, 2 * count))
        return 0

    callback = _Callback(collect)
    synthesizer.espeak_SetSynthCallback(callback)
    for words, voice, speed, pitch, pitch_range, volume in job["utterances"]:
        samples.clear()
        if synthesizer.espeak_SetVoiceByName(voice.encode()) != 0:
            sys.exit(f"eSpeak NG has no voice {voice!r}")
        settings = {_RATE: speed, _VOLUME: volume, _PITCH: pitch, _RANGE: pitch_range}
        for setting, value in settings.items():
            synthesizer.espeak_SetParameter(setting, value, 0)
        text = words.encode()
        synthesizer.espeak_Synth(text, len(text) + 1, 0, 1, 0, _UTF8, None, None)
        synthesizer.espeak_Synchronize()
        sys.stdout.buffer.write(struct.pack("<i", len(samples)) + samples)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
