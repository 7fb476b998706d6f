"""What a journal was made with, when a later call takes it up: what must match, what may change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from dser_jax.journal.files import differences
from dser_jax.journal.planned import PlanChange, join_plans
from dser_jax.system import DserError


def check_match(
    folder: Path, older: Mapping[str, Any], newer: Mapping[str, Any], keys: Sequence[str]
) -> None:
    """Makes sure that a later call may go on in a folder.

    Args:
      folder: Named in the message.
      older: The folder's manifest.
      newer: The later call's.
      keys: Entries that must be the same; of dictionaries, what both have.

    Raises:
      DserError: They are not; the message shows the difference.
    """
    was = {key: older.get(key) for key in ("schema", *keys)}
    now = {key: newer.get(key) for key in ("schema", *keys)}
    for key in keys:
        one, other = was[key], now[key]
        if isinstance(one, dict) and isinstance(other, dict):
            was[key] = {name: one[name] for name in one.keys() & other.keys()}
            now[key] = {name: other[name] for name in one.keys() & other.keys()}
    lines = differences(was, now)
    if lines:
        raise DserError(
            f"{folder} was started with something else, and its runs would not compare:\n"
            + "\n".join(f"  {line}" for line in lines)
            + "\nChoose another folder, or bring back what it was started with"
        )


def join_manifests(
    older: Mapping[str, Any],
    newer: Mapping[str, Any],
    must_match: Sequence[str],
    change: PlanChange,
    rows: int,
) -> tuple[dict[str, Any], list[str]]:
    """Brings a folder's manifest up to date, keeping what it said before and until when.

    Args:
      older: The folder's manifest.
      newer: The later call's, which matches it.
      must_match: Entries that were found to; of dictionaries the later one may have more.
      change: What the later call adds to the plan.
      rows: Runs that are finished.

    Returns:
      The manifest, and what is different, for the user to read.
    """
    older, newer, notices = dict(older), dict(newer), []
    for key in must_match:
        if isinstance(older.get(key), dict) and isinstance(newer.get(key), dict):
            newer[key] = older[key] | newer[key]
    if change:
        notices += [f"extended: {line}" for line in change.lines]
        note = {"at": now(), "rows_before": rows, "added": len(change.added)}
        older["extended"] = [*older.get("extended", []), note]
        if change.gone:
            notices.append(
                f"{len(change.gone)} of the runs that were planned before are not planned by "
                "this call; they stay planned"
            )
    plan = join_plans(older, newer)
    joined = {**older, **newer, **plan}
    changed = {
        key: older.get(key) for key in newer if key not in plan and older.get(key) != newer[key]
    }
    if changed:
        note = {
            "at": now(),
            "rows_before": rows,
            "was": changed,
            "now": {key: newer[key] for key in changed},
        }
        for line in differences(note["was"], note["now"]):
            if not line.startswith("command:"):
                notices.append(f"resumed with another {line}")
        joined["resumed"] = [*older.get("resumed", []), note]
    return joined, notices


def now() -> str:
    """Returns the time as a manifest has it: ISO 8601, to the second, with the zone."""
    return datetime.now().astimezone().isoformat(timespec="seconds")
