"""What the test rows share with the rows that training saw: words, speakers, files, sounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dser_jax.corpora import Utterance
from dser_jax.data.folder.entries import SPEECH
from dser_jax.data.prepared import Prepared
from dser_jax.data.splits import Split
from dser_jax.features import Tokenizer, is_imported
from dser_jax.system import DataError, plural

MARKS = "marks"
"""Under `truth/KEY.marks` a journal has what `mark` returned for the test rows of `truth/KEY`."""


def normal(transcript: str | None, folds: bool = True) -> str:
    """Returns a transcript as a text network meets it: lower-case, without punctuation.

    Args:
      transcript: The transcript.
      folds: Whether typographic signs count as those that ASCII has for them.
    """
    return " ".join(Tokenizer((), folds).split(transcript or ""))


def mark(utterances: Sequence[Utterance], split: Split, folds: bool = True) -> dict[str, NDArray]:
    """Marks the test rows that share something with the rows of training and validation.

    Validation counts: its rows choose the epoch, and on it weights and rates are searched. What is
    not known (no transcript, or one without a word; no speaker; no file) is shared with nothing.

    Args:
      utterances: The table.
      split: Its parts.
      folds: As of `normal`; that of the prepared folder.

    Returns:
      For each test row, in their order: `test_seen_transcript`, `test_seen_speaker`,
      `test_seen_recording` (an utterance cut from a file from which others are, too) as booleans,
      and `test_speaker`, "" where unknown.
    """
    seen = [utterances[row] for row in (*split.train, *split.validation)]
    test = [utterances[row] for row in split.test]

    def shared(value) -> NDArray[np.bool_]:
        known = {value(utterance) for utterance in seen} - {None, ""}
        return np.array([value(utterance) in known for utterance in test], bool)

    return {
        "test_seen_transcript": shared(lambda utterance: normal(utterance.transcript, folds)),
        "test_seen_speaker": shared(lambda utterance: utterance.speaker),
        "test_seen_recording": shared(lambda utterance: utterance.file),
        "test_speaker": np.array([utterance.speaker or "" for utterance in test], str),
    }


def known_sounds(prepared: Prepared, split: Split) -> list[str]:
    """Tells which test rows sound the same as rows of training or validation, in words.

    What their files are called does not matter: of equal sounds the features are equal, if they
    were computed from the recordings, and not imported. Nothing where all are apart; nor where
    features are damaged, which is said where they are read.
    """
    entries = prepared.manifest["features"]
    own = [n for n in entries if not is_imported(entries[n]["source"])]
    own = [name for name in own if prepared.half_of(name) == SPEECH]
    if not own:
        return []
    try:
        sounds = _sounds(prepared, min(own, key=lambda name: entries[name]["kind"] != "hsf"))
    except DataError:
        return []
    seen = {sounds[row]: row for row in (*split.train, *split.validation)}
    both = [row for row in split.test if sounds[row] is not None and sounds[row] in seen]
    if not both:
        return []
    ids = [utterance.id for utterance in prepared.utterances]
    pairs = [f"{ids[row]} as {ids[seen[sounds[row]]]}" for row in both]
    return [
        f"{split.name}: {len(both):,} of {plural(len(split.test), 'utterance')} of the test set "
        f"sound exactly as others in training or validation ({', '.join(pairs[:3])}"
        f"{', ...' if len(pairs) > 3 else ''}): they are no test of what was learned"
    ]


def _sounds(prepared: Prepared, name: str) -> list[int | None]:
    """Returns a number for what each row sounds like, by its features; None where it has none."""
    values, offsets = prepared.feature(name)
    checksum = prepared.manifest["features"][name]["sha256"]
    if checksum not in _KNOWN:
        ends = np.arange(len(values) + 1) if offsets is None else offsets
        parts = (values[ends[row] : ends[row + 1]] for row in range(len(ends) - 1))
        _KNOWN[checksum] = [hash(p.tobytes()) if np.isfinite(p).any() else None for p in parts]
    return _KNOWN[checksum]


_KNOWN: dict[str, list[int | None]] = {}
"""What rows sound like, by the checksum of the features: every fold of a sweep asks for it."""
