"""What a lane trains, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from dser_jax.training import HParams, Result, Weights


@dataclass(frozen=True)
class RunSpec:
    """What one lane trains.

    Attributes:
      name: The row of the results table that it belongs to; runs of one name differ in seed only.
      hparams: Traced settings.
      seed: Number from which initialization, shuffling and dropout follow; runs of equal seed are
        compared pairwise.
      paper: The published row to hold it against, as `published` names it, e.g. `{"table":
        "table6", "row": "two"}`; no part of what determines the run.
    """

    name: str
    hparams: HParams
    seed: int
    paper: dict[str, Any] | None = None


class Outcome(NamedTuple):
    """A run that has ended.

    Attributes:
      spec: What it was.
      result: What it gave, as NumPy arrays; None where it failed.
      weights: Those of its best epoch, on request.
      pruned: Whether a search stopped it before its time.
      traceback: What it failed with, if it did.
    """

    spec: RunSpec
    result: Result | None
    weights: Weights | None = None
    pruned: bool = False
    traceback: str | None = None


def stack_hparams(hparams: Sequence[HParams]) -> HParams:
    """Stacks the settings of several runs along a new first axis, the lanes', in NumPy."""
    kinds = [np.asarray(default).dtype for default in HParams()]
    columns = zip(*hparams, strict=True)
    stacked = (np.stack(column).astype(kind) for column, kind in zip(columns, kinds, strict=True))
    return HParams(*stacked)


def tree_bytes(tree: Any) -> int:
    """Returns the size of a pytree of arrays, or of their shapes."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
