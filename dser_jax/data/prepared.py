"""The prepared folder, read: the table of utterances, their features, their words' vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NoReturn

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64

from dser_jax.config import DIALOGUES, side_by_side
from dser_jax.corpora import ATTRS, Scale, Utterance, as_scale, ends_of
from dser_jax.data.folder.entries import SPEECH, as_options
from dser_jax.data.folder.joint import joint
from dser_jax.data.folder.manifest import FOLDED, MANIFEST, read_manifest, stem
from dser_jax.data.folder.table import (
    TABLE,
    read_table,
    table_sha256,
    turns_sha256,
    without_dialogues,
)
from dser_jax.features import NONZERO, fold_signs, is_imported, shown_name, split_words
from dser_jax.system import DataError, inside, map_array, read_archive, read_array, sha256_open

Offsets = Int64[np.ndarray, "ends"]
"""Where the frames of utterance i begin, and at i + 1 where they end."""


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
        table = self._words_and_labels
        signs = self.manifest.get("signs")
        return hashlib.sha256(f"{table}:{signs}".encode()).hexdigest() if signs else table

    @cached_property
    def _words_and_labels(self) -> str:
        """Fingerprints the table as one without dialogues: what reads none of them is the same."""
        if "dialogues" not in self.manifest:
            return self.manifest["utterances_sha256"]
        return table_sha256(without_dialogues(self.utterances), self.scale)

    @property
    def scale(self) -> Scale:
        """Lowest and highest label, of all attributes or by attribute."""
        return as_scale(self.manifest["scale"])

    @cached_property
    def labels(self) -> Float[np.ndarray, "utt attr"]:
        """The labels on [-1, 1], NaN where there is none."""
        labels = [[getattr(utterance, attr) for attr in ATTRS] for utterance in self.utterances]
        return scale_labels(np.array(labels, float), self.scale)

    @cached_property
    def folds(self) -> bool:
        """Whether typographic signs can be folded here, under a protocol that does.

        Not in a folder with such signs whose word vectors were looked up without folding them.
        """
        return self.manifest.get("signs") == FOLDED or not has_signs(self.utterances)

    def fingerprint_of(self, names: Iterable[str]) -> str:
        """Fingerprints the table together with the named features and word vectors.

        With `DIALOGUES` among the names, also which turns make which dialogue, in which order.
        """
        names, parts = list(names), [self.fingerprint]
        if DIALOGUES in names:
            names.remove(DIALOGUES)
            parts.append(turns_sha256(self.utterances))
        known = {**self.manifest["features"], **self.manifest["vectors"]}
        entries = {name: self._require(name, known, "features or vectors") for name in names}
        for name in sorted(entries):
            # Features that go by the name of extracted ones are never taken for those.
            shown = shown_name(name, entries[name].get("source", ""))
            parts.append(f"{shown}:{entries[name]['sha256']}")
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def shown(self, name: str) -> str:
        """Names features as tables do: imported ones with the name of extracted ones are marked."""
        there = self.manifest["features"]
        names = side_by_side(name)
        return "+".join(shown_name(each, there.get(each, {}).get("source", "")) for each in names)

    def half_of(self, name: str) -> str:
        """Tells which half of a network reads features: "speech" or "text".

        Raises:
          DataError: There are none of this name.
        """
        return self._require(name, self.manifest["features"], "features").get("half", SPEECH)

    def layers_of(self, name: str) -> int:
        """Tells of how many layers of an encoder the columns are, side by side, of equal width.

        The columns of the first layer come first. Features of no encoder are of one layer, and so
        are several sets side by side.

        Raises:
          DataError: There are none of this name.
        """
        if len(side_by_side(name)) > 1:
            return 1
        return self._require(name, self.manifest["features"], "features").get("layers", 1)

    def feature(self, name: str) -> tuple[Float32[np.ndarray, "rows feat"], Offsets | None]:
        """Opens acoustic features, memory-mapped, once their checksum is known to be right.

        Several sets of functionals, with + between their names, are opened as one of all their
        columns; an utterance that lacks one of them has none.

        Returns:
          Functionals as `[utt, feat]` and None, or the frames of all utterances and the offsets:
          utterance i is the rows `offsets[i]:offsets[i + 1]`. Of an utterance that has no features
          the functionals are NaN, or there are no frames.

        Raises:
          DataError: There are none of this name, or the files are not what was prepared; or
            sequences are to stand beside others.
        """
        if len(names := side_by_side(name)) > 1:
            return joint(self.folder, {each: self.feature(each) for each in names}), None
        entry = self._require(name, self.manifest["features"], "features")
        place, begins = self.folder / "features", stem(name, entry)
        path, offsets = inside(place, f"{begins}.npy"), None
        with self._reading(path, name):
            if entry["kind"] == "lld":
                offsets = read_array(inside(place, f"{begins}.offsets.npy").read_bytes())
            with path.open("rb") as file:
                digest = sha256_open(file)
                if offsets is not None:
                    digest = _sha256(digest.encode(), offsets.tobytes())
                if digest != entry["sha256"]:
                    self._refuse(path, name)
                array = map_array(file)
        whole = offsets is None or (
            offsets.dtype == np.int64
            and offsets.ndim == 1
            and len(offsets) > 0
            and offsets[0] == 0
            and bool((np.diff(offsets) >= 0).all())
        )
        if not whole or array.dtype != np.float32 or array.ndim != 2:
            self._refuse(path, name)
        rows = len(array) if offsets is None else len(offsets) - 1
        ends = rows if offsets is None else int(offsets[-1])
        width = len(entry["columns"])
        if rows != len(self.utterances) or array.shape != (ends, width):
            raise DataError(
                f"the features {name} do not fit the table",
                file=path,
                value=f"{rows} utterances, shape {array.shape}",
                expected=f"{len(self.utterances)} utterances of {width} features; "
                f"{self._mending(name)}",
            )
        return array, offsets

    def vectors(self, name: str) -> tuple[tuple[str, ...], Float32[np.ndarray, "word dim"]]:
        """Opens word vectors: the words found, and a row for each.

        Raises:
          DataError: There are none of this name, or the file is not what was prepared.
        """
        entry = self._require(name, self.manifest["vectors"], "word vectors")
        path = inside(self.folder / "vectors", f"{stem(name, entry)}.npz")
        with self._reading(path, name):
            arrays = read_archive(path.read_bytes())
            if set(arrays) != {"words", "vectors"} or arrays["words"].dtype.kind != "U":
                raise ValueError(f"holds {', '.join(arrays) or 'nothing'}")
            words, vectors = tuple(map(str, arrays["words"].ravel())), arrays["vectors"]
            digest = _sha256("\n".join(words).encode(), vectors.tobytes())
        shape = (len(words), entry["dim"])
        if digest != entry["sha256"] or vectors.dtype != np.float32 or vectors.shape != shape:
            self._refuse(path, name)
        return words, vectors

    @contextmanager
    def _reading(self, path: Path, name: str) -> Iterator[None]:
        """Says of a file that cannot be read how to have it again."""
        try:
            yield
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise DataError(
                f"cannot be read ({why})", file=path, expected=self._mending(name)
            ) from None

    def _refuse(self, path: Path, name: str) -> NoReturn:
        """Refuses a file whose checksum is not the manifest's."""
        raise DataError(
            "not what was prepared: it is damaged, or something has changed it",
            file=path,
            expected=f"what has the checksum that the manifest has; {self._mending(name)}",
        )

    def _mending(self, name: str) -> str:
        """Says which command writes the files of features or vectors again."""
        with suppress(DataError):
            if read_manifest(self.folder) != self.manifest:
                return "`dser prepare` has changed this folder meanwhile: give the command again"
        entry = self.manifest["features"].get(name)
        if entry is None:
            option = f"--{name} FILE"
        elif is_imported(entry["source"]):
            option = f"--{'acoustic' if self.half_of(name) == SPEECH else 'text'} {name}=FILE"
        elif "encoder" in entry:
            options = as_options(self.half_of(name), entry["encoder"])
            option = f"{options} --encode-as {name}"
        else:
            option = f"--features {name.removesuffix(NONZERO)}"
        return f"`dser prepare {option} --out {self.folder}` writes it again"

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


def scale_labels(
    labels: Float[np.ndarray, "utt attr"], scale: Scale
) -> Float[np.ndarray, "utt attr"]:
    """Clips labels to their scale and maps it to [-1, 1] (paper, eq. 7 and 8); NaN stays NaN."""
    low, high = np.array([ends_of(scale, attr) for attr in ATTRS]).T
    return (np.clip(labels, low, high) - low) / (high - low) * 2.0 - 1.0


def has_features(
    values: Float[np.ndarray, "rows feat"], offsets: Offsets | None
) -> Bool[np.ndarray, " utt"]:
    """Tells which utterances have features, of arrays such as `Prepared.feature` opens."""
    if offsets is None:
        return np.asarray(~np.isnan(values).all(axis=1))
    return np.diff(offsets) > 0


def load_prepared(folder: str | Path) -> Prepared:
    """Opens a prepared folder.

    Raises:
      DataError: It is not one, was made by another version of the format, or is damaged.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    path = inside(folder, manifest.get("table", TABLE))
    utterances = read_table(path)
    if (
        len(utterances) != manifest["utterances"]
        or table_sha256(utterances, as_scale(manifest["scale"])) != manifest["utterances_sha256"]
    ):
        raise DataError(
            "the table is not the one that was prepared",
            file=path,
            expected="a table that nothing has edited; run `dser prepare` again in a new folder "
            f"(--out), or in this one once {folder / MANIFEST} is deleted: what was extracted is "
            "in its store, and is not extracted again",
        )
    return Prepared(folder, manifest, utterances)


def _sha256(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()


def has_signs(utterances: Iterable[Utterance]) -> bool:
    """Tells whether a transcript has other words once its typographic signs are folded."""
    texts = (utterance.transcript or "" for utterance in utterances)
    return any(
        split_words(fold_signs(text)) != split_words(text) for text in texts if not text.isascii()
    )
