"""The writing of a prepared folder: its files aside first, then all in their places at once."""

from __future__ import annotations

import hashlib
import math
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from dser_jax import __version__
from dser_jax.corpora import ATTRS, Utterance, scale_as_json
from dser_jax.data.folder.entries import beside
from dser_jax.data.folder.manifest import FOLDED, SCHEMA
from dser_jax.data.folder.placing import place
from dser_jax.data.folder.table import TABLE, dialogue_names, table_sha256, write_table
from dser_jax.data.prepared import Prepared, has_signs
from dser_jax.data.rows.table import Table
from dser_jax.features import Vectors
from dser_jax.system import (
    BadInput,
    flushing,
    saying,
    sha256_file,
)

_NEW = ".new"
"""Where files are written before they take their places all together."""


class Staging:
    """Writes the files of a prepared folder aside, and moves them to their places together.

    Attributes:
      out: The folder.
      table: The utterances, and which of them are kept.
      old: The folder as it was, if it was one.
    """

    def __init__(self, out: Path, table: Table, old: Prepared | None) -> None:
        self.out, self.table, self.old = out, table, old
        self.kept, self.rows = table.kept(), table.rows()
        self.folder = out / _NEW
        if self.folder.is_symlink():  # What is behind it is not ours.
            self.folder.unlink()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.features: dict[str, dict] = {}
        self.vectors: dict[str, dict] = {}

    def write_parts(
        self,
        name: str,
        kind: str,
        columns: Sequence[str],
        source: str,
        parts: Iterable[np.ndarray | None],
        lengths: list[int],
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Adds features of either kind, a part for each utterance; None of one that has none.

        Args:
          name: What they are called.
          kind: "hsf" for parts of one row, "lld" for sequences.
          columns: Their names.
          source: Where they come from.
          parts: [1, feat] or [frame, feat] each.
          lengths: Of the parts, 0 of those that are None; told before, as parts may be read late.
          more: As for `write`.
        """
        nothing = np.full((int(kind == "hsf"), len(columns)), np.nan, np.float32)
        filled = (nothing if part is None else part for part in parts)
        if kind == "hsf":
            self.write(name, columns, source, np.concatenate(list(filled)), more)
        else:
            self.write_frames(name, columns, source, filled, lengths, more)

    def write(
        self,
        name: str,
        columns: Sequence[str],
        source: str,
        array: np.ndarray,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Adds functionals, [utt, feat]; NaN of an utterance that has none.

        `more` is what `beside` finds in the manifest: of text, of how many layers, which encoder.
        """
        values = np.ascontiguousarray(array, np.float32)
        missing = int(np.isnan(values).all(axis=1).sum())
        with self._file("features", f"{name}.npy") as file:
            np.save(file, values)
        self._enter(name, "hsf", columns, source, self._sha256(name), missing, more)

    def write_frames(
        self,
        name: str,
        columns: Sequence[str],
        source: str,
        parts: Iterable[np.ndarray],
        lengths: list[int],
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Adds sequences: for each utterance a part, [frame, feat], whose length is told before.

        Of an utterance that has none there are no frames.
        """
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        shape = (int(offsets[-1]), len(columns))
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        with self._file("features", f"{name}.npy") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for part, length in zip(parts, lengths, strict=True):
                if np.shape(part) != (length, len(columns)):
                    raise ValueError(f"frames of shape {np.shape(part)}, {length} were told")
                file.write(np.ascontiguousarray(part, "<f4").tobytes())
        with self._file("features", f"{name}.offsets.npy") as file:
            np.save(file, offsets)
        digest = hashlib.sha256(self._sha256(name).encode() + offsets.tobytes()).hexdigest()
        self._enter(name, "lld", columns, source, digest, lengths.count(0), more)

    def add_vectors(self, name: str, found: Vectors) -> None:
        """Adds word vectors."""
        with self._file("vectors", f"{name}.npz") as file:
            np.savez(file, words=np.array(found.words), vectors=found.matrix)  # pyrefly: ignore
        digest = hashlib.sha256("\n".join(found.words).encode() + found.matrix.tobytes())
        self.vectors[name] = {**found.coverage(), "sha256": digest.hexdigest()}

    def commit(self, bad: BadInput, said: list[str], command: str | None) -> None:
        """Moves everything to its place; it is there for others once the manifest is."""
        before = self.old.manifest if self.old else {"features": {}, "vectors": {}, "left_out": []}
        if self.old is not None and len(self.kept) < len(self.old.utterances):
            self._cut_down(self.old)
        with self._file(TABLE) as file:
            write_table(file, self.kept)
        left_out = [str(error) for error in bad.left_out]
        gone = [row for row, keep in enumerate(self.table.keep) if not keep]
        manifest = {
            "schema": SCHEMA,
            "corpus": self.table.name,
            "scale": scale_as_json(self.table.scale),
            "utterances": len(self.kept),
            "attributes": labelled(self.kept),
            "has_transcripts": self._have_words(),
            "missing": self.table.rules,
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
        if names := dialogue_names(self.kept):
            manifest["dialogues"] = len(names)
        # What a folder was first prepared with stays, so that its words stay the same.
        if self.old is None and has_signs(self.kept):
            manifest["signs"] = FOLDED
        elif self.old is not None and "signs" in self.old.manifest:
            manifest["signs"] = self.old.manifest["signs"]
        place(self.folder, self.out, manifest, self.old.manifest if self.old else {})
        shutil.rmtree(self.folder, ignore_errors=True)

    def _have_words(self) -> bool:
        """Tells whether a network can read the words: of each row, or of none where it has none."""
        spoken = [bool(utt.transcript) for utt in self.kept]
        return all(spoken) or (any(spoken) and self.table.rules.get("transcripts") == "keep")

    def _cut_down(self, old: Prepared) -> None:
        """Takes utterances that are left out from now on from the features that were there."""
        still = {utt.id for utt in self.kept}
        rows = [row for row, utt in enumerate(old.utterances) if utt.id in still]
        for name in old.manifest["features"].keys() - self.features.keys():
            entry = old.manifest["features"][name]
            array, offsets = old.feature(name)
            if offsets is None:
                self.write(name, entry["columns"], entry["source"], array[rows], beside(entry))
            else:
                parts = [array[offsets[row] : offsets[row + 1]] for row in rows]
                lengths = [len(part) for part in parts]
                columns, source, more = entry["columns"], entry["source"], beside(entry)
                self.write_frames(name, columns, source, parts, lengths, more)

    def _enter(
        self,
        name: str,
        kind: str,
        columns: Sequence[str],
        source: str,
        sha256: str,
        missing: int,
        more: Mapping[str, Any] | None,
    ) -> None:
        self.features[name] = {
            "kind": kind,
            "columns": list(columns),
            "source": source,
            "sha256": sha256,
            **(more or {}),
            **({"missing": missing} if missing else {}),
        }

    @contextmanager
    def _file(self, *names: str) -> Iterator[BinaryIO]:
        """Opens a file aside, which is on the disk once it is written."""
        path = self.folder.joinpath(*names)
        with saying(self.out.joinpath(*names)):
            path.parent.mkdir(parents=True, exist_ok=True)
            with flushing(path) as file:
                yield file

    def _sha256(self, name: str) -> str:
        return sha256_file(self.folder / "features" / f"{name}.npy")


def labelled(utterances: Sequence[Utterance]) -> list[str]:
    """Returns the attributes for which at least one utterance has a label."""
    return [a for a in ATTRS if any(not math.isnan(getattr(utt, a)) for utt in utterances)]
