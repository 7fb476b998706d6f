"""Labels all of which are alike in a part: no CCC tells how well they were predicted."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from dser_jax.corpora import ATTRS
from dser_jax.data.splits import PARTS, Split
from dser_jax.system import DserError


def constant_parts(gold: Float[np.ndarray, "utt attr"], split: Split) -> dict[str, list[str]]:
    """Tells of which attributes all labels of a part are alike.

    Args:
      gold: Labels, NaN where there is none.
      split: The parts.

    Returns:
      Attribute -> those parts; without labels there is nothing to be alike.
    """
    found: dict[str, list[str]] = {}
    for column, attr in enumerate(ATTRS):
        for part in PARTS:
            labels = gold[getattr(split, part), column]
            if len(np.unique(labels[np.isfinite(labels)])) == 1:
                found.setdefault(attr, []).append(part)
    return found


def without_constants(
    gold: Float[np.ndarray, "utt attr"], split: Split
) -> Float[np.ndarray, "utt attr"]:
    """Takes labels for missing where all of a part are alike, of which no CCC says anything.

    Of an attribute that is so in training, nothing can be learned: it has no labels at all.
    """
    gold = gold.copy()
    for attr, parts in constant_parts(gold, split).items():
        column = ATTRS.index(attr)
        for part in parts:
            rows = slice(None) if part == "train" else getattr(split, part)
            gold[rows, column] = np.nan
    return gold


def check_labels(gold: Float[np.ndarray, "utt attr"], split: Split) -> None:
    """Refuses a split with a part that has no label that anything could be learned or told by."""
    known = np.isfinite(without_constants(gold, split))
    for part in PARTS:
        if not known[getattr(split, part)].any():
            raise DserError(
                f"{split.name}: no utterance for {part} has any label that differs from the others"
            )


def told_constants(gold: Float[np.ndarray, "utt attr"], split: Split) -> list[str]:
    """Says what becomes of the attributes of `constant_parts`."""
    lines = []
    for attr, parts in constant_parts(gold, split).items():
        where = "training" if "train" in parts else " and ".join(parts)
        what = "it is neither trained nor scored" if "train" in parts else "it has no score there"
        lines.append(
            f"{split.name}: all labels of {attr} in {where} are alike: {what}, and is left out of "
            "the mean"
        )
    return lines
