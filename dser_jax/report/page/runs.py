"""The table of all runs: a column a setting that differs, and all scores."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dser_jax.corpora import ATTRS
from dser_jax.report.page.pack import Arrays, thousandths
from dser_jax.report.page.sweep import PARTS, Content, Sweep
from dser_jax.report.sections.searches import label
from dser_jax.report.text import heading
from dser_jax.stats import COLUMNS, Row, is_baseline, learned, settings_of, untrained

METRICS = ("ccc", "ccc_batch32", "rmse")


def pack_runs(sweeps: Sequence[Sweep], arrays: Arrays) -> Content:
    """Describes every run of the sweeps: its id, what it is of, how it ended and its scores.

    Test scores of a search's trials are left out, save of the picked one, so that nobody picks by
    them; they are in runs.csv.
    """
    rows = [(number, row) for number, sweep in enumerate(sweeps) for row in sweep.view.rows]
    groups = [_groups(sweep) for sweep in sweeps]
    columns: list[Content] = []

    def text(key: str, title: str, value: Callable[[int, Row], Any]) -> None:
        levels: dict[str, int] = {}
        codes = [levels.setdefault(str(value(number, row)), len(levels)) for number, row in rows]
        name = arrays.add(f"runs.{key}", np.array(codes, np.uint32))
        column = {"key": key, "label": title, "kind": "text", "levels": list(levels)}
        columns.append(column | {"codes": name})

    def numbers(key: str, title: str, value: Callable[[Row], Any]) -> None:
        found = [np.nan if (v := value(row)) is None else float(v) for _, row in rows]
        name = arrays.add(f"runs.{key}", np.array(found, np.float64))
        columns.append({"key": key, "label": title, "kind": "number", "values": name})

    if len(sweeps) > 1:
        text("sweep", "sweep", lambda number, row: sweeps[number].label)
    text("name", "name", lambda number, row: row["name"])
    if all(isinstance(row["seed"], int) for _, row in rows):
        numbers("seed", "seed", lambda row: row["seed"])
    else:
        text("seed", "seed", lambda number, row: row["seed"])
    before = len(columns)
    numbers("epochs", "epochs", lambda row: row.get("epochs"))
    numbers("best_epoch", "best", lambda row: row.get("best_epoch"))
    text("status", "status", lambda number, row: row.get("status", "ok"))
    for key, title, plain in differing([row for _, row in rows]):
        if plain:
            numbers(key, title, lambda row, key=key: settings_of(row).get(key))
        else:
            text(key, title, lambda _, row, key=key: _short(settings_of(row).get(key)))
    text("network", "network", lambda number, row: row.get("network") or "")
    text("features", "features", lambda number, row: row.get("features") or "")
    text("group", "table", lambda number, row: groups[number].get(_group(row), ""))
    return {
        "count": len(rows),
        "id": [row["run"] for _, row in rows],
        "sweep": arrays.add("runs.of", np.array([number for number, _ in rows], np.uint8)),
        "columns": columns,
        "before": before,
        "scores": _scores(sweeps, rows, arrays),
        "untrained": arrays.add("runs.untrained", np.array([_mask(r) for _, r in rows], np.uint8)),
        "baseline": arrays.add(
            "runs.baseline", np.array([is_baseline(r) for _, r in rows], np.uint8)
        ),
    }


def _scores(
    sweeps: Sequence[Sweep], rows: Sequence[tuple[int, Row]], arrays: Arrays
) -> dict[str, dict[str, str]]:
    kept = [{row["run"] for row in sweep.shown.rows} for sweep in sweeps]
    scores: dict[str, dict[str, str]] = {}
    for part in PARTS:
        for metric in METRICS:
            values = [
                learned(row, column, metric, part)
                if part == "validation" or row["run"] in kept[number]
                else None
                for number, row in rows
                for column in COLUMNS
            ]
            if any(value is not None for value in values):
                packed = arrays.add(f"runs.{part}.{metric}", thousandths(values))
                scores.setdefault(part, {})[metric] = packed
    return scores


def _group(row: Row) -> tuple[str, ...]:
    return tuple(str(row.get(key, "")) for key in ("corpus", "protocol", "split", "truth"))


def _groups(sweep: Sweep) -> dict[tuple[str, ...], str]:
    """Returns the headings of a sweep's tables, by what their runs have in common."""
    found = {(t.corpus, t.protocol, t.split, t.truth): heading(t) for t in sweep.groups}
    twice = len(set(found.values())) < len(found)
    return {key: f"{text}, labels {key[3]}" if twice else text for key, text in found.items()}


def _mask(row: Row) -> int:
    return sum(1 << ATTRS.index(attr) for attr in untrained(row))


def differing(rows: Sequence[Row]) -> Iterator[tuple[str, str, bool]]:
    """Yields the settings that differ among runs: name, title, whether all of it are numbers."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        for key, value in settings_of(row).items():  # A baseline has none.
            found.setdefault(key, {})[_short(value)] = value
    for key, values in found.items():
        if len(values) > 1:
            plain = all(v is None or isinstance(v, int | float) for v in values.values())
            yield key, label(key).split(" (")[0], plain


def _short(value: Any) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


Cache = dict[tuple, Any]
"""What was read of finished runs, which never change; kept between two pages of one sweep."""


def of_network(row: Mapping[str, Any]) -> bool:
    """Returns whether a row is of a run that has epochs."""
    return row.get("kind") is None and row.get("status") != "failed"
