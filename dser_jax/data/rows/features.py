"""Features of a prepared folder as a network reads them: standardized, padded, by speaker."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from dser_jax.config import Config
from dser_jax.data.inputs import feature_name
from dser_jax.data.prepared import Offsets, Prepared, has_features
from dser_jax.data.rows.scaling import fit_scaler
from dser_jax.data.rows.speakers import by_speaker, check_speakers
from dser_jax.features import hsf
from dser_jax.system import DserError


def speech_of(
    prepared: Prepared, config: Config
) -> tuple[Float[np.ndarray, "rows feat"], Offsets | None]:
    """Opens the acoustic features of a configuration, measured by speaker if it says so.

    Raises:
      DserError: There are none, or not enough of a speaker.
    """
    values, offsets = prepared.feature(feature_name(prepared, config))
    if config.normalize == "speaker":
        speakers = [utterance.speaker for utterance in prepared.utterances]
        check_speakers(speakers, has_features(values, offsets))
        values = by_speaker(values, offsets, speakers)
    return values, offsets


def standardized(values: np.ndarray, offsets: Offsets | None, name: str, fit_rows: np.ndarray):
    """Standardizes features, by the rows that these are fitted on.

    Args:
      values: As `Prepared.feature` opens them.
      offsets: Likewise.
      name: For messages.
      fit_rows: Which rows to learn from.

    Returns:
      The features as [utt, step, feat], frames, and the scaler. An utterance that has none is at
      the mean, or is nothing but padding.

    Raises:
      DserError: None of these rows has any.
    """
    values = np.asarray(values, np.float64)
    there = has_features(values, offsets)
    fit_rows = fit_rows[there[fit_rows]]
    if len(fit_rows) == 0:
        raise DserError(f"no utterance of those that the features {name} are fitted on has any")
    if offsets is None:
        scaler = fit_scaler(values[fit_rows])
        scaled = np.where(there[:, None], scaler(values), np.float32(0))
        return scaled[:, None], None, scaler
    frames = np.concatenate([np.arange(offsets[i], offsets[i + 1]) for i in fit_rows])
    scaler = fit_scaler(values[frames])
    lengths = np.diff(offsets)
    padded = np.zeros((len(lengths), lengths.max(), values.shape[1]), np.float32)
    for i, length in enumerate(lengths):
        padded[i, len(padded[i]) - length :] = scaler(values[offsets[i] : offsets[i + 1]])
    return padded, lengths.astype(np.int32), scaler


def functionals(
    values: Float[np.ndarray, "rows feat"], offsets: Offsets | None
) -> tuple[Float[np.ndarray, "utt column"], Bool[np.ndarray, " utt"]]:
    """Returns functionals, of sequences the means and deviations over frames; and who has some.

    Args:
      values: As `Prepared.feature` opens them.
      offsets: Likewise.

    Returns:
      Rows of NaN for utterances that have none; and which have some.
    """
    there = has_features(values, offsets)
    if offsets is None:
        return np.asarray(values, np.float64), there
    found = np.full((len(there), 2 * values.shape[1]), np.nan)
    for i in np.flatnonzero(there):
        found[i] = hsf(np.asarray(values[offsets[i] : offsets[i + 1]]))
    return found, there
