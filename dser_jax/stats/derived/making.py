"""Which rows are made of the finished runs of a name, and what they predict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from dser_jax.journal import JournalView, Row
from dser_jax.plan import canonical, run_id
from dser_jax.stats.derived.stretching import fit_stretch
from dser_jax.stats.rows import BOTH, DERIVED, ENSEMBLE, STRETCHED
from dser_jax.system import DataError
from dser_jax.training import scores

PARTS = ("validation", "test")

Fold = dict[str, Float[np.ndarray, "_ attr"]]
"""The predictions of one run by part, and under `gold` the labels of its validation rows."""

Scored = Mapping[str, Any]
"""Part -> metric -> column -> score, as a row of the journal has it."""


@dataclass(frozen=True)
class Recipe:
    """A row to be made.

    Attributes:
      run: The id that it goes by.
      kind: One of `DERIVED`.
      sources: The runs whose predictions it is made of: one, or those of all seeds.
    """

    run: str
    kind: str
    sources: tuple[Row, ...]

    @property
    def name(self) -> str:
        """The name of the row, which says what it is."""
        first = str(self.sources[0]["name"])
        of = f"{ENSEMBLE} of {len(self.sources)}"
        return f"{first}, {self.kind.replace(ENSEMBLE, of)}"

    def row(self, scored: Scored) -> Row:
        """Returns the row, as one of the journal; `of` is the name of what it is made of."""
        first = self.sources[0]
        kept = ("network", "features", "corpus", "protocol", "split", "truth", "config", "hparams")
        return {
            "run": self.run,
            "name": self.name,
            "kind": self.kind,
            "of": first["name"],
            "seed": first["seed"] if len(self.sources) == 1 else None,
            **{key: first[key] for key in kept if key in first},
            "status": "ok",
            **{part: scored[part] for part in PARTS if part in scored},
        }


def recipes_of(runs: Sequence[Row]) -> list[Recipe]:
    """Lists what is made of the finished runs of one name, in the order of a table.

    There is no ensemble of one run, nor of runs whose settings differ: nobody could export it.
    """
    found = [Recipe(f"{run['run']}-{STRETCHED}", STRETCHED, (run,)) for run in runs]
    settings = {canonical([run.get("config"), run.get("hparams")]) for run in runs}
    if len(runs) > 1 and len(settings) == 1:
        made = run_id({ENSEMBLE: sorted(run["run"] for run in runs)})
        found.append(Recipe(made, ENSEMBLE, tuple(runs)))
        found.append(Recipe(f"{made}-{STRETCHED}", BOTH, tuple(runs)))
    return found


class Reader:
    """Reads the predictions of a journal's runs, those of pooled folds fold by fold.

    A fold is stretched by its own validation rows, as its baselines are: those of one fold are the
    test rows of another.
    """

    def __init__(self, view: JournalView) -> None:
        self._view = view
        self._rows = {row["run"]: row for row in view.rows}

    def folds(self, run: Row) -> list[Fold]:
        """Returns the predictions of a run, in float64; of one that is no pool of folds, one fold.

        Raises:
          DataError: The arrays or the labels are missing or damaged, or do not fit each other.
        """
        found = []
        for name in run.get("pooled") or [run["run"]]:
            if name not in self._rows:
                raise DataError(f"the run {name}, a fold of run {run['run']}, is not there")
            found.append(self._fold(self._rows[name]))
        return found

    def _fold(self, row: Row) -> Fold:
        arrays, truth = self._view.arrays(row["run"]), self._view.truth(str(row["truth"]))
        found = {}
        for part in PARTS:
            pred, gold = arrays.get(f"{part}_pred"), truth.get(f"{part}_gold")
            if pred is None or gold is None:
                if row.get(part):
                    raise DataError(
                        f"no predictions or labels of the {part} rows, run {row['run']}"
                    )
                continue
            if pred.shape != gold.shape or not np.isfinite(pred).all():
                raise DataError(f"odd predictions of the {part} rows by run {row['run']}")
            found[part] = np.asarray(pred, np.float64)
        if "validation" not in found:
            raise DataError(f"no predictions of the validation rows by run {row['run']}")
        return {**found, "gold": np.asarray(truth["validation_gold"], np.float64)}


def combine(kind: str, members: Sequence[Sequence[Fold]]) -> Fold:
    """Makes the predictions of a row of those of its sources.

    Args:
      kind: One of `DERIVED`.
      members: Of each source its folds, all of them in one order.
    """
    assert kind in DERIVED
    made: list[Fold] = []
    for folds in zip(*members, strict=True):
        parts = [part for part in PARTS if all(part in fold for fold in folds)]
        mean = {part: np.mean([fold[part] for fold in folds], axis=0) for part in parts}
        if kind != ENSEMBLE:
            stretch = fit_stretch(mean["validation"], folds[0]["gold"])
            mean = {part: stretch(pred) for part, pred in mean.items()}
        made.append(mean)
    parts = [part for part in PARTS if all(part in fold for fold in made)]
    return {part: np.concatenate([fold[part] for fold in made]) for part in parts}


def score_all(
    view: JournalView, runs: Sequence[Row], lost: dict[str, list[Row]]
) -> Iterator[tuple[Recipe, Scored]]:
    """Makes and scores what can be made of the finished runs of one name.

    Args:
      view: The journal.
      runs: Of one name and one table.
      lost: Takes what could not be read, in words, and the runs that are in no row for it.
    """
    reader = Reader(view)
    folds: dict[str, list[Fold]] = {}
    for run in runs:
        try:
            folds[run["run"]] = reader.folds(run)
        except DataError as error:
            lost.setdefault(str(error), []).append(run)
    if not folds:
        return
    try:
        truth = view.truth(str(runs[0]["truth"]))
    except DataError as error:
        lost.setdefault(str(error), []).extend(runs)
        return
    for recipe in recipes_of([run for run in runs if run["run"] in folds]):
        made = combine(recipe.kind, [folds[source["run"]] for source in recipe.sources])
        yield (
            recipe,
            {part: scores(truth[f"{part}_gold"], pred) for part, pred in made.items()},
        )
