"""Prepared folders as a stranger may write them: whole by their checksums, and yet not ours."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dser_jax.system.files.checksums import seal


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes the manifest of a folder, and seals it anew."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    change(manifest)
    path.write_text(json.dumps(seal(manifest)), "utf-8")


def vouch(entry: dict[str, Any], path: Path) -> None:
    """Gives an entry of functionals the checksum that its file has now."""
    entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
