"""Where predictions are written, and as what: looked at before anything is predicted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from dser_jax.system import DserError, check_place

FORMATS = ("csv", "json", "audformat")


def format_of(out: str) -> str:
    """Tells a file's format by the end of its name; a name without one is an audformat folder."""
    suffix = Path(out).suffix.lower()
    if out == "-" or suffix == ".csv":
        return "csv"
    if suffix in ("", ".json"):
        return "json" if suffix else "audformat"
    raise DserError(f"--out {out}: which format? It ends in none of .csv, .json; or give --format")


def check_out(out: str, format: str, read: Sequence[Path] = ()) -> None:
    """Makes sure that predictions could be written, and over nothing that they come from.

    Args:
      out: A file; "-" for the standard output; for audformat a folder.
      format: One of `FORMATS`.
      read: The table, the recordings and the folders that are read.

    Raises:
      DserError: A folder is there where a file is to be, a file where a folder is; the folder is
        not writable; or it is a file that is read.
    """
    path = Path(out)
    if out == "-" and format != "audformat":
        return
    check_place(path)
    if format == "audformat":
        if path.exists() and not path.is_dir():
            raise DserError(f"--out {out}: a file; expected a folder, as the format is audformat")
        if path.is_dir():
            check_place(path / "db.yaml")
    elif path.is_dir():
        raise DserError(f"--out {out}: a folder; expected a file, as the format is {format}")
    elif os.path.exists(path):
        for one in read:
            if os.path.exists(one) and path.samefile(one):
                raise DserError(
                    f"--out {out}: that is {one}, which is read, and would be overwritten; name "
                    f"another file, such as {path.with_name(f'{path.stem}-predicted{path.suffix}')}"
                )
