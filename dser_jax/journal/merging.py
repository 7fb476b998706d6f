"""Parts of one sweep, made on several machines, joined into one journal."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

from dser_jax.journal.files import (
    Row,
    check_weights,
    differences,
    load_arrays,
    read_manifest,
    weights_folder,
)
from dser_jax.journal.journal import Journal
from dser_jax.journal.planned import compare_plans, join_plans
from dser_jax.journal.reading import JournalView, read_journal
from dser_jax.plan import plain
from dser_jax.system import DserError, plural, replacing_folder

ORIGIN = ("versions", "device", "platform", "git_commit", "git_dirty")
"""What parts may differ in; the merged journal keeps it of each."""

_OF_A_PART = ("part", "planned", "planned_whole", "plan", "created", "resumed", "extended")

ROUNDING = 1e-6
"""Baselines are fitted beside every part; their scores may differ by so much between machines."""


def part_of(run: str, parts: int) -> int:
    """Tells which part of a sweep a run belongs to, from its id alone.

    Args:
      run: The id, a hexadecimal number that `run_id` made.
      parts: How many parts there are.

    Returns:
      A number from 0 to parts - 1.
    """
    return int(run, 16) % parts


@dataclass(frozen=True)
class _Part:
    """A journal of a part.

    Attributes:
      number: Of this part, from 1.
      view: The journal.
    """

    number: int
    view: JournalView

    @property
    def manifest(self) -> dict[str, Any]:
        return self.view.manifest

    @property
    def name(self) -> str:
        return f"part {self.number}"


def merge(
    parts: Sequence[str | os.PathLike],
    out: str | os.PathLike,
    finish: Callable[[Journal], Sequence[str]] = lambda journal: (),
) -> JournalView:
    """Joins journals of parts of one sweep into one, which is as if one process had made it.

    May be interrupted at any moment, and done again: also when more parts have come, or more of
    their runs have finished. The parts are only read, and may still be growing.

    Args:
      parts: The folders of the parts, in any order; not all of them need be there.
      out: The folder of the whole, made where there is none.
      finish: Adds what only the whole can have, and returns what the user is to know of it.

    Returns:
      The merged journal. Its notices say what is missing, what is unfinished and in what the
      parts' versions and devices differ.

    Raises:
      DserError: The parts are not of one sweep; or two have different rows of one run; or `out`
        holds something else, or cannot be written.
      DataError: A file of a part is damaged.
    """
    out = Path(out)
    found = _read_parts([Path(part) for part in parts], out)
    first = found[0]
    planned = first.manifest["planned_whole"]
    rows = _join_rows(found)
    manifest = {key: first.manifest.get(key) for key in ("data_fingerprint", "inputs")}
    older = read_manifest(out)
    if older is None:
        manifest |= {k: v for k, v in first.manifest.items() if k not in _OF_A_PART}
    elif (change := compare_plans(older, {"planned": planned})).gone:
        raise DserError(f"{out} holds another sweep ({change.lines[-1]}); choose another folder")
    plans = [{"plan": part.manifest["plan"]} for part in found if part.manifest.get("plan")]
    manifest |= reduce(join_plans, plans) if plans else {}
    # A run that failed may have been trained again since.
    mended = {run for run, (_, row) in rows.items() if row.get("status") != "failed"}
    manifest["planned"] = planned
    with Journal.open(out, manifest, extend=True, retry=mended.__contains__) as journal:
        for part in found:
            _copy(part, rows, journal)
        # Parts that were merged before and are not given now stay listed.
        listed = {entry["part"][0]: entry for entry in journal.manifest.get("parts", [])} | {
            part.number: _origin(part) for part in found
        }
        journal.note({"parts": [listed[number] for number in sorted(listed)]})
        known = (journal.manifest, *(part.manifest for part in found))
        if beside := dict.fromkeys(run for each in known for run in each.get("baselines") or ()):
            journal.note({"baselines": list(beside)})
        lines = finish(journal)
        view = journal.view()
    said = [
        *(f"{part.name}: {notice}" for part in found for notice in part.view.notices),
        *lines,
        *_differing(found),
        *_missing(found, view, set(listed)),
    ]
    return replace(view, notices=(*view.notices, *said))


def _read_parts(folders: Sequence[Path], out: Path) -> list[_Part]:
    """Reads the parts, in their order, and makes sure that they are of one sweep."""
    if not folders:
        raise DserError("no parts to merge")
    parts = []
    for folder in {folder.resolve(): folder for folder in folders}.values():
        if folder.resolve() == out.resolve():
            raise DserError(f"{folder} is one of the parts; merge them into another folder")
        view = read_journal(folder)
        if not view.manifest.get("part") or "planned_whole" not in view.manifest:
            raise DserError(f"{folder} is the journal of a whole sweep, not of a part of one")
        parts.append(_Part(view.manifest["part"][0], view))
    parts.sort(key=lambda part: part.number)
    first, *others = parts
    for other in others:
        for key, what in (
            ("data_fingerprint", "other data"),
            ("inputs", "other data"),
            ("planned_whole", "another sweep"),
        ):
            was, now = first.manifest.get(key), other.manifest.get(key)
            if key == "planned_whole":
                was, now = sorted(set(was or ())), sorted(set(now or ()))
            if was != now:
                raise DserError(
                    f"{first.view.folder} and {other.view.folder} do not belong together: "
                    f"{other.name} is of {what} ({'; '.join(_difference(key, was, now))})"
                )
        if first.manifest["part"][1] != other.manifest["part"][1]:
            raise DserError(
                f"{first.view.folder} is part {_numbered(first)}, and {other.view.folder} is part "
                f"{_numbered(other)}: give parts of one division"
            )
    return parts


def _numbered(part: _Part) -> str:
    return "{} of {}".format(*part.manifest["part"])


def _difference(key: str, was: Any, now: Any) -> list[str]:
    if key == "planned_whole":
        return [
            f"{plural(len(was), 'run')} in all, against {len(now)}, "
            f"{len(set(was) & set(now))} in common"
        ]
    return differences(was, now, key)


def _join_rows(parts: Sequence[_Part]) -> dict[str, tuple[_Part, Row]]:
    """Returns every row once, with the part that it is taken from: the first that has it."""
    rows: dict[str, tuple[_Part, Row]] = {}
    for part in parts:
        for row in part.view.rows:
            first, kept = rows.setdefault(row["run"], (part, row))
            _check_same(kept, first.view.folder, row, part.view.folder)
    return rows


def _check_same(kept: Row, here: Path, row: Row, there: Path) -> None:
    margin = ROUNDING if row.get("kind") == "baseline" else 0.0
    if not _equal(kept, row, margin):
        found = differences(kept, row)
        raise DserError(
            f"{here / 'rows.jsonl'} and {there / 'rows.jsonl'} have different rows of the run "
            f"{row['run']} ({row.get('name')!r}, seed {row.get('seed')}): "
            + "; ".join(found[:5])
            + ("; ..." if len(found) > 5 else "")
        )


def _equal(one: Any, other: Any, margin: float) -> bool:
    """Returns whether two plain values are equal, numbers up to a margin."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[k], other[k], margin) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other, [margin] * len(one)))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=margin, abs_tol=margin)
    return one == other


def _copy(part: _Part, rows: Mapping[str, tuple[_Part, Row]], journal: Journal) -> None:
    """Copies what the whole takes from a part and does not have yet; a row comes last."""
    folder = part.view.folder
    had = {row["run"]: row for row in journal.rows()}
    for path in sorted((folder / "truth").glob("[!.]*.npz")):
        journal.write_truth(path.stem, **load_arrays(path))
    for run, (source, row) in rows.items():
        if source is not part:
            continue
        if run in had:
            _check_same(had[run], journal.folder, row, folder)
            continue
        arrays = part.view.arrays(run)
        _copy_weights(folder, journal.folder, run)
        journal.commit(row, arrays)


def _copy_weights(source: Path, target: Path, run: str) -> None:
    """Copies the weights of a run, where there are any, so that the copy is whole or not there."""
    kept, copied = weights_folder(source, run), weights_folder(target, run)
    if not kept.is_dir() or copied.exists():
        return
    check_weights(source, run)
    with replacing_folder(copied) as part:
        shutil.copytree(kept, part, dirs_exist_ok=True)


def _origin(part: _Part) -> dict[str, Any]:
    """Returns what the whole keeps of where a part came from."""
    kept = (*ORIGIN, "command", "created", "resumed")
    return plain(
        {
            "part": part.manifest["part"],
            "folder": str(part.view.folder),
            "rows": len(part.view.rows),
            **{key: part.manifest[key] for key in kept if key in part.manifest},
        }
    )


def _differing(parts: Sequence[_Part]) -> Iterator[str]:
    """Says in what the parts' versions and devices differ from those of the first."""
    first = parts[0]
    for part in parts[1:]:
        for key in ORIGIN:
            if part.manifest.get(key) != first.manifest.get(key):
                for line in differences(first.manifest.get(key), part.manifest.get(key), key):
                    was, _, now = line.removesuffix(" now").partition(" before, ")
                    yield f"{first.name} and {part.name} differ in {was}, {now}"


def _missing(parts: Sequence[_Part], view: JournalView, listed: set[int]) -> Iterator[str]:
    """Says which parts and which of their runs are not there yet."""
    count, whole = parts[0].manifest["part"][1], parts[0].manifest["planned_whole"]
    finished = {row["run"] for row in view.rows}
    owned: dict[int, set[str]] = {}
    for part in parts:
        owned.setdefault(part.number, set()).update(part.manifest.get("planned") or ())
    for number in range(1, count + 1):
        mine = owned.get(number, {run for run in whole if part_of(run, count) == number - 1})
        open_runs = len(mine - finished)
        if number not in listed:
            yield f"part {number} of {count} is missing: {plural(open_runs, 'run')}"
        elif open_runs:
            verb = "is" if open_runs == 1 else "are"
            yield f"part {number}: {open_runs} of {plural(len(mine), 'run')} {verb} unfinished"
