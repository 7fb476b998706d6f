"""Arms held against one reference: differences with their intervals, the margin shaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from dser_jax.report.figures.ranks import rank_figure
from dser_jax.report.figures.style import (
    COLOURS,
    labels_of,
    save,
    shorten,
    style,
    told_apart,
    wrapped,
)
from dser_jax.report.sections.arms import arm_verdicts, ranking_of, scores_of
from dser_jax.report.sections.section import signed
from dser_jax.report.sections.verdicts import seeds_of
from dser_jax.report.text import number
from dser_jax.stats import Table, Verdict
from dser_jax.system import plural

LOOKS = {
    "better": (COLOURS[2], "^", COLOURS[2]),
    "equivalent": (COLOURS[0], "o", COLOURS[0]),
    "undecided": ("#777777", "o", "white"),
    "worse": (COLOURS[1], "v", COLOURS[1]),
}
"""Verdict -> the colour, the mark and its inside."""

SHADE = "#E4EEF6"

GAP, FAR = 2.5, 8.0
"""An arm is an arrow at the edge if it is so many times as far off as the next, or as is usual."""


def difference_figure(
    verdicts: Sequence[Verdict],
    path: Path,
    *,
    reference: str,
    what: str = "mean CCC",
    endings: Sequence[str] = (".pdf", ".png"),
) -> list[Path]:
    """Draws the mean difference of each arm from the reference, the highest first.

    The thin bar is the 95% interval, the thick one the 90% interval, which is inside the shaded
    margins where the arm alone would be equivalent. The colour is the verdict, after Holm's
    correction; the number is bold where the arm differs from the reference, be it by less than the
    margin. Of an arm that is far from all others the axis shows only to which side it is.

    Args:
      verdicts: Of `dser_jax.stats.verdicts`.
      path: Where to, without an ending.
      reference: The arm that they are held against.
      what: The score that differs.
      endings: Of the files.

    Returns:
      The files; none without an arm that has a difference.
    """
    shown = [each for each in verdicts if each.test.difference is not None]
    if not shown:
        return []
    names, common = told_apart([each.arm for each in shown])
    low, high = reach(shown)
    margin = shown[0].equivalence.margin
    with style():
        figure = Figure(figsize=(7.2, 1.35 + 0.21 * len(shown)), layout="constrained")
        panel = figure.subplots()
        panel.axvspan(-margin, margin, color=SHADE, linewidth=0, zorder=0)
        panel.axvline(0, color="#555555", linewidth=0.9, zorder=1)
        for place, each in enumerate(shown):
            _draw(panel, each, place, low, high)
        _sides(panel, margin, low, high)
        panel.set(xlim=(low, high), ylim=(len(shown) - 0.4, -0.6))
        panel.set_yticks(range(len(shown)), labels_of(names, 40))
        panel.tick_params(axis="y", length=0)
        panel.grid(visible=False, axis="y")
        panel.xaxis.set_major_formatter(lambda at, _: on_axis(at))
        panel.set_xlabel(wrapped(f"{what}, minus that of {reference}", 90))
        if common:
            panel.set_ylabel(shorten(common, 60), fontsize=6.5)
        _legend(figure, shown, margin)
        return save(figure, path, endings)


def _sides(panel: Axes, margin: float, low: float, high: float) -> None:
    """Says above the arms which side is which."""
    sides = [((low - margin) / 2, "← worse"), (0.0, f"within ±{number(margin)}")]
    for at, said in [*sides, ((high + margin) / 2, "better →")]:
        panel.annotate(
            said,
            (at, 1.0),
            (0, 3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            fontsize=7.5,
            color="#555555",
        )


def on_axis(at: float) -> str:
    """Writes a difference with its sign and no more decimals than it has."""
    text = f"{round(at, 9):+g}".replace("-", "−")
    return "0" if float(f"{at:.9f}") == 0 else text.replace("0.", ".", 1) if abs(at) < 1 else text


def arm_figures(table: Table, told: Mapping[str, Any], folder: Path) -> dict[str, list[Path]]:
    """Draws the arms of an experiment: their differences, and their ranks.

    Args:
      table: Whose rows are arms.
      told: What the manifest says of them.
      folder: Where to.

    Returns:
      Title -> the files; none where the reference is missing.
    """
    if told["reference"] not in scores_of(table, told):
        return {}
    found, placed = arm_verdicts(table, told), ranking_of(table, told)
    what = f"mean {table.part} CCC"
    path = folder / "differences"
    return {
        f"Arms less {told['reference']!r}, {what}": difference_figure(
            found, path, reference=told["reference"], what=what
        ),
        "Mean ranks of the arms over seeds": rank_figure(placed[1], placed[0], folder / "ranks")
        if placed
        else [],
    }


def reach(verdicts: Sequence[Verdict]) -> tuple[float, float]:
    """Returns the ends of the axis: all intervals, but of the few arms that are far from others."""
    edge = 1.25 * verdicts[0].equivalence.margin
    far = sorted(max(abs(each.test.difference or 0.0), edge) for each in verdicts)
    most = far[len(far) // 2]
    usual = FAR * most
    for each in far[len(far) // 2 + 1 :]:
        if each > min(GAP * most, usual):
            break
        most = each
    spans = [_span(each) for each in verdicts if abs(each.test.difference or 0.0) <= most]
    low, high = min(-edge, *(low for low, _ in spans)), max(edge, *(high for _, high in spans))
    room = 0.03 * (high - low)
    return low - room, high + room


def _span(verdict: Verdict) -> tuple[float, float]:
    """Returns the interval of an arm, or its difference twice where there is none."""
    test = verdict.test
    at = test.difference or 0.0
    return (at, at) if test.low is None or test.high is None else (test.low, test.high)


def _draw(panel: Axes, verdict: Verdict, place: int, low: float, high: float) -> None:
    """Draws one arm, and its number beside it."""
    colour, mark, inside = LOOKS[verdict.says]
    difference, test = verdict.test.difference or 0.0, verdict.equivalence
    look = {"color": colour, "zorder": 3, "solid_capstyle": "butt"}
    panel.plot(_span(verdict), (place, place), linewidth=0.9, **look)
    if test.low is not None and test.high is not None:
        panel.plot((test.low, test.high), (place, place), linewidth=2.6, **look)
    if not low < difference < high:
        room = 0.012 * (high - low)
        mark, edge = ("<", low + room) if difference < 0 else (">", high - room)
        panel.plot([edge], [place], mark, color=colour, markersize=5, zorder=5)
    else:
        dot = {"markersize": 5.2, "markeredgewidth": 1.1, "markerfacecolor": inside}
        panel.plot([difference], [place], mark, color=colour, zorder=5, **dot)
    panel.annotate(
        signed(difference),
        (1.015, place),
        xycoords=("axes fraction", "data"),
        va="center_baseline",
        fontsize=7,
        fontweight="bold" if verdict.sign else "normal",
        color=colour,
    )


def _legend(figure: Figure, shown: Sequence[Verdict], margin: float) -> None:
    """Says what the colours and the bars are, verdicts with their number of arms."""
    counts = Counter(str(each.says) for each in shown)
    keys: list[Line2D | Patch] = []
    told = []
    for word, (colour, mark, inside) in LOOKS.items():
        if counts[word]:
            look = {"markersize": 5, "markerfacecolor": inside, "linewidth": 1.4}
            keys.append(Line2D([], [], color=colour, marker=mark, **look))
            told.append(f"{word} ({counts[word]})")
    keys.append(Patch(color=SHADE))
    told.append(f"margin ±{number(margin)}")
    figure.legend(
        keys,
        told,
        loc="outside lower center",
        ncols=len(keys),
        title=f"{seeds_of(shown)};  bars: 95% interval, thick 90%;  colours, and bold where "
        f"there is a difference: after Holm's correction for {plural(len(shown), 'arm')}",
        title_fontproperties={"size": 6.5},
    ).get_title().set_color("#555555")
