"""`manifest.json` of a prepared folder: what is in the folder, and the checksums of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dser_jax.corpora import ATTRS
from dser_jax.data.folder.entries import amiss_beside, is_a, shown
from dser_jax.data.folder.table import TABLE
from dser_jax.system import DataError, inside, parse_sealed, unread

MANIFEST = "manifest.json"
SCHEMA, SCHEMA_OF_SCALES, SCHEMA_OF_STEMS, SCHEMA_OF_DIALOGUES = 1, 2, 3, 4
"""What the manifest has under `schema`: the second where attributes differ in their scale, the
third where a file has another name than the first that it could have, the fourth where rows are
turns of dialogues."""
FOLDED = "folded"
"""What the manifest has under `signs` where transcripts have such as `fold_signs` changes."""

_ANEW = (
    "a manifest that nothing has edited. Take it from a copy, or delete it and give "
    "`dser prepare --corpus` with all features again: what was extracted is in the store, and is "
    "not extracted again"
)

_TYPES: dict[str, tuple[type, ...]] = {
    "corpus": (str,),
    "scale": (list, dict),
    "utterances": (int,),
    "attributes": (list,),
    "has_transcripts": (bool,),
    "features": (dict,),
    "vectors": (dict,),
    "left_out": (list,),
    "left_out_rows": (dict,),
    "utterances_sha256": (str,),
    "corpus_sha256": (str,),
}
_ALSO: dict[str, tuple[type, ...]] = {
    "missing": (dict,),
    "notes": (list,),
    "signs": (str,),
    "table": (str,),
    "dialogues": (int,),
    "command": (str, type(None)),
    "dser_jax": (str,),
}
"""The entries that not every folder has."""
_FEATURES = {"kind": (str,), "columns": (list,), "source": (str,), "sha256": (str,)}
_VECTORS = {
    **dict.fromkeys(("dim", "types", "types_found", "tokens", "tokens_found"), (int,)),
    "sha256": (str,),
}


def read_manifest(folder: Path) -> dict[str, Any]:
    """Reads the manifest of a folder, of this version or an older one.

    Raises:
      DataError: There is none, it is damaged, or it is of no prepared folder.
    """
    path = folder / MANIFEST
    make = "a folder that `dser prepare --out` made"
    if not path.exists():
        problem = f"there is no {MANIFEST}" if folder.exists() else "there is no such folder"
        raise DataError(problem, file=folder, expected=make)
    try:
        manifest = parse_sealed(path.read_bytes())
    except OSError as error:
        raise unread(path, error, make) from None
    except ValueError as error:
        raise DataError(f"not what was written ({error})", file=path, expected=_ANEW) from None
    schema = manifest.get("schema")
    ours = not {"utterances_sha256", "corpus_sha256"}.isdisjoint(manifest)
    if not ours and "planned" in manifest:
        raise DataError("the folder of a sweep, which holds its runs", file=folder, expected=make)
    known = (SCHEMA, SCHEMA_OF_SCALES, SCHEMA_OF_STEMS, SCHEMA_OF_DIALOGUES)
    if schema not in known or not ours:  # As of a journal, whose manifest nobody should delete.
        raise DataError(
            "not a prepared folder that this version reads",
            file=path,
            value=f"schema {schema}",
            expected=f"schema {', '.join(map(str, known[:-1]))} or {known[-1]}; prepare the corpus "
            "in a new folder",
        )
    amiss = next(_amiss(manifest), None)
    if amiss is not None:
        raise DataError(f"not a manifest: {amiss}", file=path, expected=_ANEW)
    entries = [*manifest["features"].items(), *manifest["vectors"].items()]
    stems = [stem(name, entry) for name, entry in entries]
    for name in (*dict(entries), *stems, manifest.get("table", TABLE)):
        inside(folder, name)
    return manifest


def stem(name: str, entry: Mapping[str, Any]) -> str:
    """Returns how the names of the files of one of them begin: as it is called, if that was free.

    A file that a manifest names is never written again: what takes its place has another name.
    """
    return entry.get("stem", name)


def _amiss(manifest: dict[str, Any]) -> Iterator[str]:
    """Yields what is not as a manifest has it; each part may be read once those before passed."""
    for name, types in _TYPES.items():
        if not is_a(manifest.get(name), types):
            yield f"{name} is {shown(manifest.get(name))}"
    for name, types in _ALSO.items():
        if name in manifest and not is_a(manifest[name], types):
            yield f"{name} is {shown(manifest[name])}"
    scale = manifest["scale"]
    ends = list(scale.values()) if isinstance(scale, dict) else [scale]
    if isinstance(scale, dict) and not set(scale) <= set(ATTRS):
        yield f"scale is of {shown(list(scale))}"
    if not all(_is_scale(each) for each in ends):
        yield f"scale is {shown(scale)}"
    if not set(map(str, manifest["attributes"])) <= set(ATTRS):
        yield f"attributes are {shown(manifest['attributes'])}"
    for name in ("left_out", "notes"):
        if not all(isinstance(text, str) for text in manifest.get(name, [])):
            yield f"{name} has what is no text"
    for row, id in manifest["left_out_rows"].items():
        if not (row.isascii() and row.isdigit() and len(row) < 10 and isinstance(id, str)):
            yield f"left_out_rows has {shown(row)}"
    for name, entry in manifest["features"].items():
        yield from _amiss_in(name, entry, _FEATURES)
        if entry["kind"] not in ("hsf", "lld") or not all(
            is_a(c, (str,)) for c in entry["columns"]
        ):
            yield f"{name} is {shown(entry)}"
        if not is_a(entry.get("missing", 0), (int,)):
            yield f"{name} has {shown(entry['missing'])} under missing"
        yield from amiss_beside(name, entry)
    for name, entry in manifest["vectors"].items():
        yield from _amiss_in(name, entry, _VECTORS)
        for count in ("tokens_as_written", "tokens_found_as_written"):
            if "tokens_as_written" in entry and not is_a(entry.get(count), (int,)):
                yield f"{name} has {shown(entry.get(count))} under {count}"


def _amiss_in(name: str, entry: object, types: Mapping[str, tuple[type, ...]]) -> Iterator[str]:
    if not isinstance(entry, dict):
        yield f"{name} is {shown(entry)}"
        return
    for key, wanted in types.items():
        if not is_a(entry.get(key), wanted):
            yield f"{name} has {shown(entry.get(key))} under {key}"
    if not is_a(entry.get("stem", ""), (str,)):
        yield f"{name} has {shown(entry['stem'])} under stem"


def _is_scale(ends: object) -> bool:
    """Tells whether these are a lowest and a highest label."""
    if not (isinstance(ends, list) and len(ends) == 2):
        return False
    numbers = all(is_a(end, (int, float)) and math.isfinite(end) for end in ends)
    return numbers and ends[0] < ends[1]
