"""How new files take their places in a prepared folder: all at once, when its manifest does.

No file that the manifest names is written over by another. New content is put beside it under the
other of two names, `NAME.npy` and `NAME.2.npy`, and flushed to the disk; then the manifest that
names it takes the place of the older one, which is the only step that anybody sees; then what the
older one named goes. Whatever ends in between leaves the older folder, or the new one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dser_jax.data.folder.manifest import (
    MANIFEST,
    SCHEMA,
    SCHEMA_OF_DIALOGUES,
    SCHEMA_OF_SCALES,
    SCHEMA_OF_STEMS,
    stem,
)
from dser_jax.data.folder.table import TABLE
from dser_jax.system import inside, saying, sync_folder, write_sealed

KINDS = {"features": (".npy", ".offsets.npy"), "vectors": (".npz",)}
"""The folders of arrays, and how the names of the files of one entry end."""
_OTHER_TABLE = "utterances.2.csv"


def place(staged: Path, out: Path, manifest: dict[str, Any], before: Mapping[str, Any]) -> None:
    """Puts staged files into a folder, and makes it what the manifest says.

    Args:
      staged: A folder with `features/NAME.npy` and the like, and with the table, all flushed.
      out: The prepared folder, on the same file system.
      manifest: What it is to be; told which names files take, and sealed.
      before: What it was; empty if it was none.

    Raises:
      DserError: It cannot be written; it is then what it was.
    """
    moves = {}
    for kind, ends in KINDS.items():
        for name, entry in manifest[kind].items():
            files = {end: staged / kind / f"{name}{end}" for end in ends}
            there = {end: file for end, file in files.items() if file.exists()}
            if there:
                _name(name, entry, before.get(kind, {}).get(name))
            for end, file in there.items():
                moves[file] = inside(out / kind, f"{stem(name, entry)}{end}")
    manifest["table"] = _table(manifest, before)
    moves[staged / TABLE] = out / manifest["table"]
    if manifest["table"] == TABLE:
        del manifest["table"]
    entries = [*manifest["features"].values(), *manifest["vectors"].values()]
    if manifest.get("dialogues"):
        manifest["schema"] = SCHEMA_OF_DIALOGUES
    elif "table" in manifest or any("stem" in entry for entry in entries):
        manifest["schema"] = SCHEMA_OF_STEMS
    else:
        manifest["schema"] = SCHEMA_OF_SCALES if isinstance(manifest["scale"], dict) else SCHEMA
    for file, target in moves.items():
        with saying(target):
            target.parent.mkdir(exist_ok=True)
            file.replace(target)
    for folder in {target.parent for target in moves.values()} | {out}:
        sync_folder(folder)
    write_sealed(out / MANIFEST, manifest)
    _clear(out, manifest)


def _name(name: str, entry: dict[str, Any], before: Mapping[str, Any] | None) -> None:
    """Chooses how the names of an entry's files begin; those of the same content may stay."""
    begins = name
    if before is not None:
        begins = stem(name, before)
        if before["sha256"] != entry["sha256"]:
            begins = _other(name, begins)
    if begins != name:
        entry["stem"] = begins


def _other(name: str, begins: str) -> str:
    return f"{name}.2" if begins == name else name


def _table(manifest: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    """Names the table; one of the same rows takes the older one's place."""
    was = before.get("table", TABLE)
    same = before.get("utterances_sha256", manifest["utterances_sha256"])
    if same == manifest["utterances_sha256"]:
        return was
    return _OTHER_TABLE if was == TABLE else TABLE


def _clear(out: Path, manifest: Mapping[str, Any]) -> None:
    """Removes files in whose place there are others now."""
    gone = [out / (TABLE if "table" in manifest else _OTHER_TABLE)]
    for kind, ends in KINDS.items():
        for name, entry in manifest[kind].items():
            begins = _other(name, stem(name, entry))
            gone += [inside(out / kind, f"{begins}{end}") for end in ends]
    for path in gone:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
