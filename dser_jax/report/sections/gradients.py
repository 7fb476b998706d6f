"""Whether the gradients of the three tasks conflict, where a sweep watched them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dser_jax.journal import JournalView
from dser_jax.report.sections.section import Section
from dser_jax.report.text import NONE, number
from dser_jax.stats import Table, is_whole
from dser_jax.system import DataError

PAIRS = ("valence, arousal", "valence, dominance", "arousal, dominance")
KINDS = ("cosines", "norms", "shares")
"""What a run tells of an epoch, three numbers each; see `loss.Watched`."""

Watched = dict[str, NDArray[np.float64]]
"""Kind -> [run, epoch, three], NaN beyond the end of a run, and where there is no angle."""


def watched_of(
    view: JournalView, runs: Sequence[Mapping[str, Any]], problems: list[str]
) -> Watched | None:
    """Reads what runs have watched.

    Args:
      view: The journal.
      runs: Its rows; those that ended before their time are left out.
      problems: Takes what could not be read, in words.

    Returns:
      What they have; None if nothing.
    """
    found: dict[str, list[NDArray]] = {kind: [] for kind in KINDS}
    for run in runs:
        if not (is_whole(run) and run.get("config", {}).get("watch_gradients")):
            continue
        try:
            arrays = view.arrays(run["run"])
        except DataError as error:
            problems.append(f"{error}; its run's gradients are left out")
            continue
        if all(f"gradient_{kind}" in arrays for kind in KINDS):
            for kind in KINDS:
                found[kind].append(np.asarray(arrays[f"gradient_{kind}"], np.float64))
    if not found["cosines"]:
        return None
    longest = max(len(each) for each in found["cosines"])
    seen = {
        kind: np.stack(
            [
                np.pad(each, ((0, longest - len(each)), (0, 0)), constant_values=np.nan)
                for each in values
            ]
        )
        for kind, values in found.items()
    }
    norms = seen["norms"]
    angles = norms[..., [0, 0, 1]] * norms[..., [1, 2, 2]] != 0  # Some have no labels, no weight.
    return {**seen, "cosines": np.where(angles, seen["cosines"], np.nan)}


def gradient_sections(
    view: JournalView, groups: Sequence[Table], problems: list[str]
) -> list[Section]:
    """Says of each name how the gradients lie to each other; nothing where nobody watched.

    Args:
      view: The journal.
      groups: Its tables.
      problems: Takes what could not be read, in words.
    """
    lines = []
    for table in groups[:1] if view.manifest.get("pools") else groups:
        for row in table.rows:
            seen = watched_of(view, row.runs, problems)
            if seen is not None:
                lines.append((row.name, *_cells(seen)))
    if not lines:
        return []
    told = (
        "Of the three losses' gradients on the layers that the tasks share: the cosine of the "
        "angle between two, in the mean of all steps, epochs and runs; in how many epochs it is "
        "below 0; "
        "and how long the gradients of valence, arousal and dominance are.",
    )
    header = ("name", *PAIRS, "below 0", "lengths")
    return [Section("Do the tasks' gradients conflict?", told, header, tuple(lines))]


def _cells(seen: Watched) -> tuple[str, ...]:
    cosines = seen["cosines"]
    known = np.isfinite(cosines)
    totals, counts = np.where(known, cosines, 0.0).sum((0, 1)), known.sum((0, 1))
    means = [total / count if count else None for total, count in zip(totals, counts, strict=True)]
    below = (cosines < 0).sum() / known.sum() if known.any() else np.nan
    lengths = np.nanmean(seen["norms"], axis=(0, 1))
    return (
        *map(number, means),
        NONE if np.isnan(below) else f"{below:.0%}",
        " ".join(f"{length:.2g}" for length in lengths),
    )
