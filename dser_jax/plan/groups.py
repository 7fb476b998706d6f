"""Which runs an experiment is made of: groups of one program each, and what names a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from dser_jax.config import Config
from dser_jax.data import Prepared, check_inputs, reads_features_of_text
from dser_jax.models import make_network
from dser_jax.plan.grid import grid_points, hparams_at
from dser_jax.plan.names import hparams_json, run_of
from dser_jax.plan.runs import RunSpec
from dser_jax.plan.uses import check_uses
from dser_jax.system import DserError, tell
from dser_jax.training import HParams, named

Plan = dict[str, RunSpec]
"""Runs by their ids."""


@runtime_checkable
class Chooser(Protocol):
    """What chooses runs one after the other, as a `search.Search` does."""

    count: int

    def describe(self) -> dict[str, Any]:
        """Returns plain values that determine what is chosen, save their number."""
        ...


@dataclass(frozen=True)
class Group:
    """Runs of one program.

    Attributes:
      config: Static settings of all of them.
      runs: What to train.
      search: What says so, one run after the other, in their place.
      pool: What it is called together with the other folds whose test predictions are pooled.
    """

    config: Config
    runs: tuple[RunSpec, ...] = ()
    search: Chooser | None = None
    pool: str = ""


def paired_runs(
    named: Mapping[str, HParams],
    seeds: Iterable[int],
    paper: Mapping[str, dict[str, Any]] | None = None,
) -> tuple[RunSpec, ...]:
    """Crosses named settings with seeds; the runs of equal seed make the pairs of the tests.

    Args:
      named: Settings by the name of their row.
      seeds: Seeds of every row.
      paper: The published rows of some names, as `RunSpec.paper`.
    """
    rows, seeds = paper or {}, tuple(seeds)
    return tuple(
        RunSpec(name, hparams, seed, rows.get(name))
        for name, hparams in named.items()
        for seed in seeds
    )


def product(
    *, seed: Iterable[int] = range(1), defaults: HParams | None = None, **axes: Iterable[float]
) -> tuple[RunSpec, ...]:
    """Crosses traced settings with each other and with seeds.

    >>> runs = product(alpha=[0.1, 0.5], beta=[0.2, 0.4], seed=range(20))
    >>> len(runs), runs[0].name, runs[0].seed
    (80, 'alpha=0.1 beta=0.2', 0)

    Args:
      seed: Seeds of every point.
      defaults: Settings that the axes do not name; those of `HParams` if not given.
      **axes: Values by the field they set: alpha and beta, with gamma (eq. 6) or without (eq. 5,
        gamma = 1 - alpha - beta), and the other fields of `HParams`.

    Raises:
      DserError: A name is none of these, or the weights are incomplete.
    """
    fields = {"alpha", "beta", "gamma", *HParams._fields} - {"loss_weights"}
    for name in axes:
        if name not in fields:
            raise DserError(f"product({name}=...): expected one of {', '.join(sorted(fields))}")
    points = grid_points([(name, [float(v) for v in values]) for name, values in axes.items()])
    named = {name or "default": hparams_at(point, defaults) for name, point in points.items()}
    return paired_runs(named, seed)


def usable_groups(
    groups: Sequence[Group], prepared: Prepared, skip: bool
) -> tuple[list[Group], list[str]]:
    """Parts the groups that the data set can train from those it cannot, and says why not.

    Raises:
      DserError: It can train none of them; or not all, and those are not to be skipped.
    """
    usable, skipped, errors = [], [], []
    notes: dict[str, list[str]] = {}
    for group in groups:
        names = dict.fromkeys(spec.name for spec in group.runs)
        rows = _few(list(names)) or ("search" if group.search is not None else "baselines")
        try:
            # Names what is unknown before anything is written.
            of_text = reads_features_of_text(prepared, group.config)
            make_network(group.config, words=0 if of_text else 1, embedding_dim=1)
            named(group.config)
            searched = {} if group.search is None else group.search.describe()
            check_uses(group.config, group.runs, searched, prepared)
            for note in check_inputs(prepared, group.config):
                notes.setdefault(note, []).append(rows)
            usable.append(group)
        except DserError as error:
            errors.append(error)
            skipped.append(f"{rows}: not trained: {error}")
    if errors and not usable:
        raise errors[0]
    if errors and not skip:
        raise DserError(f"{'; '.join(skipped)}; --skip-missing trains the others alone")
    for note, those in notes.items():
        tell(f"{_few(those)}: {note}")
    for line in skipped:
        tell(line)
    return usable, skipped


def _few(names: Sequence[str], shown: int = 3) -> str:
    more = [f"and {len(names) - shown} more"] if len(names) > shown else []
    return ", ".join([*names[:shown], *more])


def plan_runs(groups: Sequence[Group], prepared: Prepared) -> list[Plan]:
    """Keys each group's runs by what determines them; a run that is given twice is one run.

    Raises:
      DserError: It has two names.
    """
    known: Plan = {}
    plans: list[Plan] = []
    for group in groups:
        fingerprint = prepared.fingerprint_of(group.config.prepared_inputs)
        plans.append({})
        for spec in group.runs:
            run = run_of(group.config, spec, fingerprint)
            if run not in known:
                known[run] = plans[-1][run] = spec
            elif (first := known[run]).name != spec.name:
                raise DserError(
                    f"{first.name!r} and {spec.name!r} are the same run: equal settings, seed "
                    f"{spec.seed}; give each setting one name, and no flag that makes them equal"
                )
    return plans


def describe(groups: Sequence[Group]) -> dict[str, dict[str, Any]]:
    """Returns what each row of the table is made of, for a manifest and for people."""
    rows: dict[str, dict[str, Any]] = {}
    for group in groups:
        for spec in group.runs:
            settings = group.config.to_json() | hparams_json(spec.hparams)
            row = rows.setdefault(spec.name, {"runs": 0, "seeds": [], "settings": settings})
            row["runs"] += 1
            row["seeds"].append(spec.seed)
            if row["settings"] != settings:  # e.g. one row over several test sessions
                same = {k: v for k, v in settings.items() if row["settings"].get(k) == v}
                row["settings"] = same
    for row in rows.values():
        row["seeds"] = sorted(set(row["seeds"]))
    return rows
