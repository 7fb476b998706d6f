"""The scales that labels are on: one for all attributes, or one for each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dser_jax.corpora.utterances import ATTRS
from dser_jax.system import DataError

Ends = tuple[float, float]
Scale = Ends | Mapping[str, Ends]
"""Lowest and highest label, of all attributes or by attribute.

In what a user gives of a table the first may be the higher one: the label of an attribute that runs
the other way, with 1 for the most aroused, say. A corpus has such labels turned.
"""


def ends_of(scale: Scale, attr: str) -> Ends:
    """Returns the ends of an attribute's scale; of one that has none, as it has no labels, any."""
    ends = scale.get(attr, (-1.0, 1.0)) if isinstance(scale, Mapping) else scale
    return float(ends[0]), float(ends[1])


def scale_in_words(scale: Scale) -> str:
    """Writes a scale, e.g. `1 to 5` or `-3 to 3 (valence), 1 to 9 (arousal)`."""
    if not isinstance(scale, Mapping):
        return f"{scale[0]:g} to {scale[1]:g}"
    ends = {attr: ends_of(scale, attr) for attr in scale}
    return ", ".join(f"{low:g} to {high:g} ({attr})" for attr, (low, high) in ends.items())


def scale_as_json(scale: Scale) -> list[float] | dict[str, list[float]]:
    """Returns a scale as files have it."""
    if isinstance(scale, Mapping):
        return {attr: list(ends_of(scale, attr)) for attr in ATTRS if attr in scale}
    return [float(end) for end in scale]


def as_scale(found: Any) -> Scale:
    """Reads what `scale_as_json` gave."""
    if isinstance(found, Mapping):
        return {attr: (float(low), float(high)) for attr, (low, high) in found.items()}
    low, high = found
    return float(low), float(high)


def check_scale(scale: Scale, attrs: Iterable[str] = ()) -> None:
    """Makes sure that a scale as users give it is one, for the attributes that have labels.

    Raises:
      DataError: An attribute has no scale, or one without an extent; or one that runs the other way
        is given for all attributes, which is rather a slip.
    """
    if not isinstance(scale, Mapping):
        if not scale[0] < scale[1]:
            expected = "the lowest and the highest label; what runs the other way is named, as in "
            raise DataError("not a scale", value=scale, expected=f"{expected}--scale arousal=5:1")
        return
    for attr in attrs:
        if attr not in scale:
            raise DataError(
                f"no scale for {attr}",
                value=scale_in_words(scale),
                expected=f"one for each attribute that has labels, as in --scale {attr}=1:5",
            )
    for attr, ends in scale.items():
        if attr not in ATTRS or ends[0] == ends[1] or not all(map(math.isfinite, ends)):
            expected = f"{', '.join(ATTRS)} with two ends, as in --scale arousal=5:1"
            raise DataError(
                "not a scale", value=f"{attr}={ends[0]:g}:{ends[1]:g}", expected=expected
            )


def turned(label: float, ends: Ends) -> float:
    """Returns a label, from the other end where its scale runs the other way."""
    return label if ends[0] < ends[1] else ends[0] + ends[1] - label


def settled(scale: Scale, attrs: Sequence[str]) -> Scale:
    """Returns the scale of labels once they are turned: one for all where all have the same."""
    if not isinstance(scale, Mapping):
        return ends_of(scale, "")
    ends = {attr: ends_of(scale, attr) for attr in attrs}
    ends = {attr: (min(pair), max(pair)) for attr, pair in ends.items()}
    return next(iter(ends.values())) if len(set(ends.values())) == 1 else ends


def told_turned(scale: Scale, attrs: Iterable[str]) -> list[str]:
    """Tells which labels were turned."""
    pairs = {attr: ends_of(scale, attr) for attr in attrs}
    return [
        f"{attr} is {first + last:g} - what the table has, as that runs from {first:g} to {last:g}"
        for attr, (first, last) in pairs.items()
        if first > last
    ]
