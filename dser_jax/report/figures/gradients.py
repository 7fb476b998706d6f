"""The gradients of the three tasks, epoch by epoch: angles, lengths, and what steps took."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dser_jax.corpora import ATTRS
from dser_jax.journal import JournalView
from dser_jax.report.figures.style import COLOURS, save, shorten, style
from dser_jax.report.sections.gradients import PAIRS, watched_of
from dser_jax.stats import Table

NAMES = 6
"""More rows than this are not drawn."""

_TITLES = {"cosines": "cosine between", "norms": "length", "shares": "share in the step"}


def gradient_figure(view: JournalView, table: Table, path: Path) -> list[Path]:
    """Draws what runs have watched: a row of panels a name, a line a pair or an attribute.

    A line is the mean over the runs that still go on.

    Args:
      view: The journal.
      table: Of it; its first `NAMES` rows that have watched are drawn.
      path: Where to, without an ending.

    Returns:
      The files, a PDF and a PNG; none where nobody watched.
    """
    watching = ((row.name, watched_of(view, row.runs, [])) for row in table.rows)
    found = list(islice(((name, seen) for name, seen in watching if seen), NAMES))
    if not found:
        return []
    with style():
        figure = Figure(figsize=(7.2, 0.7 + 1.5 * len(found)), layout="constrained")
        axes = figure.subplots(len(found), 3, squeeze=False, sharex=True)
        for panels, (name, seen) in zip(axes, found, strict=True):
            for panel, (kind, title) in zip(panels, _TITLES.items(), strict=True):
                means = _mean(seen[kind])
                for at in range(3):
                    colour = COLOURS[at + (3 if kind == "cosines" else 0)]
                    panel.plot(np.arange(1, len(means) + 1), means[:, at], color=colour)
                if kind == "cosines":
                    panel.axhline(0, color="#555555", linewidth=0.6)
                    panel.set_ylim(-1.05, 1.05)
                    panel.set_ylabel(shorten(name, 24))
                else:
                    panel.set_ylim(bottom=min(0.0, float(np.nanmin(means))))
                if panels is axes[0]:
                    panel.set_title(title)
                if panels is axes[-1]:
                    panel.set_xlabel("epoch")
        figure.legend(
            [Line2D([], [], color=colour) for colour in COLOURS[:6]],
            [*ATTRS, *PAIRS],
            loc="outside lower center",
            ncols=6,
            fontsize=6.5,
        )
        return save(figure, path)


def _mean(values: np.ndarray) -> np.ndarray:
    """Averages over runs, epoch by epoch; NaN where none goes on."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(0)
    return total / np.where(known.any(0), known.sum(0), np.nan)
