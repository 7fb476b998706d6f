"""What looks wrong about a plan, though it can be carried out: told before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from dser_jax.config import side_by_side
from dser_jax.corpora import ATTRS
from dser_jax.data import (
    Prepared,
    make_split,
    reads_features_of_text,
    without_constants,
)
from dser_jax.plan import Group, RunSpec
from dser_jax.system import DserError, plural

PERCENT = 10.0
"""A loss weight from here on is rather a number of percent."""

FEW_WORDS = 0.5
"""With words, or speech, in a smaller share of the rows, what reads them learns next to nothing."""


def doubts_of(groups: Sequence[Group], prepared: Prepared, *, grid: bool = False) -> list[str]:
    """Lists what looks wrong about runs, a sentence each.

    Args:
      groups: The runs; those that the data set cannot train are passed over.
      prepared: The data set.
      grid: Whether the loss weights are of a grid, on which weights below zero are to be expected.
    """
    lines: list[str] = []
    for group in groups:
        if group.runs or group.search is not None:
            lines += [*_of_weights(group, grid), *_of_rows(group, prepared)]
    return list(dict.fromkeys(lines))


def _of_weights(group: Group, grid: bool) -> Iterator[str]:
    for spec in _by_row(group):
        weights = np.asarray(spec.hparams.loss_weights).tolist()
        written = ", ".join(f"{weight:g} ({a})" for weight, a in zip(weights, ATTRS, strict=True))
        if max(map(abs, weights)) >= PERCENT:
            few = ",".join(f"{weight / 100:g}" for weight in weights[:2])
            yield f"{spec.name!r}: loss weights of {written}: in percent? {few} would be fractions"
        elif min(weights) < 0 and not grid and spec.paper is None:
            yield (
                f"{spec.name!r}: loss weights of {written}: one below zero rewards being wrong on "
                "that attribute"
            )


def _by_row(group: Group) -> Iterable[RunSpec]:
    """Returns a run of each row: all of them have its settings."""
    return {spec.name: spec for spec in group.runs}.values()


def _of_rows(group: Group, prepared: Prepared) -> Iterator[str]:
    config, utterances = group.config, prepared.utterances
    try:
        split = make_split(utterances, config.split, config.protocol)
    except DserError:
        return
    known = np.isfinite(without_constants(prepared.labels, split))
    if 0 < len(split.train) < config.batch_size:
        yield (
            f"{split.name}: {plural(len(split.train), 'utterance')} to train on, fewer than one "
            f"batch of {config.batch_size} (--batch-size)"
        )
    learned = [ATTRS.index(attr) for attr in _labelled(known[split.train])]
    for spec in _by_row(group):
        if not np.asarray(spec.hparams.loss_weights)[learned].any():
            none = "no loss weight on an attribute that has labels"
            yield f"{spec.name!r}: {none}: nothing is learned"
    if reads_features_of_text(prepared, config):
        entry = prepared.manifest["features"][config.vectors]
        there = len(utterances) - entry.get("missing", 0)
        yield from _few(there, len(utterances), f"features {config.vectors}")
    elif config.text is not None:
        words = sum(bool(utterance.transcript) for utterance in utterances)
        yield from _few(words, len(utterances), "a transcript")
    if config.acoustic is not None:
        entries = [
            prepared.manifest["features"].get(name, {}) for name in side_by_side(config.features)
        ]
        there = len(utterances) - max(entry.get("missing", 0) for entry in entries)
        yield from _few(there, len(utterances), f"features {config.features}")


def _labelled(known: np.ndarray) -> list[str]:
    return [attr for column, attr in enumerate(ATTRS) if known[:, column].any()]


def _few(count: int, of: int, what: str) -> Iterator[str]:
    if count < FEW_WORDS * of:
        yield f"only {count:,} of {plural(of, 'utterance')} have {what}"
