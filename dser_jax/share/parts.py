"""The features that a shared model reads, and its files beside its settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dser_jax.data import Scaler
from dser_jax.features import Tokenizer
from dser_jax.share.usual import Usual
from dser_jax.system import DataError, parse_json


@dataclass(frozen=True)
class Features:
    """The features of speech, or of text, that a model reads.

    Attributes:
      name: As the prepared data set had them, e.g. "gemaps_hsf".
      kind: "hsf" for one row an utterance, "lld" for its frames.
      columns: Their names.
      source: What computed them, its version and settings.
      steps: Steps that the network sees; 1 for functionals. Shorter utterances are padded in front.
      layers: Layers of an encoder that the columns are, side by side.
      encoder: Which encoder, by name and checksum, as the manifest of the data set has it; None
        where there is none.
      parts: The sets whose columns these are, side by side; none of a single set.
    """

    name: str
    kind: str
    columns: tuple[str, ...]
    source: str
    steps: int
    layers: int = 1
    encoder: Mapping[str, Any] | None = None
    parts: tuple[Features, ...] = ()

    @property
    def sets(self) -> tuple[Features, ...]:
        """The sets that are computed one by one: its parts, or itself."""
        return self.parts or (self,)

    def to_json(self) -> dict[str, Any]:
        """Returns plain values, those of encoders and of parts only where there are any."""
        usual = {"layers": 1, "encoder": None, "parts": ()}
        values = {key: v for key, v in asdict(self).items() if usual.get(key, ...) != v}
        return values | ({"parts": [each.to_json() for each in self.parts]} if self.parts else {})

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Features:
        """Rebuilds what `to_json` gave; TypeError or ValueError where it is something else."""
        given: dict[str, Any] = {**values, "columns": tuple(values.get("columns", ()))}
        given["parts"] = tuple(cls.from_json(each) for each in values.get("parts", ()))
        found = cls(**given)
        widths = [len(each.columns) for each in found.sets]
        if sum(widths) != len(found.columns):
            raise ValueError(f"it has {len(found.columns)} columns, its parts {sum(widths)}")
        if found.encoder is not None:
            missing = {"model", "sha256", "layers", "pool"} - found.encoder.keys()
            if missing:
                raise ValueError(f"its encoder has no {' and no '.join(sorted(missing))}")
        return found


def write_scaler(path: Path, features: Features, scaler: Scaler) -> None:
    """Writes the means and deviations, and of which columns they are."""
    values = {
        "columns": features.columns,
        "mean": scaler.mean.tolist(),
        "scale": scaler.scale.tolist(),
    }
    path.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", "utf-8")


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
