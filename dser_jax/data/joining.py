"""Two prepared folders as one, to train on the one corpus and test on the other."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from dser_jax.corpora import ATTRS, Corpus, Utterance
from dser_jax.data.folder.entries import alike, beside, described
from dser_jax.data.folder.manifest import MANIFEST
from dser_jax.data.prepared import Prepared, load_prepared, scale_labels
from dser_jax.data.rows.table import make_table
from dser_jax.data.splits import PARTS
from dser_jax.data.staging import Staging
from dser_jax.features import FEATURES, NONZERO, is_imported, of_texts
from dser_jax.system import BadInput, DataError, DserError, FolderLock, remove_stale

SCALE = (-1.0, 1.0)
"""The scale that the labels of both are put on."""


@dataclass(frozen=True)
class _Side:
    """A prepared folder, what its corpus is called in the other, and which rows of it are taken."""

    name: str
    prepared: Prepared
    rows: list[int]


def join(
    train: str | Path,
    test: str | Path,
    out: str | Path,
    *,
    all_rows: bool = False,
    command: str | None = None,
) -> Prepared:
    """Writes a prepared folder whose split column trains on one corpus and tests on another.

    Where a corpus has a split of its own, its part in it is kept: of the one that trains its rows
    for training and validation are taken, of the other its test sets. All other rows are left out.
    Of a corpus without one all rows are taken. Labels are put on [-1, 1]; an attribute that only
    one of them labels is dropped. Features are those that both have, of the same columns.

    Ids, speakers and sessions get the corpus' name in front, so none is taken for another's. Test
    rows have no session, so that only the column can split the folder.

    Args:
      train: The prepared folder to train on, and to validate on.
      test: The prepared folder to test on.
      out: The folder to write.
      all_rows: Whether all rows of both are taken, whatever their own splits.
      command: The command line, for the manifest.

    Returns:
      The folder, opened. Its corpus is called "iemocap -> msp_improv".

    Raises:
      DataError: They share no labels, or nothing to predict them from; or what goes by one name is
        not the same in both.
      DserError: `out` holds something else, or a corpus has no rows for its part.
    """
    sides = _sides(load_prepared(train), load_prepared(test), all_rows)
    out = Path(out)
    said: list[str] = []
    rows = _utterances(sides, all_rows, said)
    name = f"{sides[0].name} -> {sides[1].name}"
    corpus = Corpus(name, tuple(chain.from_iterable(rows)), SCALE)
    features = _shared_features(sides, said)
    vectors = _vectors(sides, said)
    spoken = [
        side.prepared.manifest["has_transcripts"] or all(utterance.transcript for utterance in own)
        for side, own in zip(sides, rows, strict=True)
    ]
    if not features and not all(spoken):
        raise DataError(
            f"{sides[0].name} and {sides[1].name} have neither features nor words in common",
            file=sides[1].prepared.folder,
            expected=f"the features of {sides[0].prepared.folder}; `dser prepare` adds them",
        )
    if any(spoken) and not all(spoken):
        silent = sides[spoken.index(False)].name
        said.append(f"not every row of {silent} has a transcript, so there is no text to train on")
    with FolderLock(out):
        remove_stale(out)
        old = load_prepared(out) if (out / MANIFEST).exists() else None
        table = make_table(corpus, old, out)
        if all(spoken):
            table.rules["transcripts"] = "keep"  # As one of them has it, if any words are missing.
        staging = Staging(out, table, old)
        for name in features:
            _write(staging, name, sides)
        for name, known in vectors.items():
            texts = [utterance.transcript or "" for utterance in corpus.utterances]
            staging.add_vectors(name, of_texts(known, texts))
        staging.commit(BadInput(), [*table.said, *said], command)
    return load_prepared(out)


def _sides(train: Prepared, test: Prepared, all_rows: bool) -> tuple[_Side, _Side]:
    """Names the two, and settles which rows are taken."""
    names = [train.manifest["corpus"], test.manifest["corpus"]]
    if names[0] == names[1]:
        names = [train.folder.resolve().name, test.folder.resolve().name]
    if names[0] == names[1]:
        raise DserError(
            f"{train.folder} and {test.folder} have one name, {names[0]!r}; rename one of them"
        )
    found = []
    for name, prepared, trains in zip(names, (train, test), (True, False), strict=True):
        parts = [utterance.split for utterance in prepared.utterances]
        rows = [i for i, part in enumerate(parts) if part and (part in PARTS[:2]) == trains]
        if all_rows or not any(parts):
            rows = list(range(len(parts)))
        if not rows:
            what = "training" if trains else "the test"
            raise DserError(
                f"{prepared.folder}: {name} has a split of its own, with nothing for {what}; "
                "--all-rows takes all of it"
            )
        found.append(_Side(name, prepared, rows))
    return found[0], found[1]


def _utterances(sides: Sequence[_Side], all_rows: bool, said: list[str]) -> list[list[Utterance]]:
    """Makes the rows of both."""
    labels = []
    for side in sides:
        utterances = [side.prepared.utterances[row] for row in side.rows]
        own = np.array([[getattr(u, attr) for attr in ATTRS] for u in utterances], float)
        labels.append(scale_labels(own, side.prepared.scale))
    has = np.array([np.isfinite(each).any(0) for each in labels])
    if not has.all(0).any():
        raise DataError(
            f"{sides[0].name} and {sides[1].name} have no attribute in common",
            file=sides[1].prepared.folder,
            expected=f"labels of {', '.join(_named(has[0]))}, as {sides[0].name} has them",
        )
    for only, side, other in ((has[0] & ~has[1], *sides), (has[1] & ~has[0], *sides[::-1])):
        for attr in _named(only):
            said.append(f"{attr} is dropped: {side.name} has labels of it, {other.name} has none")
    made = []
    for side, values, trains in zip(sides, labels, (True, False), strict=True):
        values[:, ~has.all(0)] = np.nan
        rows = [side.prepared.utterances[row] for row in side.rows]
        made.append(
            [
                _utterance(*row, side.name, trains, all_rows)
                for row in zip(rows, values, strict=True)
            ]
        )
        parts = Counter(str(utterance.split) for utterance in made[-1])
        counts = ", ".join(f"{part} {count:,}" for part, count in parts.items())
        spare = len(side.prepared.utterances) - len(rows)
        left = f"; {spare:,} rows of its other parts are left out" if spare else ""
        said.append(f"{side.name}: {counts}{left}")
    return made


def _named(mask: np.ndarray) -> list[str]:
    return [attr for attr, chosen in zip(ATTRS, mask, strict=True) if chosen]


def _utterance(
    utterance: Utterance, labels: np.ndarray, name: str, trains: bool, all_rows: bool
) -> Utterance:
    """Makes a row for the joined folder."""
    usual = "train" if trains else "test"
    valence, arousal, dominance = labels.tolist()
    session = utterance.session if trains else None
    return dataclasses.replace(
        utterance,
        id=f"{name}/{utterance.id}",
        speaker=utterance.speaker and f"{name}/{utterance.speaker}",
        session=session and f"{name}/{session}",
        dialogue=utterance.dialogue and f"{name}/{utterance.dialogue}",
        split=usual if all_rows else utterance.split or usual,
        valence=valence,
        arousal=arousal,
        dominance=dominance,
    )


def _shared_features(sides: Sequence[_Side], said: list[str]) -> list[str]:
    """Names the features that both have; those of one name must be the same features."""
    entries = [side.prepared.manifest["features"] for side in sides]
    for entry, side in zip(entries, reversed(sides), strict=True):
        said += [
            f"the features {name} are left out: {side.name} has none"
            for name in entry
            if name not in side.prepared.manifest["features"] and not name.endswith(NONZERO)
        ]
    shared = [name for name in entries[0] if name in entries[1]]
    for name in shared:
        first, second = (entry[name] for entry in entries)
        if (first["kind"], first["columns"]) != (second["kind"], second["columns"]):
            raise DataError(
                f"the features {name} are not those of {sides[0].name}",
                file=sides[1].prepared.folder,
                value=_described(second),
                expected=f"{_described(first)}, in the same order",
            )
        if not alike(first, second):
            raise DataError(
                f"the features {name} are not those of {sides[0].name}",
                file=sides[1].prepared.folder,
                value=described(second),
                expected=f"{described(first)}, in both",
            )
        made = [is_imported(entry["source"]) for entry in (first, second)]
        if name in FEATURES and made[0] != made[1]:
            raise DataError(
                f"the features {name} are not those of {sides[0].name}",
                file=sides[1].prepared.folder,
                value=second["source"],
                expected=f"{first['source']}: extracted in both, or imported in both",
            )
        if first["source"] != second["source"] and not name.endswith(NONZERO):
            said.append(
                f"the features {name} of {sides[0].name} are {first['source']}, those of "
                f"{sides[1].name} {second['source']}"
            )
    return shared


def _described(entry: dict) -> str:
    columns = entry["columns"]
    kind = {"hsf": "functionals", "lld": "sequences"}[entry["kind"]]
    return f"{kind} of {len(columns)} columns, {columns[0]} to {columns[-1]}"


def _vectors(sides: Sequence[_Side], said: list[str]) -> dict[str, dict[str, np.ndarray]]:
    """Joins the word vectors: those that only one has, too, as it may know the words of both."""
    joined: dict[str, dict[str, np.ndarray]] = {}
    for side, other in (sides, sides[::-1]):
        beside = other.prepared.manifest["vectors"]
        for name, entry in side.prepared.manifest["vectors"].items():
            if name not in beside:
                said.append(f"the word vectors {name} are of the words of {side.name} alone")
            known = joined.setdefault(name, {})
            words = dict(zip(*side.prepared.vectors(name), strict=True))
            other_words = (w for w, vector in words.items() if not _same(known, w, vector))
            strange = next(other_words, None)
            if strange is not None or entry["dim"] != beside.get(name, entry)["dim"]:
                raise DataError(
                    f"the word vectors {name} are not those of {other.name}",
                    file=side.prepared.folder,
                    value=f"another vector of {strange}" if strange else f"{entry['dim']} wide",
                    expected="vectors of the same file",
                )
            known |= words
    return joined


def _same(known: dict[str, np.ndarray], word: str, vector: np.ndarray) -> bool:
    return word not in known or np.array_equal(known[word], vector)


def _write(staging: Staging, name: str, sides: Sequence[_Side]) -> None:
    """Writes features of both, one after the other."""
    entry = sides[0].prepared.manifest["features"][name]
    opened = [(side, *side.prepared.feature(name)) for side in sides]
    if entry["kind"] == "hsf":
        arrays = [array[side.rows] for side, array, _ in opened]
        rows = np.concatenate(arrays)
        staging.write(name, entry["columns"], entry["source"], rows, beside(entry))
        return
    places = [
        (array, int(offsets[row]), int(offsets[row + 1]))
        for side, array, offsets in opened
        if offsets is not None
        for row in side.rows
    ]
    parts = (array[start:end] for array, start, end in places)
    lengths = [end - start for _, start, end in places]
    more = beside(entry)
    staging.write_frames(name, entry["columns"], entry["source"], parts, lengths, more)
