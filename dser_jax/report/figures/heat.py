"""Grids of two settings as heat maps, and the loss weights as a surface as well."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import mpl_toolkits.mplot3d  # noqa: F401  Its projection.
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize, to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from dser_jax.report.figures.style import save, style, wrapped
from dser_jax.report.sections.searches import label, told
from dser_jax.stats import Point, Search

COLOURS = "viridis"
"""Its lightness alone tells high from low, also in grey and to the colour-blind."""

PICKED = "#D55E00"

NUMBERS = 13
"""Grids with more points along a side have no numbers in their cells."""

CLOSE = 0.06
"""Where the colours span less than this, cells have three decimals, for two would be all alike."""

REACH = 2.5
"""How far below the best score colours reach, in distances from there to the median."""

Colour = tuple[float, float, float]
"""Red, green and blue, from 0 to 1."""

PARTS = ("validation", "test")


def _matrix(search: Search, part: str) -> NDArray[np.float64]:
    """Returns the scores of a part, [second axis, first axis]; NaN where there is none."""
    columns, rows = search.values(0), search.values(1)
    found = np.full((len(rows), len(columns)), np.nan)
    for point in search.points:
        scored = point.scores.get((part, "ccc"))
        if scored is not None:
            found[rows.index(point.at[1]), columns.index(point.at[0])] = scored.mean
    return found


def colour_range(values: NDArray[np.float64]) -> tuple[float, float]:
    """Returns the scores between which colours differ.

    The best scores of a search are close together, and a few bad ones far below: where these would
    take up the colours, these end at so many times the distance from the top to the median.
    """
    known = values[np.isfinite(values)]
    if known.size == 0:
        return 0.0, 1.0
    top, middle = float(known.max()), float(np.median(known))
    low = (
        max(float(known.min()), top - REACH * (top - middle))
        if top > middle
        else float(known.min())
    )
    return (low, top) if top > low else (low - 0.01, top + 0.01)


def heat_map(search: Search, path: Path) -> list[Path]:
    """Draws a search over two settings: a panel for validation, which picks, and one for the test.

    Points that may not be picked, those with a negative weight, are hatched. A cell without a score
    is empty, and crossed where it has runs, but none went on to its end.

    Returns:
      The files, a PDF and a PNG.
    """
    side = max(len(search.values(0)), len(search.values(1)))
    shown = [part for part in PARTS if np.isfinite(_matrix(search, part)).any()] or ["validation"]
    with style():
        figure = Figure(figsize=(0.5 + 3.45 * len(shown), 3.75), layout="constrained")
        panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
        for part, panel in zip(shown, panels, strict=True):
            _draw_heat(figure, panel, search, part, numbers=side <= NUMBERS)
            panel.set_xlabel(label(search.axes[0]))
        panels[0].set_ylabel(label(search.axes[1]))
        note = "outlined: picked"
        if not all(point.allowed for point in search.points):
            note = f"hatched: {label('gamma')} = 1 − α − β is negative, never picked;  {note}"
        if any(point.lost and not point.scores for point in search.points):
            note += ";  crossed: every run diverged, failed or was pruned"
        figure.suptitle(wrapped(f"{search.what}\n{told(search)}", 60 * len(shown)), fontsize=8)
        figure.supxlabel(wrapped(note, 60 * len(shown)), fontsize=6.5, color="#555555")
        return save(figure, path)


def _draw_heat(figure: Figure, panel: Axes, search: Search, part: str, *, numbers: bool) -> None:
    matrix = _matrix(search, part)
    columns, rows = search.values(0), search.values(1)
    low, top = colour_range(matrix)
    image = panel.imshow(matrix, COLOURS, Normalize(low, top), aspect="auto", origin="lower")
    panel.set_title(f"mean CCC, {part}")
    panel.grid(visible=False)
    for spine in panel.spines.values():
        spine.set_visible(False)
    for axis, values in ((panel.xaxis, columns), (panel.yaxis, rows)):
        every = -(-len(values) // 12)
        axis.set_ticks(range(0, len(values), every), [f"{v:g}" for v in values[::every]])
        axis.set_tick_params(length=0)
    cut = np.nanmin(matrix) < low if np.isfinite(matrix).any() else False
    bar = figure.colorbar(image, ax=panel, extend="min" if cut else "neither", aspect=30, pad=0.02)
    bar.outline.set_visible(False)  # pyrefly: ignore
    bar.ax.grid(visible=False)
    bar.ax.tick_params(labelsize=6.5)
    pick = search.pick
    for point in search.points:
        x, y = columns.index(point.at[0]), rows.index(point.at[1])
        value = matrix[y, x]
        if not point.allowed:
            _hatch(panel, x, y)
        if point.lost and np.isnan(value):
            panel.plot([x], [y], "x", color="#555555", markersize=5, markeredgewidth=0.8)
        if numbers and np.isfinite(value):
            red, green, blue, _ = np.ravel(image.cmap(image.norm(value))).tolist()
            text = in_cell(value, 3 if top - low < CLOSE else 2)
            _write(panel, x, y, text, (red, green, blue), halo=not point.allowed)
        if point == pick:
            for colour, width in (("white", 3.2), (PICKED, 1.6)):
                box = Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, edgecolor=colour)
                box.set(linewidth=width, zorder=5, clip_on=False)
                panel.add_patch(box)


def _hatch(panel: Axes, x: int, y: int) -> None:
    cell = Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, linewidth=0)
    cell.set(hatch="////", edgecolor="#FFFFFF99")
    with mpl.rc_context({"hatch.linewidth": 0.5}):
        panel.add_patch(cell)


def in_cell(value: float, decimals: int) -> str:
    """Writes a score as short as it goes; what rounds to zero has no sign."""
    return f"{round(value, decimals) + 0.0:.{decimals}f}".replace("0.", ".", 1)


def _write(panel: Axes, x: int, y: int, text: str, colour: Colour, *, halo: bool) -> None:
    """Writes into a cell, dark on light and light on dark."""
    dark = 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2] < 0.5
    effects = [withStroke(linewidth=1.6, foreground=to_hex(colour))] if halo else []
    panel.text(
        x,
        y,
        text,
        ha="center",
        va="center",
        fontsize=5.2,
        color="white" if dark else "black",
        path_effects=effects,
    )


def surface(search: Search, path: Path) -> list[Path]:
    """Draws a search over two loss weights as the paper's Fig. 4: a surface, seen from a corner.

    Where the third weight is negative the surface is grey, its height told by the lines alone.

    Returns:
      The files, a PDF and a PNG; none where a whole grid with scores is wanting.
    """
    shown = [part for part in PARTS if np.isfinite(_matrix(search, part)).all()]
    if not shown:
        return []
    with style():
        figure = Figure(figsize=(3.5 * len(shown), 3.4))
        for place, part in enumerate(shown, 1):
            panel = figure.add_subplot(1, len(shown), place, projection="3d")
            _draw_surface(panel, search, part)
        figure.subplots_adjust(left=0.02, right=0.94, bottom=0.1, top=0.8, wspace=0.05)
        figure.suptitle(wrapped(f"{search.what}\n{told(search)}", 60 * len(shown)), fontsize=8)
        note = f"grey: {label('gamma')} = 1 − α − β is negative, never picked;  dot: picked"
        figure.text(0.5, 0.02, note, ha="center", fontsize=6.5, color="#555555")
        return save(figure, path)


def _draw_surface(panel, search: Search, part: str) -> None:
    matrix = _matrix(search, part)
    columns, rows = search.values(0), search.values(1)
    x, y = np.meshgrid(columns, rows)
    allowed = np.ones(matrix.shape, bool)
    for point in search.points:
        allowed[rows.index(point.at[1]), columns.index(point.at[0])] = point.allowed
    colours: Colormap = mpl.colormaps[COLOURS]
    low, top = colour_range(matrix)
    middle = (matrix[1:, 1:] + matrix[:-1, 1:] + matrix[1:, :-1] + matrix[:-1, :-1]) / 4
    faces = colours(Normalize(low, top, clip=True)(middle))
    whole = allowed[1:, 1:] & allowed[:-1, 1:] & allowed[1:, :-1] & allowed[:-1, :-1]
    half = allowed[1:, :-1] & allowed[:-1, 1:] & allowed[:-1, :-1]  # The diagonal gamma = 0.
    faces[~(whole | half)] = (0.88, 0.88, 0.88, 1.0)
    lines = {"edgecolor": "#444444", "linewidth": 0.25, "shade": False}
    panel.plot_surface(x, y, matrix, facecolors=faces, rstride=1, cstride=1, **lines)
    pick: Point | None = search.pick
    if pick is not None:
        one, two = ([value] for value in pick.at)
        height = [pick.scores[part, "ccc"].mean]
        mark = {"color": PICKED, "markeredgecolor": "white", "markersize": 5}
        panel.plot(
            one * 2,
            two * 2,
            [panel.get_zlim()[0], *height],
            color=PICKED,
            linewidth=1,
            linestyle="--",
            zorder=9,
        )
        panel.plot(one, two, height, "o", **mark, zorder=10)
    panel.set_title(f"mean CCC, {part}", y=1.02)
    panel.set(xlabel=label("alpha"), ylabel=label("beta"))
    panel.view_init(elev=32, azim=-125)
    panel.set_box_aspect((1, 1, 0.7), zoom=1.0)
    panel.tick_params(labelsize=6.5, pad=-1)
    panel.xaxis.labelpad = panel.yaxis.labelpad = -5
    for axis in (panel.xaxis, panel.yaxis, panel.zaxis):
        axis.pane.set_facecolor("white")
        axis.pane.set_edgecolor("#CCCCCC")
        axis._axinfo["grid"].update(color="#DDDDDD", linewidth=0.4)
