"""The words and numbers of a report, common to the terminal, Markdown and LaTeX."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dser_jax.journal import JournalView
from dser_jax.stats import (
    LEAST,
    Comparison,
    PairedTest,
    Row,
    Summary,
    Table,
    TableRow,
    count_lost,
)
from dser_jax.system import plural

NONE = "–"
"""Stands where there is no score."""

UNTRAINED = "not trained"
"""Stands where the loss has no weight on an attribute."""

HEADLINE = ("ccc", "ccc_batch32")
"""The metrics of the printed tables; the CSV files have all."""


@dataclass(frozen=True)
class Asked:
    """What a printed report shows only on request.

    Attributes:
      everything: All baselines, not only the one that validation picks; what is made of all
        networks, with tests among those that are stretched; and the scores on parts of the test
        set, which the files have anyway.
      batch32: The score over 32-row batches, which the protocol `paper` shows always.
      intervals: Intervals in the tables for LaTeX.
    """

    everything: bool = False
    batch32: bool = False
    intervals: bool = False

    def metrics(self, table: Table) -> tuple[str, ...]:
        """Returns the metrics by which a table is printed."""
        return HEADLINE if self.batch32 or table.protocol == "paper" else HEADLINE[:1]

    def rows(self, table: Table) -> Table:
        """Returns a table with the baselines and the derived rows that are shown."""
        return table if self.everything else table.usual()

    def tested(self, table: Table) -> tuple[Table, ...]:
        """Returns the tables whose rows are tested among themselves: kinds are never mixed."""
        return (table, table.stretched) if self.everything else (table,)


USUAL = Asked()


MANY = 40
"""With more names than this, only the best is tested against the others."""

LISTED = 8
"""With more names than this, a sentence counts them."""

SHOWN = 15
"""With more tests than this, a printed report shows only those of the best name."""


def number(value: float | None) -> str:
    """Writes three decimals, without the zero that every coefficient begins with."""
    if value is None:
        return NONE
    text = f"{value:.3f}".replace("-", "−")
    if text in ("−0.000", "0.000"):
        return ".000"
    return text.replace("0.", ".", 1) if text.lstrip("−").startswith("0.") else text


def mean_sd(summary: Summary | None) -> str:
    """Writes `mean ± sd`; the mean alone for one run."""
    if summary is None:
        return NONE
    return number(summary.mean) + ("" if summary.sd is None else f" ± {number(summary.sd)}")


def score_cell(row: TableRow, column: str) -> str:
    """Writes `mean ± sd`, or why there is none."""
    if column in row.untrained:
        return "" if column == "mean" else UNTRAINED
    return mean_sd(row.scores.get(column))


def interval(found: Summary | PairedTest | None) -> str:
    """Writes `[low, high]`; nothing where there is no interval."""
    if found is None or found.low is None:
        return ""
    return f"[{number(found.low)}, {number(found.high)}]"


def over_utterances(row: TableRow, column: str) -> str:
    """Writes `(low, high)`, over test utterances; nothing where that is not known."""
    drawn = row.over_utterances if column in row.scores else None
    found = drawn.scores.get(column) if drawn else None
    return f"({number(found.low)}, {number(found.high)})" if found else ""


def p_value(value: float | None) -> str:
    """Writes a probability; below .001 only that."""
    return "<.001" if value is not None and value < 0.001 else number(value)


def about(metric: str, part: str) -> str:
    """Says what a metric is, as every table must."""
    return {
        "ccc": f"CCC over the whole {part} set",
        "ccc_batch32": f"mean of CCCs over 32-row batches of the {part} set (as the paper scores)",
        "rmse": f"root mean squared error over the {part} set, labels on [-1, 1]",
    }[metric]


def heading(table: Table) -> str:
    """Says which runs a table has."""
    return f"{table.corpus}, protocol {table.protocol}, split {table.split}"


def units_drawn(table: Table) -> str:
    """Names what intervals in parentheses are over; nothing where there are none."""
    drawn = [row.over_utterances for row in table.everything if row.over_utterances]
    return " or ".join(dict.fromkeys(f"{each.unit}s" for each in drawn if each.scores))


def is_command(line: str) -> bool:
    """Returns whether a line of a report is to be pasted as it is."""
    return line.startswith(("dser ", "python "))


def seeds(values: Iterable[Any]) -> str:
    """Writes `seeds 0–4`, a list, or only their number."""
    found = sorted(set(values), key=lambda seed: (isinstance(seed, str), seed))
    if len(found) == 1:
        return f"seed {found[0]}"
    if len(found) > 2 and found == [found[0] + step for step in range(len(found))]:
        return f"seeds {found[0]}–{found[-1]}"
    if len(found) > 10:
        return f"{len(found)} seeds"
    return f"seeds {', '.join(map(str, found))}" if found else "no seed"


def planned_and_done(view: JournalView) -> tuple[int | None, int]:
    """Returns how many runs are planned, if the manifest says so, and how many are finished."""
    planned = view.manifest.get("planned")
    if isinstance(planned, list):
        return len(planned), len({row["run"] for row in view.rows} & set(planned))
    return planned, sum(row.get("kind") is None for row in view.rows)


def progress(view: JournalView) -> str:
    """Says how many runs are finished, and of how many if the manifest says so."""
    planned, done = planned_and_done(view)
    text = plural(done, "run") if planned is None else f"{done} of {plural(planned, 'run')}"
    counts = [f"{count} of them {status}" for status, count in count_lost(view.rows).items()]
    text += ", ".join([" finished", *counts])
    if planned is not None and done < planned:
        text += "; the sweep is not complete, and these numbers will change"
    return text


def failures(rows: Iterable[Row]) -> list[str]:
    """Says what the runs that failed have failed with, the first of each error."""
    errors: dict[str, list[str]] = {}
    for row in rows:
        if row.get("status") == "failed":
            lines = str(row.get("traceback") or "").strip().splitlines()
            error = lines[-1].strip() if lines else "no traceback"
            errors.setdefault(error, []).append(f"{row['name']!r}, seed {row['seed']}")
    return [
        f"{runs[0]} failed: {error}" + (f" (and {len(runs) - 1} more)" if len(runs) > 1 else "")
        for error, runs in errors.items()
    ]


def mixtures(rows: Iterable[TableRow]) -> list[str]:
    """Names the table rows that join runs of different settings, which may not be meant."""
    lines = []
    for row in rows:
        settings = {
            json.dumps([run.get("config"), run.get("hparams")], sort_keys=True) for run in row.runs
        }
        if len(settings) > 1:
            lines.append(f"{row.name!r} joins runs of {len(settings)} different settings")
    return lines


def what(row: TableRow) -> str:
    """Writes the network and its features."""
    return ", ".join(part for part in (row.network, row.features) if part)


def origin(manifest: Mapping[str, Any]) -> list[str]:
    """Lists what the journal was made with, as far as its manifest says."""
    lines = []
    for key in ("command", "git_commit", "git_dirty", "device", "platform", "data_fingerprint"):
        if manifest.get(key) is not None:
            lines.append(f"{key.replace('_', ' ')}: {_flat(manifest[key])}")
    if manifest.get("versions"):
        lines.append(f"versions: {_flat(manifest['versions'])}")
    for note in manifest.get("resumed", []):
        lines.append(
            f"resumed after {plural(note['rows_before'], 'run')}; until then {_flat(note['was'])}"
        )
    return lines


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_flat(entry)}" for key, entry in value.items())
    if isinstance(value, list):
        return ", ".join(map(_flat, value))
    return str(value)


def why_untested(notes: Sequence[tuple[str, str]]) -> str:
    """Says why pairs or rows are not tested, each reason once; nothing where all are.

    Args:
      notes: Of each its name, and why there is no test; "" where there is one.
    """
    found: dict[str, list[str]] = {}
    for name, why in notes:
        found.setdefault(why, []).append(name)
    if len(found) == 1:
        return next(iter(found))
    told = []
    for why, names in found.items():
        more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
        told += [f"{why}: {', '.join(names[:LISTED])}{more}"] if why else []
    return "; ".join(told)


def in_pair(found: Comparison) -> str:
    """Names two rows that are tested, as names may have a sign or a comma in them."""
    return f"{found.first!r} − {found.second!r}"


def tested(table: Table) -> tuple[list[Comparison], str]:
    """Returns the paired tests on the mean that a printed report shows, and what they are."""
    best = table.best()
    against = best if len(table.rows) > MANY else None
    found = list(table.comparisons(against=against))
    told = (
        f"paired t-tests on the mean ({about(table.metric, table.part)}), over the seeds that both "
        "have, two-tailed; Holm: p adjusted for all these tests; ranks: p of the signed-rank test"
    )
    pairs = max((each.ranks.n for each in found), default=0)
    if LEAST <= pairs < 6:
        told += f", which is never below {p_value(2.0 ** (1 - pairs))} with {pairs} pairs"
    if len(found) > SHOWN and against is None:
        found = [each for each in found if best in (each.first, each.second)]
        told += "; only those of the highest mean are shown, all are in tests.csv"
    elif against is not None:
        told += "; only the highest mean is tested, against each of the others"
    if why := why_untested([(in_pair(each), each.test.note) for each in found]):
        told += f"; {why}"
    return found, told


NOTE = (
    "Intervals and tests are over seeds: they tell how much the scores move with the initial "
    "weights and the order of training rows, not how they would on other speakers."
)

NOTE_ON_UTTERANCES = (
    "Those in parentheses are over the test set, resampled with the seeds as they are. Utterances "
    "of one speaker, or of one dialogue, are not independent: where utterances are drawn one by "
    "one, and not whole speakers, the interval is rather too narrow."
)


def note(tables: Iterable[Table]) -> str:
    """Says what intervals do not tell."""
    return f"{NOTE} {NOTE_ON_UTTERANCES}" if any(map(units_drawn, tables)) else NOTE
