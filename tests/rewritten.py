"""Files of the product, changed as one of its own writers would change them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dser_jax.system import parse_sealed, read_sealed, to_sealed, write_sealed


def rewrite(path: Path, **changes: Any) -> None:
    """Gives entries of a sealed JSON file other values."""
    write_sealed(path, (read_sealed(path) or {}) | changes)


def rewrite_rows(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Gives rows of a journal other values: those that `change` returns of each."""
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"".join(to_sealed(change(parse_sealed(line))) for line in lines))
