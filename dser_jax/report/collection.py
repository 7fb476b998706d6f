"""Several journals as one report: their pages behind each other, under one title."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from dser_jax.report.text import USUAL, Asked
from dser_jax.report.writing import write_report
from dser_jax.system import DserError, saying, write_text


def write_collection(
    folders: Sequence[str | Path],
    out: str | Path,
    console: Console | None = None,
    *,
    draw: bool = True,
    asked: Asked = USUAL,
) -> Path:
    """Writes the report of each journal into its own folder, and one page with all of them.

    Args:
      folders: Journals, in the order of the page.
      out: Folder of the page.
      console: Where the tables are printed.
      draw: Whether to draw figures.
      asked: What more is shown.

    Returns:
      The page, `report.md`.

    Raises:
      DserError: A folder holds no journal, or two have the same name.
    """
    out = Path(out)
    journals = [Path(folder) for folder in folders]
    names = [journal.name for journal in journals]
    if len(set(names)) != len(names):
        raise DserError(f"two of the journals have one name: {', '.join(names)}")
    parts = ["# Report\n", *(f"- [{name}](#{_anchor(name)})" for name in names), ""]
    for journal, name in zip(journals, names, strict=True):
        write_report(journal, console=console, draw=draw, asked=asked)
        page = journal / "report" / "report.md"
        parts.append(f"## {name}\n")
        parts.append(_inner(page.read_text("utf-8"), page.parent, out) if page.exists() else "")
    with saying(out):
        out.mkdir(parents=True, exist_ok=True)
    write_text(out / "report.md", "\n".join(parts) + "\n")
    return out / "report.md"


def _inner(text: str, folder: Path, out: Path) -> str:
    """Makes a page a part of another: no title, smaller headings, pictures found from there."""
    base = Path(os.path.relpath(folder, out)).as_posix()
    lines = [line for line in text.splitlines() if not line.startswith("# ")]
    demoted = (re.sub(r"^(#+ )", r"#\1", line) for line in lines)
    return "\n".join(re.sub(r"\]\(<([^>]+)>\)", rf"](<{base}/\1>)", line) for line in demoted)


def _anchor(name: str) -> str:
    return re.sub(r"[^a-z0-9_-]", "", name.lower().replace(" ", "-"))
