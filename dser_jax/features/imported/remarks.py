"""What is told of columns that are features, and tell no more than who speaks, or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float64

from dser_jax.corpora import Utterance
from dser_jax.features.imported.columns import MANY, number_rows
from dser_jax.features.imported.labels import means_of
from dser_jax.features.imported.loading import Imported

_SHOWN = 3
"""So many columns are named."""

Column = Float64[np.ndarray, " utt"]
Parts = Sequence[Sequence[int]]


def remarks_on(found: Imported, utterances: Sequence[Utterance]) -> list[str]:
    """Tells of columns that are constant, or only name or number speakers, sessions or rows.

    That is no error: one may want to know what a network makes of who speaks.
    """
    means = means_of(found)
    if len(means.rows) < MANY:
        return []
    speakers = _parts([utterances[i].speaker for i in means.rows])
    sessions = _parts([utterances[i].session for i in means.rows])
    parts = {"speaker": speakers, "session": sessions}
    kinds: dict[str, list[str]] = {}
    for at in np.flatnonzero(means.steady):
        if kind := next(_kinds(means.values[:, at], parts), None):
            kinds.setdefault(kind, []).append(found.columns[at])
    return [f"{kind}: {_listed(columns)}" for kind, columns in kinds.items()]


def _parts(names: Sequence[str | None]) -> Parts:
    """Returns the rows of each name; nothing where there are not several rows of several names."""
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        if name is not None:
            rows.setdefault(name, []).append(row)
    many = len(rows) > 1 and 2 * len(rows) <= len(names)
    return list(rows.values()) if many else []


def _kinds(column: Column, parts: dict[str, Parts]) -> Iterator[str]:
    if np.ptp(column) == 0:
        yield "alike in all rows, so that nothing can be learned from it"
        return
    for what, rows in parts.items():
        firsts = [column[part[0]] for part in rows]
        if rows and len({*firsts}) == len(rows) and all(np.ptp(column[part]) == 0 for part in rows):
            yield f"one number for each {what}, which tells the {what} and no more"
    if number_rows(column):
        yield "counts the rows"
    for what, rows in parts.items():
        if rows and all(_counts(column[part], column[rows[0][0]]) for part in rows):
            yield f"counts the rows of each {what}"


def _counts(numbers: Column, first: float) -> bool:
    return bool(np.array_equal(numbers, first + np.arange(len(numbers))))


def _listed(columns: Sequence[str]) -> str:
    more = len(columns) - _SHOWN
    return ", ".join(columns[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
