"""The settings of a run that are traced: the lanes of one program may differ in them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Array

Number = Array | np.ndarray | np.number


class HParams(NamedTuple):
    """Settings that are traced, so that the lanes of one program may differ in them.

    The defaults are the paper's: no weights (eq. 4), and the dropout rates of Table 6.

    Attributes:
      loss_weights: alpha, beta, gamma of eq. 6, float32 [attr]; the others are scalars.
      acoustic_dropout, text_dropout: Rates in [0, 1) before the concatenation, or heads.
      fusion_dropout: Rate after the fusion's dense layers.
      learning_rate: The optimizer's step size.
      patience: Epochs without a better validation loss after which the run stops.
    """

    loss_weights: Number = np.ones(3, np.float32)
    acoustic_dropout: Number = np.float32(0.1)
    text_dropout: Number = np.float32(0.4)
    fusion_dropout: Number = np.float32(0.4)
    learning_rate: Number = np.float32(1e-3)
    patience: Number = np.int32(10)
