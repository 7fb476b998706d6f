"""Splits by speaker, for any corpus that names its speakers: some held out, or folds of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Int

from dser_jax.config import FOLD, FOLDS, LEAVE_ONE_OUT, SPEAKERS
from dser_jax.corpora import Utterance, in_order
from dser_jax.system import DserError

Rows = Int[np.ndarray, " _"]


def is_by_speaker(split: str) -> bool:
    """Tells whether a split is `speakers:SHARE` or `fold:I/N`, each with a seed or without."""
    return bool(SPEAKERS.fullmatch(split) or FOLD.fullmatch(split))


def folds_of(utterances: Sequence[Utterance], split: str) -> tuple[str, list[str]] | None:
    """Lists the splits that one over several folds is made of.

    Args:
      utterances: The table.
      split: "leave_one_session_out", or "folds:N" with ":SEED" or without.

    Returns:
      What the folds are called together, and each as `Config.split`; None for any other split.

    Raises:
      DserError: There are too few speakers or sessions for it.
    """
    if split == LEAVE_ONE_OUT:
        sessions = in_order(utterance.session for utterance in utterances)
        return "each session in turn", [f"session:{session}" for session in sessions]
    if not (found := FOLDS.fullmatch(split)):
        return None
    seed = f":{found['seed']}" if found["seed"] else ""
    splits = [f"fold:{i}/{found['count']}{seed}" for i in range(1, int(found["count"]) + 1)]
    blocks = _blocks(utterances, split, int(found["count"]), found["seed"])
    drawn = f", drawn with seed {found['seed']}" if found["seed"] else ""
    return f"{len(blocks)} folds of {sum(map(len, blocks))} speakers{drawn}", splits


def divide(utterances: Sequence[Utterance], split: str) -> tuple[str, Rows, Rows | None, Rows]:
    """Divides the utterances by speaker.

    Speakers stand in natural order, or are shuffled by the seed. Those held out are the last. A
    fold is as many neighbours as any other, and validates on the fold after it, the last on the
    first: so over all folds each utterance is tested once, and validates once.

    Returns:
      The name of the split, and the rows for training, validation (None where those for training
      have still to give some) and test.

    Raises:
      DserError: Speakers are unknown, or too few.
    """
    if found := SPEAKERS.fullmatch(split):
        order = _speakers(utterances, split, 2, found["seed"])
        count = max(1, round(float(found["share"]) * len(order)))
        test = set(order[-count:])
        drawn = f", drawn with seed {found['seed']}" if found["seed"] else ""
        name = f"{count} of {len(order)} speakers{drawn} ({_few(in_order(test))})"
        return name, _of(utterances, set(order) - test), None, _of(utterances, test)
    found = FOLD.fullmatch(split)
    assert found is not None
    number, count = int(found["number"]), int(found["count"])
    blocks = _blocks(utterances, split, count, found["seed"])
    if not 1 <= number <= count:
        raise DserError(f"split {split!r}: expected fold:I/N with I from 1 to N")
    test, validation = set(blocks[number - 1]), set(blocks[number % count])
    rest = {name for block in blocks for name in block} - test - validation
    drawn = f", drawn with seed {found['seed']}" if found["seed"] else ""
    name = f"fold {number} of {count}{drawn} ({_few(in_order(test))})"
    return name, _of(utterances, rest), _of(utterances, validation), _of(utterances, test)


def _blocks(
    utterances: Sequence[Utterance], split: str, count: int, seed: str | None
) -> list[list[str]]:
    """Parts the speakers into folds of neighbours, as many in each, give or take one."""
    if count < 3:
        raise DserError(
            f"split {split!r}: expected 3 folds or more: one to test, one to validate, the others "
            "to train"
        )
    order = _speakers(utterances, split, count, seed)
    ends = np.linspace(0, len(order), count + 1).round().astype(int)
    return [order[start:end] for start, end in pairwise(ends)]


def _speakers(
    utterances: Sequence[Utterance], split: str, least: int, seed: str | None
) -> list[str]:
    named = [utterance.speaker for utterance in utterances]
    speakers = in_order(named)
    unknown = named.count(None)
    if len(speakers) < least or unknown:
        also = f", and {unknown} of {len(named)} utterances without a speaker" if unknown else ""
        raise DserError(
            f"split {split!r} needs a speaker for every utterance and at least {least} speakers; "
            f"this data set has {len(speakers)}{also}"
        )
    if seed is None:
        return speakers
    places = np.random.default_rng(int(seed)).permutation(len(speakers))
    return [speakers[place] for place in places]


def _of(utterances: Sequence[Utterance], speakers: set[str]) -> Rows:
    return np.flatnonzero([utterance.speaker in speakers for utterance in utterances])


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
