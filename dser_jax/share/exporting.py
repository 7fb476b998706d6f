"""A model written as a folder that can be shared, loaded, and run without this package."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from dser_jax.share.bundle import Bundle, write_bundle
from dser_jax.share.card import make_card
from dser_jax.share.stablehlo import export_networks
from dser_jax.system import (
    TEMPORARY,
    DserError,
    FolderLock,
    check_place,
    held,
    replacing_folder,
    saying,
)


def export(
    bundle: Bundle, out: str | Path, *, licence: str | None = None, stablehlo: bool = True
) -> Path:
    """Writes a model into a new folder, whole or not at all.

    Args:
      bundle: Of `share.gather`.
      out: The folder; it must not hold anything yet.
      licence: For the model card, an identifier of the Hugging Face hub such as "apache-2.0".
      stablehlo: Whether the networks are written as programs too.

    Returns:
      The folder.

    Raises:
      DserError: The folder is there already, or cannot be written.
    """
    out = Path(out)
    with _new_folder(out) as folder:
        if stablehlo:
            export_networks(bundle, folder)
        (folder / "README.md").write_text(make_card(bundle, licence), "utf-8")
        write_bundle(bundle, folder)
    return out


def check_out(out: str | Path) -> None:
    """Makes sure that a model could be written, before one is trained for it.

    Raises:
      DserError: There is something of this name already, or no folder can be made there.
    """
    folder = Path(out)
    check_place(folder)
    with saying(folder):
        if folder.is_dir() and not any(folder.iterdir()):
            return
        if os.path.lexists(folder):
            what = "folder" if folder.is_dir() else "file"
            raise DserError(
                f"{folder}: there already, a {what}; export to another folder, or remove this one"
            )


@contextlib.contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Opens a folder to write into, which gets its name once the block has ended well.

    What earlier calls left that were killed is removed before.

    Raises:
      DserError: There is something of this name already, or it cannot be written.
    """
    check_out(folder)
    with saying(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f".{glob.escape(folder.name)}.*{TEMPORARY}"):
        if not held(left):
            shutil.rmtree(left, ignore_errors=True)
    with replacing_folder(folder) as made, FolderLock(made.parent):
        yield made
