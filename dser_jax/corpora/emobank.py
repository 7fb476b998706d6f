"""EmoBank: 10,062 English sentences with valence, arousal and dominance, in one CSV."""

from __future__ import annotations

from pathlib import Path

from dser_jax.corpora.table import load_table
from dser_jax.corpora.tables.dialect import RECOGNISED, Dialect
from dser_jax.corpora.utterances import Corpus
from dser_jax.system import BadInput, DataError

SCALE = (1.0, 5.0)
FILE = "emobank.csv"
COLUMNS = {
    "id": "id",
    "split": "split",
    "valence": "V",
    "arousal": "A",
    "dominance": "D",
    "transcript": "text",
}


def load_emobank(
    root: str | Path, bad: BadInput | None = None, dialect: Dialect = RECOGNISED
) -> Corpus:
    """Reads EmoBank (Buechel & Hahn 2017): text alone, with a split of its own.

    Args:
      root: `emobank.csv`, or the folder that holds it.
      bad: Decides whether bad input raises, the default, or is left out and listed.
      dialect: What is known of how the CSV is written.

    Returns:
      The corpus, in the order of the file.

    Raises:
      DataError: Names the file, the line and what was expected there.
    """
    path = Path(root) / FILE if Path(root).is_dir() else Path(root)
    if not path.is_file():
        raise DataError("no such file", file=path, expected=f"EmoBank's {FILE}, or its folder")
    return load_table(path, scale=SCALE, columns=COLUMNS, name="emobank", bad=bad, dialect=dialect)
