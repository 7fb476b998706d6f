"""What stands above a table of scores, and what is said of the rows that it does not show."""

from __future__ import annotations

from dser_jax.report.text import UNTRAINED, about, heading, seeds, units_drawn
from dser_jax.stats import Table, in_words, is_whole
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
    told = [f"{heading(table)}; {about(table.metric, table.part)}"]
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
