"""A corpus and its features, written as one prepared folder that training reads."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dser_jax import __version__
from dser_jax.atomic import remove_stale, write_text
from dser_jax.corpora.utterances import ATTRS, Corpus, Utterance
from dser_jax.errors import BadInput, DataError, DserError
from dser_jax.features import FEATURES, Feature
from dser_jax.features.extract import extract, sha256_file
from dser_jax.features.functionals import NONZERO, hsf, nonzero_hsf
from dser_jax.features.imported import Imported, load_imported
from dser_jax.features.store import Store
from dser_jax.features.vectors import FORMATS, Vectors, load_vectors
from dser_jax.lock import FolderLock
from dser_jax.prepared import (
    MANIFEST,
    SCHEMA,
    TABLE,
    Prepared,
    load_prepared,
    row_key,
    table_sha256,
    write_table,
)

__all__ = ["Prepared", "load_prepared", "prepare"]

_NEW = ".new"
"""Where files are written before they take their places all together."""


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
        table = _table(corpus, old, out)
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
        imports = {name: _import(path, name, table, bad, said) for name, path in own.items()}
        folder = Path(store) if store else out / "store"
        keys = _extract(features, table, folder, jobs, bad, convert)
        if features and convert:
            said.append("recordings that are not 16 kHz mono were converted when they were read")
        if not any(table.keep):
            raise DataError("no utterance is left", file=out, expected="one that can be used")
        words = {
            name: load_vectors(path, _texts(table), FORMATS[name])
            for name, path in pretrained.items()
        }
        staging = _Staging(out, table, old)
        for name in features:
            feature = FEATURES[name]
            frames = Store(folder / feature.extractor.name, len(feature.extractor.columns))
            staging.add_feature(name, feature, frames, keys[feature.extractor.name])
        for name, found in imports.items():
            staging.add_imported(name, found, own[name])
        for name, found in words.items():
            staging.add_vectors(name, found)
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


@dataclass
class _Table:
    """The utterances as the loader gave them, and which of them are kept.

    Attributes:
      name, scale: The corpus'.
      utterances: All of them; of one left out earlier only the id may be known.
      keep: A flag for each.
      sha256: Fingerprint of the table as the loader gave it.
    """

    name: str
    scale: tuple[float, float]
    utterances: list[Utterance]
    keep: list[bool]
    sha256: str

    def kept(self) -> list[Utterance]:
        return [utt for utt, keep in zip(self.utterances, self.keep, strict=True) if keep]

    def rows(self) -> list[int]:
        return [row for row, keep in enumerate(self.keep) if keep]


def _table(corpus: Corpus | None, old: Prepared | None, out: Path) -> _Table:
    """Returns the table to work on: the corpus' or the folder's, which must not contradict."""
    gone = {int(row): id for row, id in old.manifest["left_out_rows"].items()} if old else {}
    if corpus is None:
        assert old is not None
        rest = iter(old.utterances)
        count = len(old.utterances) + len(gone)
        utterances = [Utterance(gone[i]) if i in gone else next(rest) for i in range(count)]
        name, scale = old.manifest["corpus"], tuple(old.manifest["scale"])
        sha256 = old.manifest["corpus_sha256"]
    else:
        utterances = [
            dataclasses.replace(utt, file=utt.file.absolute()) if utt.file else utt
            for utt in corpus.utterances
        ]
        name, scale = corpus.name, corpus.scale
        _check_ids(utterances)
        sha256 = table_sha256(utterances, scale)
        if old is not None and sha256 != old.manifest["corpus_sha256"]:
            raise DserError(_difference(corpus, old, set(gone.values()), out))
    return _Table(name, scale, utterances, [i not in gone for i in range(len(utterances))], sha256)


def _check_ids(utterances: Sequence[Utterance]) -> None:
    seen: dict[str, Utterance] = {}
    for utt in utterances:
        if utt.id in seen:
            raise DataError(
                f"two utterances of one id, {seen[utt.id].source} and {utt.source}", value=utt.id
            )
        seen[utt.id] = utt


def _difference(corpus: Corpus, old: Prepared, gone: set[str], out: Path) -> str:
    """Says how a corpus differs from the one that a folder was prepared from."""
    new = [utt for utt in corpus.utterances if utt.id not in gone]
    text = (
        f"{out}: holds another corpus, or another version of it: it was prepared from "
        f"{old.manifest['corpus']} with {len(old.utterances)} utterances, and this is "
        f"{corpus.name} with {len(new)}; "
    )
    for row, (was, now) in enumerate(zip(old.utterances, new, strict=False), start=1):
        if row_key(was) != row_key(now):
            at = next(f for f in _FIELDS if row_key(was)[f] != row_key(now)[f])
            what = f"{row_key(now)[at]!r}, was {row_key(was)[at]!r}"
            text += f"row {row} ({was.id}) differs first, in its {_FIELDS[at]}: {what}; "
            break
    return text + "choose another --out"


_FIELDS = dict(enumerate(field.name for field in dataclasses.fields(Utterance)))


def _leave_out(
    table: _Table,
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


def _texts(table: _Table) -> list[str]:
    return [utt.transcript or "" for utt in table.kept()]


def _import(path: Path, name: str, table: _Table, bad: BadInput, said: list[str]) -> Imported:
    """Reads features of one's own: a row for each utterance of the corpus, or of the folder."""
    rows = list(range(len(table.utterances)))
    try:
        found = load_imported(path, name, table.utterances)
    except DataError:
        if all(table.keep):
            raise
        rows = table.rows()
        found = load_imported(path, name, table.kept())
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
    table: _Table,
    folder: Path,
    jobs: int | None,
    bad: BadInput,
    convert: bool,
) -> dict[str, list[str | None]]:
    """Sees to it that the store has the frames; returns their keys by extractor and utterance."""
    keys: dict[str, list[str | None]] = {}
    extractors = dict.fromkeys(FEATURES[name].extractor for name in features)
    for extractor in extractors:
        rows = table.rows()
        place = folder / extractor.name
        found = extract(extractor, table.kept(), place, jobs=jobs, bad=bad, convert=convert)
        keys[extractor.name] = [None] * len(table.utterances)
        for row, key in zip(rows, found, strict=True):
            keys[extractor.name][row] = key
            table.keep[row] = key is not None
    return keys


class _Staging:
    """Writes the files of a prepared folder aside, and moves them to their places together."""

    def __init__(self, out: Path, table: _Table, old: Prepared | None) -> None:
        self.out, self.table, self.old = out, table, old
        self.kept, self.rows = table.kept(), table.rows()
        self.folder = out / _NEW
        shutil.rmtree(self.folder, ignore_errors=True)
        self.features: dict[str, dict] = {}
        self.vectors: dict[str, dict] = {}

    def add_feature(
        self, name: str, feature: Feature, store: Store, keys: Sequence[str | None]
    ) -> None:
        """Adds features from the frames in the store."""
        named = [key for row in self.rows if (key := keys[row]) is not None]
        if feature.kind == "hsf":
            source = feature.extractor.source
            array = np.stack([hsf(store[key]) for key in named])
            self._write(name, feature.columns, source, array)
            array = np.stack([nonzero_hsf(store[key]) for key in named])
            source += ", zeros taken for missing (protocol paper)"
            self._write(name + NONZERO, feature.columns, source, array)
        else:
            lengths = [store.rows(key) for key in named]
            parts = (store[key] for key in named)
            self._write_frames(name, feature.columns, feature.extractor.source, parts, lengths)

    def add_imported(self, name: str, found: Imported, path: Path) -> None:
        """Adds features of one's own."""
        parts = [found.utterances[row] for row in self.rows]
        source = f"imported from {path.name}"
        if found.kind == "hsf":
            self._write(name, found.columns, source, np.concatenate(parts))
        else:
            lengths = [len(part) for part in parts]
            self._write_frames(name, found.columns, source, parts, lengths)

    def add_vectors(self, name: str, found: Vectors) -> None:
        """Adds word vectors."""
        path = self._path("vectors", f"{name}.npz")
        with path.open("wb") as file:
            np.savez(file, words=np.array(found.words), vectors=found.matrix)
        digest = hashlib.sha256("\n".join(found.words).encode() + found.matrix.tobytes())
        self.vectors[name] = {**found.coverage(), "sha256": digest.hexdigest()}

    def commit(self, bad: BadInput, said: list[str], command: str | None) -> None:
        """Moves everything to its place, the manifest last."""
        before = self.old.manifest if self.old else {"features": {}, "vectors": {}, "left_out": []}
        if self.old is not None and len(self.kept) < len(self.old.utterances):
            self._cut_down(self.old)
        write_table(self._path(TABLE), self.kept)
        left_out = [str(error) for error in bad.left_out]
        gone = [row for row, keep in enumerate(self.table.keep) if not keep]
        manifest = {
            "schema": SCHEMA,
            "corpus": self.table.name,
            "scale": list(self.table.scale),
            "utterances": len(self.kept),
            "attributes": _labelled(self.kept),
            "has_transcripts": all(utt.transcript for utt in self.kept),
            "features": {**before["features"], **self.features},
            "vectors": {**before["vectors"], **self.vectors},
            "left_out": list(dict.fromkeys([*before["left_out"], *left_out])),
            "left_out_rows": {str(row): self.table.utterances[row].id for row in gone},
            "notes": list(dict.fromkeys([*before.get("notes", []), *said])),
            "utterances_sha256": table_sha256(self.kept, self.table.scale),
            "corpus_sha256": self.table.sha256,
            "command": command,
            "dser_jax": __version__,
        }
        for path in sorted(self.folder.rglob("*")):
            if path.is_file():
                place = self.out / path.relative_to(self.folder)
                place.parent.mkdir(exist_ok=True)
                path.replace(place)
        text = json.dumps(manifest, indent=1, ensure_ascii=False)
        write_text(self.out / MANIFEST, text + "\n")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _cut_down(self, old: Prepared) -> None:
        """Takes utterances that are left out from now on from the features that were there."""
        still = {utt.id for utt in self.kept}
        rows = [row for row, utt in enumerate(old.utterances) if utt.id in still]
        for name in old.manifest["features"].keys() - self.features.keys():
            entry = old.manifest["features"][name]
            array, offsets = old.feature(name)
            if offsets is None:
                self._write(name, entry["columns"], entry["source"], array[rows])
            else:
                parts = [array[offsets[row] : offsets[row + 1]] for row in rows]
                lengths = [len(part) for part in parts]
                self._write_frames(name, entry["columns"], entry["source"], parts, lengths)

    def _write(self, name: str, columns: Sequence[str], source: str, array: np.ndarray) -> None:
        path = self._path("features", f"{name}.npy")
        np.save(path, np.ascontiguousarray(array, np.float32))
        self._enter(name, "hsf", columns, source, sha256_file(path))

    def _write_frames(self, name: str, columns: Sequence[str], source: str, parts, lengths) -> None:
        path = self._path("features", f"{name}.npy")
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        shape = (int(offsets[-1]), len(columns))
        array = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
        for part, start, end in zip(parts, offsets[:-1], offsets[1:], strict=True):
            array[start:end] = part
        array.flush()
        np.save(self._path("features", f"{name}.offsets.npy"), offsets)
        digest = hashlib.sha256(sha256_file(path).encode() + offsets.tobytes()).hexdigest()
        self._enter(name, "lld", columns, source, digest)

    def _enter(
        self, name: str, kind: str, columns: Sequence[str], source: str, sha256: str
    ) -> None:
        self.features[name] = {
            "kind": kind,
            "columns": list(columns),
            "source": source,
            "sha256": sha256,
        }

    def _path(self, *names: str) -> Path:
        path = self.folder.joinpath(*names)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def _labelled(utterances: Sequence[Utterance]) -> list[str]:
    """Returns the attributes for which at least one utterance has a label."""
    return [a for a in ATTRS if any(not math.isnan(getattr(utt, a)) for utt in utterances)]
