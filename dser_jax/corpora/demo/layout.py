"""The demo corpus on the disk: recordings, words and labels where IEMOCAP's release has them."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from dser_jax.corpora.demo.espeak import RATE
from dser_jax.corpora.demo.labels import name_emotion
from dser_jax.corpora.demo.people import Turn
from dser_jax.system import DserError

WAV_RATE = 16_000


def write_wav(root: Path, turn: Turn, samples: np.ndarray) -> float:
    """Writes a turn's 16-bit samples at 16 kHz and returns their duration in seconds."""
    try:
        import soxr
    except ImportError as error:
        raise DserError(
            'the demo corpus is resampled by soxr; install it: pip install "dser_jax[demo]"'
        ) from error
    # In floating point: to integers, soxr adds a dither that depends on the clock.
    resampled = np.rint(soxr.resample(samples.astype(np.float32), RATE, WAV_RATE))
    wavs = root / f"Session{turn.id[4]}" / "sentences" / "wav" / turn.dialogue
    wavs.mkdir(parents=True, exist_ok=True)
    with wave.open(str(wavs / f"{turn.id}.wav"), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(WAV_RATE)
        out.writeframes(np.clip(resampled, -32768, 32767).astype("<i2").tobytes())
    return len(resampled) / WAV_RATE


def write_dialogue(
    root: Path,
    dialogue: str,
    rows: list[int],
    turns: list[Turn],
    sentences: list[str],
    ratings: np.ndarray,
    seconds: dict[int, float],
    random: np.random.Generator,
) -> None:
    """Writes the labels and the words of one dialogue, in the format of the release."""
    blocks, words = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n"], []
    start = 1.0
    for at in rows:
        start += random.uniform(0.3, 1.5)
        end = start + seconds[at]
        valence, arousal, dominance = ratings[at].mean(axis=0)
        emotion, _ = name_emotion(ratings[at].mean(axis=0))
        block = [
            f"[{start:.4f} - {end:.4f}]\t{turns[at].id}\t{emotion}"
            f"\t[{valence:.4f}, {arousal:.4f}, {dominance:.4f}]"
        ]
        for rater, rating in enumerate(ratings[at], 1):
            block.append(f"C-E{rater}:\t{name_emotion(rating)[1]};\t()")
        for rater, (val, act, dom) in enumerate(ratings[at], 1):
            block.append(f"A-E{rater}:\tval {val:g}; act {act:g}; dom  {dom:g};\t()")
        blocks.append("\n".join(block) + "\n")
        words.append(f"{turns[at].id} [{start:08.4f}-{end:08.4f}]: {sentences[at]}\n")
        start = end
    dialog = root / f"Session{dialogue[4]}" / "dialog"
    for folder, text in (("EmoEvaluation", "\n".join(blocks)), ("transcriptions", "".join(words))):
        file = dialog / folder / f"{dialogue}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")
