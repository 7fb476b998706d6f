"""What the loaders share: text, labels, ids, splits, and what they say they found."""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from dser_jax.corpora.scales import Ends, turned
from dser_jax.corpora.tables.cells import fold_space, is_missing, read_number
from dser_jax.corpora.tables.dialect import marked_encoding
from dser_jax.corpora.utterances import ATTRS, Utterance, in_order
from dser_jax.system import BadInput, DataError, plural, unread

Row = TypeVar("Row")

_SPLITS = {
    "train": "train",
    "training": "train",
    "dev": "validation",
    "val": "validation",
    "valid": "validation",
    "development": "validation",
    "validation": "validation",
}
_TEST = re.compile(r"test[ _-]?(\d*)")


class Place(NamedTuple):
    """A recording, or the part of it from `start` to `end` in seconds."""

    file: str
    start: float | None = None
    end: float | None = None


def read_lines(file: Path, foreign: list[Path] | None = None) -> list[str]:
    """Reads a text file: in UTF-8, as its mark says, or else in cp1252, which is to be told.

    Lines end at line feeds only: `splitlines` also splits at characters that a line may hold.

    Args:
      file: The file.
      foreign: Takes the file, if it is in cp1252; `told_foreign` tells of it.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise unread(file, error, "a text file") from None
    try:
        text = data.decode(marked_encoding(data) or "utf-8")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
        if foreign is not None:
            foreign.append(file)
    return [line.rstrip("\r") for line in text.split("\n")]


def told_foreign(foreign: Sequence[Path]) -> Iterator[str]:
    """Tells which files were not in UTF-8."""
    if foreign:
        are = "is" if len(foreign) == 1 else "are"
        yield f"{plural(len(foreign), 'file')} {are} not UTF-8, read as cp1252: {foreign[0]} first"


def visible(files: Iterable[Path]) -> list[Path]:
    """Sorts files and leaves out dot-files, which archives packed on a Mac add."""
    return sorted(path for path in files if not path.name.startswith(".") and path.is_file())


def read_words(file: Path, foreign: list[Path] | None = None) -> str:
    """Reads a file that holds the transcript of one utterance, as one line; see `read_lines`."""
    return fold_space(" ".join(read_lines(file, foreign)))


def read_turned(
    value: str,
    ends: Ends,
    wrong: Callable[[str, str], DataError],
    decimal: str = ".",
) -> float:
    """Reads a label whose scale may run the other way, and turns it if it does.

    Args:
      value: As the corpus writes it.
      ends: Of its scale, as the user gives them.
      wrong: Makes the error from what is wrong and what was expected.
      decimal: The decimal sign.

    Raises:
      DataError: It is not a number within the scale.
    """
    bounds = min(ends), max(ends)
    expected = f"a number from {bounds[0]:g} to {bounds[1]:g}"
    return turned(read_label(value, bounds, lambda what: wrong(what, expected), decimal), ends)


def read_label(
    value: str,
    bounds: tuple[float, float],
    wrong: Callable[[str], DataError],
    decimal: str = ".",
) -> float:
    """Reads a label.

    Args:
      value: As the corpus writes it.
      bounds: The lowest and the highest that is allowed.
      wrong: Makes the error from what is wrong: "off the scale" or "not a number".
      decimal: The decimal sign.

    Raises:
      DataError: It is not a number within the bounds.
    """
    label = read_number(value, decimal)
    if label is None:
        raise wrong("not a number")
    if not bounds[0] <= label <= bounds[1]:
        raise wrong("off the scale")
    return label


def read_speaker(cell: str) -> str | None:
    """Names a speaker; None where there is none: all whom a corpus calls `Unknown` are not one."""
    return None if is_missing(cell) or cell.lower() == "unknown" else cell


def read_split(cell: str) -> str | None:
    """Names a part as `Utterance.split` has it, however the corpus writes it; None if it is none.

    >>> [read_split(cell) for cell in ("Train", "dev", "Test", "Test1", "test-2", "fold3")]
    ['train', 'validation', 'test', 'test1', 'test2', None]
    """
    test = _TEST.fullmatch(cell.lower())
    return f"test{test[1]}" if test else _SPLITS.get(cell.lower())


def place_ids(places: Sequence[Place]) -> list[str]:
    """Gives ids to recordings and parts of them.

    Returns:
      The stem of each recording, or its path where stems repeat, followed by start and end where
      it is a part of one.
    """
    files = {place.file for place in places}
    stems = {file: Path(file).stem for file in files}
    if len(set(stems.values())) < len(files):
        stems = {file: Path(file).with_suffix("").as_posix() if file else "" for file in files}
    ids = []
    for file, start, end in places:
        part = "" if end is None and not start else f"_{start or 0:.3f}-"
        ids.append(stems[file] + part + ("" if end is None else f"{end:.3f}"))
    return ids


def gather(
    utterances: dict[str, Utterance],
    rows: Iterable[Row],
    parse: Callable[[Row], Utterance],
    bad: BadInput,
) -> None:
    """Adds the utterances that `parse` makes of rows, by their ids, each of which occurs once.

    Raises:
      DataError: A row is bad, or has an id that came before, and `bad` does not skip it.
    """
    way = "" if bad.skip else "; --skip-bad leaves out all but that"
    for row in rows:
        try:
            utterance = parse(row)
            first = utterances.get(utterance.id)
            if first is not None:
                file, _, line = utterance.source.rpartition(":")
                numbered = line.isdigit()
                raise DataError(
                    "this id came before",
                    file=file if numbered else utterance.source,
                    line=int(line) if numbered else None,
                    value=utterance.id,
                    expected=f"each id once, and {first.source} has it{way}",
                )
        except DataError as error:
            bad(error)
        else:
            utterances[utterance.id] = utterance


def session_line(session: str, utterances: Sequence[Utterance], dialogues: int) -> str:
    """Tells what a session held."""
    counts = {
        "utterance": len(utterances),
        "dialogue": dialogues,
        "speaker": len({utterance.speaker for utterance in utterances}),
        "transcript": sum(bool(utterance.transcript) for utterance in utterances),
        "wav": sum(
            utterance.file is not None and utterance.file.is_file() for utterance in utterances
        ),
    }
    return f"{session}: {', '.join(plural(count, noun) for noun, count in counts.items())}"


def clipped(utterances: Sequence[Utterance], scale: tuple[float, float]) -> Iterator[str]:
    """Tells how many labels lie beyond the scale, to whose ends they are clipped in training."""
    beyond = [
        f"{attr} {label:g}"
        for utterance in utterances
        for attr in ATTRS
        if (label := getattr(utterance, attr)) < scale[0] or label > scale[1]
    ]
    if beyond:
        kinds = ", ".join(f"{count} x {label}" for label, count in Counter(beyond).most_common())
        ends = f"{scale[0]:g} to {scale[1]:g}"
        yield f"{plural(len(beyond), 'label')} beyond {ends}, to be clipped: {kinds}"


def found(utterances: Sequence[Utterance]) -> Iterator[str]:
    """Tells what a corpus held, a line for each kind of thing that it has any of."""
    labelled = (
        f"{attr} {sum(not math.isnan(getattr(utterance, attr)) for utterance in utterances)}"
        for attr in ATTRS
    )
    yield f"labels: {', '.join(labelled)}"
    files = {utterance.file for utterance in utterances if utterance.file is not None}
    if files:
        there = sum(map(os.path.isfile, files))  # No name is too long for it, unlike `Path`'s.
        yield f"recordings: {len(files)}, of which {there} are there"
    if any(utterance.transcript is not None for utterance in utterances):
        yield f"transcripts: {sum(bool(utterance.transcript) for utterance in utterances)}"
    speakers = {utterance.speaker for utterance in utterances} - {None}
    unknown = sum(utterance.speaker is None for utterance in utterances)
    if speakers:
        line = f"speakers: {len(speakers)}"
        yield f"{line}; unknown in {plural(unknown, 'utterance')}" if unknown else line
    sessions = in_order(utterance.session for utterance in utterances)
    if sessions:
        without = sum(utterance.session is None for utterance in utterances)
        line = f"sessions: {len(sessions)}"
        line += f", {sessions[-1]} is the last" if len(sessions) > 1 else f", {sessions[0]}"
        yield line + (f"; none in {plural(without, 'utterance')}" if without else "")
    splits = Counter(utterance.split for utterance in utterances if utterance.split is not None)
    if splits:
        named = sorted(in_order(splits), key=lambda split: split not in ("train", "validation"))
        unsplit = len(utterances) - splits.total()
        line = ", ".join(f"{split} {splits[split]}" for split in named)
        yield line + (f", no split {unsplit}" if unsplit else "")
