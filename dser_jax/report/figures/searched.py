"""All searches of a table as figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dser_jax.report import published
from dser_jax.report.figures.heat import heat_map, surface
from dser_jax.report.figures.lines import lines
from dser_jax.report.sections.searches import label, told
from dser_jax.stats import PAPER_RATES, RATES, Row, Search, searches

NAMES = {
    "weights": "loss_weights",
    "weight": "loss_weight_lines",
    "rates": "dropout_grid",
    **dict.fromkeys(RATES, "dropout_lines"),
}
"""What the file of a kind of search is called; that of any other has its setting's name."""


PAPER_AXES = {"acoustic_dropout": "acoustic_rate", "text_dropout": "text_rate"}
"""What the published grid calls the rates."""


def search_figures(rows: Sequence[Row], out: Path, mark: str = "") -> dict[str, list[Path]]:
    """Draws what the rows of one table search.

    Args:
      rows: Of one table.
      out: Folder for the files.
      mark: Ends the names of the files.

    Returns:
      Title, with what was picked -> files; nothing where nothing is searched.
    """
    drawn: dict[str, list[Path]] = {}
    taken: dict[str, int] = {}
    for side_by_side in searches(rows):
        name = NAMES.get(side_by_side[0].kind, side_by_side[0].kind)
        taken[name] = taken.get(name, 0) + 1
        path = out / (name + (f"-{taken[name]}" if taken[name] > 1 else "") + mark)
        title = _title(side_by_side)
        if len(side_by_side[0].axes) == 1:
            published_lines = [published_line(each) for each in side_by_side]
            drawn[title] = lines(side_by_side, path, published_lines)
            continue
        (search,) = side_by_side
        drawn[title] = heat_map(search, path)
        if search.kind == "weights":
            files = surface(search, path.with_name(path.name.replace(name, f"{name}_surface", 1)))
            if files:
                drawn[f"The same as a surface: {search.what}"] = files
    return drawn


def published_line(search: Search) -> dict[float, float]:
    """Returns the paper's scores along a search, by place.

    There are some for the lines of Fig. 5, for that of Fig. 6 over acoustic rates, and in its grid
    for other lines, where the rate that a search holds is one of the grid's; all this for runs on
    the paper's corpus that answer to the figure.
    """
    if search.corpus != "iemocap":
        return {}
    if search.kind == "weight" and "fig5" in search.papers:
        return _slice("fig5", "value", {"weight": search.axes[0]})
    if search.held is not None and "fig6_dropout_grid" in search.papers:
        (axis,), (other, held) = search.axes, search.held
        if (axis, held) == ("acoustic_dropout", PAPER_RATES[other]):
            return _slice("fig6_dropout_acoustic", PAPER_AXES[axis], {})
        return _slice("fig6_dropout_grid", PAPER_AXES[axis], {PAPER_AXES[other]: held})
    return {}


def _slice(figure: str, axis: str, wanted: dict[str, str | float]) -> dict[float, float]:
    """Returns the mean of a published figure along an axis, where its other keys are as wanted."""
    found = {}
    for row in published.load(figure):
        at = {} if isinstance(row.key, str) else dict(row.key)
        if all(at.get(key) == value for key, value in wanted.items()):
            found[float(at[axis])] = row.scores["mean"].mean
    return found


def _title(side_by_side: Sequence[Search]) -> str:
    axes = [label(axis) for axis in dict.fromkeys(at for each in side_by_side for at in each.axes)]
    picks = "; ".join(told(search) for search in side_by_side)
    return f"Mean CCC over {', '.join(axes)} ({side_by_side[0].what}): {picks}"
