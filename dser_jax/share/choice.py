"""Which runs of a journal make a model: always by validation, never by the test set."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from dser_jax.journal import JournalView, Row
from dser_jax.plan import canonical
from dser_jax.system import DserError


@dataclass(frozen=True)
class Choice:
    """What to take of a journal.

    Attributes:
      run: The run of this id; the others are then not asked.
      ensemble: All seeds of the best row, and not the best run alone.
      row: Name of the row to choose from; by default all.
      stretch: Whether what is chosen is stretched on validation; it has no part in the choice.
    """

    run: str | None = None
    ensemble: bool = False
    row: str | None = None
    stretch: bool = False

    def words(self) -> str:
        """Says how the model was chosen, for people."""
        return self._which() + (", stretched on validation" if self.stretch else "")

    def _which(self) -> str:
        if self.run is not None:
            return "a run that was named"
        of = "" if self.row is None else f" of the row {self.row}"
        if self.ensemble:
            return f"all seeds{of or ' of the row with the best mean CCC on validation'}"
        return f"the run{of} with the best mean CCC on validation"


def choose(view: JournalView, choice: Choice) -> list[Row]:
    """Chooses runs that differ in seed alone, ordered by seed.

    The best run has the highest CCC on validation, averaged over attributes; the best row has the
    highest mean of that over its seeds.

    Raises:
      DserError: No run, or no row, of that name, or none that has ended well.
    """
    rows = [row for row in view.rows if row.get("kind") is None]
    if choice.run is not None:
        return [_one(view, choice.run)]
    if not rows and view.rows:
        raise DserError(
            f"{view.folder}: baselines alone, and no network that could be exported; the same "
            "sweep with --seeds 1 or more, and --extend, trains some"
        )
    if choice.row is not None:
        names = list(dict.fromkeys(row["name"] for row in rows))
        rows = [row for row in rows if row["name"] == choice.row]
        if not rows:
            there = ", ".join(map(repr, names)) or "none"
            for name in names:
                if flags := _made_of(name, choice.row):
                    there += f"; that one is --row {shlex.quote(name)} {flags}"
            raise DserError(f"{view.folder}: no row is called {choice.row!r}; there are {there}")
    rows = [row for row in rows if row["status"] == "ok" and _score(row) is not None]
    if not rows:
        raise DserError(f"{view.folder}: no run that has ended well and has scores on validation")
    if not choice.ensemble:
        return [max(rows, key=lambda row: _score(row) or 0.0)]
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(canonical([row["name"], row["config"], row["hparams"]]), []).append(row)
    best = max(groups.values(), key=lambda group: _mean([_score(row) or 0.0 for row in group]))
    return sorted(best, key=lambda row: row["seed"])


def _made_of(name: str, row: str) -> str:
    """Returns the flags that make a row of the report out of the row of this name."""
    made = re.fullmatch(re.escape(name) + r"(, ensemble of \d+)?(, stretched)?", row)
    if made is None:
        return ""
    return " ".join(flag for flag, at in (("--ensemble", 1), ("--stretch", 2)) if made[at])


def _one(view: JournalView, run: str) -> Row:
    """Finds a run by its id, or by the beginning of one."""
    found = [row for row in view.rows if row["run"].startswith(run)]
    if len(found) != 1:
        problem = "no run has this id" if not found else f"{len(found)} runs begin so"
        raise DserError(
            f"{view.folder}: --run {run}: {problem}; {view.folder / 'rows.jsonl'} lists them"
        )
    (row,) = found
    if kind := row.get("kind"):
        what = {"baseline": "a baseline", "pooled": "pooled over folds"}[kind]
        raise DserError(f"{view.folder}: {run} is {what} ({row['name']!r}), not a network")
    if row["status"] == "failed":
        raise DserError(f"{view.folder}: {run} has failed, so it has no weights")
    return row


def _score(row: Row) -> float | None:
    return row.get("validation", {}).get("ccc", {}).get("mean")


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
