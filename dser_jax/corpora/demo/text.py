"""What the speakers of the demo corpus say: a small grammar, and words with feelings of their own.

Every word that carries affect has a place in the space of valence, arousal and dominance, in
deviations from the mean, and a speaker picks words near the own feeling. Valence decides most;
arousal and dominance show a little in the choice of words, and in how a sentence is built: orders
and vows from those who feel in control, pleas and doubts from those who do not.
"""

from __future__ import annotations

import re

import numpy as np

# word: (valence, arousal, dominance)
FEELINGS = {
    "happy": (1.2, 0.4, 0.2),
    "glad": (0.9, 0.0, 0.2),
    "thrilled": (1.7, 1.6, 0.6),
    "excited": (1.2, 1.7, 0.3),
    "proud": (1.1, 0.5, 1.3),
    "grateful": (1.1, -0.5, -0.4),
    "relieved": (0.9, -0.7, 0.0),
    "calm": (0.4, -1.5, 0.3),
    "fine": (0.2, -0.6, 0.1),
    "ready": (0.3, 0.3, 0.9),
    "tired": (-0.5, -1.5, -0.7),
    "worried": (-0.8, 0.3, -0.8),
    "nervous": (-0.6, 0.7, -1.0),
    "upset": (-1.0, 0.6, -0.2),
    "angry": (-1.3, 1.3, 0.9),
    "furious": (-1.6, 1.8, 1.1),
    "scared": (-1.1, 0.9, -1.4),
    "lonely": (-1.2, -1.1, -1.0),
    "hurt": (-1.2, -0.1, -0.8),
    "miserable": (-1.7, -0.5, -0.9),
}

QUALITIES = {
    "wonderful": (1.6, 0.6, 0.2),
    "amazing": (1.5, 1.2, 0.3),
    "perfect": (1.4, 0.3, 0.5),
    "beautiful": (1.3, 0.1, 0.0),
    "lovely": (1.1, -0.4, -0.1),
    "great": (1.0, 0.6, 0.4),
    "good": (0.7, 0.0, 0.2),
    "nice": (0.6, -0.4, 0.0),
    "funny": (0.7, 0.4, 0.1),
    "normal": (0.0, -0.7, 0.1),
    "strange": (-0.3, 0.4, -0.5),
    "serious": (-0.3, 0.2, 0.7),
    "boring": (-0.6, -1.0, 0.0),
    "wrong": (-0.8, 0.4, 0.5),
    "sad": (-1.0, -0.9, -0.7),
    "bad": (-0.9, 0.1, 0.0),
    "stupid": (-1.0, 0.9, 0.8),
    "ugly": (-1.1, 0.2, 0.2),
    "awful": (-1.4, 0.4, -0.2),
    "terrible": (-1.5, 0.6, -0.2),
    "horrible": (-1.7, 0.8, -0.3),
}

ATTITUDES = {
    "love": (1.5, 0.6, 0.2),
    "adore": (1.6, 0.8, 0.0),
    "enjoy": (1.1, 0.0, 0.3),
    "like": (0.7, -0.4, 0.1),
    "trust": (0.8, -0.4, 0.3),
    "remember": (0.1, -0.8, 0.0),
    "need": (-0.2, 0.3, -0.3),
    "want": (0.0, 0.4, 0.6),
    "understand": (0.2, -0.7, 0.4),
    "miss": (-0.6, -0.8, -0.9),
    "fear": (-1.0, 0.4, -1.2),
    "regret": (-1.0, -0.7, -0.6),
    "hate": (-1.5, 1.2, 0.7),
    "despise": (-1.6, 0.9, 0.9),
}

EVENTS = {
    "a dream": (1.2, 0.0, -0.1),
    "a gift": (1.2, 0.0, 0.0),
    "a miracle": (1.5, 0.8, -0.2),
    "a pleasure": (1.0, -0.5, 0.2),
    "a relief": (0.8, -0.6, 0.0),
    "a surprise": (0.5, 0.9, -0.3),
    "a mistake": (-0.7, 0.0, 0.0),
    "a problem": (-0.7, 0.3, 0.2),
    "a mess": (-1.0, 0.6, 0.1),
    "a lie": (-1.2, 0.9, 0.8),
    "a disaster": (-1.5, 1.0, -0.3),
    "a nightmare": (-1.7, 0.8, -0.9),
}

CRIES = {
    "thank you": (1.1, -0.2, -0.3),
    "congratulations": (1.4, 0.9, 0.4),
    "I am so lucky": (1.4, 0.7, -0.1),
    "of course": (0.5, -0.1, 0.7),
    "all right": (0.2, -0.6, 0.1),
    "I am sorry": (-0.8, -0.7, -1.1),
    "oh dear": (-0.7, -0.4, -0.7),
    "shame on you": (-1.3, 0.9, 0.9),
    "leave me alone": (-1.3, 0.8, 0.2),
    "damn it": (-1.4, 1.5, 0.7),
}

SLOTS = {
    "feeling": FEELINGS,
    "quality": QUALITIES,
    "attitude": ATTITUDES,
    "event": EVENTS,
    "cry": CRIES,
}
"""The words of each kind of slot that carries affect."""

# (arousal, dominance, frame). A frame says nothing of valence: its words do.
FRAMES = (
    (0.0, 0.0, "I am {feeling} about {object}"),
    (0.0, 0.0, "I was {feeling} {time}"),
    (0.0, 0.2, "{person} is {feeling} about {object}"),
    (-0.2, 0.0, "{person} was {feeling} and {feeling} {time}"),
    (0.0, 0.0, "{object} was {quality}"),
    (-0.2, 0.0, "{object} is {quality} and so is {object}"),
    (0.1, 0.2, "I {attitude} {object}"),
    (0.1, 0.3, "you know I {attitude} {person}"),
    (0.0, 0.0, "we had {event} {place}"),
    (0.2, 0.0, "it is {event} for {person}"),
    (0.0, 0.1, "{person} told me about {object} {time} and it was {quality}"),
    (-0.1, 0.0, "{person} came {place} with {object} and I was {feeling}"),
    (1.1, 0.2, "what {event}"),
    (1.2, 0.4, "how {quality} {person} was"),
    (0.9, 0.5, "{cry}, {person} called me"),
    (0.8, 0.3, "{cry}, this is {event}"),
    (0.4, 0.0, "oh, {cry}"),
    (1.0, 1.0, "listen to me, {object} is {quality}"),
    (0.9, 1.3, "I told you that I {attitude} {object}"),
    (0.8, 1.4, "you must see how {quality} {object} is"),
    (0.5, 1.2, "I decided about {object} and I am {feeling}"),
    (0.3, 1.1, "I promise you, I {attitude} {person}"),
    (-0.7, -0.9, "I guess {object} is {quality}"),
    (-0.8, -1.0, "maybe I {attitude} {object} a little"),
    (-0.6, -1.2, "I do not know why I am {feeling}"),
    (-0.4, -1.3, "please tell me that {person} is {feeling}"),
    (-0.9, -0.6, "I suppose it was {event}"),
    (0.0, -1.0, "would you help me, I am {feeling}"),
    (0.1, -0.2, "are you {feeling} about {object}?"),
    (0.2, 0.0, "do you {attitude} {object}?"),
    (-0.5, 0.0, "{person} was {place} {time}"),
    (-0.5, 0.2, "we could meet {place} with {person} {time}"),
    (-0.2, 0.0, "did {person} bring {object} {time}?"),
)

NEUTRAL = {
    "person": (
        "my mother", "my father", "my brother", "my sister", "your uncle", "your aunt",
        "the doctor", "the teacher", "the neighbor", "the driver", "my boss", "our friend",
        "the lady", "the officer", "my cousin", "the lawyer", "the waiter", "that man",
        "that woman", "everybody", "nobody", "Anna", "Peter", "Laura", "Martin", "Julia", "Oscar",
        "Helen", "Victor", "Nora",
    ),
    "object": (
        "the letter", "the house", "the party", "the new job", "the garden", "the wedding",
        "the music", "the dinner", "the trip", "the train", "the money", "the phone call",
        "the movie", "the book", "the weather", "the answer", "the meeting", "the picture",
        "the plan", "this town", "this room", "the school", "the contract", "the car",
        "the coffee", "the dog", "the game", "the speech", "the ring", "the news", "the hospital",
        "the old bridge", "your idea", "your voice", "his work", "her face", "the exam",
        "the flight", "the song", "the bill",
    ),
    "place": (
        "at home", "at the station", "in the city", "at the office", "by the river",
        "in the kitchen", "at the airport", "on the beach", "in the park", "at the church",
        "in the street", "at the hotel", "upstairs", "outside", "next door", "at the market",
        "in the village",
    ),
    "time": (
        "today", "yesterday", "last night", "this morning", "on Sunday", "on Friday", "last year",
        "all week", "after lunch", "before breakfast", "this summer", "in April", "again",
        "every day", "for an hour", "at midnight", "once", "since Monday",
    ),
}  # fmt: skip
"""The words of each kind of slot that carries none."""

# (arousal, dominance, words before a frame)
OPENERS = (
    (-0.3, 0.0, "well,"), (-0.5, -0.4, "um,"), (0.0, 0.0, "you know,"), (-0.2, 0.0, "yes,"),
    (0.2, 0.2, "no,"), (0.1, 0.5, "look,"), (0.6, 0.9, "believe me,"), (1.2, 0.3, "oh my God,"),
    (0.8, 0.1, "wow,"), (1.2, 1.0, "stop it,"), (-0.5, -0.9, "I am not sure, but"),
    (-0.9, -0.7, "perhaps"), (0.2, 0.9, "mark my words,"), (-0.1, -0.5, "forgive me,"),
    (-0.1, 0.0, "and"), (0.0, 0.0, "so"),
)  # fmt: skip

# (arousal, dominance, what follows a statement)
CLOSERS = (
    (0.0, 0.0, ", it is {quality}"),
    (0.3, 0.1, ", {cry}"),
    (-0.3, 0.1, " and I am {feeling}"),
    (-0.5, -0.7, ", if that is {quality}"),
    (0.5, 0.8, ", and I {attitude} it"),
    (-0.2, -0.4, ", it was {event}"),
)

# (arousal, dominance, words before a feeling or a quality)
DEGREES = (
    (0.9, 0.3, "so"), (0.6, 0.2, "very"), (0.9, 0.5, "really"), (1.3, 0.8, "absolutely"),
    (-0.6, -0.5, "a bit"), (-0.7, -0.2, "rather"), (-0.5, -0.7, "kind of"), (-0.6, 0.2, "quite"),
)  # fmt: skip

ACCENTS = np.array([1.0, 0.35, 0.28])
"""How much valence, arousal and dominance weigh when a speaker picks a word."""
SHARPNESS = 2.5
"""How closely a word follows the feeling; at 0 all words are equally likely."""
SLIP = np.array([0.35, 0.6, 0.6])
"""Deviation of the feeling put in words from the one felt: nobody says quite what they feel."""
EMPHASIS = 1.2
"""How much stronger it is put; so the strong words are not too rare."""


OPENING, CLOSING, DEGREE = 0.35, 0.4, 0.3
"""How often a sentence has something before it, after it, and before a feeling or a quality."""


def write_sentence(latent: np.ndarray, random: np.random.Generator) -> str:
    """Writes what somebody says who feels so.

    Args:
      latent: Valence, arousal and dominance, in deviations from the mean.
      random: Where the choices come from.

    Returns:
      One sentence of 2 to 20 words.
    """
    meant = EMPHASIS * (latent + SLIP * random.standard_normal(3))
    while True:
        sentence = _draw_sentence(meant, random)
        if 2 <= len(sentence.split()) <= 20:
            return sentence


def _draw_sentence(meant: np.ndarray, random: np.random.Generator) -> str:
    def fill(match: re.Match[str]) -> str:
        kind = match[1]
        if kind in NEUTRAL:
            return NEUTRAL[kind][random.integers(len(NEUTRAL[kind]))]
        word = _pick(list(SLOTS[kind].items()), meant, random)
        if kind in ("feeling", "quality") and random.random() < DEGREE:
            word = f"{_pick_form(DEGREES, meant, random)} {word}"
        return word

    frame = _pick_form(FRAMES, meant, random)
    if not frame.endswith("?") and random.random() < CLOSING:
        frame += _pick_form(CLOSERS, meant, random)
    sentence = re.sub(r"\{(\w+)\}", fill, frame)
    if random.random() < OPENING:
        sentence = f"{_pick_form(OPENERS, meant, random)} {sentence}"
    if sentence.endswith("?"):
        mark = ""
    elif random.random() < 1 / (1 + np.exp(2.0 - 1.5 * meant[1])):
        mark = "!"
    else:
        mark = "."
    return sentence[0].upper() + sentence[1:] + mark


def _pick_form(
    forms: tuple[tuple[float, float, str], ...], meant: np.ndarray, random: np.random.Generator
) -> str:
    """Picks words by their arousal and dominance alone."""
    places = [(words, (float(meant[0]), arousal, dominance)) for arousal, dominance, words in forms]
    return _pick(places, meant, random)


def _pick(
    words: list[tuple[str, tuple[float, float, float]]],
    meant: np.ndarray,
    random: np.random.Generator,
) -> str:
    """Picks a word, the likelier the nearer its place is to what is meant."""
    distance = ACCENTS * (np.array([place for _, place in words]) - meant)
    chance = np.exp(-SHARPNESS * np.sum(np.square(distance), axis=1))
    return words[random.choice(len(words), p=chance / chance.sum())][0]
