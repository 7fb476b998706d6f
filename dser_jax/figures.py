"""Figures of a journal, in one style that survives print, small columns and colour blindness."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from dser_jax.corpora.utterances import ATTRS
from dser_jax.errors import DataError
from dser_jax.journal import JournalView
from dser_jax.metrics import ccc
from dser_jax.stats import LEAST, summary

Row = Mapping[str, Any]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette, without its yellow, which is too pale for a line."""

DASHES = ("-", (0, (5, 1.6)), (0, (1.2, 1.4)), (0, (6, 1.5, 1.2, 1.5)))
"""A second mark beside the colour, for print without any."""

GREY = "#BBBBBB"

NAMED = 2 * len(COLOURS)
"""More lines than this in one panel cannot be told apart."""

STYLE = {
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.labelsize": 8,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.edgecolor": "#555555",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.5,
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.4,
    "pdf.fonttype": 42,
    "text.usetex": False,
    "text.parse_math": False,
}


@contextmanager
def _style() -> Iterator[None]:
    with mpl.rc_context():
        mpl.rcdefaults()  # A user's matplotlibrc would make every machine's figures its own.
        mpl.rcParams.update(STYLE)
        yield


def save(figure: Figure, path: Path) -> list[Path]:
    """Writes a figure as PDF and as PNG.

    Args:
      figure: Drawn through Matplotlib's objects, without pyplot.
      path: Where to, without an ending.
    """
    FigureCanvasAgg(figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    written = []
    for ending in (".pdf", ".png"):
        file = path.with_name(path.name + ending)
        metadata = {"CreationDate": None} if ending == ".pdf" else None
        figure.savefig(file, dpi=200, metadata=metadata)
        written.append(file)
    return written


def _by_name(rows: Sequence[Row]) -> dict[str, list[Row]]:
    names: dict[str, list[Row]] = {}
    for row in rows:
        names.setdefault(str(row["name"]), []).append(row)
    return names


def _array(view: JournalView, row: Row, name: str, problems: list[str]) -> NDArray | None:
    """Loads an array of a run; None if the run diverged or has none, said where it should have."""
    if row.get("status", "ok") != "ok":
        return None
    try:
        return view.arrays(row["run"]).get(name)
    except DataError as error:
        problems.append(f"{error}; its run is in no figure")
        return None


def _history(view: JournalView, row: Row, problems: list[str]) -> NDArray[np.float64] | None:
    """Loads a run's validation CCC, [epoch, attr and mean]."""
    found = _array(view, row, "validation_ccc", problems)
    if found is None or found.ndim != 2 or found.shape[1] != len(ATTRS):
        return None
    history = np.asarray(found[: row.get("epochs", len(found))], np.float64)
    present = ~np.isnan(history).all(0)
    if not present.any():
        return None
    mean = history[:, present].mean(1, keepdims=True)
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
    kept. Diverged runs are left out. Where there are more names than can be told apart, those with
    the best curves are named and the others are grey.

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
    for name, runs in _by_name(view.rows if rows is None else rows).items():
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
    labels = [*coloured, *([f"{len(grey)} others"] if grey else [])]
    columns = _legend_columns(labels)
    with _style():
        height = 2.5 + 0.17 * -(-len(labels) // columns)
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
        keys = [Line2D([], [], **_look(number)) for number in coloured.values()]
        keys += [Line2D([], [], color=GREY, linewidth=0.7)] if grey else []
        figure.legend(
            keys,
            labels,
            loc="outside lower center",
            ncols=columns,
            title="band: 95% interval over seeds;  faint: only the runs still going;  "
            "dots: epochs whose weights were kept",
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


def shorten(text: str, limit: int = 60) -> str:
    """Cuts a long text in the middle."""
    half = (limit - 1) // 2
    return text if len(text) <= limit else f"{text[:half]}…{text[-half:]}"


def _legend_columns(labels: Sequence[str]) -> int:
    """Returns how many labels of this length go side by side under the panels."""
    widest = max(len(shorten(label)) for label in labels) + 8
    return max(1, min(len(labels), 4, 112 // widest))


def _look(number: int) -> dict[str, Any]:
    dash = DASHES[number // len(COLOURS) % len(DASHES)]
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": dash}


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
    look = _look(number)
    histories = [history[:, at] for history, _ in runs]
    means, lows, highs = _over_seeds(histories)
    epochs = np.arange(1, len(means) + 1)
    all_going = min(map(len, histories))
    now, later = slice(0, all_going), slice(all_going - 1, None)
    panel.fill_between(
        epochs[now], lows[now], highs[now], color=look["color"], alpha=band, linewidth=0
    )
    panel.plot(epochs[later], means[later], **look, alpha=0.45, linewidth=0.9)
    panel.plot(epochs[now], means[now], **look)
    for history, (_, best) in zip(histories, runs, strict=True):
        if 1 <= best <= len(history):
            dot = {"color": look["color"], "alpha": 0.45, "markersize": 2.6, "markeredgewidth": 0}
            panel.plot([best], history[best - 1 : best], "o", **dot)


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
    is agreement; a label that is missing has no dot.

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
    runs = _by_name(view.rows if rows is None else rows).get(name, [])
    preds = []
    for row in runs:
        pred = _array(view, row, "test_pred", problems)
        if pred is not None and np.isfinite(pred).all():
            preds.append(np.asarray(pred, np.float64))
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
    panels = [column for column in range(len(ATTRS)) if np.isfinite(gold[:, column]).any()]
    if not panels:
        return []
    reach = 1.08 * max(1.0, np.abs(pred[:, panels]).max())
    with _style():
        figure = Figure(figsize=(0.4 + 2.2 * len(panels), 2.9), layout="constrained")
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for at, panel in zip(panels, axes, strict=True):
            labelled = np.isfinite(gold[:, at])
            labels, guesses = gold[labelled, at], pred[labelled, at]
            panel.plot([-reach, reach], [-reach, reach], color="#999999", linewidth=0.8, zorder=1)
            panel.plot(
                labels,
                guesses,
                "o",
                color=COLOURS[0],
                alpha=float(np.clip(60 / len(labels), 0.12, 0.6)),
                markersize=3.2,
                markeredgewidth=0,
            )
            panel.set_title(f"{ATTRS[at].capitalize()}, CCC {ccc(labels, guesses):.3f}")
            panel.set(xlabel="label", aspect="equal", xlim=(-reach, reach), ylim=(-reach, reach))
            for axis in (panel.xaxis, panel.yaxis):
                axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes[0].set_ylabel("prediction")
        seeds = "one seed" if len(preds) == 1 else f"mean of {len(preds)} seeds"
        figure.suptitle(f"{shorten(name)} ({seeds}, test)", fontsize=9)
        return save(figure, path)
