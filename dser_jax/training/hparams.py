"""The settings of a run that are traced: the lanes of one program may differ in them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Array

from dser_jax.config import LATER

Number = Array | np.ndarray | np.number


class HParams(NamedTuple):
    """Settings that are traced, so that the lanes of one program may differ in them.

    The defaults are the paper's: no weights (eq. 4), and the dropout rates of Table 6.

    Attributes:
      loss_weights: alpha, beta, gamma of eq. 6, float32 [attr]; the others are scalars.
      acoustic_dropout, text_dropout: Rates in [0, 1) before the concatenation, or heads.
      fusion_dropout: Rate after the fusion's dense layers.
      learning_rate: The optimizer's step size.
      weight_decay: Of the optimizers that have one, each step: learning rate times this times the
        weights (Loshchilov & Hutter 2019).
      modality_dropout: Share in [0, 1) of the training utterances that lose one of two halves,
        speech or words, as if they had none.
      embedding_dropout: Share in [0, 1) of the words of the vocabulary that are taken from a batch,
        each wherever it occurs (Gal & Ghahramani 2016).
      half_life: Of a context: a turn so many turns further back weighs half as much. Above 0.
      method: Which of a family of weightings, by its number (`loss.METHODS`).
      weighting_setting: The one setting that a weighting may have, such as a temperature; 0 for
        what its authors have.
      patience: Epochs without a better validation loss after which the run stops.
    """

    loss_weights: Number = np.ones(3, np.float32)
    acoustic_dropout: Number = np.float32(0.1)
    text_dropout: Number = np.float32(0.4)
    fusion_dropout: Number = np.float32(0.4)
    learning_rate: Number = np.float32(1e-3)
    patience: Number = np.int32(10)
    weight_decay: Number = np.float32(LATER["weight_decay"])
    modality_dropout: Number = np.float32(LATER["modality_dropout"])
    embedding_dropout: Number = np.float32(LATER["embedding_dropout"])
    half_life: Number = np.float32(LATER["half_life"])
    method: Number = np.int32(LATER["method"])
    weighting_setting: Number = np.float32(LATER["weighting_setting"])


def told(hparams: HParams) -> dict[str, Number]:
    """Returns settings by name; those of `LATER` only where they are not the default.

    So runs without them are called what they were called before.
    """
    return {
        name: value
        for name, value in hparams._asdict().items()
        if name not in LATER or float(value) != LATER[name]
    }
