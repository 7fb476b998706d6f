"""The drawing beside a row of scores: the mean over seeds in its interval, and a dot a seed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dser_jax.report.page.markup import element
from dser_jax.report.text import interval, number
from dser_jax.stats import Table, TableRow, learned

WIDTH, EDGE = 176, 14
"""Of a drawing, and what of it is left free at both sides, for half a label of the axis."""

STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True)
class Axis:
    """What the drawings of a table span: from the lowest to the highest score that they show."""

    low: float
    high: float

    def at(self, value: float) -> str:
        """Returns how far to the right a score is drawn."""
        share = (value - self.low) / (self.high - self.low)
        return f"{EDGE + (WIDTH - 2 * EDGE) * share:.1f}"

    def ticks(self) -> list[float]:
        """Returns at most five round scores."""
        span = self.high - self.low
        step = next((step for step in STEPS if span / step <= 4), 2.0)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(step * place, 10) for place in range(first, last + 1)]

    def drawn(self) -> str:
        """Draws the axis, as the head of a column."""
        marks = ""
        for tick in self.ticks():
            at = self.at(tick)
            text = number(tick)
            short = text[:-1] if text.endswith("0") else text
            marks += element("text", short, x=at, y="9", text_anchor="middle")
            marks += element("line", x1=at, x2=at, y1="12", y2="16")
        ends = {"x1": self.at(self.low), "x2": self.at(self.high)}
        marks += element("line", **ends, y1="16", y2="16")
        return _box(marks, 17, f"axis from {number(self.low)} to {number(self.high)}", "axis")


def axis_of(table: Table, rows: Iterable[TableRow], bar: float | None) -> Axis | None:
    """Returns the axis of all that is drawn; None where there is nothing to set side by side."""
    values = [] if bar is None else [bar]
    for row in rows:
        found = row.scores.get("mean")
        ends = (found.mean, found.low, found.high) if found else ()
        values += [*(end for end in ends if end is not None), *seed_scores(table, row)]
    if len(values) < 2 or min(values) == max(values):
        return None
    return Axis(min(values), max(values))


def seed_scores(table: Table, row: TableRow) -> list[float]:
    """Returns the mean scores of a row's runs."""
    found = (learned(run, "mean", table.metric, table.part) for run in row.runs)
    return [value for value in found if value is not None]


def strip(row: TableRow, seeds: Sequence[float], axis: Axis, bar: float | None) -> str:
    """Draws a row: its seeds, its mean in its interval, and a line where the best baseline is."""
    found = row.scores.get("mean")
    if found is None:
        return ""
    marks = ""
    if bar is not None:
        at = axis.at(bar)
        marks += element("line", class_="bar", x1=at, x2=at, y1="0", y2="20")
    if len(seeds) > 1:
        for value in seeds:
            marks += element("circle", class_="seed", cx=axis.at(value), cy="14", r="1.8")
    if found.low is not None and found.high is not None:
        ends = {"x1": axis.at(found.low), "x2": axis.at(found.high)}
        marks += element("line", class_="reach", **ends, y1="6", y2="6")
    marks += element("circle", cx=axis.at(found.mean), cy="6", r="3.2")
    return _box(marks, 20, f"{number(found.mean)} {interval(found)}".strip())


def _box(marks: str, height: int, told: str, class_: str | None = None) -> str:
    box = {"viewBox": f"0 0 {WIDTH} {height}", "width": f"{WIDTH}", "height": f"{height}"}
    return element("svg", marks, **box, role="img", class_=class_, aria_label=told)
