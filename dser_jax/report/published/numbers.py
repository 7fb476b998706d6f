"""The paper's numbers as data: a file a table or figure, and what its runs were trained with.

B. T. Atmaja and M. Akagi, "Dimensional speech emotion recognition from speech features and word
embeddings by using multitask learning", APSIPA Transactions on Signal and Information Processing 9,
2020, doi:10.1017/ATSIP.2020.14. Tables are the article's; the numbers behind the figures are those
of the result files that the authors published with their code,
https://github.com/bagustris/dimensional-ser. Every score is a mean of CCCs over 32-row batches of
session 5 of IEMOCAP, in file order: `ccc_batch32`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from dser_jax.corpora import ATTRS
from dser_jax.system import DserError

METRIC = "ccc_batch32"
"""The metric of every published score."""

CORPUS = "iemocap"

SPLITS = ("last_session", "session:Ses05")
"""Splits whose test set is the paper's, on that corpus."""

Key = str | tuple[tuple[str, str | float], ...]
"""What tells the rows of a table apart: a name, or the values of a figure's axes."""


class Score(NamedTuple):
    """A published mean, and the standard deviation over runs where there is one."""

    mean: float
    sd: float | None = None


@dataclass(frozen=True)
class Source:
    """One table or figure.

    Attributes:
      name: As files and journals name it, e.g. "table6".
      title: As the paper names it.
      keys: Columns that tell its rows apart.
      n: Runs behind a score.
      settings: What all its runs were trained with, by the names of `Config` and `HParams`, as far
        as the paper or the authors' code tells and the two do not contradict each other.
    """

    name: str
    title: str
    keys: tuple[str, ...]
    n: int
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class PublishedRow:
    """One row of a table, or one point of a figure.

    Attributes:
      source: Where it stands.
      key: Which row it is.
      scores: Attribute or "mean" -> its score.
      settings: What it was trained with: the source's settings and its own.
      flaw: Why nothing compares with it, whatever the settings; else empty.
    """

    source: Source
    key: Key
    scores: Mapping[str, Score]
    settings: Mapping[str, Any]
    flaw: str = ""

    @property
    def label(self) -> str:
        """The key as a reader sees it."""
        if isinstance(self.key, str):
            return self.key
        if self.source.name == "fig5":
            (_, weight), (_, value) = self.key
            return f"{weight}={value:g}"
        return " ".join(f"{axis.removesuffix('_rate')}={value:g}" for axis, value in self.key)


_COMMON = {
    "units": 256,
    "layers": 3,
    "taps": [4, 8, 12],
    "embedding_dim": 300,
    "text_dense": 64,
    "fusion": [64, 32],
    "max_tokens": 554,  # Paper: says 100; 554 is the longest transcript in characters.
    "batch_size": 8,
    "max_epochs": 50,
    "learning_rate": 0.001,
    "patience": 10,
    "fusion_dropout": 0.4,
}
_BOTH = {"acoustic": "lstm", "text": "lstm", "features": "paa_hsf", "vectors": "glove"}
_DROPOUT = {"acoustic_dropout": 0.3, "text_dropout": 0.3}
_TUNED = {"acoustic_dropout": 0.1, "text_dropout": 0.4}
_EQUAL = {"loss_weights": [1.0, 1.0, 1.0]}

_SPEECH = {"text": None, "loss_weights": [0.1, 0.5, 0.4], "acoustic_dropout": 0.3}
_TEXT = {"acoustic": None, "loss_weights": [0.7, 0.2, 0.1], "text_dropout": 0.3}

_SOURCES = (
    ("table3", "Table 3", ("network", "features"), 1, _SPEECH),
    ("table4", "Table 4", ("network", "features"), 1, _TEXT),
    ("table5", "Table 5", ("acoustic", "text"), 20, _BOTH | _DROPOUT | _EQUAL),
    ("table6", "Table 6", ("weighting",), 20, _BOTH | _TUNED | {"batch_size": 256}),
    # Paper: the dropout rates of the text and of the authors' script for Fig. 4 are not the same.
    ("fig4", "Fig. 4", ("alpha", "beta"), 1, _BOTH | {"units": 32}),
    ("fig5", "Fig. 5", ("weight", "value"), 1, _BOTH | _TUNED | {"units": 32, "batch_size": 256}),
    (
        *("fig6_dropout_acoustic", "Fig. 6, acoustic rates", ("acoustic_rate",), 1),
        _BOTH | _EQUAL | {"text_dropout": 0.3},
    ),
    ("fig6_dropout_grid", "Fig. 6, both rates", ("acoustic_rate", "text_rate"), 1, _BOTH | _EQUAL),
)

SOURCES = {
    name: Source(name, title, keys, n, _COMMON | settings)
    for name, title, keys, n, settings in _SOURCES
}
"""The tables and figures, by name."""

_WEIGHTS = {"none": [1.0, 1.0, 1.0], "two": [0.7, 0.2, 0.1], "three": [0.9, 0.9, 0.2]}

_WORST = "its authors kept the worst weights, not the best (mode='max' in their early stopping)"
_FLAWS = {
    ("table5", "lstm + dense"): _WORST,
    ("table5", "cnn + dense"): f"{_WORST}, with a patience of 20",
}


@cache
def load(name: str) -> tuple[PublishedRow, ...]:
    """Reads a published table or figure.

    Args:
      name: One of `SOURCES`.

    Raises:
      DserError: There is no such table.
    """
    if name not in SOURCES:
        raise DserError(f"no published table is called {name!r}; there are {', '.join(SOURCES)}")
    source = SOURCES[name]
    text = (resources.files("dser_jax.report.published") / f"{name}.csv").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return tuple(_row(source, cells) for cells in csv.DictReader(lines))


def key_of(source: Source, row: object) -> Key | None:
    """Takes what a journal's row says to a key; None where it is not of that table's kind.

    Args:
      source: The table.
      row: `row["paper"]["row"]`: the name of a row, or the values of a figure's axes.
    """
    if isinstance(row, str):
        return row
    if not isinstance(row, Mapping) or set(row) != set(source.keys):
        return None
    return tuple((name, _even(row[name])) for name in source.keys)


def _even(value: object) -> str | float:
    """Rounds what steps of 0.1 leave behind in floating point."""
    return round(float(value), 6) if isinstance(value, int | float) else str(value)


def _row(source: Source, cells: Mapping[str, str]) -> PublishedRow:
    scores = {column: _score(cells, column) for column in (*ATTRS, "mean")}
    own: dict[str, Any] = {}
    key: Key
    if source.name.startswith("table"):
        names = [cells[column] for column in source.keys]
        key = (" + " if source.name == "table5" else " ").join(names)
        if source.name == "table3":
            own = {"acoustic": names[0], "features": names[1]}
        elif source.name == "table4":
            own = {"text": names[0], "vectors": names[1]}
        elif source.name == "table5":
            own = {"acoustic": names[0], "text": names[1]}
        else:
            own = {"loss_weights": _WEIGHTS[names[0]]}
    else:
        values = [
            cells[column] if column == "weight" else float(cells[column]) for column in source.keys
        ]
        key = tuple(zip(source.keys, values, strict=True))
        own = _own_settings(source.name, dict(key))
    flaw = _FLAWS.get((source.name, key), "") if isinstance(key, str) else ""
    return PublishedRow(source, key, scores, {**source.settings, **own}, flaw)


def _score(cells: Mapping[str, str], column: str) -> Score:
    sd = cells.get(f"{column}_sd")
    return Score(float(cells[column]), float(sd) if sd else None)


def _own_settings(name: str, point: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a point of a figure stands for."""
    if name == "fig4":
        alpha, beta = point["alpha"], point["beta"]
        return {"loss_weights": [alpha, beta, round(1 - alpha - beta, 6)]}
    if name == "fig5":
        names = ("alpha", "beta", "gamma")
        return {"loss_weights": [point["value"] if w == point["weight"] else 1.0 for w in names]}
    rates = {"acoustic_rate": "acoustic_dropout", "text_rate": "text_dropout"}
    return {rates[axis]: rate for axis, rate in point.items()}
