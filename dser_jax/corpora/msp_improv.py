"""MSP-IMPROV: the release tree, with its labels in one file.

Six sessions of two actors each, 8,438 turns. The loader reads `Evaluation.txt` (or `Evalution.txt`,
as some copies have it) and, where the release has them, the human transcripts. Recordings lie in
folders session1 to session6, below `Audio` or not; they need not be there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from statistics import correlation
from typing import Any, NamedTuple

from dser_jax.corpora.folders import find_files
from dser_jax.corpora.reading import (
    found,
    gather,
    read_label,
    read_lines,
    read_words,
    session_line,
    told_foreign,
)
from dser_jax.corpora.tables.cells import is_missing
from dser_jax.corpora.utterances import Corpus, Utterance
from dser_jax.system import BadInput, DataError, plural

SCALE = (1.0, 5.0)
SESSIONS = tuple(f"session{number}" for number in range(1, 7))
LABELS = ("Evaluation.txt", "Evalution.txt")
TRANSCRIPTS = "All_human_transcriptions"

_LABEL_LINE = "UTD-IMPROV-S01A-F01-P-FM01.avi; EMOTION; A:...; V:...; D:...; N:...;"
_ID = re.compile(r"(S\d\d[A-Z])-([FM]0([1-6]))-([A-Z])-[A-Z]+(\d+)")
_LETTERS = {"valence": "V", "arousal": "A", "dominance": "D"}


class _Tree(NamedTuple):
    """What lies in the release: recordings and transcripts by the ids of their utterances.

    Attributes:
      audio: The folder of session1 to session6.
      words: Where transcripts are, or belong; None if none are read.
      foreign: Takes the files that are not in UTF-8.
    """

    audio: Path
    wavs: Mapping[str, Path]
    words: Path | None
    transcripts: Mapping[str, Path]
    foreign: list[Path]


def load_msp_improv(
    root: str | Path, *, transcripts: bool = True, bad: BadInput | None = None
) -> Corpus:
    """Reads the MSP-IMPROV release.

    Arousal is reversed: the file has 1 for the most excited and 5 for the calmest, and the corpus
    returned has 6 - A, as all others do. A label may be missing: NaN.

    Args:
      root: The folder that holds `Evaluation.txt`.
      transcripts: Whether words are read, if the release has them.
      bad: Decides whether bad input raises, the default, or is left out and listed.

    Returns:
      The corpus, sorted by id, such as MSP-IMPROV-S01A-F01-P-FM01. `file` is where the recording of
      an utterance belongs, there or not.

    Raises:
      DataError: Names the file, the line and what was expected there.
    """
    root, bad = Path(root), bad or BadInput()
    labels = _find_labels(root)
    tree = _find_tree(root, transcripts)
    utterances: dict[str, Utterance] = {}
    gather(
        utterances, _label_lines(labels, tree.foreign), partial(_parse, file=labels, tree=tree), bad
    )
    if not utterances:
        raise DataError("no evaluated utterances here", file=labels, expected=_LABEL_LINE)
    ordered = tuple(utterances[id] for id in sorted(utterances))
    if tree.words is not None and not any(utterance.transcript for utterance in ordered):
        expected = "a text file for each; `--no-transcripts` goes without any"
        raise DataError("no utterance has words", file=tree.words, expected=expected)
    lines = []
    for session in SESSIONS:
        own = [utterance for utterance in ordered if utterance.session == session]
        if not own:
            problem = f"no utterance of {session}"
            bad(DataError(problem, file=labels, expected=f"{SESSIONS[0]} to {SESSIONS[-1]}"))
            continue
        dialogues = {utterance.id.rsplit("-", 3)[0] for utterance in own}
        lines.append(session_line(session, own, len(dialogues)))
    lines += [*found(ordered), _direction(ordered), *told_foreign(tree.foreign)]
    if spare := tree.wavs.keys() - utterances.keys():
        have = "has" if len(spare) == 1 else "have"
        lines.append(f"{plural(len(spare), 'recording')} {have} no labels, {min(spare)} first")
    return Corpus("msp_improv", ordered, SCALE, tuple(lines))


def _find_labels(root: Path) -> Path:
    """Finds the file of labels."""
    for name in LABELS:
        if (root / name).is_file():
            return root / name
    raise DataError(
        "no MSP-IMPROV release here" if root.is_dir() else "no such folder",
        file=root,
        expected=f"a folder with {LABELS[0]}",
    )


def _find_tree(root: Path, transcripts: bool) -> _Tree:
    """Finds recordings and transcripts wherever they lie in the release."""
    audio = root / "Audio" if (root / "Audio").is_dir() else root
    folders = [audio / session for session in SESSIONS]
    wavs = {path.stem: path for folder in folders for path in find_files(folder, (".wav",))}
    words = None
    if transcripts:
        places = (root / TRANSCRIPTS, root / "Human_transcriptions" / TRANSCRIPTS)
        words = next((folder for folder in places if folder.is_dir()), None)
    texts = {} if words is None else {path.stem: path for path in find_files(words, (".txt",))}
    return _Tree(audio, wavs, words, texts, [])


def _label_lines(file: Path, foreign: list[Path]) -> Iterator[tuple[int, list[str]]]:
    """Yields the lines of means, parted: not those of single raters, which follow each."""
    for number, line in enumerate(read_lines(file, foreign), 1):
        cells = [cell.strip() for cell in line.split(";")]
        if cells[0].endswith(".avi") or cells[0].startswith("UTD-IMPROV"):
            yield number, cells


def _parse(numbered: tuple[int, list[str]], *, file: Path, tree: _Tree) -> Utterance:
    """Reads the line that opens a block."""
    number, cells = numbered

    def error(problem: str, value: object, expected: str) -> DataError:
        return DataError(problem, file=file, line=number, value=value, expected=expected)

    name = cells[0].removesuffix(".avi").removeprefix("UTD-IMPROV-")
    match = _ID.fullmatch(name)
    if match is None:
        expected = "an id such as UTD-IMPROV-S01A-F01-P-FM01.avi"
        raise error("not the id of an utterance", cells[0], expected)
    scene, speaker, session, kind, turn = match.groups()
    id = f"MSP-IMPROV-{name}"
    values = dict(cell.split(":", 1) for cell in cells[1:] if ":" in cell)
    labels: dict[str, Any] = {}
    for attr, letter in _LETTERS.items():
        if letter not in values:
            raise error(f"{id} has no {attr}", "; ".join(cells), _LABEL_LINE)
        value, what = values[letter].strip(), f"the {attr} of {id} is"
        if is_missing(value):
            labels[attr] = math.nan
            continue

        def wrong(problem: str, value: str = value, what: str = what) -> DataError:
            return error(f"{what} {problem}", value, "a number from 1 to 5, or NaN")

        labels[attr] = read_label(value, SCALE, wrong)
    labels["arousal"] = SCALE[0] + SCALE[1] - labels["arousal"]
    transcript = None
    if tree.words is not None:
        transcript = (
            read_words(tree.transcripts[id], tree.foreign) if id in tree.transcripts else ""
        )
    place = tree.audio / f"session{session}" / scene / kind / f"{id}.wav"
    return Utterance(
        id=id,
        speaker=speaker,
        session=f"session{session}",
        file=tree.wavs.get(id, place),
        transcript=transcript or None,
        **labels,
        source=f"{file}:{number}",
        # Names number the turns of one speaker; how those of two follow one another, none tells.
        dialogue=name.removesuffix(turn),
        turn=float(turn),
    )


def _direction(utterances: tuple[Utterance, ...]) -> str:
    """Tells how arousal was turned, and what shows whether that was right."""
    pairs = [(utterance.arousal, utterance.dominance) for utterance in utterances]
    pairs = [pair for pair in pairs if not any(map(math.isnan, pair))]
    arousal, dominance = ([pair[side] for pair in pairs] for side in range(2))
    line = "arousal is 6 - A, as the file has 1 for the most excited"
    if len(set(arousal)) < 2 or len(set(dominance)) < 2:
        return line
    return f"{line}; so its correlation with dominance is {correlation(arousal, dominance):.2f}"
