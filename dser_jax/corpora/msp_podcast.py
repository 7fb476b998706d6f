"""MSP-Podcast: the release tree, whose labels come as one CSV.

The loader reads `Labels/labels_consensus.csv` (`labels_concensus.csv` in older releases) and, where
the release has that folder, `Transcripts`. Recordings belong in `Audios`; they need not be there.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from dser_jax.corpora.reading import found, read_words, told_foreign
from dser_jax.corpora.table import load_table
from dser_jax.corpora.tables.dialect import RECOGNISED, Dialect
from dser_jax.corpora.utterances import Corpus, Utterance
from dser_jax.system import BadInput, DataError

SCALE = (1.0, 7.0)
LABELS = ("Labels/labels_consensus.csv", "Labels/labels_concensus.csv")
COLUMNS = {
    "file": "FileName",
    "speaker": "SpkrID",
    "split": "Split_Set",
    "valence": "EmoVal",
    "arousal": "EmoAct",
    "dominance": "EmoDom",
}


def load_msp_podcast(
    root: str | Path,
    *,
    transcripts: bool = True,
    bad: BadInput | None = None,
    dialect: Dialect = RECOGNISED,
) -> Corpus:
    """Reads the MSP-Podcast release, any from 1.6 on.

    Its own split is kept: train, validation (Development), test1, test2 and so on. Who is `Unknown`
    has no speaker. The sets whose labels the release withholds have none: NaN.

    Args:
      root: The folder that holds `Labels` and `Audios`.
      transcripts: Whether words are read, if the release has them.
      bad: Decides whether bad input raises, the default, or is left out and listed.
      dialect: What is known of how the CSV of labels is written.

    Returns:
      The corpus, sorted by id, such as MSP-PODCAST_0001_0008. `file` is where the recording of an
      utterance belongs, there or not.

    Raises:
      DataError: Names the file, the line and what was expected there.
    """
    root, bad = Path(root), bad or BadInput()
    labels = next((root / name for name in LABELS if (root / name).is_file()), None)
    if labels is None:
        raise DataError(
            "no MSP-Podcast release here" if root.is_dir() else "no such folder",
            file=root,
            expected=f"a folder with {LABELS[0]}",
        )
    corpus = load_table(
        labels,
        scale=SCALE,
        columns=COLUMNS,
        audio_root=root / "Audios",
        name="msp_podcast",
        bad=bad,
        dialect=dialect,
    )
    words = root / "Transcripts"
    utterances = sorted(corpus.utterances, key=lambda utterance: utterance.id)
    foreign: list[Path] = []
    if transcripts and words.is_dir():
        utterances = [_with_words(utterance, words, foreign) for utterance in utterances]
        if not any(utterance.transcript for utterance in utterances):
            expected = "a text file for each; `--no-transcripts` goes without any"
            raise DataError("no utterance has words", file=words, expected=expected)
    lines = (corpus.found[0], *found(utterances), *told_foreign(foreign))
    return dataclasses.replace(corpus, utterances=tuple(utterances), found=lines, gaps={})


def _with_words(utterance: Utterance, folder: Path, foreign: list[Path]) -> Utterance:
    """Adds an utterance's transcript, if it has one."""
    file = folder / f"{utterance.id}.txt"
    transcript = read_words(file, foreign) if file.is_file() else None
    return dataclasses.replace(utterance, transcript=transcript or None)
