"""What the labels of the demo corpus are like: those of IEMOCAP, by three raters."""

from __future__ import annotations

import numpy as np

MEANS = np.array([2.78, 3.09, 3.19])
DEVIATIONS = np.array([0.90, 0.70, 0.79])
CORRELATIONS = np.array([[1.0, 0.0, -0.19], [0.0, 1.0, 0.56], [-0.19, 0.56, 1.0]])
"""The moments of the labels of IEMOCAP: valence, arousal, dominance."""

_RATERS, _RATER_DEVIATION = 3, 0.45
DISAGREEMENT = np.square(_RATER_DEVIATION / DEVIATIONS) / _RATERS
"""The share of each label's variance that is the raters' doing."""

_EMOTIONS = {
    "neu": ("Neutral", (0.0, -0.2, 0.0)),
    "fru": ("Frustration", (-0.8, 0.2, 0.1)),
    "ang": ("Anger", (-1.1, 1.1, 1.0)),
    "sad": ("Sadness", (-0.9, -1.1, -1.0)),
    "exc": ("Excited", (1.2, 1.0, 0.3)),
    "hap": ("Happiness", (1.3, -0.1, 0.0)),
}


def rate(latents: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Rates each turn three times on the half-point scale from 1 to 5: [turn, rater, attr]."""
    felt = (MEANS + DEVIATIONS * latents)[:, None]
    noise = _RATER_DEVIATION * random.standard_normal((len(latents), _RATERS, 3))
    return np.clip(np.round(2 * (felt + noise)) / 2, 1, 5)


def name_emotion(rating: np.ndarray) -> tuple[str, str]:
    """Names the emotion that a rating is nearest to, in short and in full."""
    place = (rating - MEANS) / DEVIATIONS
    short = min(_EMOTIONS, key=lambda name: float(np.sum(np.square(place - _EMOTIONS[name][1]))))
    return short, _EMOTIONS[short][0]
