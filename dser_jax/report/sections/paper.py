"""The paper beside our results: a section of a report for each table that a journal answers to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from dser_jax.report import published
from dser_jax.report.published import NOT_COMPARABLE, SOURCES, VERDICTS, Cell, Held, Pattern
from dser_jax.report.sections.section import Section, Written, signed, some
from dser_jax.report.text import NONE, interval, number
from dser_jax.stats import COLUMNS, PairedTest, Row
from dser_jax.system import plural

ROWS = 12
"""With more rows than this, a printed section shows the extremes, and the CSV file all."""

EXTREMES = 3
"""So many of the largest and of the smallest differences are shown then."""


def paper_sections(rows: Sequence[Row]) -> list[Section]:
    """Says what a journal's rows are against the published ones; empty where they name none."""
    found = []
    for table in published.compared_with(rows):
        held, unknown = published.hold(rows, table)
        found_patterns = published.patterns(rows, table)
        for group in dict.fromkeys(each.group for each in held):
            members = [each for each in held if each.group == group]
            cells = [cell for each in members for cell in published.compare(each)]
            where = f"{group.corpus}, protocol {group.protocol}, split {group.split}"
            title = f"The paper's {SOURCES[table].title}, against {where}"
            after = [*unknown, *_without(members, table)]
            after += order_sentences(found_patterns.get(group, []))
            without = all(cell.verdict == NOT_COMPARABLE for cell in cells)
            found.append((_beside if without else _verdicts)(title, cells, after))
        if unknown and not held:
            found.append(Section(f"The paper's {SOURCES[table].title}", tuple(unknown)))
    return found


def _without(members: Sequence[Held], table: str) -> Iterator[str]:
    """Names the published rows that have no runs, and those that are in no order."""
    every = published.load(table)
    there = {held.published.key for held in members}
    missing = [row.label for row in every if row.key not in there]
    if missing:
        few = ", ".join(missing[:3]) + (" and others" if len(missing) > 3 else "")
        yield f"{len(missing)} of the {len(every)} published rows have no runs here: {few}."
    flawed = [row.label for row in every if row.flaw and row.key in there]
    if flawed:
        yield f"Left out of the orders below, as nothing compares with them: {', '.join(flawed)}."


def _by_row(cells: Iterable[Cell]) -> dict[str, dict[str, Cell]]:
    """Gathers cells by row; where two of ours answer to one, each has its own."""
    rows: dict[tuple[str, str], dict[str, Cell]] = {}
    for cell in cells:
        at = (cell.held.published.label, cell.held.name)
        rows.setdefault(at, {})[cell.attribute] = cell
    labels = Counter(label for label, _ in rows)
    return {
        label if labels[label] == 1 else f"{label} ({name})": found
        for (label, name), found in rows.items()
    }


def _shown(rows: dict[str, dict[str, Cell]]) -> tuple[dict[str, dict[str, Cell]], str]:
    """Picks the rows that are printed, and says which where they are not all."""
    if len(rows) <= ROWS:
        return rows, ""
    known = [name for name in rows if rows[name]["mean"].difference is not None]
    known.sort(key=lambda name: rows[name]["mean"].difference or 0.0, reverse=True)
    picked = dict.fromkeys([*known[:EXTREMES], *known[-EXTREMES:]])
    told = (
        f"Of {len(rows)} rows those with the {EXTREMES} highest and the {EXTREMES} lowest "
        "differences of the mean are shown; paper.csv has all."
    )
    return {name: rows[name] for name in picked}, told


def _reasons(cells: Iterable[Cell]) -> Iterator[str]:
    """Yields why cells do not compare, each reason once, with its rows where they are not all."""
    rows = _by_row(cells)
    found: dict[str, dict[str, None]] = {}
    for name, row in rows.items():
        for cell in row.values():
            if cell.verdict == NOT_COMPARABLE:
                for reason in cell.reason.split("; "):
                    found.setdefault(reason, {})[name] = None
    for reason, names in found.items():
        few = ", ".join(list(names)[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        yield reason if len(names) == len(rows) else f"{reason} ({few})"


def _beside(title: str, cells: Sequence[Cell], after: Sequence[str]) -> Section:
    """Shows ours beside theirs, without a verdict."""
    shown, which = _shown(_by_row(cells))
    lines = [(name, *(_both(row[column]) for column in COLUMNS)) for name, row in shown.items()]
    told = "No score is held against the published one: " + "; ".join(_reasons(cells))
    about = "Ours | the paper's, both as means of CCCs over 32-row batches, as the paper scores."
    header = ("row", *COLUMNS)
    return Section(title, some(f"{told}.", about, which), header, tuple(lines), tuple(after))


def _both(cell: Cell) -> str:
    ours = cell.ours.mean if cell.ours else None
    return f"{number(ours)} | {number(cell.published.mean)}"


def _verdicts(title: str, cells: Sequence[Cell], after: Sequence[str]) -> Section:
    """Shows differences with their intervals and verdicts."""
    shown, which = _shown(_by_row(cells))
    lines = [
        (name, *(_difference(row[column]) for column in COLUMNS)) for name, row in shown.items()
    ]
    counts = Counter(cell.verdict for cell in cells)
    count = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    bases = dict.fromkeys(cell.basis for cell in cells if cell.verdict != NOT_COMPARABLE)
    told = (
        f"Ours minus the paper's, as means of CCCs over 32-row batches [95% interval of the "
        f"difference; {'; '.join(bases)}]. Of {plural(len(cells), 'score')}: {count}."
    )
    why = [f"Not comparable: {reason}." for reason in _reasons(cells)]
    return Section(title, some(told, which), ("row", *COLUMNS), tuple(lines), (*why, *after))


def _difference(cell: Cell) -> str:
    compares = cell.verdict != NOT_COMPARABLE
    text = f"{signed(cell.difference)} {cell.verdict if compares else NONE}"
    if cell.low is None or cell.high is None or not compares:
        return text
    return f"{text}\n[{number(cell.low)}, {number(cell.high)}]"


def order_sentences(found: Sequence[Pattern]) -> Iterator[str]:
    """Says in sentences whether the order of the rows is the paper's."""
    for each in found:
        count = len(each.ours)
        first, theirs = next(iter(each.ours)), next(iter(each.published))
        if count == 1:
            yield f"{each.attribute.capitalize()}: one row ({first}), so there is no order."
            continue
        text = f"{each.attribute.capitalize()}: {first} is ahead here"
        text += _lead(each.lead, list(each.ours)[1])
        if first == theirs:
            text += " and in the paper"
        else:
            place = list(each.published).index(first) + 1
            text += f", {theirs} in the paper (where {first} is no. {place})"
        ties = each.ties if count <= ROWS else each.ties[:1]
        more = len(each.ties) - len(ties)
        text = "; ".join([text, _order(each), *ties])
        yield text + (f", and {plural(more, 'other tie')}." if more else ".")


def _lead(lead: PairedTest | None, second: str) -> str:
    if lead is None or lead.difference is None:
        return ""
    if lead.low is None:
        return f" (by {number(lead.difference)} before {second}: {lead.note})"
    sure = "" if lead.low > 0 else ": it may be the seeds' doing"
    return f" (by {number(lead.difference)} {interval(lead)} before {second}{sure})"


def _order(each: Pattern) -> str:
    count = len(each.ours)
    if each.correlation is None:
        few = f"{plural(count, 'row')}, too few for a rank correlation"
        return few if count < 3 else "all rows of a side tie, so there is no rank correlation"
    orders = list(each.ours) == list(each.published)
    text = f"the order of the {count} rows is " + ("the paper's" if orders else "another")
    text += f", rank correlation {each.correlation:.2f}"
    if each.chance is not None and each.correlation > 0:
        text += f" (as high in {100 * each.chance:.0f}% of all orders)"
    return text


def paper_csv(rows: Sequence[Row]) -> Written:
    """Lists every cell of every published table that the rows name."""
    header = (
        *("table", "row", "name", "attribute", "metric", "n", "mean", "sd", "low", "high"),
        *("published", "published_sd", "published_n", "difference", "difference_low"),
        *("difference_high", "verdict", "reason", "basis", "corpus", "protocol", "split", "truth"),
    )
    lines = []
    for table in published.compared_with(rows):
        for cell in published.diff(rows, table):
            ours = cell.ours
            spread = (ours.n, ours.mean, ours.sd, ours.low, ours.high) if ours else (0, *[None] * 4)
            lines.append(
                (
                    *(table, cell.held.published.label, cell.held.name, cell.attribute),
                    *(published.METRIC, *spread, *cell.published, SOURCES[table].n),
                    *(cell.difference, cell.low, cell.high, cell.verdict, cell.reason, cell.basis),
                    *cell.held.group,
                )
            )
    return Written(header, lines)
