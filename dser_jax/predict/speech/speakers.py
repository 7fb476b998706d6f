"""Features measured by each speaker's own, for a model that was trained on such."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from dser_jax.data import LEAST, Turn, by_speaker, check_speakers

_NEEDED = (
    f"this model measures them by each speaker's own: give {LEAST} recordings or more of each at "
    "once, and say who speaks (a column speaker) unless all are of one"
)

_ONE = (
    "without speakers all utterances are taken for those of one, by whose own features this model "
    "measures them"
)


def own_features(
    speech: Sequence[np.ndarray], places: Sequence[Turn], notices: list[str]
) -> list[np.ndarray]:
    """Measures features by each speaker's own; where no speech has a speaker, all are of one.

    Args:
      speech: Features of each utterance, [row, feat]; no row of one without speech, which needs no
        speaker.
      places: What is known of each.
      notices: Takes what its user should know, once.

    Raises:
      DserError: Some speech has a speaker and some has none, or a speaker has too little.
    """
    there = np.array([len(rows) > 0 for rows in speech], bool)
    names = [place.speaker for place in places]
    if not any(name is not None for name, known in zip(names, there, strict=True) if known):
        names = [""] * len(names)
        if there.sum() > 1 and _ONE not in notices:
            notices.append(_ONE)
    check_speakers(names, there, _NEEDED)
    ends = np.concatenate([[0], np.cumsum([len(rows) for rows in speech])]).astype(np.int64)
    values = by_speaker(np.concatenate(speech), ends, names)
    return [values[start:end] for start, end in pairwise(ends)]
