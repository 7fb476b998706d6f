"""Draws `modalities.png`: what `make demo` gives for speech, text and both, a dot a run.

python docs/figures/modalities.py demo/modalities
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from dser_jax import results
from dser_jax.corpora import ATTRS

COLOURS = {"speech": "#3b6fb6", "text": "#d9822b", "speech + text": "#2e8b57"}

table = results(sys.argv[1])
runs = table[table["name"].isin(COLOURS) & (table["status"] == "ok")]
random = np.random.default_rng(0)
figure, panels = plt.subplots(1, 4, figsize=(8, 2.1), sharey=True, layout="constrained", dpi=200)
for panel, attr in zip(panels, (*ATTRS, "mean"), strict=True):
    for place, (name, colour) in enumerate(COLOURS.items()):
        values = runs.loc[runs["name"] == name, f"test_ccc_{attr}"].to_numpy()
        at = place + random.uniform(-0.25, 0.25, len(values))
        panel.scatter(at, values, s=7, color=colour, alpha=0.55, linewidths=0)
        mean = values.mean()
        panel.plot([place - 0.32, place + 0.32], [mean, mean], color=colour, linewidth=2)
        panel.annotate(f"{mean:.2f}".lstrip("0"), (place, 0.02), ha="center", fontsize=7)
    panel.set_title(attr, fontsize=9)
    panel.set_xticks(range(len(COLOURS)), ["speech", "text", "both"], fontsize=8)
    panel.set_ylim(0, 0.8)
    panel.tick_params(labelsize=7, length=2)
    panel.spines[["top", "right"]].set_visible(False)
panels[0].set_ylabel("test CCC", fontsize=8)
figure.savefig(Path(__file__).with_suffix(".png"))
