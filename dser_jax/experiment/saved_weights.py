"""The weights of each run's best epoch, which a journal has where they were asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dser_jax.engine import load_tree, save_tree
from dser_jax.system import DserError
from dser_jax.training import Weights


def load_weights(out: str | Path, run: str) -> dict[str, Any]:
    """Loads the weights of a run's best epoch, which `keep_weights` saved in a journal.

    Args:
      out: Folder of the journal.
      run: The id of the run, `run` of its row.

    Returns:
      `params` and `stats`, nested dictionaries of arrays, as `training.Weights` has them.

    Raises:
      DserError: They were not kept.
    """
    folder = _folder(out, run)
    if not folder.is_dir():
        raise DserError(f"{folder} is not there: the weights of this run were not kept")
    return load_tree(folder)


def save_weights(out: str | Path, run: str, weights: Weights) -> None:
    """Saves the weights of a run in a journal, as an Orbax checkpoint."""
    save_tree(_folder(out, run), weights._asdict())


def _folder(out: str | Path, run: str) -> Path:
    return Path(out) / "params" / run
