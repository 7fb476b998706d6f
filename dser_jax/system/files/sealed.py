"""What was kept, known again: JSON objects with a checksum of themselves, files by their digests.

Whoever reads looks before it believes. What older versions wrote has no checksum, and is believed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from dser_jax.system.errors import DataError, DserError
from dser_jax.system.files.atomic import replacing
from dser_jax.system.files.reading import parse_json
from dser_jax.system.files.unreadable import unread

_CHECKSUM = re.compile(rb',?\s*"checksum": "([0-9a-f]{16})"\s*\}\s*\Z')
"""How a sealed object ends: with the checksum of all bytes before."""


def to_sealed(value: Mapping[str, Any], indent: int | None = None) -> bytes:
    """Returns a JSON object as UTF-8, on one line or indented, with a checksum as its last entry.

    Of names that are no text, the bytes are spelled out.
    """
    text = json.dumps(value, indent=indent, allow_nan=False, ensure_ascii=False)
    body = text.encode("utf-8", "backslashreplace")[:-1].rstrip()
    space = b" " if indent is None else b"\n" + b" " * indent
    end = b"}" if indent is None else b"\n}"
    return b'%b%b%b"checksum": "%b"%b\n' % (
        *(body, b"," if value else b"", space, _checksum(body).encode(), end),
    )


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def parse_sealed(data: bytes) -> dict[str, Any]:
    """Parses a JSON object, and takes its checksum off; one without a checksum is believed.

    Raises:
      ValueError: It is no JSON object, or not the one that was sealed.
    """
    sealed = _CHECKSUM.search(data, max(0, len(data) - 80))
    if sealed and _checksum(data[: sealed.start()]) != sealed[1].decode():
        raise ValueError("its checksum is wrong")
    value = parse_json(data)
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object")
    if value.pop("checksum", None) is not None and not sealed:
        raise ValueError("its checksum is not where it was written")
    return value


def write_sealed(path: Path, value: Mapping[str, Any]) -> None:
    """Writes a JSON object with its checksum, atomically."""
    with replacing(path) as file:
        file.write(to_sealed(value, indent=1))


def read_sealed(path: Path, way_out: str = "take it from a backup") -> dict[str, Any] | None:
    """Reads what `write_sealed` wrote, without the checksum; None where there is no file.

    Args:
      path: The file.
      way_out: What to do where it is damaged, for the message.

    Raises:
      DataError: It is damaged.
      DserError: It cannot be read.
    """
    try:
        return parse_sealed(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:  # Not damaged: nobody is to make it anew.
        raise DserError(str(unread(path, error))) from error
    except ValueError as error:
        raise DataError(f"damaged ({error}); {way_out}", file=path) from error


Digests = dict[str, list[Any]]
"""Name of a file below a folder, with slashes -> its size in bytes, and its SHA-256."""


def digests_of(folder: Path) -> Digests:
    """Returns the digests of every file of a folder and of those in it."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): _digest(path) for path in paths}


def check_digests(folder: Path, digests: Any) -> None:
    """Makes sure that files are what they were when `digests_of` saw them.

    Raises:
      DataError: One is missing or damaged, cannot be read, or is not below the folder.
    """
    if not isinstance(digests, Mapping):
        raise DataError("nothing that names files", file=folder, value=type(digests).__name__)
    for name, known in digests.items():
        path = folder / name
        if ".." in PurePosixPath(name).parts or PurePosixPath(name).is_absolute():
            raise DataError("a file outside its folder", file=folder, value=name)
        try:
            found = _digest(path)
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror}", file=path) from error
        if found != known:
            raise DataError("damaged: it is not what was written", file=path)


def _digest(path: Path) -> list[Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return [file.tell(), digest]
