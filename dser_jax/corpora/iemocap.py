"""IEMOCAP: the release tree, as it comes from the archive.

For each session the loader reads two folders of text, `dialog/EmoEvaluation` for the labels and
`dialog/transcriptions` for the words, and notes where each recording belongs. The recordings
themselves need not be there: a model of the words alone needs none, and the feature stage names a
missing one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from dser_jax.corpora.reading import (
    clipped,
    gather,
    read_label,
    read_lines,
    session_line,
    told_foreign,
    visible,
)
from dser_jax.corpora.tables.cells import fold_space
from dser_jax.corpora.utterances import ATTRS, Corpus, Utterance
from dser_jax.system import BadInput, DataError

SCALE = (1.0, 5.0)
# The release holds a few means beyond its own scale: where one of two raters left an attribute out,
# it was counted as 0, and a few ratings were entered beyond 5. `scale_labels` clips these; what
# lies further out is no rating at all.
TOLERATED = (0.0, 6.0)
SESSIONS = tuple(f"Session{number}" for number in range(1, 6))
RELEASE = "IEMOCAP_full_release"

_LABEL_LINE = "[START - END] <tab> ID <tab> EMOTION <tab> [V, A, D]"
_ID = re.compile(r"(Ses\d\d)[FM]_\w+_([FM])\w+")
_TIMES = re.compile(r"\[\s*(\d+(?:\.\d+)?)\s*-\s*\d+(?:\.\d+)?\s*\]")
_TRANSCRIPT = re.compile(r"(Ses\w+)\s*\[[^\]]*\]\s*:?\s*(.*)")


class _Words(NamedTuple):
    """The transcripts of a session, and where its annotators wrote other words for an id again."""

    by_id: dict[str, str]
    repeated: list[tuple[str, str]]


def load_iemocap(root: str | Path, bad: BadInput | None = None) -> Corpus:
    """Reads the IEMOCAP release: equals 10,039 utterances of ten speakers on the real one.

    Args:
      root: The folder `IEMOCAP_full_release`, or the one that holds it.
      bad: Decides whether bad input raises, the default, or is left out and listed.

    Returns:
      The corpus, sorted by id. `file` is where the recording of an utterance belongs, there or not.

    Raises:
      DataError: Names the file, the line and what was expected there.
    """
    bad = bad or BadInput()
    release = _find_release(Path(root))
    utterances: dict[str, Utterance] = {}
    found: list[str] = []
    foreign: list[Path] = []
    for session in SESSIONS:
        dialog = release / session / "dialog"
        labels, words = dialog / "EmoEvaluation", dialog / "transcriptions"
        needed = (release / session, labels, words)
        absent = next((folder for folder in needed if not folder.is_dir()), None)
        if absent is not None:
            bad(
                DataError(
                    "this folder of the release is missing",
                    file=absent,
                    expected="Session1 to Session5, each with dialog/EmoEvaluation and"
                    " dialog/transcriptions",
                )
            )
            continue
        transcripts = _read_transcripts(words, foreign)
        before = len(utterances)
        files = visible(labels.glob("*.txt"))
        for file in files:
            parse = partial(_parse, file=file, session=release / session, transcripts=transcripts)
            gather(utterances, _label_lines(file, foreign), parse, bad)
        new = list(utterances.values())[before:]
        line = session_line(session, new, len(files))
        # Ids that nobody evaluated, such as Ses01F_impro01_MXX0, recur and do not matter.
        if twice := [where for id, where in transcripts.repeated if id in utterances]:
            line += f"; transcribed twice, the first kept: {', '.join(twice)}"
        found.append(line)
    if not utterances:
        raise DataError("no evaluated utterances here", file=release, expected=_LABEL_LINE)
    ordered = tuple(utterances[id] for id in sorted(utterances))
    found += [*clipped(ordered, SCALE), *told_foreign(foreign)]
    return Corpus("iemocap", ordered, SCALE, tuple(found), tolerated=TOLERATED)


def _find_release(root: Path) -> Path:
    """Accepts the release folder itself or its parent."""
    for folder in (root, root / RELEASE):
        if any((folder / session).is_dir() for session in SESSIONS):
            return folder
    raise DataError(
        "no IEMOCAP release here" if root.is_dir() else "no such folder",
        file=root,
        expected=f"the folder {RELEASE}, with Session1 to Session5, or the folder that holds it",
    )


def _read_transcripts(folder: Path, foreign: list[Path]) -> _Words:
    """Reads what was said; a line without an id belongs to no utterance and is passed over."""
    by_id: dict[str, str] = {}
    repeated: list[tuple[str, str]] = []
    for file in visible(folder.glob("*.txt")):
        for number, line in enumerate(read_lines(file, foreign), 1):
            match = _TRANSCRIPT.fullmatch(line.strip())
            if match is None:
                continue
            id, words = match[1], fold_space(match[2])
            if by_id.setdefault(id, words) != words:
                repeated.append((id, f"{file}:{number}"))
    return _Words(by_id, repeated)


def _label_lines(file: Path, foreign: list[Path]) -> Iterator[tuple[int, str]]:
    """Yields the lines that open a block: not the header, a rater's line, or an empty one."""
    for number, line in enumerate(read_lines(file, foreign), 1):
        if line.startswith("["):
            yield number, line


def _parse(
    numbered: tuple[int, str], *, file: Path, session: Path, transcripts: _Words
) -> Utterance:
    """Reads the line that opens a block."""
    number, line = numbered

    def error(problem: str, value: object, expected: str) -> DataError:
        return DataError(problem, file=file, line=number, value=value, expected=expected)

    cells = [cell.strip() for cell in line.split("\t")]
    if len(cells) != 4 or not (cells[3].startswith("[") and cells[3].endswith("]")):
        raise error("not a line of labels", line, _LABEL_LINE)
    id, values = cells[1], cells[3][1:-1].split(",")
    if len(values) != len(ATTRS):
        raise error(f"{id} has {len(values)} labels", cells[3], "three: [V, A, D]")
    labels = []
    for attr, value in zip(ATTRS, values, strict=True):
        value, what = value.strip(), f"the {attr} of {id} is"

        def wrong(problem: str, value: str = value, what: str = what) -> DataError:
            return error(f"{what} {problem}", value, "a number from 1 to 5")

        labels.append(read_label(value, TOLERATED, wrong))
    times = _TIMES.fullmatch(cells[0])
    match = _ID.fullmatch(id)
    if match is None or match[1] != f"Ses0{session.name[-1]}":
        expected = f"an id of {session.name}, such as Ses0{session.name[-1]}F_impro01_M003"
        raise error("not the id of an utterance", id, expected)
    return Utterance(
        id=id,
        # The first part of an id names the actor who wore the markers, its last part who speaks.
        speaker=match[1] + match[2],
        session=match[1],
        file=session / "sentences" / "wav" / id.rsplit("_", 1)[0] / f"{id}.wav",
        transcript=transcripts.by_id.get(id) or None,
        valence=labels[0],
        arousal=labels[1],
        dominance=labels[2],
        source=f"{file}:{number}",
        # A file is a dialogue, with the turns of both; one without a time has no place in it.
        dialogue=file.stem if times else None,
        turn=float(times[1]) if times else None,
    )
