"""Acoustic features measured by each speaker's own: how one sounds beside how one usually does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from dser_jax.data.prepared import Offsets
from dser_jax.data.rows.scaling import fit_scaler
from dser_jax.system import DserError, plural

LEAST = 10
"""Rows from which the mean and the deviation of a speaker are taken, at least."""

_WAYS = (
    f"expected a speaker for each row that has features, and {LEAST} such rows or more of each; "
    "leave `normalize` out, or leave such rows out of the data set"
)


def check_speakers(
    speakers: Sequence[str | None], there: Bool[np.ndarray, " utt"], what: str = _WAYS
) -> None:
    """Makes sure that each speaker has rows enough to be measured by.

    Args:
      speakers: Of each row.
      there: Which rows have features.
      what: What would do.

    Raises:
      DserError: A row that has features has no speaker, or one has too few.
    """
    counts = Counter(name for name, known in zip(speakers, there, strict=True) if known)
    if nameless := counts.pop(None, 0):
        raise DserError(
            f"features cannot be normalized by speaker: {plural(nameless, 'row')} "
            f"{'has' if nameless == 1 else 'have'} no speaker; {what}"
        )
    few = {name: count for name, count in counts.items() if count < LEAST}
    if few:
        shown = ", ".join(f"{name} ({count})" for name, count in list(few.items())[:5])
        more = f" and {len(few) - 5} more" if len(few) > 5 else ""
        raise DserError(
            f"features cannot be normalized by speaker: of {plural(len(few), 'speaker')} there "
            f"are fewer than {LEAST} rows: {shown}{more}; {what}"
        )


def by_speaker(
    values: Float[np.ndarray, "rows feat"], offsets: Offsets | None, speakers: Sequence[str | None]
) -> Float[np.ndarray, "rows feat"]:
    """Standardizes features by the mean and deviation of each speaker's own rows, or their frames.

    No label is looked at. Columns that never vary with a speaker are only centred there.

    Args:
      values: As `Prepared.feature` opens them; rows of NaN are of who has no features.
      offsets: Likewise.
      speakers: Of each utterance; `check_speakers` has passed them.
    """
    found = np.array(values, np.float64)
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(speakers):
        if name is not None:
            rows.setdefault(name, []).append(row)
    for own in rows.values():
        if offsets is None:
            at = np.array(own)
        else:
            at = np.concatenate([np.arange(offsets[row], offsets[row + 1]) for row in own])
        at = at[~np.isnan(found[at]).all(axis=1)]
        if len(at):
            scaler = fit_scaler(found[at])
            found[at] = (found[at] - scaler.mean) / scaler.scale  # As float64, unlike `scaler`.
    return found
