"""Which utterances train, which choose the epoch, and which are kept for the test."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from dser_jax.config import FOLD, PROTOCOLS, SPEAKERS
from dser_jax.corpora import Utterance, in_order
from dser_jax.data.parts.folds import divide, is_by_speaker
from dser_jax.system import DserError, plural

PARTS = ("train", "validation", "test")

_SHARES = (0.01, 0.02, 0.05, *(tenths / 10 for tenths in range(1, 10)))
_COUNTS = (3, 4, 5, 10)
"""What is tried where a split by speaker cannot be made, to name one that can."""


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

    The test rows come first: the last session (10 comes after 9), the named one, speakers held out
    or a fold of them (`folds.divide`), or the column's;
    where the column has several test sets, the first of them, or the named one, and the others are
    in no part. Where the column does not give validation rows, the protocol takes them from the
    rest: "paper" the last 20% of its rows (Keras' validation_split), "strict" the fold after the
    one that is tested, its last session, or its last speakers where there is only one session or
    the test rows are of speakers.

    Raises:
      DserError: The corpus lacks what the split needs, or a part would be empty.
    """
    try:
        return _make_split(utterances, split, protocol)
    except DserError as error:
        others = _others(utterances, split, protocol)
        if not others:
            raise
        raise DserError(f"{error}; {others} would do") from None


def _others(utterances: Sequence[Utterance], split: str, protocol: str) -> str:
    """Names splits by speaker that can be made, where one of them cannot."""
    if found := SPEAKERS.fullmatch(split):
        kinds = [f"speakers:{share:g}" for share in _SHARES]
    elif found := FOLD.fullmatch(split):
        kinds = [f"fold:{found['number']}/{count}" for count in _COUNTS]
    else:
        return ""
    seed = f":{found['seed']}" if found["seed"] else ""
    able = []
    for kind in kinds:
        with contextlib.suppress(DserError):
            _make_split(utterances, kind + seed, protocol)
            able.append(kind.replace("fold:1/", "folds:") + seed)
    return " to ".join(dict.fromkeys([able[0], able[-1]])) if able else ""


def _make_split(utterances: Sequence[Utterance], split: str, protocol: str) -> Split:
    if split == "column" or split.startswith("column:"):
        name, rest, validation, test = _by_column(utterances, split)
    elif is_by_speaker(split):
        name, rest, validation, test = divide(utterances, split)
        if validation is None or protocol == "paper":
            taken = np.array([], int) if validation is None else validation
            rest, validation = np.union1d(rest, taken), np.array([], int)
    else:
        name, rest, test = _by_session(utterances, split)
        validation = np.array([], int)
    if not len(validation):
        if protocol == "paper":
            validation = _last_fifth(rest)
        else:
            validation = _last_speakers(utterances, rest, by_session=not is_by_speaker(split))
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


def indivisible(utterances: Sequence[Utterance]) -> list[str]:
    """Says what would be needed, where utterances can be split no way."""
    for kind in ("last_session", "column", "fold:1/3", "speakers:0.2"):
        for protocol in PROTOCOLS:
            with contextlib.suppress(DserError):
                make_split(utterances, kind, protocol)
                return []
    sessions, speakers = ([getattr(u, key) for u in utterances] for key in ("session", "speaker"))
    parts = named_parts(utterances)
    return [
        f"these {plural(len(utterances), 'utterance')} can be split no way: "
        f"{plural(len(in_order(sessions)), 'session')}{_lacking(sessions, 'session')}; "
        f"{plural(len(in_order(speakers)), 'speaker')}{_lacking(speakers, 'speaker')}; "
        f"parts: {', '.join(parts) or 'none'}. Needed is one of these: two "
        "sessions or more (column session), three speakers or more (speaker), or parts train and "
        "test (split), for all utterances, and two utterances or more to train, to validate and "
        "to test"
    ]


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


def _last_fifth(rest: np.ndarray) -> np.ndarray:
    # Paper: Keras' validation_split=0.2 takes the last rows, before any shuffling.
    return rest[int(len(rest) * 0.8) :]


def _last_speakers(
    utterances: Sequence[Utterance], rest: np.ndarray, by_session: bool
) -> np.ndarray:
    sessions = in_order(utterances[i].session for i in rest)
    if len(sessions) > 1 and by_session:
        return rest[[utterances[i].session == sessions[-1] for i in rest]]
    speakers = in_order(utterances[i].speaker for i in rest)
    named = [utterances[i].speaker for i in rest]
    if len(speakers) < 2 and not by_session:
        raise DserError(
            f"the split leaves {plural(len(speakers), 'speaker')} to train and to validate on; "
            "expected 2 or more under protocol 'strict'"
        )
    if len(speakers) < 2 or None in named:
        raise DserError(
            "protocol 'strict' validates on speakers held out of training, but the rows that are "
            "left for training name fewer than two sessions, and "
            f"{plural(len(speakers), 'speaker')}{_lacking(named, 'speaker')}; give the table a "
            "split column with validation rows, or use protocol 'paper'"
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
