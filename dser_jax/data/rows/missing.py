"""Rows that lack speech or words: refused, left out, or kept with that half empty."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from dser_jax.corpora import Utterance
from dser_jax.data.prepared import Prepared
from dser_jax.data.rows.table import Table
from dser_jax.system import BadInput, DataError, DserError, plural

Half = Literal["transcripts", "speech"]
Rule = Literal["refuse", "skip", "keep"]
RULES: tuple[Rule, ...] = get_args(Rule)

_WAYS: dict[Half, str] = {
    "transcripts": "words for all, or a rule: `--missing-transcripts keep` takes such rows without "
    "words, `skip` leaves them out; `--no-transcripts` reads no words at all",
    "speech": "speech of all, or a rule: `--missing-speech keep` takes such rows without speech, "
    "`skip` leaves them out",
}


def rule_of(half: Half, given: str | None, old: Prepared | None) -> Rule | None:
    """Returns what is done about rows that lack a half: as asked, or as before; None for neither.

    Raises:
      DserError: There is no such rule.
    """
    named = given or (old.manifest.get("missing", {}).get(half) if old else None)
    for rule in RULES:
        if rule == named:
            return rule
    if named is None:
        return None
    raise DserError(f"missing {half}: {named!r} is none of {', '.join(RULES)}")


def has_words(utterance: Utterance) -> bool:
    """Tells whether there is a transcript; one that is blank is none."""
    return bool((utterance.transcript or "").strip())


def settle(
    half: Half,
    rule: Rule | None,
    problems: Iterable[tuple[int, DataError]],
    table: Table,
    bad: BadInput,
) -> None:
    """Deals with rows that lack a half.

    Args:
      half: What they lack.
      rule: What to do; "refuse", or none, leaves it to `bad`.
      problems: The rows, and what to say of each; those that are not kept are passed over.
      table: Is told which rows go, and by which rule others stay.
      bad: Is told what is left out.

    Raises:
      DataError: They are refused; the message says how not to be.
    """
    lacking = [(row, problem) for row, problem in problems if table.keep[row]]
    if not lacking:
        return
    if rule == "keep":
        table.rules[half] = "keep"
        return
    if rule != "skip" and not bad.skip:
        first = lacking[0][1]
        more = f", nor of {plural(len(lacking) - 1, 'other')}" if len(lacking) > 1 else ""
        raise DataError(
            f"{first.problem}{more}",
            file=first.file,
            line=first.line,
            value=first.value,
            expected=f"{first.expected}; or {_WAYS[half]}" if first.expected else _WAYS[half],
        )
    for row, problem in lacking:
        table.keep[row] = False
        bad.left_out.append(problem)
