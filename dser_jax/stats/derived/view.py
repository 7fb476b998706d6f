"""A journal with the rows that are made of its runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, fields

from dser_jax.journal import Arrays, JournalView, Row, read_derived
from dser_jax.search import about
from dser_jax.stats.derived.making import Reader, Recipe, Scored, combine, recipes_of, score_all
from dser_jax.stats.rows import is_baseline, is_whole, learned
from dser_jax.system import plural

NAMES = 40
"""Rows are made for so many names of a table, those that lead on validation."""

LISTED = 3
"""Of more files than this that cannot be read, the first is named."""


@dataclass(frozen=True)
class DerivedView(JournalView):
    """A journal, and what is made of its runs when it is read.

    Attributes:
      derived: Rows as those of the journal, which has none of them.
      recipes: How the predictions of each are made, by its run.
      source: The journal that they are made of.
    """

    derived: tuple[Row, ...] = ()
    recipes: Mapping[str, Recipe] = field(default_factory=dict)
    source: JournalView | None = None

    @property
    def scored(self) -> tuple[Row, ...]:
        """All that has scores: the rows of the journal, and those made of them."""
        return (*self.rows, *self.derived)

    def arrays(self, run: str) -> Arrays:
        """Loads the arrays of a run, or makes those of a derived one; errors of the journal's."""
        recipe = self.recipes.get(run)
        if recipe is None:
            return super().arrays(run) if self.source is None else self.source.arrays(run)
        reader = Reader(self)
        made = combine(recipe.kind, [reader.folds(source) for source in recipe.sources])
        return {f"{part}_pred": pred for part, pred in made.items()}

    def truth(self, key: str) -> Arrays:
        """Loads the labels and ids of the journal; errors of it."""
        return super().truth(key) if self.source is None else self.source.truth(key)


def with_derived(
    view: JournalView,
    problems: list[str],
    known: MutableMapping[str, Scored] | None = None,
) -> DerivedView:
    """Returns a journal with the rows that are made of its runs; of a search there are none.

    Args:
      view: The journal.
      problems: Takes what could not be read or is left out, in words.
      known: Run -> its scores, which need not be computed again; takes those that are. By default
        what the journal keeps of them.
    """
    known = read_derived(view.folder) if known is None else known
    rows: list[Row] = []
    recipes: dict[str, Recipe] = {}
    lost: dict[str, list[Row]] = {}
    for runs in _names(view, problems):
        wanted = recipes_of(runs)
        if all(recipe.run in known for recipe in wanted):
            found = [(recipe, known[recipe.run]) for recipe in wanted]
        else:
            found = list(score_all(view, runs, lost))
        for recipe, scored in found:
            known[recipe.run] = scored
            recipes[recipe.run] = recipe
            rows.append(recipe.row(scored))
    problems += _in_words(lost)
    base = {each.name: getattr(view, each.name) for each in fields(JournalView)}
    return DerivedView(**base, derived=tuple(rows), recipes=recipes, source=view)


def _names(view: JournalView, problems: list[str]) -> Iterator[list[Row]]:
    """Yields the finished runs of each network's name, table by table."""
    if about(view.manifest) is not None:
        return
    tables: dict[tuple[str, ...], dict[str, list[Row]]] = {}
    for row in view.rows:
        if not is_baseline(row) and is_whole(row) and row.get("validation"):
            at = tuple(str(row.get(key, "")) for key in ("corpus", "protocol", "split", "truth"))
            tables.setdefault(at, {}).setdefault(str(row["name"]), []).append(row)
    for names in tables.values():
        leading = sorted(names, key=lambda name: _height(names[name]), reverse=True)[:NAMES]
        if len(leading) < len(names):
            problems.append(
                f"stretched and ensemble rows are made of the {plural(NAMES, 'name')}, of "
                f"{len(names)}, with the highest mean on validation"
            )
        yield from (runs for name, runs in names.items() if name in leading)


def _height(runs: Sequence[Row]) -> float:
    known = [learned(run, "mean", part="validation") for run in runs]
    values = [value for value in known if value is not None]
    return sum(values) / len(values) if values else float("-inf")


def _in_words(lost: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    """Yields what could not be read and which runs that costs; of many files the first alone."""
    groups = list(lost.items())
    if len(groups) > LISTED:
        groups = [(groups[0][0], [run for _, runs in groups for run in runs])]
    for why, runs in groups:
        who = f"{runs[0]['name']!r}, seed {runs[0]['seed']}, is"
        who = who if len(runs) == 1 else f"{plural(len(runs), 'run')} are"
        yield f"{why}; {who} in no stretched or ensemble row"
