"""Whose utterances they are, for a model that measures features by each speaker's own."""

from __future__ import annotations

from collections.abc import Sequence

from dser_jax.data import Turn
from dser_jax.system import DserError

_ONE = (
    "without speakers all utterances are taken for those of one, by whose own features this model "
    "measures them"
)


def speakers_of(places: Sequence[Turn], notices: list[str]) -> list[str]:
    """Returns a name for each utterance's speaker; where none has one, they are of one speaker.

    Args:
      places: What is known of the utterances.
      notices: Takes what its user should know, once.

    Raises:
      DserError: Some have a speaker, and others have none.
    """
    names = [place.speaker for place in places]
    unknown = sum(name is None for name in names)
    if 0 < unknown < len(names):
        raise DserError(
            f"this model measures features by speaker, and {unknown} of {len(names)} utterances "
            "have none: name the speaker of each, or of none, which are then taken for one's"
        )
    if unknown > 1 and _ONE not in notices:
        notices.append(_ONE)
    return [name or "" for name in names]
