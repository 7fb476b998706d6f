"""What the test rows share with the rows that training saw: transcripts, speakers, recordings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dser_jax.corpora import Utterance
from dser_jax.data.splits import Split
from dser_jax.features import Tokenizer

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
