"""Predictions against labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from dser_jax.corpora import ATTRS
from dser_jax.journal import JournalView
from dser_jax.report.figures.style import COLOURS, Row, by_name, load_array, save, shorten, style
from dser_jax.report.text import number
from dser_jax.stats import untrained
from dser_jax.system import DataError
from dser_jax.training import ccc


def gold_vs_pred(
    view: JournalView,
    name: str,
    path: Path,
    rows: Sequence[Row] | None = None,
    problems: list[str] | None = None,
) -> list[Path]:
    """Draws predictions against labels on the test set, a panel an attribute.

    A dot is an utterance, its prediction the mean over the seeds of that name; the CCC over a panel
    is that of this mean, which is an ensemble and may be above the CCC of each run. The grey line
    is agreement, and both axes of a panel span what is in it; a label that is missing has no dot,
    an attribute that no run learns no panel.

    Args:
      view: The journal.
      name: A name of the table.
      path: Where to, without an ending.
      rows: Those to look for the name in, all predicting the same utterances; all by default.
      problems: Takes what could not be read, for the user.

    Returns:
      The files, a PDF and a PNG; none if no run has predictions.
    """
    problems = [] if problems is None else problems
    runs = by_name(view.rows if rows is None else rows).get(name, [])
    preds, learnt = [], set()
    for row in runs:
        pred = load_array(view, row, "test_pred", problems)
        if pred is not None and np.isfinite(pred).all():
            preds.append(np.asarray(pred, np.float64))
            learnt |= set(ATTRS) - set(untrained(row))
    try:
        gold = np.asarray(view.truth(runs[0]["truth"])["test_gold"], np.float64) if preds else None
    except KeyError:
        gold = None
    except DataError as error:
        problems.append(f"{error}; no predictions are drawn against labels")
        gold = None
    if gold is None or any(pred.shape != gold.shape for pred in preds):
        return []
    pred = np.mean(preds, 0)
    panels = [
        at for at, attr in enumerate(ATTRS) if attr in learnt and np.isfinite(gold[:, at]).any()
    ]
    if not panels:
        return []
    with style():
        figure = Figure(figsize=(0.4 + 2.3 * len(panels), 2.9), layout="constrained")
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for at, panel in zip(panels, axes, strict=True):
            labelled = np.isfinite(gold[:, at])
            labels, guesses = gold[labelled, at], pred[labelled, at]
            ends = span(labels, guesses)
            panel.plot(ends, ends, color="#999999", linewidth=0.8, zorder=1)
            panel.plot(
                labels,
                guesses,
                "o",
                color=COLOURS[0],
                alpha=float(np.clip(60 / len(labels), 0.12, 0.6)),
                markersize=3.2,
                markeredgewidth=0,
            )
            panel.set_title(f"{ATTRS[at].capitalize()}, CCC {number(ccc(labels, guesses))}")
            panel.set(xlabel="label", aspect="equal", xlim=ends, ylim=ends)
            for axis in (panel.xaxis, panel.yaxis):
                axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        axes[0].set_ylabel("prediction")
        seeds = "one seed" if len(preds) == 1 else f"mean of {len(preds)} seeds"
        figure.suptitle(f"{shorten(name)} ({seeds}, test)", fontsize=9)
        return save(figure, path)


def span(labels: NDArray, guesses: NDArray) -> tuple[float, float]:
    """Returns the ends of axes that labels and predictions share, with a little room."""
    both = np.concatenate([labels, guesses])
    low, high = float(both.min()), float(both.max())
    room = 0.05 * max(high - low, 0.1)
    return low - room, high + room
