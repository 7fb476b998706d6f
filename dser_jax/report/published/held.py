"""Which rows of a journal are held against which published ones, and what keeps them apart."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from dser_jax.features import MARK
from dser_jax.report.published.numbers import (
    CORPUS,
    METRIC,
    SOURCES,
    SPLITS,
    PublishedRow,
    key_of,
    load,
)
from dser_jax.stats import Row, Summary, score, summary

THEIRS = {
    **{"loss": "ccc", "weighting": "fixed", "optimizer": "rmsprop"},
    **{"context": "", "normalize": "", "modality_dropout": 0.0, "embedding_dropout": 0.0},
}
"""What all published rows were trained with; so were the rows of journals that do not tell."""

_SPEECH_ONLY = ("features", "acoustic_dropout", "normalize")
_TEXT_ONLY = ("vectors", "embedding_dim", "text_dense", "max_tokens", "text_dropout")
_TEXT_ONLY += ("embedding_dropout",)
_FUSED_ONLY = ("fusion", "fusion_dropout", "modality_dropout")


class Group(NamedTuple):
    """What runs must share to be one row of ours."""

    corpus: str
    protocol: str
    split: str
    truth: str


@dataclass(frozen=True)
class Held:
    """Runs of one name, held against one published row.

    Attributes:
      name: The row of our table.
      group: Where its runs were tested.
      published: The row of the paper.
      runs: All its runs.
    """

    name: str
    group: Group
    published: PublishedRow
    runs: tuple[Row, ...]

    def values(self, column: str) -> list[float]:
        """Returns the scores of the runs that did not diverge."""
        values = [score(run, column, METRIC) for run in self.runs]
        return [value for value in values if value is not None]

    def scores(self, column: str) -> Summary | None:
        """Summarises a column over seeds; None where there is no score."""
        values = self.values(column)
        return summary(values) if values else None


def compared_with(rows: Iterable[Row]) -> tuple[str, ...]:
    """Names the published tables that a journal's rows answer to, in the order of `SOURCES`."""
    named = {row["paper"].get("table") for row in rows if isinstance(row.get("paper"), Mapping)}
    return tuple(name for name in SOURCES if name in named)


def hold(rows: Iterable[Row], table: str) -> tuple[list[Held], list[str]]:
    """Puts a journal's rows beside the published rows that they name.

    Args:
      rows: Rows of the journal. `row["paper"]` is `{"table": ..., "row": ...}`, where "row" is the
        name of a row, the values of a figure's axes, or a list of either.
      table: One of `SOURCES`.

    Returns:
      The pairs, in the order in which they first occur, and what names no published row, in words.
    """
    published = {row.key: row for row in load(table)}
    found: dict[tuple, list[Row]] = {}
    unknown: dict[str, None] = {}
    for row in rows:
        paper = row.get("paper")
        if not isinstance(paper, Mapping) or paper.get("table") != table:
            continue
        named = paper.get("row")
        for one in named if isinstance(named, list) else [named]:
            key = key_of(SOURCES[table], one)
            if key is None or key not in published:
                unknown[f"{row['name']!r} names a row that {table} does not have: {one}"] = None
                continue
            group = Group(*(str(row.get(part, "")) for part in Group._fields))
            found.setdefault((str(row["name"]), group, key), []).append(row)
    held = [
        Held(name, group, published[key], tuple(runs)) for (name, group, key), runs in found.items()
    ]
    return held, list(unknown)


def obstacles(held: Held) -> list[str]:
    """Lists why runs do not compare with their published row; empty if they do."""
    group, published = held.group, held.published
    reasons = []
    if group.corpus != CORPUS:
        reasons.append(f"the corpus is {group.corpus or 'not known'}, not {CORPUS}")
    if group.protocol != "paper":
        reasons.append(f"the protocol is {group.protocol or 'not known'}, not paper")
    if published.flaw:
        reasons.append(published.flaw)
    settings = {
        json.dumps([run.get("config"), run.get("hparams")], sort_keys=True): run
        for run in held.runs
    }
    if len(settings) > 1:
        return [*reasons, f"its runs have {len(settings)} different settings"]
    (run,) = settings.values()
    used = {**(run.get("config") or {}), **(run.get("hparams") or {})}
    if group.corpus == CORPUS and used.get("split") not in SPLITS:
        reasons.append(f"tested on {group.split or 'what is not known'}, not on session 5")
    reasons += _unlike({**THEIRS, **used}, {**published.settings, **THEIRS})
    if published.settings.get("acoustic") and published.settings.get("features") == "gemaps_hsf":
        reasons.append("its authors fed 47 columns, the 46 here and a ratio of silence")
    if MARK in str(run.get("features")):
        reasons.append("its features were imported, under the name of extracted ones")
    return reasons


def _unlike(used: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Lists the settings that are not the published ones, of those that matter to the network."""
    reasons = []
    for name, value in wanted.items():
        if not _matters(name, wanted):
            continue
        if name not in used:
            reasons.append(f"{_spell(name)} not known, published {_show(value)}")
        elif not _same(used[name], value):
            if name == "max_tokens":
                reasons.append(f"{used[name]} tokens, where the authors' code had {value}")
            else:
                reasons.append(f"{_spell(name)} {_show(used[name])}, published {_show(value)}")
    return reasons


def _matters(name: str, settings: Mapping[str, Any]) -> bool:
    """Returns whether a setting plays a part in the network that the settings describe."""
    acoustic, text = settings.get("acoustic"), settings.get("text")
    if name == "taps":
        return "cnn" in (acoustic, text)
    if name == "layers":
        return bool({"lstm", "dense"} & {acoustic, text})
    if name in _SPEECH_ONLY:
        return bool(acoustic)
    if name in _TEXT_ONLY:
        return bool(text)
    return name not in _FUSED_ONLY or bool(acoustic and text)


def _same(one: Any, two: Any) -> bool:
    if isinstance(one, Sequence) and isinstance(two, Sequence) and not isinstance(one, str):
        return len(one) == len(two) and all(map(_same, one, two))
    if isinstance(one, int | float) and isinstance(two, int | float):
        return math.isclose(one, two, abs_tol=1e-6)
    return one == two


def _spell(name: str) -> str:
    return name.replace("_", " ")


def _show(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "/".join(map(_show, value))
    return (
        f"{value:g}" if isinstance(value, float) else "none" if value in (None, "") else str(value)
    )
