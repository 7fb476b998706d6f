"""What is said of recordings that are unlike those that a model was trained on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dser_jax.system import plural

NAMED = 10
"""So many recordings are named where something holds for more of them."""


def say_far(found: Iterable[tuple[Path | None, float | None]]) -> list[str]:
    """Warns of recordings that lie far from all that a model was trained on.

    Args:
      found: Recordings, None for samples without a file, and what `Predictor.far` gave of each.
    """
    beyond = [(far, file) for file, far in found if far is not None and far > 1]
    if not beyond:
        return []
    names = list(dict.fromkeys(str(file or "an array") for _, file in beyond))
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    verb = "lies" if len(beyond) == 1 else "lie"
    highest = max(1.01, *(far for far, _ in beyond))  # Above 1, also as it is written.
    return [
        f"{plural(len(beyond), 'utterance')} {verb} far from all that the model was trained on, by "
        f"up to {highest:.2f} times what is usual there, and may be worth nothing: "
        f"{', '.join(names[:NAMED])}{more}"
    ]
