"""Who talks in the demo corpus: ten voices, the dialogues that they have, and how they feel."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dser_jax.corpora.demo.espeak import Spoken
from dser_jax.corpora.demo.labels import CORRELATIONS, DISAGREEMENT
from dser_jax.corpora.demo.text import write_sentence

_TURNS = 16  # of a dialogue, about
_MOOD = np.array([0.8, 0.6, 0.6])
"""Share of the variance of valence, arousal and dominance that is a mood of the dialogue."""
_LASTS = 24.0
"""Turns after which half of a mood is gone."""
_BOTH = 0.9
"""Share of the variance of a mood that both speakers have in common."""
_SHARED = 0.35
"""Share of the scripted turns that are said in every session."""
_ACTING = 0.7
"""Share of the variance of such a turn, beside its mood, that is in the script."""


class Voice(NamedTuple):
    """A speaker's own way of speaking: words a minute, and pitch and range of eSpeak NG."""

    name: str
    speed: int
    pitch: int
    pitch_range: int


VOICES = {
    "Ses01F": Voice("gmw/en-US+f2", 185, 48, 48),
    "Ses01M": Voice("gmw/en-US+m3", 180, 46, 46),
    "Ses02F": Voice("gmw/en+f3", 190, 42, 50),
    "Ses02M": Voice("gmw/en+m1", 175, 52, 50),
    "Ses03F": Voice("gmw/en-US+f1", 180, 52, 44),
    "Ses03M": Voice("gmw/en-GB-scotland+m4", 185, 50, 52),
    "Ses04F": Voice("gmw/en-GB-x-rp+f4", 178, 46, 52),
    "Ses04M": Voice("gmw/en-US+m6", 188, 48, 44),
    "Ses05F": Voice("gmw/en+f2", 182, 52, 48),
    "Ses05M": Voice("gmw/en-US+m2", 183, 48, 50),
}


class Turn(NamedTuple):
    """A turn before anything is known of its feeling.

    `place` is its number in the dialogue, from 0 on. `line` names the turn of a script that every
    session shares; None where the words are its own.
    """

    dialogue: str
    place: int
    id: str
    speaker: str
    line: tuple[str, int] | None


def plan_turns(utterances: int) -> list[Turn]:
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
                    Turn(
                        dialogue=dialogue,
                        place=place,
                        id=f"{dialogue}_{speaker}{said[speaker]:03d}",
                        speaker=f"Ses0{session}{speaker}",
                        line=(f"{actor}_{name}", place) if shared else None,
                    )
                )
                said[speaker] += 1
    return turns


def draw_latents(turns: list[Turn], random: np.random.Generator) -> np.ndarray:
    """Draws valence, arousal and dominance [turn, attr], in the labels' deviations from their mean.

    The labels' covariance is that of the real corpus, so the latents' lacks what the raters add.
    Moods last: the two who talk have one in common and one each, which change slowly from turn to
    turn. A scripted dialogue has that of its script, in each session.
    """
    moods: dict[str, np.ndarray] = {}
    lines: dict[tuple[str, int], np.ndarray] = {}
    longest = max(turn.place for turn in turns) + 1
    drawn = np.empty((len(turns), 3))
    for at, turn in enumerate(turns):
        plot = turn.dialogue.partition("_")[2] if "_script" in turn.dialogue else turn.dialogue
        mood = moods.setdefault(plot, _draw_mood(longest, random))[turn.place]
        own = random.standard_normal(3)
        if turn.line is not None:
            line = lines.setdefault(turn.line, random.standard_normal(3))
            own = np.sqrt(_ACTING) * line + np.sqrt(1 - _ACTING) * own
        drawn[at] = np.sqrt(_MOOD) * mood + np.sqrt(1 - _MOOD) * own
    drawn -= drawn.mean(axis=0)
    drawn = np.linalg.solve(np.linalg.cholesky(np.cov(drawn.T)), drawn.T).T
    return drawn @ np.linalg.cholesky(CORRELATIONS - np.diag(DISAGREEMENT)).T


def _draw_mood(turns: int, random: np.random.Generator) -> np.ndarray:
    """Draws the mood of whoever speaks, turn by turn: [turn, attr], each of unit variance.

    One process of both and one of each speaker, of first order: what is left of a mood a turn later
    is `2 ** (-1 / _LASTS)` of it.
    """
    kept = 2 ** (-1 / _LASTS)
    processes = np.empty((3, turns, 3))
    processes[:, 0] = random.standard_normal((3, 3))
    for turn in range(1, turns):
        change = np.sqrt(1 - kept**2) * random.standard_normal((3, 3))
        processes[:, turn] = kept * processes[:, turn - 1] + change
    both, *each = processes
    own = np.where((np.arange(turns) % 2 == 0)[:, None], *each)
    return np.sqrt(_BOTH) * both + np.sqrt(1 - _BOTH) * own


def write_sentences(
    turns: list[Turn], latents: np.ndarray, random: np.random.Generator
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


def perform(sentence: str, voice: Voice, latent: np.ndarray, random: np.random.Generator) -> Spoken:
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
