"""Draws docs/figures/two_cccs.png: what a mean over 32-row batches makes of a CCC.

python docs/figures/two_cccs.py
"""

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dser_jax.training import BATCH, ccc, ccc_batch32

DIALOGUES, TURNS = 60, 36


def dialogues(between: float = 0.8, seed: int = 0):
    """Makes labels whose dialogues differ, predictions that follow them, in order of dialogue.

    Args:
      between: Share of the labels' variance that lies between dialogues.
      seed: Of the random numbers.

    Returns:
      Labels and predictions, [utt], on about [-1, 1].
    """
    random = np.random.default_rng(seed)
    mood = np.repeat(random.normal(0, np.sqrt(between), DIALOGUES), TURNS)
    gold = 0.4 * (mood + random.normal(0, np.sqrt(1 - between), mood.size))
    pred = 0.4 * (0.6 * gold / 0.4 + random.normal(0, 0.75, gold.size))
    return gold, pred


def main() -> None:
    """Draws the figure and prints its numbers."""
    gold, pred = dialogues()
    order = np.random.default_rng(1).permutation(gold.size)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    colours = ("#0072B2", "#D55E00", "#009E73")
    left.plot(gold, pred, ".", color="#bbbbbb", markersize=3, label="all utterances")
    for colour, start in zip(colours, (0, 15 * BATCH, 40 * BATCH), strict=True):
        part = slice(start, start + BATCH)
        label = f"one batch: CCC {ccc(gold[part], pred[part]):.2f}"
        left.plot(gold[part], pred[part], "o", color=colour, markersize=4, label=label)
    left.set(xlabel="label", ylabel="prediction", title=f"whole set: CCC {ccc(gold, pred):.2f}")
    left.legend(frameon=False, fontsize=8, loc="upper left")
    edges = np.linspace(-0.4, 1, 29)
    for name, rows, colour in (
        ("in order of dialogue", np.arange(gold.size), colours[1]),
        ("shuffled", order, colours[0]),
    ):
        starts = range(0, gold.size, BATCH)
        found = [ccc(gold[rows[s : s + BATCH]], pred[rows[s : s + BATCH]]) for s in starts]
        mean = ccc_batch32(gold[rows], pred[rows])
        right.hist(found, edges, color=colour, alpha=0.45, label=f"{name}: mean {mean:.2f}")
        right.axvline(mean, ymax=0.75, color=colour, linewidth=2)
        print(f"{name}: mean of CCCs over {BATCH}-row batches {mean:.3f}")
    print(f"CCC over the whole set {ccc(gold, pred):.3f}")
    right.axvline(ccc(gold, pred), color="black", linestyle="--", label="CCC of the whole set")
    right.set(
        xlabel="CCC of a batch", ylabel="batches", title="the same predictions, batch by batch"
    )
    right.legend(frameon=False, fontsize=8, loc="upper left")
    right.set_ylim(0, 26)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=130)


if __name__ == "__main__":
    main()
