"""What the runs of a journal are held against: the labels, and the baselines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from dser_jax.config import Config
from dser_jax.corpora import ATTRS
from dser_jax.data import MARKS, Dataset, Prepared, load_dataset, mark
from dser_jax.journal import MISSING, Journal
from dser_jax.stats import Baseline, fit_baselines
from dser_jax.system import DataError, Progress, nothing_to_lose, tell


def write_truth(journal: Journal, prepared: Prepared, dataset: Dataset) -> None:
    """Writes the labels of the rows that runs predict, and what training has met of these rows."""
    journal.write_truth(
        dataset.truth,
        attrs=np.array(ATTRS),
        validation_ids=np.array(dataset.part_ids("validation")),
        validation_gold=dataset.gold("validation"),
        test_ids=np.array(dataset.part_ids("test")),
        test_gold=dataset.gold("test"),
    )
    # A file of its own: a journal from before there were marks can still be taken up.
    marks = mark(prepared.utterances, dataset.split, prepared.folds)
    journal.write_truth(f"{dataset.truth}.{MARKS}", **marks)


def mend_truth(journal: Journal, prepared: Prepared, configs: Iterable[Config]) -> None:
    """Writes again what a journal has lost of the labels and marks of these configurations."""
    view = journal.view()
    lost: dict[str, list[DataError]] = {}
    for key in {str(row.get("truth", "")) for row in view.rows} - {""}:
        for name in (key, f"{key}.{MARKS}"):
            try:
                view.truth(name)
            except DataError as error:
                if name == key or error.problem != MISSING:  # Older versions made no marks.
                    lost.setdefault(key, []).append(error)
    for config in configs:
        if not lost:
            return
        dataset = load_dataset(prepared, config)
        if errors := lost.pop(dataset.truth, None):
            for error in errors:
                tell(f"{error.file}: {error.problem}; written anew")
            write_truth(journal, prepared, dataset)


def write_baselines(
    journal: Journal, prepared: Prepared, baselines: Mapping[str, Baseline]
) -> None:
    """Fits the baselines that the journal does not have yet, and writes them there.

    The manifest lists first which there will be: a report knows if some are lost.
    """
    if baselines:
        planned = dict.fromkeys([*(journal.manifest.get("baselines") or ()), *baselines])
        journal.note({"baselines": list(planned)})
    missing = {run: each for run, each in baselines.items() if run not in journal.finished}
    if not missing:
        return
    with Progress("baselines", len(missing), "row") as progress:
        progress.go_on("baselines", "fitting")
        fitted = fit_baselines(prepared, missing)
        while True:
            with nothing_to_lose():
                found = next(fitted, None)
            if found is None:
                break
            dataset, row, arrays = found
            write_truth(journal, prepared, dataset)
            journal.commit(row, arrays)
            progress.advance()
