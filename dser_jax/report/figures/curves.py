"""Learning curves: the CCC on validation, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from dser_jax.corpora import ATTRS
from dser_jax.journal import JournalView
from dser_jax.report.figures.style import (
    COLOURS,
    GREY,
    Row,
    by_name,
    load_array,
    look,
    save,
    shorten,
    style,
    told_apart,
)
from dser_jax.stats import LEAST, summary, untrained

NAMED = 2 * len(COLOURS)
"""More lines than this in one panel cannot be told apart."""


def _history(view: JournalView, row: Row, problems: list[str]) -> NDArray[np.float64] | None:
    """Loads a run's validation CCC, [epoch, attr and mean]; NaN for what it does not learn."""
    if row.get("kind") is not None:
        return None
    found = load_array(view, row, "validation_ccc", problems)
    if found is None or found.ndim != 2 or found.shape[1] != len(ATTRS):
        return None
    history = np.asarray(found[: row.get("epochs", len(found))], np.float64)
    present = ~np.isnan(history).all(0)
    if not present.any():
        return None
    mean = history[:, present].mean(1, keepdims=True)
    left = np.array([attr in untrained(row) for attr in ATTRS])
    if (left & present).any():
        return np.hstack([np.where(left, np.nan, history), np.full_like(mean, np.nan)])
    return np.hstack([history, mean])


Run = tuple[NDArray[np.float64], int]
"""A history, [epoch, attr and mean], and the epoch whose weights were kept, counted from 1."""


def learning_curves(
    view: JournalView,
    path: Path,
    rows: Sequence[Row] | None = None,
    problems: list[str] | None = None,
) -> list[Path]:
    """Draws the CCC on validation, epoch by epoch: a panel an attribute, a line a name.

    A line is the mean over seeds, in a band of the mean's 95% interval (with three seeds or more).
    Early stopping ends runs at different epochs. A line is bold as long as all of its runs go on,
    and faint beyond: there it is the mean of those still going, which are no fair sample of all,
    and it ends where fewer than two (of several) are left. Dots are the epochs whose weights were
    kept. Runs that ended before their time are left out, and so are attributes on which the loss
    has no weight. Where there are more names than can be told apart, those with the best curves are
    named and the others are grey.

    Args:
      view: The journal.
      path: Where to, without an ending.
      rows: Those to draw; all by default.
      problems: Takes what could not be read, for the user.

    Returns:
      The files, a PDF and a PNG; none if no run has a history.
    """
    problems = [] if problems is None else problems
    lines: dict[str, list[Run]] = {}
    for name, runs in by_name(view.rows if rows is None else rows).items():
        for row in runs:
            history = _history(view, row, problems)
            if history is not None:
                lines.setdefault(name, []).append((history, int(row.get("best_epoch") or 0)))
    if not lines:
        return []
    grey = _beyond_telling_apart(lines)
    coloured = {
        name: number for number, name in enumerate(name for name in lines if name not in grey)
    }
    everything = np.vstack([history for runs in lines.values() for history, _ in runs])
    panels = [at for at in range(len(ATTRS) + 1) if np.isfinite(everything[:, at]).any()]
    longest = max(len(history) for runs in lines.values() for history, _ in runs)
    labels, common = told_apart(list(coloured))
    labels += [f"{len(grey)} others"] if grey else []
    columns = _legend_columns(labels)
    with style():
        height = 2.5 + 0.17 * -(-len(labels) // columns) + (0.13 if common else 0)
        figure = Figure(figsize=(7.2, height), layout="constrained")
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for at, panel in zip(panels, axes, strict=True):
            panel.set_title((*ATTRS, "mean")[at].capitalize())
            panel.set_xlabel("epoch")
            panel.set_xlim(0.5, longest + 0.5)
            panel.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
            for name in grey:
                means, *_ = _over_seeds([history[:, at] for history, _ in lines[name]])
                panel.plot(np.arange(1, len(means) + 1), means, color=GREY, linewidth=0.7)
            for name, number in coloured.items():
                _draw_runs(panel, at, lines[name], number, band=0.16 if len(coloured) < 6 else 0.08)
        axes[0].set_ylabel("CCC on validation")
        labels = [shorten(label) for label in labels]
        keys = [Line2D([], [], **look(number)) for number in coloured.values()]
        keys += [Line2D([], [], color=GREY, linewidth=0.7)] if grey else []
        figure.legend(
            keys,
            labels,
            loc="outside lower center",
            ncols=columns,
            title="band: 95% interval over seeds;  faint: only the runs still going;  "
            "dots: epochs whose weights were kept"
            + (f"\nall of them: {shorten(common, 100)}" if common else ""),
            title_fontproperties={"size": 6.5},
        ).get_title().set_color("#555555")
        return save(figure, path)


def _beyond_telling_apart(lines: Mapping[str, Sequence[Run]]) -> list[str]:
    """Returns the names that are drawn in grey: none, or all but the best."""
    if len(lines) <= NAMED:
        return []
    tops = {
        name: np.mean([np.nanmax(history[:, -1], initial=-1) for history, _ in runs])
        for name, runs in lines.items()
    }
    best = set(sorted(tops, key=lambda name: -tops[name])[: len(COLOURS)])
    return [name for name in lines if name not in best]


def _legend_columns(labels: Sequence[str]) -> int:
    """Returns how many labels of this length go side by side under the panels."""
    widest = max(len(shorten(label)) for label in labels) + 8
    return max(1, min(len(labels), 4, 112 // widest))


def _over_seeds(histories: Sequence[NDArray]) -> tuple[NDArray, NDArray, NDArray]:
    """Returns mean, low and high by epoch, NaN where too few runs go on to say."""
    means, lows, highs = np.full((3, max(map(len, histories))), np.nan)
    for epoch in range(len(means)):
        values = [history[epoch] for history in histories if len(history) > epoch]
        if len(values) < min(2, len(histories)) or not np.isfinite(values).all():
            continue
        found = summary(values)
        means[epoch] = found.mean
        if found.n >= LEAST:
            lows[epoch], highs[epoch] = found.low, found.high
    return means, lows, highs


def _draw_runs(panel: Axes, at: int, runs: Sequence[Run], number: int, band: float) -> None:
    """Draws one name in one panel: mean, band and the epochs kept."""
    looks = look(number)
    histories = [history[:, at] for history, _ in runs]
    means, lows, highs = _over_seeds(histories)
    epochs = np.arange(1, len(means) + 1)
    all_going = min(map(len, histories))
    now, later = slice(0, all_going), slice(all_going - 1, None)
    panel.fill_between(
        epochs[now], lows[now], highs[now], color=looks["color"], alpha=band, linewidth=0
    )
    panel.plot(epochs[later], means[later], **looks, alpha=0.45, linewidth=0.9)
    panel.plot(epochs[now], means[now], **looks)
    for history, (_, best) in zip(histories, runs, strict=True):
        if 1 <= best <= len(history):
            dot = {"color": looks["color"], "alpha": 0.45, "markersize": 2.6, "markeredgewidth": 0}
            panel.plot([best], history[best - 1 : best], "o", **dot)
