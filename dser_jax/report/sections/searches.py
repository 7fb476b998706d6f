"""What a search over settings picked, in words for figures and pages."""

from __future__ import annotations

from dser_jax.report.sections.section import plain
from dser_jax.report.text import interval, number
from dser_jax.stats import LEAST, Search
from dser_jax.system import plural

LABELS = {"alpha": "α (valence)", "beta": "β (arousal)", "gamma": "γ (dominance)"}


def label(axis: str) -> str:
    """Returns how a setting is called in a figure."""
    return LABELS.get(axis, axis.replace("_", " "))


def told(search: Search) -> str:
    """Says what a search picked, and its scores."""
    pick = search.pick
    if pick is None or pick.validation is None:
        return "nothing to pick: no run has a score on validation"
    places = zip(search.axes, pick.at, strict=True)
    at = ", ".join(f"{label(axis).split(' (')[0]} {plain(value)}" for axis, value in places)
    if search.kind == "weights":
        at += f", γ {plain(round(1 - sum(pick.at), 9))}"
    text = f"{at} picked on validation ({number(pick.validation.mean)})"
    if pick.test is None:
        return f"{text}; not tested"
    ends = interval(pick.test) if pick.test.n >= LEAST else ""
    text += f": {number(pick.test.mean)} {ends}".rstrip() + " on test"
    return f"{text}, {plural(pick.test.n, 'seed')}{'' if ends else ': no interval'}"
