"""What belongs to what an experiment asked: its arms, and the gradients that its runs watched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dser_jax.journal import JournalView
from dser_jax.report.figures.arms import arm_figures
from dser_jax.report.figures.gradients import gradient_figure
from dser_jax.stats import Table


def experiment_figures(
    view: JournalView, groups: Sequence[Table], folder: Path
) -> dict[str, list[Path]]:
    """Draws it.

    Args:
      view: The journal.
      groups: Its tables; arms are those of the first.
      folder: Where to.

    Returns:
      Title -> the files, without what there is nothing to draw of.
    """
    drawn: dict[str, list[Path]] = {}
    for number, table in enumerate(groups, 1):
        mark, which = ("", "") if number == 1 else (f"_{number}", f", table {number}")
        if number == 1 and (told := view.manifest.get("arms")):
            drawn |= arm_figures(table, told, folder)
        title = f"Gradients of the tasks{which}"
        drawn[title] = gradient_figure(view, table, folder / f"gradients{mark}")
    return {title: files for title, files in drawn.items() if files}
