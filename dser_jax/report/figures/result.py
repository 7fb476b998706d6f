"""The result: the CCC of every run, a dot each, and the baseline that it is held against."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dser_jax.report.figures.style import COLOURS, save, shorten, style, told_apart
from dser_jax.report.sections.leaks import leading
from dser_jax.stats import COLUMNS, Table, TableRow, learned

NAMES = 12
"""Of more rows, those that lead on validation are drawn."""


def result_figure(
    table: Table, path: Path, endings: Sequence[str] = (".pdf", ".png")
) -> list[Path]:
    """Draws the scores of a table's networks: a dot a run, a line the mean over them.

    The baseline that validation picks is a dashed line.

    Args:
      table: Of any metric and part.
      path: Where to, without an ending.
      endings: Of the files.

    Returns:
      The files; none without a score.
    """
    rows = [row for row in leading(table.rows, NAMES) if row.scores]
    columns = [column for column in COLUMNS if any(column in row.scores for row in rows)]
    if not rows:
        return []
    names, common = told_apart([row.name for row in rows])
    base = table.yardstick
    with style():
        figure = Figure(figsize=(7.2, 1.0 + 0.36 * len(rows)), layout="constrained")
        panels = figure.subplots(1, len(columns), sharey=True, sharex=True, squeeze=False)[0]
        for column, panel in zip(columns, panels, strict=True):
            panel.set(title=column, xlabel=f"{table.part} CCC")
            panel.grid(visible=False, axis="y")
            if base is not None and column in base.scores:
                at = base.scores[column].mean
                panel.axvline(at, color="#555555", linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)
            for place, row in enumerate(rows):
                _draw(panel, table, row, column, place)
        panels[0].set_yticks(range(len(rows)), [shorten(name, 36) for name in names])
        panels[0].set_ylim(len(rows) - 0.45, -0.65)
        panels[0].margins(x=0.06)
        if common:
            panels[0].set_ylabel(shorten(common, 40), fontsize=6.5)
        if base is not None and base.scores:
            key = Line2D([], [], color="#555555", linewidth=0.9, linestyle=(0, (4, 2)))
            told = f"best baseline on validation: {base.name}"
            figure.legend([key], [told], loc="outside lower right")
        return save(figure, path, endings)


def _draw(panel: Axes, table: Table, row: TableRow, column: str, place: int) -> None:
    """Draws one row in one panel."""
    known = [learned(run, column, table.metric, table.part) for run in row.runs]
    values = [value for value in known if value is not None]
    if not values:
        return
    colour = COLOURS[place % len(COLOURS)]
    # The same in every report of the same runs.
    shift = np.random.default_rng(0).uniform(-0.22, 0.22, len(values))
    dots = {"color": colour, "alpha": 0.5, "markersize": 2.6, "markeredgewidth": 0}
    panel.plot(values, place + 0.08 + shift, "o", **dots)
    mean = row.scores[column].mean
    panel.vlines(mean, place - 0.2, place + 0.36, color=colour, linewidth=2)
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}  # Off the baseline's line.
    text = {"ha": "center", "va": "bottom", "fontsize": 6.5, "bbox": ground}
    panel.annotate(f"{mean:.2f}".replace("0.", ".", 1), (mean, place - 0.24), **text)
