"""What a call asks for, before anything is trained: its runs, and what the journal says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from dser_jax.data import Prepared, make_split, told_constants
from dser_jax.experiment.options import Options
from dser_jax.features import is_imported
from dser_jax.journal import environment, part_of
from dser_jax.plan import Group, Plan, describe, plan_runs, usable_groups
from dser_jax.search import RandomSearch, Search
from dser_jax.system import DserError


@dataclass(frozen=True)
class Task:
    """What a call asks for.

    Attributes:
      groups: Those that the data set can train.
      plans: The runs of each group; where the sweep is divided, those of this part.
      search: What chooses runs in the place of the plans, if anything does.
      manifest: What the journal is made with and for.
      must_match: Entries of it that a journal which is taken up must have alike.
    """

    groups: Sequence[Group]
    plans: Sequence[Plan]
    search: Search | None
    manifest: dict[str, Any]
    must_match: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many runs are asked for, finished ones included."""
        planned = self.manifest["planned"]
        return len(planned) if self.search is None else self.search.count


def make_task(
    data: str | Path, prepared: Prepared, groups: Sequence[Group], options: Options, device: str
) -> Task:
    """Finds out what a call asks for.

    Args:
      data: Where the prepared data set lies.
      prepared: What is in it.
      groups: Runs, one group a program.
      options: How to go about it.
      device: On which; in words.

    Raises:
      DserError: The data set can train none of the groups, or what is asked does not go together.
    """
    search = _only_search(groups, options)
    groups, skipped = usable_groups(groups, prepared, options.skip_missing)
    plans = plan_runs(groups, prepared)
    whole = list(dict.fromkeys(run for plan in plans for run in plan))
    if options.part is not None:
        plans = [_part(plan, *options.part) for plan in plans]
    inputs = sorted({name for group in groups for name in group.config.prepared_inputs})
    manifest = {
        **environment(),
        "device": device,
        "data": str(data),
        "data_fingerprint": prepared.fingerprint_of(()),
        "inputs": {name: prepared.fingerprint_of([name]) for name in inputs},
        "imported": _imported(prepared, inputs),
        "planned": list(dict.fromkeys(run for plan in plans for run in plan)),
        "plan": describe(groups),
        "configs": [group.config.to_json() for group in groups],
        "skipped": skipped,
    }
    if options.steps:
        manifest["steps"] = list(dict.fromkeys(s.name for group in groups for s in group.runs))
    if options.arms:
        manifest["arms"] = options.arms
    pools: dict[str, list[str]] = {}
    for group in groups:
        if group.pool and group.config.split not in pools.setdefault(group.pool, []):
            pools[group.pool].append(group.config.split)
    if pools:
        manifest["pools"] = pools
    if constant := _constant(prepared, groups):
        manifest["constant"] = constant
    must_match = ("data_fingerprint", "inputs", "search")
    if search is not None:
        manifest |= {"planned": search.count, "search": search.describe()}
        must_match += ("configs",)
    if options.part is not None:
        manifest |= {"part": list(options.part), "planned_whole": whole}
    return Task(groups, plans, search, manifest, must_match)


def _constant(prepared: Prepared, groups: Sequence[Group]) -> list[str]:
    """Says which attributes are left out of the means, as their labels never vary."""
    kinds = dict.fromkeys((group.config.split, group.config.protocol) for group in groups)
    splits = [make_split(prepared.utterances, *kind) for kind in kinds]
    lines = [line for split in splits for line in told_constants(prepared.labels, split)]
    return list(dict.fromkeys(lines))


def _imported(prepared: Prepared, inputs: Sequence[str]) -> dict[str, str]:
    """Returns the features that were extracted elsewhere, and where they come from."""
    entries = {name: prepared.manifest["features"].get(name) for name in inputs}
    sources = {name: entry["source"] for name, entry in entries.items() if entry}
    return {name: source for name, source in sources.items() if is_imported(source)}


def _only_search(groups: Sequence[Group], options: Options) -> Search | None:
    """Returns the search that says what is trained, if there is one."""
    searches = [group.search for group in groups if group.search is not None]
    if not searches:
        return None
    if len(groups) > 1:
        raise DserError(
            "a search is over one configuration: give one --features, one --vectors and one --split"
        )
    if options.retry_failed:
        raise DserError("a search goes without --retry-failed: what followed was chosen knowing it")
    if options.part is not None:
        raise DserError("a search cannot be divided: each choice depends on others; leave out part")
    if options.ray is not None and not isinstance(searches[0], RandomSearch):
        raise DserError("on a cluster a search cannot choose by what runs give: only at random")
    return cast(Search, searches[0])


def _part(plan: Plan, part: int, parts: int) -> Plan:
    """Takes the runs of the I-th of N parts, as their ids divide them."""
    if not 1 <= part <= parts:
        raise DserError(f"part {part}/{parts}; expected I/N with I from 1 to N")
    return {run: spec for run, spec in plan.items() if part_of(run, parts) == part - 1}
