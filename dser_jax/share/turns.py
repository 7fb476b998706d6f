"""What a shared model keeps to make vectors of the turns before: scales, words, components."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from dser_jax.data import TurnVectors, Words
from dser_jax.share.parts import read_json, read_weights
from dser_jax.system import DataError

TURNS = ("context.json", "context.safetensors")
"""The files of a model that has a context."""


def write_turns(turns: TurnVectors, folder: Path) -> None:
    """Writes both files; without words there are no arrays in the second."""
    from safetensors.numpy import save

    words = turns.words
    settings = {
        "speech": turns.speech,
        "text": turns.text,
        "folds": None if words is None else words.folds,
        "terms": None if words is None else words.terms,
    }
    (folder / TURNS[0]).write_text(json.dumps(settings, ensure_ascii=False) + "\n", "utf-8")
    arrays = {}
    if words is not None:
        arrays = {"weights": words.weights, "components": words.components}
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    (folder / TURNS[1]).write_bytes(save(arrays))


def read_turns(folder: Path) -> TurnVectors:
    """Reads both files.

    Raises:
      DataError: They are not what was written.
    """
    settings, arrays = read_json(folder / TURNS[0]), read_weights(folder / TURNS[1])
    terms, words = settings["terms"], None
    scales = [settings["speech"], settings["text"]]
    sound = all(each is None or (isinstance(each, float) and each > 0) for each in scales)
    if terms is not None:
        weights, components = arrays["weights"], arrays["components"]
        shapes = (weights.shape, components.shape[:1], components.ndim)
        sound &= shapes == ((len(terms),), (len(terms),), 2)
        sound &= all(isinstance(term, str) for term in terms)
        words = Words(tuple(terms), weights, components, bool(settings["folds"]))
    if not sound:
        raise DataError("not what was written", file=folder / TURNS[0])
    return TurnVectors(settings["speech"], settings["text"], words)
