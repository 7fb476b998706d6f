"""What a search has found, as a section of a report."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path
from typing import Any

from dser_jax.corpora import ATTRS
from dser_jax.journal import JournalView
from dser_jax.report.sections.section import Section, plain, some
from dser_jax.report.text import number
from dser_jax.search import about, ranked, setting
from dser_jax.stats import LOST, is_baseline
from dser_jax.system import plural

SHOWN = 10
"""So many of the best trials are printed; all are in runs.csv."""

TO_COMPARE = 3
"""So many of the best are worth training with several seeds, for a start."""

SEEDS = 20


def search_sections(view: JournalView, *, followed: bool = False) -> list[Section]:
    """Says what a journal's search was over, how its trials ended, and which are the best.

    What can be done with these is said unless the caller does it itself: `followed`.
    """
    search = about(view.manifest)
    if search is None:
        return []
    attrs = search.get("attributes", ATTRS)
    best = ranked(view.rows, attrs)
    fields = list(search["ranges"])
    header = ("", *(field.replace("_", " ") for field in fields), "validation CCC", "best epoch")
    lines = tuple(
        (
            row["name"],
            *(plain(setting(row, field)) for field in fields),
            number(value),
            f"{row['best_epoch']} of {row['epochs']}",
        )
        for value, row in best[:SHOWN]
    )
    counts = Counter(row["status"] for row in view.rows if not is_baseline(row))
    names = {"ok": "went on to their end", "pruned": "were pruned"}
    ends = [f"{counts[s]} {names.get(s, s)}" for s in ("ok", *LOST) if counts[s]]
    over = ", ".join(f"{field.replace('_', ' ')} {of}" for field, of in search["ranges"].items())
    judged = "" if len(attrs) == len(ATTRS) else f" of {' and '.join(attrs)}"
    told = (
        f"{_kind(search)} over {over}. Of {plural(sum(counts.values()), 'trial')}, "
        f"{', '.join(ends)}.",
        *some(
            f"A trial is judged by its mean CCC{judged} on the validation rows, in its epoch of "
            "the lowest validation loss. Each trial has a seed of its own, so close neighbours "
            "may have changed places by chance."
            if best
            else "No trial has gone on to its end yet."
        ),
    )
    after: tuple[str, ...] = ()
    if best:
        chosen = best[0][1]["name"]
        after = (
            f"The tables of scores show {chosen!r} alone, which is the highest on validation; as "
            "the test set had no part in that, its test scores are those of one run like any "
            "other. Nothing is to be picked by the test scores of the other trials, which "
            "runs.csv has.",
        )
    if best and not followed:
        after += (
            f"To hold the best {min(TO_COMPARE, len(best))} against each other and the baselines, "
            f"over {SEEDS} new seeds each:",
            best_command(view),
        )
    return [Section(f"Search: the best {len(lines)} on validation", told, header, lines, after)]


def said_of(view: JournalView) -> list[str]:
    """Says what a table of a search shows; nothing of any other sweep."""
    search = about(view.manifest)
    best = ranked(view.rows, (search or {}).get("attributes", ATTRS))
    if search is None or not best:
        return []
    name = best[0][1]["name"]
    return [f"a search: the tables of scores show {name!r} alone, the highest on validation"]


def _kind(search: dict[str, Any]) -> str:
    kind = {"random": "Random search", "optuna": f"Optuna ({search.get('sampler')})"}
    text = kind.get(search["kind"], search["kind"])
    if "seed" in search:
        text += f", seed {search['seed']},"
    if halved := search.get("halving"):
        text += f" with halving (first rung {halved['first']} epochs, eta {halved['eta']})"
    return text


def best_command(view: JournalView) -> str:
    """Returns the command that trains the best trials of a search again; empty of other sweeps."""
    search = about(view.manifest)
    if search is None or not ranked(view.rows, search.get("attributes", ATTRS)):
        return ""
    data, folder = view.manifest.get("data", "DATA"), view.folder
    best = Path(folder).with_name(f"{Path(folder).name}-best")
    data, best, folder = (shlex.quote(str(each)) for each in (data, best, folder))
    return f"dser sweep --data {data} --out {best} --best-of {folder} --seeds {SEEDS}"
