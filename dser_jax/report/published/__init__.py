"""The published results of the paper as data, and what a journal's results are against them."""

from dser_jax.report.published.held import Group, Held, compared_with, hold
from dser_jax.report.published.numbers import METRIC, SOURCES, PublishedRow, Score, Source, load
from dser_jax.report.published.patterns import Pattern, pattern, patterns
from dser_jax.report.published.verdicts import (
    AGREES,
    DIFFERS,
    NOT_COMPARABLE,
    UNDECIDED,
    VERDICTS,
    Cell,
    compare,
    diff,
)

__all__ = [
    "AGREES",
    "DIFFERS",
    "METRIC",
    "NOT_COMPARABLE",
    "SOURCES",
    "UNDECIDED",
    "VERDICTS",
    "Cell",
    "Group",
    "Held",
    "Pattern",
    "PublishedRow",
    "Score",
    "Source",
    "compare",
    "compared_with",
    "diff",
    "hold",
    "load",
    "pattern",
    "patterns",
]
