"""Scores on parts of the test set: kinds of turns, women and men, speakers, what has leaked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dser_jax.journal import JournalView
from dser_jax.report.figures.style import COLOURS, save, shorten, style
from dser_jax.report.sections.leaks import SEEN_SPEAKERS, leading, of_learned
from dser_jax.stats import COLUMNS, LEAST, PartScore, Table, marks_of, part_scores, parts_of
from dser_jax.system import DataError

NAMES = 4
"""More rows of a table than this are not told apart in one figure."""

SPEAKERS = 12
"""More speakers than this share one line, a faint dot each."""

MARKS = ("o", "s", "^", "D")

SPEAKER = "speaker "
"""How the names of the parts that are single speakers begin."""


def part_figure(view: JournalView, table: Table, path: Path) -> list[Path]:
    """Draws the CCC of a table's networks on parts of their test set.

    Of many names, those with the best scores on validation are drawn; what cannot be read is left
    out, and said where the same parts are told in numbers.

    Args:
      view: The journal.
      table: Of it.
      path: Where to, without an ending.

    Returns:
      The files, a PDF and a PNG; none where the test set cannot be divided.
    """
    rows = leading(table.rows, NAMES)
    runs = [run for row in rows for run in row.runs]
    try:
        ids = [str(name) for name in view.truth(table.truth)["test_ids"]]
        scores = part_scores(view, runs, parts_of(ids, marks_of(view, table.truth)), [])
    except (DataError, KeyError):
        return []
    return draw_parts(of_learned(scores, rows), path)


def draw_parts(scores: Sequence[PartScore], path: Path) -> list[Path]:
    """Draws the CCC on parts of the test set, a panel an attribute, a line a part.

    A mark is the mean over seeds, with its 95% interval (three seeds or more); the upright line of
    the same colour is the score on the whole set. A part without labels enough has no mark.

    Args:
      scores: Of at most `NAMES` names, of each the whole set as "all" and its parts.
      path: Where to, without an ending.

    Returns:
      The files, a PDF and a PNG; none without parts.
    """
    scores = [each for each in scores if each.scores]
    names = list(dict.fromkeys(each.name for each in scores))[:NAMES]
    sizes = {each.part: each.utterances for each in scores}
    single = [part for part in sizes if part.startswith(SPEAKER) and part not in SEEN_SPEAKERS]
    together = single if len(single) > SPEAKERS else []
    parts = [part for part in sizes if part not in together]
    columns = [at for at in COLUMNS if any(at in each.scores for each in scores)]
    if len(sizes) < 2:
        return []
    labels = [_label(part, sizes[part]) for part in parts]
    labels += [f"each of {len(together)} speakers"] if together else []
    with style():
        height = 1.2 + len(labels) * (0.13 + 0.08 * len(names)) + 0.17 * len(names)
        figure = Figure(figsize=(7.2, height), layout="constrained")
        panels = figure.subplots(1, len(columns), sharey=True, sharex=True, squeeze=False)[0]
        for column, panel in zip(columns, panels, strict=True):
            panel.set(title=column.capitalize(), xlabel="CCC")
            panel.grid(visible=False, axis="y")
            for number, name in enumerate(names):
                by_part = {each.part: each for each in scores if each.name == name}
                shift = 0.62 * (number - (len(names) - 1) / 2) / len(names)
                _draw(panel, column, [by_part.get(part) for part in parts], number, shift)
                found = [by_part[part].scores.get(column) for part in together if part in by_part]
                means = [each.mean for each in found if each is not None]
                faint = {"color": COLOURS[number], "alpha": 0.35, "markersize": 3}
                at = np.full(len(means), len(parts) + shift)
                panel.plot(means, at, MARKS[number], markeredgewidth=0, **faint)
            for edge in range(1, len(labels)):
                panel.axhline(edge - 0.5, color="#EEEEEE", linewidth=0.6, zorder=0)
        panels[0].set_yticks(range(len(labels)), labels)
        panels[0].set_ylim(len(labels) - 0.5, -0.5)
        keys = [
            Line2D([], [], color=COLOURS[at], marker=MARKS[at], linestyle="", markersize=3.6)
            for at in range(len(names))
        ]
        figure.legend(
            keys,
            [shorten(name) for name in names],
            loc="outside lower center",
            ncols=1 if max(map(len, names)) > 40 else 2,
            title="bars: 95% interval over seeds;  upright: the whole test set",
            title_fontproperties={"size": 6.5},
        ).get_title().set_color("#555555")
        return save(figure, path)


def _label(part: str, utterances: int) -> str:
    told = "whole test set" if part == "all" else part
    return f"{shorten(told, 32)} ({utterances})"


def _draw(
    panel: Axes, column: str, found: Sequence[PartScore | None], number: int, shift: float
) -> None:
    """Draws one name in one panel."""
    colour = COLOURS[number]
    for place, each in enumerate(found):
        scored = each.scores.get(column) if each else None
        if each is None or scored is None:
            continue
        at = place + shift
        if each.part == "all":
            panel.axvline(scored.mean, color=colour, linewidth=0.6, alpha=0.5, zorder=1)
        if scored.n >= LEAST and scored.low is not None and scored.high is not None:
            panel.hlines(at, scored.low, scored.high, color=colour, linewidth=1)
        panel.plot([scored.mean], [at], MARKS[number], color=colour, markersize=3.6)
