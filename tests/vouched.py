"""What networks get of a prepared folder, and such folders as a stranger may write them."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dser_jax.data.prepared import Prepared
from dser_jax.system.files.sealed import parse_sealed, write_sealed


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes the manifest of a folder, and seals it anew."""
    path = folder / "manifest.json"
    manifest = parse_sealed(path.read_bytes())
    change(manifest)
    write_sealed(path, manifest)


def vouch(entry: dict[str, Any], path: Path) -> None:
    """Gives an entry of functionals the checksum that its file has now."""
    entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()


def content(prepared: Prepared) -> tuple:
    """Returns everything that a network could get of a folder."""
    manifest = prepared.manifest
    features = [prepared.feature(name) for name in manifest["features"]]
    arrays = [None if array is None else array.tobytes() for pair in features for array in pair]
    vectors = [prepared.vectors(name) for name in manifest["vectors"]]
    words = [(words, matrix.tobytes()) for words, matrix in vectors]
    names = [*manifest["features"], *manifest["vectors"]]
    return prepared.fingerprint_of(names), prepared.scale, prepared.folds, arrays, words
