"""What a model is held against: the baseline of its journal that validation picks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dser_jax.journal import JournalView, Row
from dser_jax.stats import score, tables


def baseline_of(view: JournalView, run: Row) -> dict[str, Any] | None:
    """Returns the best baseline on validation among those that are tested on what a run is.

    Returns:
      Its `name` and its mean CCC on `validation` and `test`; None where the journal has none.
    """
    keys = ("corpus", "protocol", "split", "truth")
    (table,) = tables([row for row in view.rows if all(row.get(k) == run.get(k) for k in keys)])
    base = table.yardstick
    if base is None:
        return None
    found = {part: score(base.runs[0], "mean", "ccc", part) for part in ("validation", "test")}
    return None if found["test"] is None else {"name": base.name, **found}


def fold_in_words(scores: Mapping[str, Any]) -> str:
    """Writes a sentence on a model of one fold; nothing where there are none, or it is not known.

    Args:
      scores: Of `Bundle`.
    """
    if not (whole := scores.get("fold_of")):
        return ""
    return (
        f"It is of one fold alone, {scores['split']}, of {whole}: it was trained on what others "
        "test, and the score over all folds, which the sweep reports, is not its own."
    )


def baseline_in_words(scores: Mapping[str, Any]) -> str:
    """Writes a sentence on a model and its baseline.

    Args:
      scores: Of `Bundle`.
    """
    base = scores.get("baseline")
    if base is None:
        return "The sweep has no baseline to hold it against."
    own = scores["test"]["ccc"].get("mean")
    model = "" if own is None else f", the model {own:.3f}"
    return (
        f"The best baseline on validation is {base['name']!r}: it has a mean test CCC of "
        f"{base['test']:.3f}{model}."
    )
