"""One setting at a time, the others held: Fig. 5 and the two lines of Fig. 6, and others alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dser_jax.report.figures.style import COLOURS, save, style, wrapped
from dser_jax.report.sections.searches import label, told
from dser_jax.stats import LEAST, Search, Summary

PUBLISHED = "#777777"

Values = Mapping[float, float]
"""Place -> score."""


def lines(
    searches: Sequence[Search], path: Path, published: Sequence[Values] | None = None
) -> list[Path]:
    """Draws searches over one setting each, a panel each, with the same scale of scores.

    The line is the mean over seeds on the test set, with its 95% interval (three seeds or more);
    the dashed one is on validation, where the pick is made, at the thin vertical line. Published
    scores are means over batches of 32 rows, and so is the grey line of ours beside them.

    Args:
      searches: Over one axis each.
      path: Where to, without an ending.
      published: For each search the published scores, where there are any that compare.

    Returns:
      The files, a PDF and a PNG.
    """
    published = published or [{} for _ in searches]
    with style():
        figure = Figure(figsize=(1.2 + 2.1 * len(searches), 3.0), layout="constrained")
        panels = figure.subplots(1, len(searches), sharey=True, squeeze=False)[0]
        for search, panel, values in zip(searches, panels, published, strict=True):
            _draw(panel, search, values)
            panel.set_title(told(search).replace("): ", "):\n"), fontsize=6.5, color="#444444")
            held = f" ({label(search.held[0])} {search.held[1]:g})" if search.held else ""
            panel.set_xlabel(label(search.axes[0]) + held)
        panels[0].set_ylabel("mean CCC")
        what = list(dict.fromkeys(search.what for search in searches))
        figure.suptitle(wrapped("\n".join(what), 45 * len(searches)), fontsize=8)
        keys: dict[str, Artist] = {}
        for panel in panels:
            handles, labels = panel.get_legend_handles_labels()
            keys |= dict(zip(labels, handles, strict=True))
        few = max(search.seeds for search in searches) < LEAST
        bars = f"fewer than {LEAST} seeds: no intervals" if few else "bars: 95% interval over seeds"
        figure.legend(
            list(keys.values()),
            list(keys),
            loc="outside lower center",
            ncols=4 if len(searches) > 2 else len(searches),
            title=f"vertical: picked on validation;  {bars}",
            title_fontproperties={"size": 6.5},
        ).get_title().set_color("#555555")
        return save(figure, path)


def _draw(panel: Axes, search: Search, published: Values) -> None:
    values = search.values(0)
    if len(values) > 2 and values[0] > 0 and values[-1] / values[0] > 50:
        panel.set_xscale("log")
        panel.set_xticks(values, [f"{value:g}" for value in values])
        panel.set_xticks([], minor=True)
    pick = search.pick
    if pick is not None:
        panel.axvline(pick.at[0], color=COLOURS[1], linewidth=0.7, alpha=0.6)
    _line(panel, search, ("validation", "ccc"), "validation", 1)
    _line(panel, search, ("test", "ccc"), "test", 0)
    if published:
        _line(panel, search, ("test", "ccc_batch32"), "test, mean over 32-row batches", None)
        marks = {"color": PUBLISHED, "markersize": 4, "markeredgewidth": 0.9, "linestyle": ""}
        told = "published, mean over 32-row batches"
        panel.plot(list(published), list(published.values()), marker="x", label=told, **marks)


def _line(
    panel: Axes, search: Search, which: tuple[str, str], told: str, number: int | None
) -> None:
    """Draws one score of a search: in a colour by its number, in grey without."""
    scored: list[tuple[float, Summary]] = [
        (point.at[0], point.scores[which]) for point in search.points if which in point.scores
    ]
    if not scored:
        return
    places = np.array([at for at, _ in scored])
    means = np.array([found.mean for _, found in scored])
    looks = {"color": PUBLISHED if number is None else COLOURS[number], "label": told}
    if number == 0:
        panel.plot(places, means, "o-", markersize=3.4, linewidth=1.2, zorder=4, **looks)
        for at, found in scored:
            if found.n >= LEAST and found.low is not None and found.high is not None:
                panel.vlines(at, found.low, found.high, color=COLOURS[0], linewidth=1, zorder=3)
    elif number == 1:
        hollow = {"markersize": 3.2, "markerfacecolor": "white", "markeredgewidth": 0.8}
        panel.plot(places, means, "s--", linewidth=0.9, **hollow, **looks)
    else:
        panel.plot(places, means, "-", linewidth=0.8, **looks)
