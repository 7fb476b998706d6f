"""What a model says of utterances: attributes on two scales, and how much its networks differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int

from dser_jax.corpora import Scale, ends_of


@dataclass(frozen=True)
class Estimate:
    """Predictions for one utterance (`[attr]`), or for several (`[utt, attr]`).

    A network's outputs are linear: they may lie a little beyond the ends of the scale. They are
    left as they are, as in the scores that the model reached.

    Attributes:
      attrs: Names along the last axis, in order.
      scale: Lowest and highest label of the corpus that the model was trained on, of all attributes
        or by attribute.
      members: Of each network, on [-1, 1].
    """

    attrs: tuple[str, ...]
    scale: Scale
    members: Float32[np.ndarray, "member *utt attr"]

    @property
    def pred(self) -> Float32[np.ndarray, "*utt attr"]:
        """The mean over the networks, on [-1, 1]."""
        return self.members.mean(0)

    @property
    def spread(self) -> Float32[np.ndarray, "*utt attr"] | None:
        """The deviation of the networks (ddof 1), on [-1, 1]; None where there is only one."""
        return self.members.std(0, ddof=1) if len(self.members) > 1 else None

    @property
    def on_scale(self) -> Float32[np.ndarray, "*utt attr"]:
        """The mean over the networks, on the corpus' scale."""
        low, high = self._ends
        return (low + (self.pred + 1) / 2 * (high - low)).astype(np.float32)

    @property
    def spread_on_scale(self) -> Float32[np.ndarray, "*utt attr"] | None:
        """The deviation of the networks, in units of the corpus' scale."""
        low, high = self._ends
        spread = self.spread
        return None if spread is None else (spread * (high - low) / 2).astype(np.float32)

    @property
    def _ends(self) -> Float32[np.ndarray, "2 attr"]:
        """The lowest labels, and the highest."""
        return np.array([ends_of(self.scale, attr) for attr in self.attrs], np.float32).T

    def __len__(self) -> int:
        """Returns the number of utterances.

        Raises:
          TypeError: It is one utterance, and no list of one.
        """
        if self.members.ndim < 3:
            raise TypeError("an estimate of one utterance has no length")
        return self.members.shape[1]

    def __getitem__(self, rows: int | slice | Int[np.ndarray, " row"] | list[int]) -> Estimate:
        """Takes one utterance, or several, of several."""
        len(self)
        return Estimate(self.attrs, self.scale, self.members[:, rows])
