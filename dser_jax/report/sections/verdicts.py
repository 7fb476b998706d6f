"""What the seeds say of arms held against one reference, in sentences and as a section."""

from __future__ import annotations

from collections.abc import Sequence

from dser_jax.report.sections.section import Section, signed, some
from dser_jax.report.text import interval, number, p_value
from dser_jax.stats import Verdict, seeds_needed
from dser_jax.system import plural

LISTED = 6
"""With more arms of one verdict than this, the rest are counted."""

TOLD = 5
"""From fewer seeds the deviation is too uncertain to say how many are needed."""

NOT_EXCLUDED = "a difference larger than the margin cannot be excluded"


def conclusion(verdicts: Sequence[Verdict], reference: str) -> str:
    """Says of all arms what the tests justify: which are of each verdict, and what is open."""
    if not verdicts:
        return f"Nothing is held against {reference!r}."
    by = {
        word: [each for each in verdicts if each.says == word]
        for word in ("better", "worse", "equivalent", "undecided")
    }
    counts = [f"{len(of)} {_are(of)} {word} ({_listed(of)})" for word, of in by.items() if of]
    said = [
        f"Of {plural(len(verdicts), 'arm')} held against {reference!r}, over {seeds_of(verdicts)}, "
        f"with a margin of ±{number(verdicts[0].equivalence.margin)}: {'; '.join(counts)}."
    ]
    for word in ("better", "worse"):
        small = [each for each in by["equivalent"] if each.sign == word]
        if small:
            said.append(f"{_listed(small)} {_are(small)} {word}, but by less than the margin.")
        if word == "better" and not by[word]:
            said.append(f"No {'other ' if small else ''}arm is shown to be better.")
    if by["undecided"]:
        said.append(f"For the undecided, {NOT_EXCLUDED}.{_more(by['undecided'], len(verdicts))}")
    lost = [each for each in verdicts if each.lost]
    if lost:
        said.append(f"Runs diverged of {_listed(lost)}, or beside them; their seeds are left out.")
    return " ".join(said)


def _more(undecided: Sequence[Verdict], arms: int) -> str:
    """Says how many seeds would show that arms do not differ, where these were not enough."""
    needed = [
        seeds_needed(each.equivalence.deviation, each.equivalence.margin, arms=arms)
        for each in undecided
        if each.equivalence.deviation is not None
    ]
    most = max(needed, default=0)
    if most <= (seeds := max(each.test.n for each in undecided)) or seeds < TOLD:
        return ""
    return f" Where there is none at all, {most} seeds would show it four times in five."


def seeds_of(verdicts: Sequence[Verdict]) -> str:
    """Says over how many seeds arms were held against the reference."""
    seeds = sorted({each.test.n for each in verdicts if each.test.n} or {0})
    return plural(seeds[-1], "seed") if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} seeds"


def _are(found: Sequence[Verdict]) -> str:
    return "is" if len(found) == 1 else "are"


def _listed(found: Sequence[Verdict]) -> str:
    names = [repr(each.arm) for each in found]
    if len(names) > LISTED:
        names = [*names[: LISTED - 1], f"{len(names) - LISTED + 1} more"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def plan_sentence(deviation: float, margin: float, arms: int, seeds: int) -> str:
    """Says before a sweep whether its seeds are enough to show equivalence.

    Args:
      deviation: Of the paired differences, as a pilot or an earlier sweep has it.
      margin: The least difference that would matter.
      arms: How many are to be held against the reference.
      seeds: How many are planned.
    """
    needed = seeds_needed(deviation, margin, arms=arms)
    said = (
        f"To show that an arm is within ±{number(margin)} of the reference takes "
        f"{plural(needed, 'seed')}, if the differences have a deviation of {number(deviation)}, "
        f"four times in five, among {plural(arms, 'arm')}"
    )
    if seeds >= needed:
        return f"{said}; there are {seeds}."
    return f"{said}; there are only {seeds}, so arms that do not differ may stay undecided."


def verdict_section(verdicts: Sequence[Verdict], reference: str, what: str = "") -> Section:
    """Lays out arms, the highest mean difference first.

    Args:
      verdicts: Of `dser_jax.stats.verdicts`.
      reference: The arm that they are held against.
      what: The score that differs.
    """
    header = ("arm", "verdict", "difference", "p", "equal p", "g", "n")
    lines = tuple(
        (
            each.arm,
            f"equivalent,\n{each.sign}" if each.equivalent and each.sign else each.says,
            f"{signed(each.test.difference)} {interval(each.test)}".strip(),
            p_value(each.p_holm),
            p_value(each.equivalence_p_holm),
            _effect(each),
            f"{each.test.n}",
        )
        for each in verdicts
    )
    notes = [f"{each.arm!r}: {each.test.note}." for each in verdicts if each.test.note]
    notes += [f"{each.arm!r}: {each.lost} diverged." for each in verdicts if each.lost]
    after = (
        f"Difference: {what or 'the score'} minus that of {reference!r}, with its 95% interval. "
        "p of a difference, and of equivalence by two one-sided tests, both adjusted by Holm's "
        "method for all arms. Better and worse say that there is a difference, not that it is "
        "larger than the margin. g: the mean difference over its deviation over seeds, with "
        "Hedges' correction. All is about seeds, not about other speakers.",
        *notes,
    )
    told = some(conclusion(verdicts, reference))
    return Section(f"Held against {reference!r}", told, header, lines, after)


def _effect(verdict: Verdict) -> str:
    found = verdict.effect
    return number(None) if found.g is None else _two(found.g)


def _two(value: float) -> str:
    """Writes two decimals; zero has no sign."""
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")
