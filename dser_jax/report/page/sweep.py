"""A sweep as a page shows it: its journal, the tables of its scores, what is said of it."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dser_jax.journal import JournalView, read_intervals
from dser_jax.report.answer import judged
from dser_jax.report.remarks import remarks
from dser_jax.search import about, chosen
from dser_jax.stats import DerivedView, Table, score, tables, with_derived


@dataclass(frozen=True)
class Sweep:
    """A journal and what is shown of it.

    Attributes:
      label: Its name on the page.
      view: The journal.
      shown: The same with the rows that may be compared by their scores: of a search the picked
        trial and the baselines, of any other all.
      part: "test", or "validation" where no run was tested.
      groups: The tables of its CCCs, each of runs that compare.
      problems: Takes what could not be read, in words.
    """

    label: str
    view: DerivedView
    shown: DerivedView
    part: str
    groups: tuple[Table, ...]
    problems: list[str] = field(default_factory=list)

    @property
    def searched(self) -> bool:
        """Whether its runs are the trials of a search."""
        return about(self.view.manifest) is not None

    def said(self) -> list[str]:
        """Returns what a reader must know first."""
        return [*remarks(self.view, self.groups), *dict.fromkeys(self.problems)]


def take(journal: JournalView, label: str, made: MutableMapping[str, Any] | None = None) -> Sweep:
    """Gathers the tables of a journal.

    Args:
      journal: It.
      label: Its name on the page.
      made: Scores of what is made of its runs, as far as they are known; takes the others.
    """
    problems: list[str] = []
    view = with_derived(journal, problems, made)
    shown = chosen(view)
    scored = {p: any(score(row, "mean", part=p) is not None for row in shown.rows) for p in PARTS}
    part = "validation" if scored["validation"] and not scored["test"] else "test"
    intervals = read_intervals(view.folder, problems)
    groups = judged(view, tables(shown.scored, "ccc", part, intervals))
    return Sweep(label, view, shown, part, groups, problems)


PARTS = ("test", "validation")


def labels(folders: Sequence[Path]) -> list[str]:
    """Names sweeps by the last parts of their folders that tell them apart."""
    paths = [folder.resolve() for folder in folders]
    for depth in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-depth:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    return [f"{path.name} ({number})" for number, path in enumerate(paths, 1)]


Content = dict[str, Any]
"""What a page's scripts read, as JSON has it."""
