"""The weights of each run's best epoch, which a journal has where they were asked for."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from dser_jax.engine import load_tree, save_tree
from dser_jax.journal import WEIGHTS_DIGESTS, check_weights, weights_folder
from dser_jax.system import (
    DataError,
    DserError,
    digests_of,
    last_line,
    replacing_folder,
    write_sealed,
)
from dser_jax.training import Weights


def load_weights(out: str | Path, run: str) -> dict[str, Any]:
    """Loads the weights of a run's best epoch, which `keep_weights` saved in a journal.

    Args:
      out: Folder of the journal.
      run: The id of the run, `run` of its row.

    Returns:
      `params` and `stats`, nested dictionaries of arrays, as `training.Weights` has them.

    Raises:
      DserError: They were not kept, or are damaged.
    """
    folder = weights_folder(Path(out), run)
    if not folder.is_dir():
        raise DserError(f"{folder} is not there: the weights of this run were not kept")
    check_weights(Path(out), run)
    try:
        tree = load_tree(folder)
        return {part: tree[part] for part in Weights._fields}
    except Exception as error:  # What has no checksums comes to light as almost anything.
        raise DataError(
            f"cannot be read ({type(error).__name__})",
            file=folder,
            expected="an Orbax checkpoint; `dser export --retrain` trains the run again",
        ) from error


def save_weights(out: str | Path, run: str, weights: Weights) -> None:
    """Saves the weights of a run in a journal, as an Orbax checkpoint with checksums of its files.

    Raises:
      DserError: The disk is full and the like; nothing of it is then left.
    """
    folder = weights_folder(Path(out), run)
    try:
        shutil.rmtree(folder, ignore_errors=True)  # Of a run that has no row: it is done again.
        with replacing_folder(folder) as part:
            save_tree(part, weights._asdict())
            write_sealed(part / WEIGHTS_DIGESTS, {"files": digests_of(part)})
    except DserError:
        raise
    except Exception as error:  # Orbax has an error of its own for each library below it.
        raise DserError(f"{folder}: cannot write the weights: {last_line(str(error))}") from error
