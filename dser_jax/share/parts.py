"""The files of a shared model beside its settings, as they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dser_jax.data import Scaler
from dser_jax.features import Tokenizer
from dser_jax.share.usual import Usual
from dser_jax.system import DataError, parse_json


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object."""
    try:
        value = parse_json(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read ({error})", file=path, expected="JSON") from error
    if not isinstance(value, dict):
        raise DataError("not what was written", file=path, expected="a JSON object")
    return value


def read_scaler(path: Path, columns: int) -> Scaler:
    """Reads the scaler of so many columns."""
    values = read_json(path)
    mean, scale = (np.array(values[name], float) for name in ("mean", "scale"))
    wanted = (columns,)
    if not (mean.shape == scale.shape == wanted and np.isfinite([mean, scale]).all()):
        raise DataError("not of the columns that the model reads", file=path)
    return Scaler(mean, scale)


def read_usual(path: Path, columns: int) -> Usual:
    """Reads what is usual of so many features."""
    return Usual.from_json(read_json(path), columns)


def read_tokenizer(path: Path) -> Tokenizer:
    """Reads the vocabulary."""
    found = read_json(path)
    words = found.get("words")
    if not (isinstance(words, list) and all(isinstance(word, str) for word in words)):
        raise DataError("not what was written", file=path, expected="a list of words")
    return Tokenizer(tuple(words), bool(found.get("folds", False)))


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """Reads the weights of a network, by their paths."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(
            f"cannot be read ({error})", file=path, expected="weights as safetensors"
        ) from error
