"""A model written as a folder that can be shared, loaded, and run without this package."""

from __future__ import annotations

from pathlib import Path

from dser_jax.share.bundle import Bundle, new_folder, write_bundle
from dser_jax.share.card import make_card
from dser_jax.share.stablehlo import export_networks


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
    with new_folder(out) as folder:
        write_bundle(bundle, folder)
        (folder / "README.md").write_text(make_card(bundle, licence), "utf-8")
        if stablehlo:
            export_networks(bundle, folder)
    return out
