"""What is said of a table of scores: above it, of the rows that it does not show, its verdict."""

from __future__ import annotations

from collections.abc import Sequence

from dser_jax.config import TRAINING, Config
from dser_jax.report.text import LISTED, UNTRAINED, about, heading, number, seeds, units_drawn
from dser_jax.stats import Summary, Table, in_words, is_whole, settings_of
from dser_jax.system import plural

ON_DERIVED = (
    "Stretched: predictions mapped to the labels' mean and deviation on validation, as those of "
    "baselines are; ensemble: the mean of the predictions of all seeds."
)

ON_UNTRAINED = (
    "the loss has no weight on that attribute; such a row has no mean, and is in no test of it."
)


def caption(table: Table, mark: str = "bold", *, intervals: bool = True) -> str:
    """Says all that a reader needs to know of the numbers."""
    ok = [run for row in table.rows for run in row.runs if is_whole(run)]
    trained = [heading(table), *filter(None, (_trained(table, field) for field in TRAINING))]
    told = [f"{', '.join(trained)}; {about(table.metric, table.part)}"]
    told.append(f"{plural(len(ok), 'run')}, {seeds(run['seed'] for run in ok)}")
    if lost := table.lost:
        told.append(f"{in_words(lost)} run{'' if sum(lost.values()) == 1 else 's'} left out")
    spread = "mean ± standard deviation over seeds"
    if intervals:
        spread += " [95% interval of the mean]"
        if units := units_drawn(table):
            spread += f" (95% interval over test {units})"
    below = f" {ON_DERIVED}" if table.derived else ""
    below += f" {_below(table)}" if table.baselines else ""
    if any(row.untrained for row in table.rows):
        below += f" {UNTRAINED.capitalize()}: {ON_UNTRAINED}"
    return "; ".join(told) + f". {spread}; {mark}: best mean of a column.{below}"


def _trained(table: Table, field: str) -> str:
    """Names the loss, say, of the networks; nothing where it is the default of all."""
    names: dict[str, list[str]] = {}
    for row in table.rows:
        for value in dict.fromkeys(str(settings_of(run).get(field)) for run in row.runs):
            names.setdefault(value, []).append(row.name)
    names.pop("None", None)  # A row without settings.
    if set(names) <= {getattr(Config, field)}:
        return ""
    if len(names) == 1:
        return f"{field} {next(iter(names))}"
    if len(names) > LISTED:
        return f"{field} one of {len(names)} (runs.csv has each)"
    told, most = [], max(names, key=lambda value: len(names[value]))
    for value, of in names.items():
        if value != most:
            rows = ", ".join(map(repr, of)) if len(of) <= LISTED else f"{len(of)} rows"
            told.append(f"{value} of {rows}")
    return f"{field} {most}, but {' and '.join(told)}"


def _below(table: Table) -> str:
    """Says which baselines stand below the networks."""
    if not table.left_out:
        return "Below the rule: baselines, each fitted once."
    return (
        "Below the rule: the baseline that is best on validation, of "
        f"{table.left_out + len(table.baselines)}."
    )


def left_out(table: Table) -> str:
    """Counts the rows that are shown on request alone; nothing where there are none."""
    baselines, derived = table.left_out, table.derived_left_out
    counts = [plural(baselines, "more baseline")] if baselines else []
    counts += [plural(derived, "more stretched or ensemble row")] if derived else []
    return " and ".join(counts)


def verdict(table: Table) -> str:
    """Says which networks beat the baseline that validation chose; nothing without baselines."""
    base = table.yardstick
    if base is None or "mean" not in base.scores:
        return ""
    bar = base.scores["mean"].mean
    found = [(row.name, row.scores["mean"]) for row in table.rows if "mean" in row.scores]
    interval = "the whole of their 95% interval over seeds"
    kinds = {
        ("do not beat", ""): lambda row: row.mean <= bar or number(row.mean) == number(bar),
        ("have a higher mean than", "but the test set has few labels"): lambda _: table.few,
        ("have a higher mean than", "but from one run alone"): lambda row: row.low is None,
        ("have a higher mean than", f"but not with {interval}"): lambda row: row.low <= bar,
        ("beat", f"with {interval}"): lambda row: True,
    }
    told = []
    for (verb, reach), holds in kinds.items():
        some = [each for each in found if holds(each[1])]
        found = [each for each in found if each not in some]
        if some:
            told.append(_against(some, verb, base.name, bar, reach))
    if told:
        told.append(f"Of the baselines, {base.name!r} has the highest mean CCC on validation.")
    return " ".join(told)


def _against(
    found: Sequence[tuple[str, Summary]], verb: str, base: str, bar: float, reach: str = ""
) -> str:
    """Writes a sentence on networks and a baseline: "'a' does not beat 'b': .610 against .650"."""
    best, highest = max(found, key=lambda each: each[1].mean)
    mean = number(highest.mean)
    if len(found) == 1:
        verb = verb.replace("do ", "does ").replace("have ", "has ")
        verb = "beats" if verb == "beat" else verb
        subject, reach = repr(best), reach.replace("their", "its")
    elif len(found) <= LISTED:
        names = [f"{name!r} ({number(summary.mean)})" for name, summary in found]
        subject = f"{', '.join(names[:-1])} and {names[-1]}"
    else:
        subject, mean = f"{len(found)} names", f"{mean} at most ({best!r})"
    several = 1 < len(found) <= LISTED
    numbers = f" ({number(bar)})" if several else f": {mean} against {number(bar)}"
    return f"{subject} {verb} {base!r}{numbers}{', ' if reach else ''}{reach}."
