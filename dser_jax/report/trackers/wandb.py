"""Runs for Weights & Biases."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable
from typing import Any

from dser_jax.report.trackers.tracked import Tracked
from dser_jax.system import DserError


def to_wandb(runs: Iterable[Tracked], project: str, group: str | None = None) -> int:
    """Sends runs to a project of W&B: settings, curves by epoch, and scores as the summary.

    W&B's own settings hold, as WANDB_MODE=offline, which writes to ./wandb for `wandb sync`. A run
    keeps its id, so one that was sent before is brought up to date instead of being there twice.

    Args:
      runs: Of `tracked`.
      project: Its name; made if need be.
      group: What the runs have in common, e.g. the sweep.

    Returns:
      How many were sent.

    Raises:
      DserError: The package wandb is not installed, or W&B does not accept the runs.
    """
    try:
        wandb: Any = importlib.import_module("wandb")
    except ModuleNotFoundError as error:
        raise DserError(
            f"W&B needs its package ({error.name} is not installed): pip install 'dser_jax[wandb]'"
        ) from error
    count = 0
    for run in runs:
        try:
            _send(wandb, run, project, group)
        except wandb.Error as error:
            raise DserError(
                f"W&B, run {run.run} ({run.name!r}, seed {run.seed}), after {count} runs: {error}; "
                "`wandb login` logs in, WANDB_MODE=offline needs no account"
            ) from error
        count += 1
    return count


def _send(wandb: Any, run: Tracked, project: str, group: str | None) -> None:
    sent = wandb.init(
        project=project,
        group=group,
        id=run.run,
        name=f"{run.name}, seed {run.seed}",
        job_type=str(run.settings.get("kind", "network")),
        config=dict(run.settings),
        resume="allow",
        reinit="finish_previous",
    )
    sent.define_metric("epoch")
    for tag in run.curves:
        sent.define_metric(tag, step_metric="epoch")
    for at in range(max(map(len, run.curves.values()), default=0)):
        values = {tag: curve[at] for tag, curve in run.curves.items() if at < len(curve)}
        found = {tag: value for tag, value in values.items() if math.isfinite(value)}
        if found:
            sent.log({"epoch": at + 1, **found})
    sent.summary.update({**run.scores, "best_epoch": run.best_epoch})
    sent.finish(exit_code=0 if run.scores else 1)
