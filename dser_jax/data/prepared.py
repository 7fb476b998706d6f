"""The prepared folder, read: the table of utterances, their features, their words' vectors."""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from dser_jax.corpora import ATTRS, Scale, Utterance, as_scale, scale_as_json
from dser_jax.features import fold_signs, shown_name, split_words
from dser_jax.system import DataError

Offsets = Int64[np.ndarray, "ends"]
"""Where the frames of utterance i begin, and at i + 1 where they end."""

SCHEMA, SCHEMA_OF_SCALES = 1, 2
"""What the manifest has under `schema`: the second where attributes differ in their scale."""
FOLDED = "folded"
"""What the manifest has under `signs` where transcripts have such as `fold_signs` changes."""
MANIFEST = "manifest.json"
TABLE = "utterances.csv"
COLUMNS = (
    *("id", "speaker", "session", "file", "start", "end", "transcript"),
    *(*ATTRS, "split", "source"),
)

_BYTES = "surrogateescape"
"""What becomes of the names of files that are no text: they are read back as they were."""


@dataclass(frozen=True)
class Prepared:
    """A prepared data set; arrays are opened when they are asked for.

    Attributes:
      folder: Where it lies.
      manifest: What `manifest.json` says.
      utterances: The table, in the order of the rows of every array.
    """

    folder: Path
    manifest: dict
    utterances: tuple[Utterance, ...]

    @property
    def fingerprint(self) -> str:
        """Changes with the labels, the words, the split or the order, not with the files' place."""
        table = self.manifest["utterances_sha256"]
        signs = self.manifest.get("signs")
        return hashlib.sha256(f"{table}:{signs}".encode()).hexdigest() if signs else table

    @property
    def scale(self) -> Scale:
        """Lowest and highest label, of all attributes or by attribute."""
        return as_scale(self.manifest["scale"])

    @cached_property
    def folds(self) -> bool:
        """Whether typographic signs can be folded here, under a protocol that does.

        Not in a folder with such signs whose word vectors were looked up without folding them.
        """
        return self.manifest.get("signs") == FOLDED or not has_signs(self.utterances)

    def fingerprint_of(self, names: Iterable[str]) -> str:
        """Fingerprints the table together with the named features and word vectors."""
        known = {**self.manifest["features"], **self.manifest["vectors"]}
        entries = {name: self._require(name, known, "features or vectors") for name in names}
        parts = [self.fingerprint]
        for name in sorted(entries):
            # Features that go by the name of extracted ones are never taken for those.
            shown = shown_name(name, entries[name].get("source", ""))
            parts.append(f"{shown}:{entries[name]['sha256']}")
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def shown(self, name: str) -> str:
        """Names features as tables do: imported ones with the name of extracted ones are marked."""
        return shown_name(name, self.manifest["features"].get(name, {}).get("source", ""))

    def feature(self, name: str) -> tuple[Float32[np.ndarray, "rows feat"], Offsets | None]:
        """Opens acoustic features, memory-mapped.

        Returns:
          Functionals as `[utt, feat]` and None, or the frames of all utterances and the offsets:
          utterance i is the rows `offsets[i]:offsets[i + 1]`. Of an utterance that has no features
          the functionals are NaN, or there are no frames.
        """
        entry = self._require(name, self.manifest["features"], "features")
        array = _load(self.folder / "features" / f"{name}.npy", mmap_mode="r")
        offsets = None
        if entry["kind"] == "lld":
            offsets = _load(self.folder / "features" / f"{name}.offsets.npy")
        rows = len(array) if offsets is None else len(offsets) - 1
        ends = rows if offsets is None else int(offsets[-1])
        width = len(entry["columns"])
        if rows != len(self.utterances) or array.ndim != 2 or array.shape != (ends, width):
            raise DataError(
                f"the features {name} do not fit the table",
                file=self.folder / "features" / f"{name}.npy",
                value=f"{rows} utterances, shape {array.shape}",
                expected=f"{len(self.utterances)} utterances of {width} features; "
                "run `dser prepare` again",
            )
        return array, offsets

    def vectors(self, name: str) -> tuple[tuple[str, ...], Float32[np.ndarray, "word dim"]]:
        """Opens word vectors: the words found, and a row for each."""
        self._require(name, self.manifest["vectors"], "word vectors")
        archive = _load(self.folder / "vectors" / f"{name}.npz")
        with archive:
            return tuple(archive["words"].tolist()), archive["vectors"]

    def _require(self, name: str, known: dict, what: str) -> dict:
        """Returns an entry of the manifest, or says which there are."""
        if name not in known:
            there = ", ".join(known) or "none"
            raise DataError(
                f"the prepared folder has no {what} of this name",
                file=self.folder,
                value=name,
                expected=f"one of those it has ({there}), or `dser prepare` to add it",
            )
        return known[name]


def load_prepared(folder: str | Path) -> Prepared:
    """Opens a prepared folder.

    Raises:
      DataError: It is not one, was made by another version of the format, or is damaged.
    """
    folder = Path(folder)
    path = folder / MANIFEST
    make = "a folder that `dser prepare --out` made"
    if not path.exists():
        problem = f"there is no {MANIFEST}" if folder.exists() else "there is no such folder"
        raise DataError(problem, file=folder, expected=make)
    try:
        manifest = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise DataError(f"not readable as JSON ({error})", file=path, expected=make) from None
    schema = manifest.get("schema") if isinstance(manifest, dict) else None
    if schema not in (SCHEMA, SCHEMA_OF_SCALES) or "utterances_sha256" not in manifest:
        raise DataError(
            "not a prepared folder that this version reads",
            file=path,
            value=f"schema {schema}",
            expected=f"schema {SCHEMA} or {SCHEMA_OF_SCALES}; prepare the corpus in a new folder",
        )
    utterances = read_table(folder / TABLE)
    if table_sha256(utterances, as_scale(manifest["scale"])) != manifest["utterances_sha256"]:
        raise DataError(
            "the table is not the one that was prepared",
            file=folder / TABLE,
            expected="a table that nothing has edited; run `dser prepare` again in a new folder",
        )
    return Prepared(folder, manifest, utterances)


def _load(path: Path, **options):
    """Loads a NumPy file, or says that the folder is damaged."""
    try:
        return np.load(path, allow_pickle=False, **options)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"cannot be read ({error})",
            file=path,
            expected="the array that the manifest names; run `dser prepare` again",
        ) from None


def has_signs(utterances: Iterable[Utterance]) -> bool:
    """Tells whether a transcript has other words once its typographic signs are folded."""
    texts = (utterance.transcript or "" for utterance in utterances)
    return any(
        split_words(fold_signs(text)) != split_words(text) for text in texts if not text.isascii()
    )


def write_table(path: Path, utterances: Sequence[Utterance]) -> None:
    """Writes the table; an empty cell is None or NaN, and numbers keep every digit."""
    with path.open("w", encoding="utf-8", errors=_BYTES, newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for utt in utterances:
            cells = (getattr(utt, column) for column in COLUMNS)
            writer.writerow([_cell(value) for value in cells])


def _cell(value: object) -> str:
    """Writes a value so that it reads back the same."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return repr(float(value)) if isinstance(value, (int, float)) else str(value)


def read_table(path: Path) -> tuple[Utterance, ...]:
    """Reads what `write_table` wrote."""
    try:
        with path.open(encoding="utf-8", errors=_BYTES, newline="") as file:
            reader = csv.DictReader(file, strict=True)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise DataError(
                    "not a table of utterances",
                    file=path,
                    value=",".join(reader.fieldnames or ()),
                    expected=",".join(COLUMNS),
                )
            return tuple(_utterance(row) for row in reader)
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise DataError(f"cannot be read ({error})", file=path) from None


def _utterance(row: dict[str, str]) -> Utterance:
    """Restores one utterance from its cells."""
    return Utterance(
        id=row["id"],
        speaker=row["speaker"] or None,
        session=row["session"] or None,
        file=Path(row["file"]) if row["file"] else None,
        start=float(row["start"]) if row["start"] else None,
        end=float(row["end"]) if row["end"] else None,
        transcript=row["transcript"] or None,
        valence=float(row["valence"] or "nan"),
        arousal=float(row["arousal"] or "nan"),
        dominance=float(row["dominance"] or "nan"),
        split=row["split"] or None,
        source=row["source"],
    )


def table_sha256(utterances: Sequence[Utterance], scale: Scale) -> str:
    """Fingerprints a table: all of it but the folders in which the recordings lie."""
    digest = hashlib.sha256(json.dumps(scale_as_json(scale)).encode())
    for utt in utterances:
        digest.update(b"\n" + json.dumps(row_key(utt)).encode())
    return digest.hexdigest()


def row_key(utt: Utterance) -> list[str]:
    """Returns what makes a row the same row, wherever the corpus lies."""
    cells = {column: _cell(getattr(utt, column)) for column in COLUMNS if column != "source"}
    return list((cells | {"file": utt.file.name if utt.file else ""}).values())
