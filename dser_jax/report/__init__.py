"""Numbers -> what people read: terminal, Markdown, LaTeX, figures, a page, trackers.

In: journals. Out: `report/` in them. `published/` has the paper's own numbers. Open `writing.py`
first, then `terminal.py` and `files.py`, which lay out the same numbers. Nothing here imports JAX;
Matplotlib is loaded when a figure is drawn.
"""

from typing import TYPE_CHECKING

from dser_jax.system.names import exports

if TYPE_CHECKING:
    from dser_jax.report.collection import write_collection
    from dser_jax.report.figures.arms import difference_figure
    from dser_jax.report.figures.ranks import rank_figure
    from dser_jax.report.page.writing import write_page
    from dser_jax.report.sections.verdicts import (
        conclusion,
        plan_sentence,
        verdict_section,
    )
    from dser_jax.report.text import Asked
    from dser_jax.report.trackers.tensorboard import to_tensorboard
    from dser_jax.report.trackers.tracked import tracked
    from dser_jax.report.trackers.wandb import to_wandb
    from dser_jax.report.watching import watch
    from dser_jax.report.writing import write_report
else:
    __getattr__, __dir__, __all__ = exports(__name__)
