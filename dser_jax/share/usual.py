"""How far a recording lies from all that a model was trained on, by its features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from dser_jax.config import Config
from dser_jax.data import Dataset, Prepared, functionals, moments, speech_of
from dser_jax.features import hsf

MOST_COLUMNS = 500
"""Of more features than this no covariance is kept; its size grows with their square."""

QUANTILE = 0.99
"""The limit is that of the rows of training, or of validation if they lie further off."""


@dataclass(frozen=True)
class Usual:
    """The features of the training rows: their means, deviations, and how they go together.

    Attributes:
      mean, scale: Of each functional; of sequences those are the means and deviations over frames.
      precision: The inverse covariance of the standardized functionals, shrunk (Ledoit & Wolf).
      limit: The distance beyond which a recording lies far off.
    """

    mean: Float[np.ndarray, " column"]
    scale: Float[np.ndarray, " column"]
    precision: Float[np.ndarray, "column column"]
    limit: float

    def distance(self, values: Float[np.ndarray, "utt column"]) -> Float[np.ndarray, " utt"]:
        """Returns Mahalanobis distances over the root of the number of columns: some 1 in training.

        Args:
          values: Functionals, unscaled.
        """
        away = (values - self.mean) / self.scale
        squares = np.einsum("ui,ij,uj->u", away, self.precision, away) / away.shape[1]
        return np.sqrt(np.maximum(squares, 0.0))

    def far(self, speech: Sequence[np.ndarray]) -> Float[np.ndarray, " utt"]:
        """Returns distances over the limit: above 1 a recording lies far off.

        Args:
          speech: Unscaled features of each utterance, `[1, feat]` for functionals, else
            `[frame, feat]`; NaN is returned where there are none.
        """
        return np.array([self._far(rows) for rows in speech])

    def _far(self, rows: np.ndarray) -> float:
        if not len(rows):
            return float("nan")
        values = rows[0] if rows.shape[1] == len(self.mean) else hsf(rows)
        return float(self.distance(np.asarray(values, np.float64)[None])[0] / self.limit)

    def to_json(self) -> dict[str, Any]:
        """Returns plain values, six digits each."""
        arrays = {name: getattr(self, name) for name in ("mean", "scale", "precision")}
        plain = {name: _short(array.tolist()) for name, array in arrays.items()}
        return plain | {"limit": _short(self.limit)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any], features: int) -> Usual:
        """Rebuilds what `to_json` gave; ValueError where it is not of so many features."""
        mean, scale, precision = (
            np.array(values[name], float) for name in ("mean", "scale", "precision")
        )
        limit = float(values["limit"])
        width = len(mean)
        fits = scale.shape == (width,) and precision.shape == (width, width) and limit > 0
        whole = all(np.isfinite(each).all() for each in (mean, scale, precision, limit))
        if width not in (features, 2 * features) or not (fits and whole):
            raise ValueError("the usual features are not of the columns that the model reads")
        return cls(mean, scale, precision, limit)


def fit_usual(prepared: Prepared, dataset: Dataset, config: Config) -> Usual | None:
    """Learns what is usual from the rows of training, and how far others of the corpus may lie.

    Args:
      prepared: The data set.
      dataset: Its split is the model's.
      config: Which features, and whether they are measured by speaker.

    Returns:
      None for features of so many columns that their covariance is too large to keep.
    """
    from sklearn.covariance import LedoitWolf

    values, there = functionals(*speech_of(prepared, config))
    if values.shape[1] > MOST_COLUMNS:
        return None
    train, validation = (
        values[rows[there[rows]]] for rows in (dataset.split.train, dataset.split.validation)
    )
    mean, deviation, varies = moments(train)
    scale = np.where(varies, deviation, np.maximum(np.abs(mean), 1.0))
    precision = LedoitWolf(assume_centered=True).fit((train - mean) / scale).get_precision()
    usual = Usual(mean, scale, np.asarray(precision), 1.0)
    ends = [
        np.quantile(usual.distance(rows), QUANTILE) for rows in (train, validation) if len(rows)
    ]
    return Usual(mean, scale, usual.precision, float(max(ends)))


def _short(value: Any) -> Any:
    return [_short(each) for each in value] if isinstance(value, list) else float(f"{value:.6g}")
