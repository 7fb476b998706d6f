"""A corpus and its features, written as one prepared folder that training reads."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from dser_jax.corpora import RECOGNISED, Corpus, Dialect, Utterance
from dser_jax.data.prepared import MANIFEST, Prepared, load_prepared
from dser_jax.data.staging import Staging, Table, make_table
from dser_jax.features import (
    FEATURES,
    FORMATS,
    NONZERO,
    Feature,
    Imported,
    Store,
    extract,
    find_loud,
    hsf,
    load_imported,
    load_vectors,
    nonzero_hsf,
)
from dser_jax.system import BadInput, DataError, DserError, FolderLock, remove_stale

__all__ = ["Prepared", "load_prepared", "prepare"]


def prepare(
    corpus: Corpus | None,
    out: str | Path,
    *,
    features: Sequence[str] = (),
    acoustic: Mapping[str, str | Path] | None = None,
    vectors: Mapping[str, str | Path] | None = None,
    convert: bool = False,
    jobs: int | None = None,
    bad: BadInput | None = None,
    dialect: Dialect = RECOGNISED,
    store: str | Path | None = None,
    command: str | None = None,
) -> Prepared:
    """Writes the prepared folder of a corpus, or adds to one; what it has already stays.

    Frames are extracted once: they lie in the store by the content of the recordings.

    Args:
      corpus: What to prepare; None adds to the folder's own table.
      out: The folder.
      features: Names in `FEATURES`, to be extracted from the recordings.
      acoustic: Files with features of one's own, by the name that they shall have.
      vectors: Files of word vectors, by their format: "glove" or "fasttext".
      convert: Whether recordings that are not 16 kHz mono are converted, or refused.
      jobs: Processes for the extraction; by default one for each core.
      bad: Decides about what cannot be used; what a loader left out may be in it already.
      dialect: What is known of how the files in `acoustic` are written that are tables.
      store: Where frames are kept; by default the folder's `store`.
      command: The command line, for the manifest.

    Returns:
      The folder, opened.

    Raises:
      DataError: Something cannot be used, and `bad` does not skip it.
      DserError: The folder belongs to another corpus, or cannot be written.
      KeyboardInterrupt: Ctrl-C; what was extracted stays in the store.
    """
    out, bad = Path(out), bad or BadInput()
    own = {name: Path(path) for name, path in (acoustic or {}).items()}
    pretrained = {name: Path(path) for name, path in (vectors or {}).items()}
    _check_names(features, own, pretrained)
    if corpus is None:
        load_prepared(out)
    with FolderLock(out):
        remove_stale(out)
        old = load_prepared(out) if (out / MANIFEST).exists() else None
        table = make_table(corpus, old, out)
        said: list[str] = []
        if features:
            _leave_out(
                table,
                bad,
                lambda utt: utt.file is None,
                "a transcript without audio: utterance {} has no recording",
                "a recording for each utterance, as acoustic features are asked for",
            )
        if pretrained:
            _leave_out(
                table,
                bad,
                lambda utt: not utt.transcript,
                "audio without a transcript: utterance {} has no words",
                "a transcript for each utterance, as word vectors are asked for",
            )
        imports = {
            name: _import(path, name, table, bad, said, dialect) for name, path in own.items()
        }
        folder = Path(store) if store else out / "store"
        keys = _extract(features, table, folder, jobs, bad, said, convert)
        if features and convert:
            said.append("recordings that are not 16 kHz mono were converted when they were read")
        if not any(table.keep):
            raise DataError("no utterance is left", file=out, expected="one that can be used")
        words = {
            name: load_vectors(path, _texts(table), FORMATS[name])
            for name, path in pretrained.items()
        }
        staging = Staging(out, table, old)
        for name in features:
            feature = FEATURES[name]
            frames = Store(folder / feature.extractor.name, len(feature.extractor.columns))
            _add_feature(staging, name, feature, frames, keys[feature.extractor.name])
        for name, found in imports.items():
            _add_imported(staging, name, found, own[name])
        for name, found in words.items():
            staging.add_vectors(name, found)
            said.append(found.said)
        staging.commit(bad, said, command)
    return load_prepared(out)


def _check_names(
    features: Sequence[str], acoustic: Mapping[str, Path], vectors: Mapping[str, Path]
) -> None:
    """Refuses names that are unknown, taken, or no names of files."""
    for name in features:
        if name not in FEATURES:
            raise DserError(f"no features {name!r}; there are {', '.join(FEATURES)}")
    for name in acoustic:
        if name in FEATURES or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
            raise DserError(
                f"{name!r} cannot name features of your own: letters, digits, _ and - are fine, "
                f"but not {', '.join(FEATURES)}"
            )
    for name in vectors:
        if name not in FORMATS:
            raise DserError(f"no word vectors {name!r}; there are {', '.join(FORMATS)}")


def _leave_out(
    table: Table,
    bad: BadInput,
    unfit: Callable[[Utterance], bool],
    problem: str,
    expected: str,
) -> None:
    """Leaves out utterances that lack what is needed; `problem` has a place for the id."""
    for i, utt in enumerate(table.utterances):
        if table.keep[i] and unfit(utt):
            bad(DataError(problem.format(utt.id), file=utt.source or None, expected=expected))
            table.keep[i] = False


def _texts(table: Table) -> list[str]:
    return [utt.transcript or "" for utt in table.kept()]


def _import(
    path: Path, name: str, table: Table, bad: BadInput, said: list[str], dialect: Dialect
) -> Imported:
    """Reads features of one's own: a row for each utterance of the corpus, or of the folder."""
    rows = list(range(len(table.utterances)))
    try:
        found = load_imported(path, name, table.utterances, dialect)
    except DataError:
        if all(table.keep):
            raise
        rows = table.rows()
        found = load_imported(path, name, table.kept(), dialect)
    said += found.said
    for i, row in enumerate(rows):
        if i in found.problems and table.keep[row]:
            bad(found.problems[i])
            table.keep[row] = False
    parts = [found.utterances[0][:0]] * len(table.utterances)
    for row, part in zip(rows, found.utterances, strict=True):
        parts[row] = part
    return dataclasses.replace(found, utterances=parts)


def _extract(
    features: Sequence[str],
    table: Table,
    folder: Path,
    jobs: int | None,
    bad: BadInput,
    said: list[str],
    convert: bool,
) -> dict[str, list[str | None]]:
    """Sees to it that the store has the frames; returns their keys by extractor and utterance."""
    keys: dict[str, list[str | None]] = {}
    extractors = dict.fromkeys(FEATURES[name].extractor for name in features)
    for extractor in extractors:
        rows, utterances = table.rows(), table.kept()
        place = folder / extractor.name
        found = extract(extractor, utterances, place, jobs=jobs, bad=bad, convert=convert)
        said += find_loud(Store(place, len(extractor.columns)), utterances, found)
        keys[extractor.name] = [None] * len(table.utterances)
        for row, key in zip(rows, found, strict=True):
            keys[extractor.name][row] = key
            table.keep[row] = key is not None
    return keys


def _add_feature(
    staging: Staging, name: str, feature: Feature, store: Store, keys: Sequence[str | None]
) -> None:
    """Adds features from the frames in the store."""
    named = [key for row in staging.rows if (key := keys[row]) is not None]
    if feature.kind == "hsf":
        source = feature.extractor.source
        array = np.stack([hsf(store[key]) for key in named])
        staging.write(name, feature.columns, source, array)
        array = np.stack([nonzero_hsf(store[key]) for key in named])
        source += ", zeros taken for missing (protocol paper)"
        staging.write(name + NONZERO, feature.columns, source, array)
    else:
        lengths = [store.rows(key) for key in named]
        parts = (store[key] for key in named)
        staging.write_frames(name, feature.columns, feature.extractor.source, parts, lengths)


def _add_imported(staging: Staging, name: str, found: Imported, path: Path) -> None:
    """Adds features of one's own."""
    parts = [found.utterances[row] for row in staging.rows]
    source = f"imported from {path.name}"
    if found.kind == "hsf":
        staging.write(name, found.columns, source, np.concatenate(parts))
    else:
        lengths = [len(part) for part in parts]
        staging.write_frames(name, found.columns, source, parts, lengths)
