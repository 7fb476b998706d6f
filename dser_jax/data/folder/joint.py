"""Several sets of functionals as one, their columns side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from dser_jax.system import DataError


def joint(
    folder: Path, sets: Mapping[str, tuple[Float32[np.ndarray, "_ _"], np.ndarray | None]]
) -> Float32[np.ndarray, "utt feat"]:
    """Puts sets of features side by side; an utterance that lacks one of them has none: NaN.

    Args:
      folder: For messages.
      sets: Name -> functionals, [utt, feat], and None; or frames and their offsets.

    Raises:
      DataError: There are sequences among them.
    """
    for name, (_, offsets) in sets.items():
        if offsets is not None:
            raise DataError(
                f"the features {name} are sequences, which cannot stand beside others",
                file=folder,
                value="+".join(sets),
                expected="sets of one row an utterance: functionals, or what an encoder gives "
                "with --encode-pool mean",
            )
    arrays = [array for array, _ in sets.values()]
    lacks = np.any([np.isnan(array).all(axis=1) for array in arrays], axis=0)
    return np.where(lacks[:, None], np.float32(np.nan), np.concatenate(arrays, axis=1))
