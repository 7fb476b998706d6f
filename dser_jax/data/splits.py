"""Which utterances train, which choose the epoch, and which are kept for the test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from dser_jax.corpora import ATTRS, Utterance, in_order
from dser_jax.system import DserError, plural

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Row numbers of the utterance table, in its order, for each part.

    Attributes:
      name: As results name it, e.g. "last session (Ses05)".
    """

    name: str
    train: Int[np.ndarray, " train"]
    validation: Int[np.ndarray, " validation"]
    test: Int[np.ndarray, " test"]


def make_split(utterances: Sequence[Utterance], split: str, protocol: str) -> Split:
    """Divides the utterances as `Config.split` and `Config.protocol` say.

    The test rows come first: the last session (10 comes after 9), the named one, or the column's;
    where the column has several test sets, the first of them, or the named one, and the others are
    in no part. Where the column does not give validation rows, the protocol takes them from the
    rest: "paper" the last 20% of its rows (Keras' validation_split), "strict" its last session, or
    its last speakers where there is only one session.

    Raises:
      DserError: The corpus lacks what the split needs, or a part would be empty.
    """
    if split == "column" or split.startswith("column:"):
        name, rest, validation, test = _by_column(utterances, split)
    else:
        name, rest, test = _by_session(utterances, split)
        validation = np.array([], int)
    if not len(validation):
        hold_out = _last_fifth if protocol == "paper" else _last_speakers
        validation = hold_out(utterances, rest)
        rest = np.setdiff1d(rest, validation)
    for part, rows in zip(PARTS, (rest, validation, test), strict=True):
        if len(rows) < 2:
            raise DserError(
                f"split {split!r} under protocol {protocol!r} leaves "
                f"{plural(len(rows), 'utterance')} for {part}; expected 2 or more"
            )
    return Split(name, rest, validation, test)


def known_speakers(utterances: Sequence[Utterance], split: Split) -> list[str]:
    """Tells which speakers are on both sides of a split, in words: nothing where all are apart."""
    train, validation, test = (
        {utterances[row].speaker for row in getattr(split, part)} - {None} for part in PARTS
    )
    lines = []
    for there, others, what, so in (
        (test, train | validation, "test", "its scores are not those of new speakers"),
        (validation, train, "validation", "the epoch is chosen by speakers that were trained on"),
    ):
        if both := in_order(there & others):
            names = ", ".join(both[:5]) + (", ..." if len(both) > 5 else "")
            who = f"{len(both)} of {plural(len(there), 'speaker')} ({names})"
            seen = "training or validation" if what == "test" else "training"
            lines.append(f"{split.name}: {who} of the {what} set are also in {seen}: {so}")
    return lines


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


def named_parts(utterances: Sequence[Utterance]) -> list[str]:
    """Lists the parts that a split column names: training, validation, then the test sets."""
    there = in_order(utterance.split for utterance in utterances)
    return sorted(there, key=lambda part: [part != name for name in PARTS])


def _by_column(utterances: Sequence[Utterance], split: str):
    tests = [part for part in named_parts(utterances) if part not in PARTS[:2]]
    test = split.removeprefix("column:") if split != "column" else next(iter(tests), "test")
    parts = [utterance.split for utterance in utterances]
    counts = {part: parts.count(part) for part in dict.fromkeys([*PARTS[:2], test, *tests])}
    if test in PARTS[:2]:
        raise DserError(
            f"split {split!r} names no test set; there are {', '.join(tests) or 'none'}"
        )
    if not counts["train"] or not counts[test]:
        raise DserError(
            f"split {split!r} needs utterances marked train and {test}; this data set has "
            + ", ".join(f"{count} {part}" for part, count in counts.items())
        )
    name = "column" if test == "test" else f"column ({test})"
    rows = ([i for i, part in enumerate(parts) if part == wanted] for wanted in (*PARTS[:2], test))
    return (name, *(np.array(row, int) for row in rows))


def _by_session(utterances: Sequence[Utterance], split: str):
    sessions = [u.session for u in utterances]
    names = in_order(sessions)
    if len(names) < 2 or None in sessions:
        raise DserError(
            f"split {split!r} needs a session for every utterance and at least two sessions; this "
            f"data set has {len(names)}{_lacking(sessions, 'session')} ({_other_way(utterances)})"
        )
    test_name = names[-1] if split == "last_session" else split.removeprefix("session:")
    if test_name not in names:
        raise DserError(f"no session is called {test_name!r}; there are {', '.join(names)}")
    is_test = np.array([s == test_name for s in sessions])
    label = "last session" if split == "last_session" else "session"
    return f"{label} ({test_name})", np.flatnonzero(~is_test), np.flatnonzero(is_test)


def _last_fifth(_utterances: Sequence[Utterance], rest: np.ndarray) -> np.ndarray:
    # Paper: Keras' validation_split=0.2 takes the last rows, before any shuffling.
    return rest[int(len(rest) * 0.8) :]


def _last_speakers(utterances: Sequence[Utterance], rest: np.ndarray) -> np.ndarray:
    sessions = in_order(utterances[i].session for i in rest)
    if len(sessions) > 1:
        return rest[[utterances[i].session == sessions[-1] for i in rest]]
    speakers = in_order(utterances[i].speaker for i in rest)
    named = [utterances[i].speaker for i in rest]
    if len(speakers) < 2 or None in named:
        raise DserError(
            "protocol 'strict' validates on speakers held out of training, but the rows that are "
            f"left for training name fewer than two sessions, and {len(speakers)} speakers"
            f"{_lacking(named, 'speaker')}; give the table a split column with validation rows, or "
            "use protocol 'paper'"
        )
    counts = {s: sum(utterances[i].speaker == s for i in rest) for s in speakers}
    held: set[str] = set()
    for speaker in reversed(speakers[1:]):
        held.add(speaker)
        if sum(counts[s] for s in held) >= 0.2 * len(rest):
            break
    return rest[[utterances[i].speaker in held for i in rest]]


def _lacking(names: Sequence[str | None], what: str) -> str:
    """Says how many rows name none: who is unknown may be one of those held out."""
    count = sum(name is None for name in names)
    return f", and {count} of {len(names)} utterances without a {what}" if count else ""


def _other_way(utterances: Sequence[Utterance]) -> str:
    """Says how a data set without sessions can be split."""
    if any(utterance.split is not None for utterance in utterances):
        return "`--split column` takes the split that it comes with"
    return "give the table a session or a split column"
