"""The trials of a search: how they did, over each setting that it chose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from dser_jax.corpora import ATTRS
from dser_jax.report.figures.style import COLOURS, GREY, Row, save, style
from dser_jax.report.sections.searches import label
from dser_jax.search import ranked, setting, value_of

A_LINE = 3
"""Panels beside each other."""


def trial_figure(rows: Sequence[Row], search: dict[str, Any], path: Path) -> list[Path]:
    """Draws the value of each trial over each of its settings, a panel a setting.

    Args:
      rows: Of the journal.
      search: As its manifest describes it.
      path: Where to, without an ending.

    Returns:
      The files, a PDF and a PNG; none without a trial that has a value.
    """
    attrs = search.get("attributes", ATTRS)
    trials = [dict(row) for row in rows if row.get("kind") is None]
    best = ranked(trials, attrs)[:1]
    if not best:
        return []
    ranges = search["ranges"]
    columns = 2 if len(ranges) == 4 else min(A_LINE, len(ranges))
    lines = -(-len(ranges) // columns)
    with style():
        size = (1.0 + 2.1 * max(columns, 2), 0.7 + 2.1 * lines)
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(lines, columns, sharey=True, squeeze=False)
        for panel in panels.flat[len(ranges) :]:
            panel.set_axis_off()
        for (field, values), panel in zip(ranges.items(), panels.flat, strict=False):
            _draw(panel, field, trials, best[0][1], attrs)
            panel.set_xlabel(label(field))
            if values.endswith(":log"):
                panel.set_xscale("log")
                panel.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at:g}"))
                panel.xaxis.set_minor_formatter(NullFormatter())
        for line in panels:
            line[0].set_ylabel("mean CCC on validation")
        handles, labels = panels.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
        return save(figure, path)


def _draw(panel: Axes, field: str, trials: Sequence[Row], best: Row, attrs: Sequence[str]) -> None:
    looks: dict[str, tuple[str, dict[str, Any]]] = {
        "pruned": ("pruned, at its last rung", {"marker": "o", "color": GREY}),
        "diverged": ("diverged", {"marker": "x", "color": COLOURS[1]}),
        "ok": ("to its end", {"marker": "o", "color": COLOURS[0]}),
    }
    for status, (told, look) in looks.items():
        some = [row for row in trials if row["status"] == status]
        if some:
            at = [setting(row, field) for row in some]
            values = np.array([value_of(dict(row), attrs) for row in some], float)
            panel.plot(at, values, linestyle="", markersize=2.8, alpha=0.8, label=told, **look)
    ring = {"marker": "o", "markersize": 8, "markerfacecolor": "none", "color": COLOURS[1]}
    value = np.array([value_of(dict(best), attrs)], float)
    panel.plot([setting(best, field)], value, linestyle="", label=str(best["name"]), **ring)
