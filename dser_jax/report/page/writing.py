"""A report as one HTML file to open, mail or publish, which reads nothing from a network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dser_jax.journal import read_derived, read_journal
from dser_jax.report.page.build import make_page
from dser_jax.report.page.runs import Cache
from dser_jax.report.page.sweep import labels, take
from dser_jax.system import DserError, saying, write_text

__all__ = ["Cache", "default_file", "write_page"]


def default_file(folders: Sequence[Path]) -> Path:
    """Returns where a page goes by default: into the folder `report` of the first journal."""
    name = "report.html" if len(folders) == 1 else f"against-{folders[1].resolve().name}.html"
    return folders[0] / "report" / name


def write_page(
    folders: Sequence[Path],
    file: Path | None = None,
    *,
    refresh: float | None = None,
    cache: Cache | None = None,
) -> Path:
    """Writes the page of a sweep, or of two sweeps and how they compare.

    A journal that is still being written gives the page of the runs finished so far, and says so.
    The file is replaced as a whole: a browser never reads a part of it.

    Args:
      folders: One journal or two.
      file: Where to write; see `default_file`.
      refresh: Seconds after which an open page reads its file again; by default it does not.
      cache: What an earlier page of the same journals has read; filled in.

    Returns:
      The file.

    Raises:
      DserError: More than two journals; a folder holds none, or a damaged one; or the file cannot
        be written.
    """
    if not 1 <= len(folders) <= 2:
        raise DserError(f"a page shows one sweep, or compares two, not {len(folders)}")
    cache = {} if cache is None else cache
    sweeps = []
    for folder, label in zip(folders, labels(folders), strict=True):
        made = cache.setdefault(("derived", folder), read_derived(folder))
        sweeps.append(take(read_journal(folder), label, made))
    text = make_page(sweeps, cache, refresh)
    file = default_file(folders) if file is None else file
    with saying(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, text)
    return file
