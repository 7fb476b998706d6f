"""Named settings from the command line's words: loss weights, and grids over traced settings."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dser_jax.corpora import ATTRS
from dser_jax.plan.weights import no_weights, single_task, three_weights, two_weights
from dser_jax.system import DserError

if TYPE_CHECKING:
    from dser_jax.training import HParams

Point = dict[str, float]
"""Settings by name: alpha, beta, gamma and the fields of `HParams`."""

LossWeights = tuple[float, float, float]

LOSS_WEIGHTS = ("alpha", "beta", "gamma")
"""The weights of eq. 6: those of valence, arousal and dominance."""

MOST = 100_000
"""Values of an axis, and points of a grid, at most."""

GRID_FIELDS = (
    *(*LOSS_WEIGHTS, "learning_rate"),
    *("acoustic_dropout", "text_dropout", "fusion_dropout", "patience"),
    *("weight_decay", "modality_dropout", "embedding_dropout", "half_life"),
    "weighting_setting",
)
"""What a grid can go over: the loss weights of eq. 5 and 6, and every other traced setting."""


def parse_weights(text: str) -> tuple[str, LossWeights]:
    """Reads loss weights: "none", "0.7,0.2" (eq. 5), "0.9,0.9,0.2" (eq. 6) or "valence" alone.

    Returns:
      The name of the table row (what stands before a "=", or one made from the weights), and
      alpha, beta and gamma.

    Raises:
      DserError: The text is none of these.
    """
    name, mark, value = text.rpartition("=")
    if value == "none":
        return (name or "no weights"), no_weights()
    if value in ATTRS:
        return (name or f"{value} only"), single_task(value)
    try:
        numbers = [_finite(number) for number in value.split(",")]
        weights = {2: two_weights, 3: three_weights}[len(numbers)](*numbers)
    except (ValueError, KeyError):
        raise DserError(
            f"--weights {text}: expected none, two numbers (alpha,beta), three numbers "
            f"(alpha,beta,gamma) or one of {', '.join(ATTRS)}; NAME= may stand before it"
        ) from None
    return (name if mark else "/".join(f"{w:g}" for w in weights)), weights


def _finite(text: str) -> float:
    """Reads a number; raises `ValueError` for what is none, nan and infinities, too."""
    if not math.isfinite(number := float(text)):
        raise ValueError(text)
    return number


def parse_weightings(texts: Sequence[str]) -> dict[str, LossWeights]:
    """Reads several loss weights, each as `parse_weights` does; returns them by name.

    Raises:
      DserError: A text cannot be read, or two have one name.
    """
    weightings: dict[str, LossWeights] = {}
    for text in texts:
        name, weights = parse_weights(text)
        if name in weightings:
            raise DserError(f"--weights {text}: {name!r} is there already; NAME= gives another")
        weightings[name] = weights
    return weightings


def parse_grid(text: str) -> tuple[str, list[float]]:
    """Reads one axis of a grid: "alpha=0:1:0.1" (both ends included) or "alpha=0.1,0.5".

    Raises:
      DserError: The field cannot vary within one program, or the values cannot be read.
    """
    field, _, values = text.partition("=")
    if field not in GRID_FIELDS:
        raise DserError(f"--grid {text}: expected one of {', '.join(GRID_FIELDS)} before the =")
    try:
        if ":" not in values:
            return field, [_finite(value) for value in values.split(",")]
        low, high, step = (_finite(value) for value in values.split(":"))
        count = round((high - low) / step)
        if step <= 0 or count < 0 or abs(low + count * step - high) > 1e-6:
            raise ValueError
        if count >= MOST:
            raise DserError(f"--grid {text}: {count + 1:,} values; expected {MOST:,} at most")
        return field, [round(low + i * step, 10) for i in range(count + 1)]
    except (ArithmeticError, ValueError):
        raise DserError(
            f"--grid {text}: expected {field}=LOW:HIGH:STEP with whole steps from LOW to HIGH, or "
            f"{field}=VALUE,VALUE,..."
        ) from None


def grid_points(axes: Sequence[tuple[str, list[float]]]) -> dict[str, Point]:
    """Crosses the axes of a grid; returns each point's settings by its name."""
    fields = [field for field, _ in axes]
    if len(set(fields)) != len(fields):
        raise DserError(f"--grid names a field twice: {', '.join(fields)}")
    if ("alpha" in fields) != ("beta" in fields) or ("gamma" in fields and "alpha" not in fields):
        raise DserError(
            "--grid over loss weights needs alpha and beta, with gamma or without (eq. 5, 6)"
        )
    count = math.prod(len(values) for _, values in axes)
    if count > MOST:
        raise DserError(f"--grid: {count:,} points; expected {MOST:,} at most, or a search")
    points = {}
    for values in itertools.product(*(values for _, values in axes)):
        point = dict(zip(fields, values, strict=True))
        named = (f"{field.replace('_', ' ')}={value:g}" for field, value in point.items())
        points[" ".join(named)] = point
    return points


def point_weights(point: Point) -> LossWeights | None:
    """Returns the loss weights of a grid point; None where the grid does not vary them."""
    if "alpha" not in point:
        return None
    if "gamma" in point:
        return three_weights(point["alpha"], point["beta"], point["gamma"])
    return two_weights(point["alpha"], point["beta"])


def hparams_at(point: Mapping[str, float], defaults: HParams | None = None) -> HParams:
    """Returns the traced settings of a point; what it does not name is as in `defaults`."""
    from dser_jax.training import HParams

    changed: dict[str, Any] = {
        field: np.int32(value) if is_count(field) else np.float32(value)
        for field, value in point.items()
        if field in HParams._fields
    }
    given = point_weights(dict(point))
    if given is not None:
        changed["loss_weights"] = np.asarray(given, np.float32)
    return (defaults or HParams())._replace(**changed)


def is_count(field: str) -> bool:
    """Tells whether a setting is a whole number."""
    return field == "patience"
