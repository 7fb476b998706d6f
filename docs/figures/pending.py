"""Draws docs/figures/pending.png: what waiting runs cost the host, from benchmarks/results.

python docs/figures/pending.py
"""

import json
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

ROOT = Path(__file__).parent.parent.parent
PANELS = (
    ("start_s", "seconds before the first round"),
    ("host_ms_a_run", "milliseconds of the host, a run"),
    ("peak_mb", "highest memory, MB"),
)


def main() -> None:
    """Draws one panel a cost, over the number of runs."""
    result = json.loads((ROOT / "benchmarks/results/pending-cpu.json").read_text("utf-8"))
    found = result["found"]
    figure = Figure(figsize=(9, 3), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (key, title) in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
        axes.plot(
            [row["runs"] for row in found], [row[key] for row in found], "o-", color="#0072b2"
        )
        axes.set_xscale("log")
        axes.set_xticks([10, 100, 1000, 10000], ["10", "100", "1,000", "10,000"])
        axes.set_ylim(bottom=0)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("runs")
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)


if __name__ == "__main__":
    main()
