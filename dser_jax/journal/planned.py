"""Whether two calls plan the same sweep, and in words how they differ."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dser_jax.system import DserError, plural

NAMED = 5
"""So many rows are named where something holds for more of them."""


@dataclass(frozen=True)
class PlanChange:
    """What a later plan has that an earlier one has not, and the reverse.

    Attributes:
      added: Runs that are new.
      gone: Runs that are planned no longer.
      lines: The difference in words, the rows first, then the counts.
      conflicts: Those of the lines for which the runs of one row would not compare.
    """

    added: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Tells whether other runs are planned."""
        return bool(self.added or self.gone)


def compare_plans(was: Mapping[str, Any], now: Mapping[str, Any]) -> PlanChange:
    """Compares what two manifests plan: the runs, and row by row where both describe their rows.

    Args:
      was: A manifest. `planned` lists ids of runs; of a part of a sweep, `planned_whole` lists
        those of the whole, and is compared instead. `plan`, where there is one, describes the rows:
        name -> {"runs": number, "seeds": list, "settings": {name: value}}.
      now: Another one.

    Returns:
      Nothing at all where the same runs are planned, or one of the two lists none.
    """
    old, new = _ids(was), _ids(now)
    if old is None or new is None or set(old) == set(new):
        return PlanChange()
    added = tuple(run for run in dict.fromkeys(new) if run not in set(old))
    gone = tuple(run for run in dict.fromkeys(old) if run not in set(new))
    counts = (
        f"{plural(len(set(old)), 'run')} planned before, {len(set(new))} now: {len(added)} new, "
        f"{len(gone)} gone"
    )
    before, after = was.get("plan"), now.get("plan")
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return PlanChange(added, gone, (counts,))
    lines, more = _compare_rows(before, after)
    conflicts = _compare_settings(before, after)
    if added and not more and not conflicts:
        conflicts = [
            f"{plural(len(added), 'run')} new, though no row, seed or setting is: they would be of "
            "other data, or of another version"
        ]
    return PlanChange(added, gone, (*lines, *conflicts, counts), tuple(conflicts))


def join_plans(was: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the entries of a manifest that plan what either of two plans, the earlier first."""
    joined: dict[str, Any] = {}
    for key in ("planned", "planned_whole"):
        if isinstance(was.get(key), list) and isinstance(now.get(key), list):
            joined[key] = list(dict.fromkeys([*was[key], *now[key]]))
    if "plan" in was or "plan" in now:
        before, after = was.get("plan") or {}, now.get("plan") or {}
        joined["plan"] = {
            name: _join_row(before[name], after[name])
            if name in before and name in after
            else (before | after)[name]
            for name in before | after
        }
    return joined


def check_plan(
    folder: object, was: Mapping[str, Any], now: Mapping[str, Any], *, extend: bool
) -> PlanChange:
    """Makes sure that a later call may go on in a folder; returns what it adds.

    Args:
      folder: Named in the message.
      was: The folder's manifest.
      now: The later call's.
      extend: Whether it may add runs.

    Raises:
      DserError: The later call plans other runs and was not told to extend; or its runs would not
        compare; or it is another part of the sweep.
    """
    if _part(was) != _part(now) and _ids(was) is not None:
        raise DserError(
            f"{folder} holds {_part(was)}, and this is {_part(now)}; choose another --out for it"
        )
    change = compare_plans(was, now)
    if not change or (extend and not change.conflicts):
        return change
    lines = change.conflicts if extend else change.lines
    what = "has rows whose runs would not compare" if extend else "was planned as another sweep"
    advice = "Choose another --out, or the settings that it was made with"
    if not change.conflicts:
        advice = "Choose another --out, or --extend, which adds the new runs and keeps the old"
    text = "".join(f"\n  {line}" for line in lines)
    raise DserError(f"{folder} {what}:{text}\n{advice}")


def _ids(manifest: Mapping[str, Any]) -> list[str] | None:
    ids = manifest.get("planned_whole", manifest.get("planned"))
    return ids if isinstance(ids, list) else None


def _part(manifest: Mapping[str, Any]) -> str:
    part = manifest.get("part")
    return f"part {part[0]} of {part[1]}" if part else "a whole sweep"


def _compare_rows(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[list[str], bool]:
    """Says what became of rows and of their seeds, and whether there is more of either."""
    new = [name for name in after if name not in before]
    gone = [name for name in before if name not in after]
    lines = []
    if new:
        lines.append(
            f"new: {_rows(new)}, {plural(sum(_count(after[name]) for name in new), 'run')}"
        )
    if gone:
        lines.append(
            f"gone: {_rows(gone)}, {plural(sum(_count(before[name]) for name in gone), 'run')}"
        )
    more: dict[str, list[str]] = {}
    less: dict[str, list[str]] = {}
    for name in (name for name in before if name in after):
        old, now = before[name], after[name]
        had, has = old.get("seeds") or [], now.get("seeds") or []
        if extra := [seed for seed in has if seed not in had]:
            more.setdefault(f"more seeds: {_seeds(extra)}", []).append(name)
        if lost := [seed for seed in had if seed not in has]:
            less.setdefault(f"fewer seeds: without {_seeds(lost)}", []).append(name)
        if set(had) == set(has) and _count(old) != _count(now):
            text = f"{plural(_count(old), 'run')} before, {_count(now)} now"
            (more if _count(now) > _count(old) else less).setdefault(text, []).append(name)
    lines += [f"{_rows(names)}: {text}" for text, names in (*more.items(), *less.items())]
    return lines, bool(new or more)


def _compare_settings(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Says which settings of equally named rows are others."""
    found: dict[str, list[str]] = {}
    for name in (name for name in before if name in after):
        had, has = (row.get("settings") for row in (before[name], after[name]))
        if had is None or has is None or had == has:
            continue
        text = ", ".join(
            f"{key} {_value(had, key)} -> {_value(has, key)}"
            for key in had | has
            if key not in had or key not in has or had[key] != has[key]
        )
        found.setdefault(text, []).append(name)
    return [f"{_rows(names)}: other settings: {text}" for text, names in found.items()]


def _join_row(was: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    had, has = list(was.get("seeds") or []), list(now.get("seeds") or [])
    extra = [seed for seed in has if seed not in had]
    runs = _count(was) + (_count(now) * len(extra) // len(has) if extra else 0)
    return {**was, "seeds": had + extra, "runs": max(runs, _count(now))}


def _count(row: Mapping[str, Any]) -> int:
    return int(row.get("runs") or 0)


def _rows(names: Sequence[str]) -> str:
    text = ", ".join(map(repr, names[:NAMED]))
    return text if len(names) <= NAMED else f"{text} and {plural(len(names) - NAMED, 'more row')}"


def _seeds(seeds: Iterable[Any]) -> str:
    seeds = list(seeds)
    first, last = seeds[0], seeds[-1]
    if len(seeds) > 2 and all(isinstance(seed, int) for seed in seeds):
        first, last = min(seeds), max(seeds)
        if sorted(seeds) == list(range(first, last + 1)):
            return f"{first} to {last}"
    return ", ".join(map(str, seeds))


def _value(settings: Mapping[str, Any], key: str) -> str:
    if key not in settings:
        return "(not set)"
    value = settings[key]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
