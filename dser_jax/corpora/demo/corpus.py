"""The talking corpus: made on the spot, and laid out on the disk as IEMOCAP is.

Ten speakers talk in five sessions, in improvised and in scripted dialogues. Each utterance has a
latent valence, arousal and dominance with the moments of the real corpus. Valence shows mostly in
the words (`text.py`), arousal and dominance mostly in the voice (`espeak.py`), all of them
imperfectly. The labels are the means of three raters who do not quite agree.

Measured at 1000 utterances, seed 0: CCC on session 5 (valence, arousal, dominance) of ridge
regression on sessions 1 to 4, its spread stretched to the labels'. Means and deviations of the 23
eGeMAPS descriptors .29, .73, .68; words weighted by tf-idf .65, .41, .45; both .67, .72, .72.

It is no stand-in for people: it lets everything be tried, timed and tested without a licence.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import tempfile
import threading
import time
import wave
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dser_jax.corpora.demo.espeak import RATE, Spoken, speak
from dser_jax.corpora.demo.text import write_sentence
from dser_jax.corpora.iemocap import load_iemocap
from dser_jax.corpora.utterances import Corpus
from dser_jax.system import BadInput, DserError

MEANS = np.array([2.78, 3.09, 3.19])
DEVIATIONS = np.array([0.90, 0.70, 0.79])
CORRELATIONS = np.array([[1.0, 0.0, -0.19], [0.0, 1.0, 0.56], [-0.19, 0.56, 1.0]])
"""The moments of the labels of IEMOCAP: valence, arousal, dominance."""

WAV_RATE = 16_000
LEAST = 40
"""The fewest utterances of a corpus: two dialogues of four turns a session."""

_MARKER = "demo.json"
_VERSION = 1  # of what is made from a seed: to be raised by any change that reaches the disk
_TURNS = 25  # of a dialogue, about
_RATERS, _RATER_DEVIATION = 3, 0.45
_MOOD = 0.25  # share of the variance that a speaker keeps throughout a dialogue
_SHARED = 0.35  # share of the scripted turns that are said in every session
_ACTING = 0.7  # share of the variance of such a turn that is in the script

_EMOTIONS = {
    "neu": ("Neutral", (0.0, -0.2, 0.0)),
    "fru": ("Frustration", (-0.8, 0.2, 0.1)),
    "ang": ("Anger", (-1.1, 1.1, 1.0)),
    "sad": ("Sadness", (-0.9, -1.1, -1.0)),
    "exc": ("Excited", (1.2, 1.0, 0.3)),
    "hap": ("Happiness", (1.3, -0.1, 0.0)),
}


class _Voice(NamedTuple):
    """A speaker's own way of speaking: words a minute, and pitch and range of eSpeak NG."""

    name: str
    speed: int
    pitch: int
    pitch_range: int


VOICES = {
    "Ses01F": _Voice("gmw/en-US+f2", 185, 48, 48),
    "Ses01M": _Voice("gmw/en-US+m3", 180, 46, 46),
    "Ses02F": _Voice("gmw/en+f3", 190, 42, 50),
    "Ses02M": _Voice("gmw/en+m1", 175, 52, 50),
    "Ses03F": _Voice("gmw/en-US+f1", 180, 52, 44),
    "Ses03M": _Voice("gmw/en-GB-scotland+m4", 185, 50, 52),
    "Ses04F": _Voice("gmw/en-GB-x-rp+f4", 178, 46, 52),
    "Ses04M": _Voice("gmw/en-US+m6", 188, 48, 44),
    "Ses05F": _Voice("gmw/en+f2", 182, 52, 48),
    "Ses05M": _Voice("gmw/en-US+m2", 183, 48, 50),
}


class _Turn(NamedTuple):
    """A turn before anything is known of its feeling.

    `line` names the turn of a script that every session shares; None where the words are its own.
    """

    dialogue: str
    id: str
    speaker: str
    line: tuple[str, int] | None


def load_demo(
    root: str | Path,
    *,
    utterances: int | None = None,
    seed: int | None = None,
    bad: BadInput | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Corpus:
    """Reads the demo corpus, and makes it first if it is not there.

    Args:
      root: Where it is.
      utterances: As for `make_demo`; None takes a corpus that is there as it is.
      seed: Likewise.
      bad: Decides whether bad input raises, the default, or is left out and listed.
      progress: Called with the number of utterances spoken and of all.
    """
    made = _marker(Path(root)) or {"utterances": 1000, "seed": 0}
    folder = make_demo(
        root,
        utterances=made["utterances"] if utterances is None else utterances,
        seed=made["seed"] if seed is None else seed,
        progress=progress,
    )
    return dataclasses.replace(load_iemocap(folder, bad), name="demo")


def make_demo(
    root: str | Path,
    *,
    utterances: int = 1000,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Makes the demo corpus, unless it is there: on one machine, equal arguments give equal bytes.

    It is made beside `root` and renamed when it is whole, so that a half-made corpus is never read.

    Args:
      root: The folder to make. It takes the place of `IEMOCAP_full_release`.
      utterances: How many, 40 at least.
      seed: Another seed gives other feelings, words and voices.
      progress: Called with the number of utterances spoken and of all.

    Returns:
      The folder.

    Raises:
      DserError: if there is something else in the folder, or no synthesizer is installed.
    """
    root = Path(root).resolve()
    wanted = {"version": _VERSION, "utterances": utterances, "seed": seed}
    if utterances < LEAST:
        raise DserError(f"{utterances} utterances are too few for a demo corpus; {LEAST} at least")
    if _is_there(root, wanted):
        return root
    part = None
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(root)
        part = Path(tempfile.mkdtemp(prefix=f".{root.name}.", suffix=".part", dir=root.parent))
        part.chmod(0o755)
        _write_corpus(part, utterances, seed, progress)
        (part / _MARKER).write_text(json.dumps(wanted) + "\n")
        if root.is_dir():
            root.rmdir()  # it is empty: `_is_there` has looked
        part.rename(root)
    except OSError as error:
        if _is_there(root, wanted):  # another process was faster
            return root
        raise DserError(f"{root}: cannot write the demo corpus: {error}") from error
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)
    return root


def _marker(root: Path) -> dict | None:
    """Reads what a finished corpus was made from."""
    try:
        return json.loads((root / _MARKER).read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DserError(f"{root / _MARKER}: cannot read: {error}; remove the folder") from error


def _is_there(root: Path, wanted: dict) -> bool:
    """Tells whether the corpus is made; raises if another one, or something else, is there."""
    if not root.exists():
        return False
    if not root.is_dir():
        raise DserError(f"{root}: a file is in the place of the demo corpus")
    made = _marker(root)
    if made == wanted:
        return True
    if made is not None:
        raise DserError(
            f"{root}: holds a demo corpus made from {made}, not from {wanted};"
            " name another folder, or remove this one"
        )
    if any(root.iterdir()):
        raise DserError(f"{root}: holds something else than a demo corpus; name another folder")
    return False


def _remove_leftovers(root: Path) -> None:
    """Removes what killed processes left; a living one made its folder within the hour."""
    for part in root.parent.glob(f".{root.name}.*.part"):
        if time.time() - part.stat().st_mtime > 3600:
            shutil.rmtree(part, ignore_errors=True)


def _write_corpus(
    root: Path, utterances: int, seed: int, progress: Callable[[int, int], None] | None
) -> None:
    """Draws, writes and speaks the whole corpus."""
    random = np.random.default_rng(seed)
    turns = _plan(utterances)
    latents = _draw_latents(turns, random)
    ratings = _rate(latents, random)
    sentences = _write_sentences(turns, latents, random)
    spoken = [
        _perform(sentence, VOICES[turn.speaker], latent, random)
        for turn, sentence, latent in zip(turns, sentences, latents, strict=True)
    ]
    seconds = _speak_sessions(root, turns, spoken, seed, progress)
    dialogues: dict[str, list[int]] = {}
    for at, turn in enumerate(turns):
        dialogues.setdefault(turn.dialogue, []).append(at)
    for dialogue, at in dialogues.items():
        _write_dialogue(root, dialogue, at, turns, sentences, ratings, seconds, random)


def _speak_sessions(
    root: Path,
    turns: list[_Turn],
    spoken: list[Spoken],
    seed: int,
    progress: Callable[[int, int], None] | None,
) -> dict[int, float]:
    """Speaks the sessions side by side, each in the order of its turns; returns the durations."""
    seconds: dict[int, float] = {}
    lock, stop = threading.Lock(), threading.Event()

    def speak_session(session: int) -> None:
        mine = [at for at, turn in enumerate(turns) if turn.id.startswith(f"Ses0{session}")]
        voices = speak([spoken[at] for at in mine], seed=seed)
        for at, samples in zip(mine, voices, strict=True):
            if stop.is_set():
                return
            turn = turns[at]
            wavs = root / f"Session{session}" / "sentences" / "wav" / turn.dialogue
            duration = _write_wav(wavs / f"{turn.id}.wav", samples)
            with lock:
                seconds[at] = duration
                if progress is not None:
                    progress(len(seconds), len(turns))

    with ThreadPoolExecutor(max_workers=min(5, os.cpu_count() or 1)) as pool:
        try:
            for session in [pool.submit(speak_session, number) for number in range(1, 6)]:
                session.result()
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return seconds


def _plan(utterances: int) -> list[_Turn]:
    """Lays out sessions, dialogues and turns; sessions differ by one utterance at most."""
    turns = []
    for session in range(1, 6):
        count = utterances // 5 + (session <= utterances % 5)
        dialogues = max(2, round(count / _TURNS))
        for number in range(dialogues):
            kind = ("impro", "script")[number % 2]
            actor = "FM"[number // 2 % 2]
            part = number // 4 + 1
            name = f"{kind}{part:02d}"
            dialogue = f"Ses0{session}{actor}_{name}"
            length = count // dialogues + (number < count % dialogues)
            said = {"F": 0, "M": 0}
            for place in range(length):
                speaker = "FM"[place % 2]
                shared = kind == "script" and place * _SHARED % 1 < _SHARED
                turns.append(
                    _Turn(
                        dialogue=dialogue,
                        id=f"{dialogue}_{speaker}{said[speaker]:03d}",
                        speaker=f"Ses0{session}{speaker}",
                        line=(f"{actor}_{name}", place) if shared else None,
                    )
                )
                said[speaker] += 1
    return turns


def _draw_latents(turns: list[_Turn], random: np.random.Generator) -> np.ndarray:
    """Draws valence, arousal and dominance [turn, attr], in the labels' deviations from their mean.

    The labels' covariance is that of the real corpus, so the latents' lacks what the raters add.
    """
    moods: dict[tuple[str, str], np.ndarray] = {}
    lines: dict[tuple[str, int], np.ndarray] = {}
    drawn = np.empty((len(turns), 3))
    for at, turn in enumerate(turns):
        mood = moods.setdefault((turn.dialogue, turn.speaker), random.standard_normal(3))
        own = random.standard_normal(3)
        drawn[at] = np.sqrt(_MOOD) * mood + np.sqrt(1 - _MOOD) * own
        if turn.line is not None:
            line = lines.setdefault(turn.line, random.standard_normal(3))
            drawn[at] = np.sqrt(_ACTING) * line + np.sqrt(1 - _ACTING) * drawn[at]
    drawn -= drawn.mean(axis=0)
    drawn = np.linalg.solve(np.linalg.cholesky(np.cov(drawn.T)), drawn.T).T
    disagreement = np.square(_RATER_DEVIATION / DEVIATIONS) / _RATERS
    return drawn @ np.linalg.cholesky(CORRELATIONS - np.diag(disagreement)).T


def _rate(latents: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Rates each turn three times on the half-point scale from 1 to 5: [turn, rater, attr]."""
    felt = (MEANS + DEVIATIONS * latents)[:, None]
    noise = _RATER_DEVIATION * random.standard_normal((len(latents), _RATERS, 3))
    return np.clip(np.round(2 * (felt + noise)) / 2, 1, 5)


def _write_sentences(
    turns: list[_Turn], latents: np.ndarray, random: np.random.Generator
) -> list[str]:
    """Writes the turns; a line of a script fits the mean of how it will be played."""
    plays: dict[tuple[str, int], list[np.ndarray]] = {}
    for turn, latent in zip(turns, latents, strict=True):
        if turn.line is not None:
            plays.setdefault(turn.line, []).append(latent)
    script = {line: write_sentence(np.mean(felt, axis=0), random) for line, felt in plays.items()}
    return [
        write_sentence(latent, random) if turn.line is None else script[turn.line]
        for turn, latent in zip(turns, latents, strict=True)
    ]


def _perform(
    sentence: str, voice: _Voice, latent: np.ndarray, random: np.random.Generator
) -> Spoken:
    """Settles how a sentence is spoken.

    Arousal raises pitch, range, speed and volume; dominance lowers the pitch, and is loud and slow;
    valence widens the range a little. Each of them strays.
    """
    valence, arousal, dominance = latent
    pitch, pitch_range, speed, loudness = random.standard_normal(4)
    decibels = 2.3 * arousal + 1.5 * dominance + 1.8 * loudness - 4.0
    return Spoken(
        words=sentence,
        voice=voice.name,
        speed=_clip(
            voice.speed * np.exp(0.10 * arousal - 0.05 * dominance + 0.07 * speed), 90, 350
        ),
        pitch=_clip(voice.pitch + 8 * arousal - 8 * dominance + 3 * valence + 4 * pitch, 0, 99),
        pitch_range=_clip(voice.pitch_range + 12 * arousal + 12 * valence + 9 * pitch_range, 0, 99),
        volume=_clip(100 * 10 ** (decibels / 20), 15, 140),
    )


def _clip(value: float, lowest: int, highest: int) -> int:
    return int(np.clip(round(value), lowest, highest))


def _write_wav(file: Path, samples: np.ndarray) -> float:
    """Writes 16-bit samples at 16 kHz and returns their duration in seconds."""
    try:
        import soxr
    except ImportError as error:
        raise DserError(
            'the demo corpus is resampled by soxr; install it: pip install "dser_jax[demo]"'
        ) from error
    # In floating point: to integers, soxr adds a dither that depends on the clock.
    resampled = np.rint(soxr.resample(samples.astype(np.float32), RATE, WAV_RATE))
    file.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(WAV_RATE)
        out.writeframes(np.clip(resampled, -32768, 32767).astype("<i2").tobytes())
    return len(resampled) / WAV_RATE


def _write_dialogue(
    root: Path,
    dialogue: str,
    rows: list[int],
    turns: list[_Turn],
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
        emotion = _emotion(ratings[at].mean(axis=0))
        block = [
            f"[{start:.4f} - {end:.4f}]\t{turns[at].id}\t{emotion}"
            f"\t[{valence:.4f}, {arousal:.4f}, {dominance:.4f}]"
        ]
        for rater, rating in enumerate(ratings[at], 1):
            block.append(f"C-E{rater}:\t{_EMOTIONS[_emotion(rating)][0]};\t()")
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


def _emotion(rating: np.ndarray) -> str:
    """Names the emotion that a rating is nearest to."""
    place = (rating - MEANS) / DEVIATIONS
    return min(_EMOTIONS, key=lambda name: float(np.sum(np.square(place - _EMOTIONS[name][1]))))
