"""Searches over settings, as surfaces, maps and lines to hover."""

from __future__ import annotations

from collections.abc import Sequence

from dser_jax.report.page.sweep import Content, Sweep
from dser_jax.report.sections.searches import label, told
from dser_jax.stats import LEAST, Point, Search, Summary, searches

SCORES = (("validation", "ccc"), ("test", "ccc"), ("test", "ccc_batch32"))


def pack_searches(sweeps: Sequence[Sweep]) -> list[Content]:
    """Describes what the rows of each table search; what belongs side by side has one number."""
    found = []
    for number, sweep in enumerate(sweeps):
        for table in sweep.groups:
            rows = [run for row in table.rows for run in row.runs]
            for together in searches(rows):
                place = found[-1]["together"] + 1 if found else 0
                for search in together:
                    found.append(_search(search) | {"sweep": number, "together": place})
    return found


def _search(search: Search) -> Content:
    pick = search.pick
    points = [_point(point) for point in search.points]
    held = search.held
    return {
        "kind": search.kind,
        "axes": [{"key": axis, "label": label(axis)} for axis in search.axes],
        "what": search.what,
        "told": told(search),
        "held": None if held is None else f"{label(held[0])} held at {held[1]:g}",
        "points": points,
        "pick": None if pick is None else search.points.index(pick),
    }


def _point(point: Point) -> Content:
    scores = {
        f"{part} {metric}": _spread(point.scores[part, metric])
        for part, metric in SCORES
        if (part, metric) in point.scores
    }
    return {"at": list(point.at), "allowed": point.allowed, "lost": point.lost, "scores": scores}


def _spread(found: Summary) -> list[float | None]:
    """Returns mean, deviation, interval and number of runs; no interval of too few."""
    known = found.n >= LEAST
    ends = (found.low, found.high) if known else (None, None)
    return [_shortened(value) for value in (found.mean, found.sd, *ends)] + [found.n]


def _shortened(value: float | None) -> float | None:
    return None if value is None else round(value, 5)
