"""The map that gives predictions the spread of the labels, fitted on validation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from dser_jax.corpora import ATTRS


class Stretch(NamedTuple):
    """A map for each attribute: pred' = (pred - centre) * scale + level.

    Attributes:
      centre: Mean of the predictions of validation.
      scale: Deviation of its labels over that of its predictions; 1 where these never vary.
      level: Mean of its labels. Where an attribute has none, its predictions stay as they are.
    """

    centre: Float[np.ndarray, " attr"]
    scale: Float[np.ndarray, " attr"]
    level: Float[np.ndarray, " attr"]

    def __call__(self, pred: Float[np.ndarray, "*utt attr"]) -> Float[np.ndarray, "*utt attr"]:
        """Maps predictions of any rows."""
        return (pred - self.centre) * self.scale + self.level

    def to_json(self) -> dict[str, list[float]]:
        """Returns plain values."""
        return {name: getattr(self, name).tolist() for name in self._fields}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Stretch:
        """Rebuilds what `to_json` gave; ValueError where it is no map of the three attributes."""
        found = cls(*(np.array(values[name], np.float64) for name in cls._fields))
        if not all(each.shape == (len(ATTRS),) and np.isfinite(each).all() for each in found):
            raise ValueError("the map by which it is stretched is not one of its outputs")
        return found


def fit_stretch(
    pred: Float[np.ndarray, "validation attr"], gold: Float[np.ndarray, "validation attr"]
) -> Stretch:
    """Fits the map by which the predictions of validation get the mean and deviation of its labels.

    Args:
      pred: Predictions of the validation rows.
      gold: Their labels; those that lack (NaN) count for nothing.
    """
    columns = zip(np.asarray(pred, np.float64).T, np.asarray(gold, np.float64).T, strict=True)
    fitted = [_fit(*each) for each in columns]
    return Stretch(*np.array(fitted, np.float64).reshape(-1, 3).T)


def _fit(pred: np.ndarray, gold: np.ndarray) -> tuple[float, float, float]:
    known = np.isfinite(gold)
    if not known.any():
        return 0.0, 1.0, 0.0
    guesses, labels = pred[known], gold[known]
    spread = guesses.std()
    scale = labels.std() / spread if spread > 1e-9 else 1.0  # less than that is rounding
    return float(guesses.mean()), float(scale), float(labels.mean())
