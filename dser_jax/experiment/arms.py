"""Ways to weigh three losses, held against each other: the arms, their settings, and the choice.

Each arm tries the same number of settings, drawn once for all of them: a learning rate, and what is
its own (a temperature, or for the tuned fixed weights the weights). The best on validation goes on
with new seeds, the same in all arms, so that start, shuffles and dropout are.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from dser_jax.config import Config
from dser_jax.corpora import ATTRS
from dser_jax.experiment.conducting import in_folds, part_folder, train_beside
from dser_jax.experiment.flags.settings import make_hparams, prepared_of
from dser_jax.journal import GRID_FOLDER, SETTINGS_FOLDER, Row, read_manifest
from dser_jax.plan import (
    Group,
    LossWeights,
    RunSpec,
    no_weights,
    single_task,
    three_weights,
    two_weights,
)
from dser_jax.report import plan_sentence
from dser_jax.system import DserError, tell
from dser_jax.training import HParams

TUNED = "fixed, tuned"
"""The arm whose weights are drawn."""

RATES = (3e-4, 1e-2)
"""Learning rates to draw from, evenly in their logarithms."""

RANGES = {
    "dwa": (0.5, 8.0),
    "stch": (0.02, 1.0),
    "cagrad": (0.1, 0.9),
    "gradnorm": (0.5, 3.0),
    "famo": (0.005, 0.1),
}
"""Of the settings that methods have of their own; likewise."""


@dataclass(frozen=True)
class Arm:
    """A way to weigh.

    Attributes:
      name: As tables have it.
      method: As `loss.methods` has it.
      weights: Loss weights; None where they are drawn.
      attr: Whose CCC it is chosen by; None for the mean of all.
    """

    name: str
    method: str = "fixed"
    weights: LossWeights | None = (1.0, 1.0, 1.0)
    attr: str | None = None


FIRST_NEW = 100
"""The first of the new seeds; those of the tries are below."""

DEVIATION = 0.03
"""Of the difference of two arms over seeds, as on the demo corpus, before anything is known."""


class Setting(NamedTuple):
    """What an arm tries, or what was chosen: as `HParams` has it."""

    learning_rate: float
    own: float
    weights: LossWeights


def chosen_arms(args: argparse.Namespace, config: Config) -> tuple[list[Group], dict[str, Any]]:
    """Lets each arm try its settings, and trains the grid; returns what is to be trained anew.

    The tries lie in `OUT/settings`, the grid in `OUT/grid`, or in the folder of the part; what is
    there is not trained again.

    Args:
      args: Flags of an experiment, and `arms`, `settings`, `tries`, `grid_seeds`, `margin`.
      config: Of the networks.

    Returns:
      The groups of the arms, and what `Options.arms` takes.

    Raises:
      DserError: The margin is no margin, a name is no arm, or the data set cannot be used.
    """
    if not 0 < args.margin < 1:
        raise DserError(f"--margin is {args.margin:g}; expected a CCC, above 0 and below 1")
    if args.tries > FIRST_NEW:
        raise DserError(f"--tries is {args.tries}; expected {FIRST_NEW} at most")
    if not args.seeds:
        raise DserError("--seeds 0: arms are held against each other over seeds; expected some")
    out = part_folder(args.out, args.part)
    _check_same(out, args)
    usual = make_hparams(args, no_weights())
    prepared = prepared_of(args)
    arms = with_labels(all_arms(args.arms), prepared.labels)
    count = args.settings
    of_all = [arm for arm in arms if arm.attr is None]
    held = len(of_all) - 1 + any(arm.attr for arm in arms)  # Those of one task are one arm.
    tell(plan_sentence(DEVIATION, args.margin, max(1, held), args.seeds))
    tries = tried(arms, count, args.learning_rate)
    first = groups_of(config, usual, tries, range(args.tries))
    found = train_beside(args, in_folds(first, prepared, args.split), out / SETTINGS_FOLDER)
    chosen = best_of(tries, [row for row in found if row["seed"] < args.tries])
    reference = reference_of(arms, chosen)
    seeds = range(FIRST_NEW, FIRST_NEW + args.seeds)
    if args.grid_seeds > 0:
        best = chosen[reference][1].learning_rate
        points = {
            "/".join(f"{weight:g}" for weight in weights): (Arm(TUNED), Setting(best, 0.0, weights))
            for weights in simplex()
        }
        grid = groups_of(config, usual, points, seeds[: args.grid_seeds])
        train_beside(args, in_folds(grid, prepared, args.split), out / GRID_FOLDER)
    told = {
        "reference": reference,
        "margin": args.margin,
        "alone": [arm.name for arm in arms if arm.attr],
        "settings": count,
        "tries": args.tries,
        "chosen": {name: [value, *setting] for name, (value, setting) in chosen.items()},
    }
    runs = {arm.name: (arm, chosen[arm.name][1]) for arm in arms}
    return groups_of(config, usual, runs, seeds), told


def _check_same(out: Path, args: argparse.Namespace) -> None:
    """Refuses another choice where arms are trained already, before anything is trained for it."""
    known = (read_manifest(out) or {}).get("arms") or {}
    for name in ("settings", "tries"):
        was, now = known.get(name, getattr(args, name)), getattr(args, name)
        if was != now:
            raise DserError(
                f"{out}: its arms were chosen with --{name} {was}, and not {now}; choose another "
                "--out"
            )


def all_arms(names: Sequence[str] = ()) -> list[Arm]:
    """Lists the arms: the tasks alone, equal, the paper's and tuned weights, and every method.

    Args:
      names: Only these, if any.

    Raises:
      DserError: There is no arm of such a name.
    """
    from dser_jax.loss import methods

    arms = [Arm(f"{attr} alone", weights=single_task(attr), attr=attr) for attr in ATTRS]
    arms += [
        Arm("equal weights", weights=no_weights()),
        Arm("0.7/0.2/0.1", weights=two_weights(0.7, 0.2)),
        Arm("0.9/0.9/0.2", weights=three_weights(0.9, 0.9, 0.2)),
        Arm(TUNED, weights=None),
    ]
    arms += [Arm(name, name) for name in methods() if name not in ("fixed", "sum")]
    known = [arm.name for arm in arms]
    for name in names:
        if name not in known:
            raise DserError(f"--arms {name}: expected some of {', '.join(known)}")
    return [arm for arm in arms if not names or arm.name in names]


def with_labels(arms: Sequence[Arm], labels: Float[np.ndarray, "utt attr"]) -> list[Arm]:
    """Leaves out the arms of a task whose labels are missing or all the same, and says so."""
    told = [np.unique(column[np.isfinite(column)]) for column in labels.T]
    known = {attr for attr, values in zip(ATTRS, told, strict=True) if len(values) > 1}
    for arm in arms:
        if arm.attr and arm.attr not in known:
            tell(f"{arm.name!r} is left out: there are no labels of {arm.attr} that differ")
    return [arm for arm in arms if arm.attr is None or arm.attr in known]


def settings_of(arm: Arm, count: int, rate: float) -> list[Setting]:
    """Draws what an arm tries; the first is `rate` with what the method's authors have.

    The learning rates are the same in all arms.
    """
    found = []
    for number in range(count):
        random = np.random.default_rng([0, number])
        drawn, at, simplex = random.random(), random.random(), random.dirichlet(np.ones(3))
        own = _between(RANGES[arm.method], at) if number and arm.method in RANGES else 0.0
        valence, arousal, dominance = (float(f"{3 * each:.3g}") for each in simplex)
        weights = arm.weights or (valence, arousal, dominance)
        found.append(Setting(_between(RATES, drawn) if number else rate, own, weights))
    return found


def groups_of(
    config: Config, usual: HParams, runs: Mapping[str, tuple[Arm, Setting]], seeds: range
) -> list[Group]:
    """Makes a program a family of methods; every run trains all epochs, so that costs are equal.

    Args:
      config: Of the networks.
      usual: Settings that no arm varies.
      runs: By the name of the row: whose it is, and with what.
      seeds: Of each.
    """
    from dser_jax.loss import methods

    known, specs = methods(), {}
    for name, (arm, setting) in runs.items():
        method = known[arm.method]
        hparams = usual._replace(
            loss_weights=np.asarray(setting.weights, np.float32),
            learning_rate=np.float32(setting.learning_rate),
            weighting_setting=np.float32(setting.own),
            method=np.int32(method.number),
            patience=np.int32(config.max_epochs),
        )
        mine = specs.setdefault(method.weighting, [])
        mine += [RunSpec(name, hparams, seed) for seed in seeds]
    return [Group(replace(config, weighting=family), tuple(mine)) for family, mine in specs.items()]


def tried(arms: Sequence[Arm], count: int, rate: float) -> dict[str, tuple[Arm, Setting]]:
    """Names all that is tried, by the rows of the first journal."""
    return {
        f"{arm.name} | {number}": (arm, setting)
        for arm in arms
        for number, setting in enumerate(settings_of(arm, count, rate))
    }


def best_of(
    tries: Mapping[str, tuple[Arm, Setting]], rows: Sequence[Row]
) -> dict[str, tuple[float, Setting]]:
    """Chooses for each arm what is best on validation, in the mean of its seeds, and of folds.

    Args:
      tries: As `tried` names them.
      rows: Of the first journal.

    Returns:
      By arm, the mean CCC on validation and the setting. A run that diverged counts as 0.

    Raises:
      DserError: Of an arm not all runs have ended.
    """
    values: dict[str, list[float]] = {name: [] for name in tries}
    for row in rows:
        if row["name"] in tries and "kind" not in row:  # Not what is pooled of folds.
            arm, _ = tries[row["name"]]
            ccc = row["validation"]["ccc"] if row["status"] == "ok" else {}
            value = ccc.get(arm.attr or "mean")
            values[row["name"]].append(0.0 if value is None else float(value))
    chosen: dict[str, tuple[float, Setting]] = {}
    for name, (arm, setting) in tries.items():
        if not values[name]:
            raise DserError(f"{arm.name}: not all of its settings have been trained")
        mean = float(np.mean(values[name]))
        if arm.name not in chosen or mean > chosen[arm.name][0]:
            chosen[arm.name] = (mean, setting)
    return chosen


def reference_of(arms: Sequence[Arm], chosen: Mapping[str, tuple[float, Setting]]) -> str:
    """Names the fixed weights of all tasks that are best on validation."""
    fixed = [arm.name for arm in arms if arm.method == "fixed" and arm.attr is None]
    if not fixed:
        raise DserError("--arms: without fixed weights there is nothing to hold the others against")
    return max(fixed, key=lambda name: chosen[name][0])


def simplex(step: float = 0.1) -> Iterator[LossWeights]:
    """Yields all weights that are multiples of a step and add up to 1: 66 of them for 0.1."""
    parts = round(1 / step)
    for first in range(parts + 1):
        for second in range(parts + 1 - first):
            weights = (first, second, parts - first - second)
            yield tuple(round(each * step, 10) for each in weights)  # pyrefly: ignore


def _between(ends: tuple[float, float], at: float) -> float:
    low, high = (math.log(end) for end in ends)
    return float(f"{math.exp(low + at * (high - low)):.3g}")
