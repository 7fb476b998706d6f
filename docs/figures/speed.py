"""Draws docs/figures/speed.png: lane-steps a second over lanes, from benchmarks/results.

PyTorch and Keras were timed against our lanes in runs of their own. They stand where their ratio to
ours in that run puts them beside ours in the run that is drawn.

    python docs/figures/speed.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
LOOKS = {
    "masked": ("ours, padding skipped", "#0072b2", "o-"),
    "keras": ("ours, padding fed to the network", "#56b4e9", "s-"),
    "plain": ("plain JAX, vmap over a scan", "#d55e00", "^-"),
}
OTHERS = {
    ("torch", "masked"): ("PyTorch, padding skipped", "#009e73", "--"),
    ("torch", "keras"): ("PyTorch, padding fed", "#009e73", ":"),
    ("keras", "keras"): ("Keras 3 on JAX, padding fed", "#cc79a7", ":"),
}


def load(name: str, size: str) -> list[dict[str, Any]]:
    """Reads what a benchmark found; nothing where it has not been run."""
    file = RESULTS / f"{name}-{size}.json"
    return json.loads(file.read_text("utf-8"))["found"] if file.exists() else []


def ratios(size: str, batch: int) -> dict[tuple[str, str], tuple[float, float]]:
    """Returns for each other side our steps a second in its run, and its own."""
    found = {}
    for part in load("versus_torch", size):
        if part["batch"] != batch:
            continue
        for row in part["rows"]:
            padding = row["padding"].split(",")[0]
            ours, theirs = found.get(("torch", padding), (0.0, 0.0))
            speed = row["steps_per_second"]
            if row["side"] == "ours":
                ours = max(ours, speed)
            else:
                theirs = max(theirs, speed)
            found["torch", padding] = ours, theirs
    for part in load("versus_keras", size):
        if part["batch"] == batch:
            speeds = part["steps_per_second"]
            ours = max(speed for name, speed in speeds.items() if name != "Keras")
            found["keras", "keras"] = ours, speeds["Keras"]
    return found


def draw(axes, part: dict[str, Any], size: str) -> None:
    """Draws one batch size."""
    best: dict[str, float] = {}
    for side, (label, colour, mark) in LOOKS.items():
        rows = [row for row in part["rows"] if row["side"] == side]
        if not rows:
            continue
        lanes, speeds = zip(*((r["lanes"], r["lane_steps_per_second"]) for r in rows), strict=True)
        axes.plot(lanes, speeds, mark, color=colour, label=label)
        best[side] = max(speeds)
    for (side, padding), (ours, theirs) in ratios(size, part["batch"]).items():
        if padding in best and theirs:
            label, colour, line = OTHERS[side, padding]
            place = best[padding] * theirs / ours
            axes.axhline(place, color=colour, linestyle=line, label=label)
    ticks = sorted({row["lanes"] for row in part["rows"]})
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, list(map(str, ticks)))
    speeds = [row["lane_steps_per_second"] for row in part["rows"]]
    if max(speeds) > 20 * min(speeds):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:,.0f}")
    else:
        axes.set_ylim(bottom=0)
    axes.set_xlabel("runs at a time")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#dddddd", linewidth=0.5)


def machine(size: str) -> str:
    """Names the machine that results are of."""
    about = json.loads((RESULTS / f"lanes-{size}.json").read_text("utf-8"))["machine"]
    if about["backend"] == "cpu":
        return f"{about['cores']} cores"
    return about["device"].replace("NVIDIA ", "").split()[0]


def main() -> None:
    """Draws a panel a batch size: of a processor, and of a GPU where there are results of one."""
    parts = [
        (size, part)
        for size in ("cpu", "gpu")
        for part in load("lanes", size)
        if part["input"] != "frames"
    ]
    figure = Figure(figsize=(3 + 2.6 * len(parts), 3.7), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(parts), squeeze=False)[0]
    handles: dict[str, Any] = {}
    for axes, (size, part) in zip(panels, parts, strict=True):
        draw(axes, part, size)
        axes.set_title(f"{machine(size)}, batch {part['batch']}", fontsize=10)
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    panels[0].set_ylabel("optimizer steps a second, all runs together")
    figure.legend(
        list(handles.values()),
        list(handles),
        loc="outside right center",
        fontsize=8,
        frameon=False,
    )
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)


if __name__ == "__main__":
    main()
