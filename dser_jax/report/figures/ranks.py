"""Mean ranks of arms, and which do not differ: the critical difference diagram."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dser_jax.report.figures.style import (
    COLOURS,
    labels_of,
    save,
    shorten,
    style,
    told_apart,
    wrapped,
)
from dser_jax.report.text import p_value
from dser_jax.stats import Ranking
from dser_jax.system import plural

LINE = 0.19
"""Inches from one name to the next."""

INK = "#333333"


def rank_figure(
    ranking: Ranking,
    names: Sequence[str],
    path: Path,
    endings: Sequence[str] = (".pdf", ".png"),
) -> list[Path]:
    """Draws the mean ranks of arms on a line, the best on the left.

    Arms on one thick bar do not differ by Nemenyi's test; the bar above the ranks is as long as the
    critical difference. J. Demsar, "Statistical comparisons of classifiers over multiple data
    sets", Journal of Machine Learning Research 7, 2006, figure 1.

    Args:
      ranking: Of `dser_jax.stats.friedman`.
      names: Of the arms, in the order of its ranks.
      path: Where to, without an ending.
      endings: Of the files.

    Returns:
      The files; none where there was no test.
    """
    if len(names) != len(ranking.ranks):
        raise ValueError(f"want {len(ranking.ranks)} names of arms, got {len(names)}")
    if ranking.critical is None:
        return []
    told, common = told_apart(names, longest=28)
    labels = labels_of(told, 34)
    levels = stacked(ranking)
    order = sorted(range(len(names)), key=ranking.ranks.__getitem__)
    left = -(-len(order) // 2)
    bars = 0.16 + 0.11 * (max(levels, default=-1) + 1)
    height = bars + LINE * (left + 0.4)
    with style():
        figure = Figure(figsize=(7.2, height + 1.15), layout="constrained")
        panel = figure.subplots()
        panel.set_axis_off()
        _axis(panel, len(names), ranking.critical)
        for (first, last), level in zip(_ends(ranking), levels, strict=True):
            at = 0.1 + 0.11 * level
            panel.plot((first - 0.06, last + 0.06), (at, at), color=COLOURS[0], linewidth=3)
        for line, place in enumerate(order):
            right = line >= left
            row = len(order) - 1 - line if right else line
            _name(panel, labels[place], ranking, place, bars + LINE * row, right=right)
        panel.set_ylim(height, -0.66)
        title = f"Mean ranks over {plural(ranking.seeds, 'seed')}, 1 is best"
        title += f" (Friedman's p {p_value(ranking.f_p)}, by F)"
        panel.set_title(title + (f"\n{wrapped(shorten(common, 120), 100)}" if common else ""))
        return save(figure, path, endings)


def _ends(ranking: Ranking) -> list[tuple[float, float]]:
    """Returns the lowest and the highest rank of each group."""
    return [(ranking.ranks[group[0]], ranking.ranks[group[-1]]) for group in ranking.groups]


def stacked(ranking: Ranking) -> list[int]:
    """Returns the line on which the bar of each group is drawn, so that none touch each other."""
    reached: list[float] = []
    lines = []
    for first, last in _ends(ranking):
        free = [line for line, end in enumerate(reached) if end < first - 0.3]
        line = free[0] if free else len(reached)
        reached[line : line + 1] = [last]
        lines.append(line)
    return lines


def _axis(panel: Axes, arms: int, critical: float) -> None:
    """Draws the line of ranks, and the critical difference above it."""
    panel.plot((1, arms), (0, 0), color=INK, linewidth=0.9)
    step = max(1, math.ceil(arms / 20))
    for rank in range(1, arms + 1, step):
        panel.plot((rank, rank), (-0.05, 0), color=INK, linewidth=0.9)
        panel.text(rank, -0.09, f"{rank}", ha="center", va="bottom", fontsize=7)
    panel.plot((1, 1 + critical), (-0.42, -0.42), color=INK, linewidth=1.6)
    for end in (1, 1 + critical):
        panel.plot((end, end), (-0.46, -0.38), color=INK, linewidth=0.9)
    said = f"critical difference {critical:.2f}"
    panel.text(1 + critical / 2, -0.48, said, ha="center", va="bottom", fontsize=7)


def _name(
    panel: Axes, name: str, ranking: Ranking, place: int, line: float, *, right: bool
) -> None:
    """Draws the line from a rank down and aside to the name of its arm."""
    rank, arms = ranking.ranks[place], len(ranking.ranks)
    room = 0.02 * (arms - 1)
    edge = arms + room if right else 1 - room
    panel.plot((rank, rank, edge), (0, line, line), color=INK, linewidth=0.6)
    number = f"{rank:.1f}"
    wide = number.rjust(len(f"{arms:.1f}"), "\N{FIGURE SPACE}")
    said = f"{wide}  {name}" if right else f"{name}  {number}"
    panel.text(
        edge + (room / 2 if right else -room / 2),
        line,
        said,
        ha="left" if right else "right",
        va="center",
        fontsize=7,
    )
