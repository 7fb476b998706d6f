"""What a search may choose from: a range or a list of values for each setting that it varies."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dser_jax.corpora import ATTRS
from dser_jax.plan import GRID_FIELDS, Point, hparams_at, is_count
from dser_jax.system import DserError

if TYPE_CHECKING:
    from dser_jax.training import HParams

DIGITS = 4
"""Significant digits of what is drawn, so that a setting can be typed into a command."""

DRAWS = 10_000
"""So many points are drawn at most to find one whose weights are not negative."""


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; whole ones where the setting is a count.

    Attributes:
      low, high: The ends.
      log: Whether equal ratios, instead of equal differences, are equally likely.
    """

    low: float
    high: float
    log: bool = False

    def __str__(self) -> str:
        return f"{self.low:g}:{self.high:g}" + (":log" if self.log else "")


@dataclass(frozen=True)
class Choice:
    """One of several values, which are not thought of as ordered."""

    values: tuple[float, ...]

    def __str__(self) -> str:
        return ",".join(f"{value:g}" for value in self.values)


@dataclass(frozen=True)
class Space:
    """The settings that a search varies, and the others.

    With alpha and beta but no gamma the weights are those of eq. 5, gamma = 1 - alpha - beta, and
    points with a negative gamma are not part of the space.

    Attributes:
      ranges: What each setting is chosen from; names as for a grid.
      defaults: The settings that are not varied; those of `HParams` if not given.

    Raises:
      DserError: A setting cannot be searched, or not within these values.
    """

    ranges: Mapping[str, Range | Choice]
    defaults: HParams | None = None

    def __post_init__(self) -> None:
        """Refuses what no run could be trained with."""
        if not self.ranges:
            raise DserError("a search needs at least one range, as in --range learning_rate=...")
        for field, values in self.ranges.items():
            _check(field, values)
        if ("alpha" in self.ranges) != ("beta" in self.ranges) or (
            "gamma" in self.ranges and "alpha" not in self.ranges
        ):
            raise DserError(
                "a search over loss weights needs ranges of alpha and beta, with gamma or without "
                "(eq. 5, 6)"
            )
        if self._on_simplex and not _fits(sum(_least(self.ranges[w]) for w in ("alpha", "beta"))):
            raise DserError(
                f"alpha={self.ranges['alpha']} and beta={self.ranges['beta']} leave nothing for "
                "gamma = 1 - alpha - beta (eq. 5); range gamma, too, for weights of eq. 6"
            )

    @property
    def _on_simplex(self) -> bool:
        return "alpha" in self.ranges and "gamma" not in self.ranges

    @property
    def attrs(self) -> tuple[str, ...]:
        """The attributes that a run is judged by: all, but those no run has a weight on."""
        if "alpha" in self.ranges:
            return ATTRS
        weights = hparams_at({}, self.defaults).loss_weights
        return tuple(a for a, w in zip(ATTRS, np.asarray(weights).tolist(), strict=True) if w != 0)

    def describe(self) -> dict[str, Any]:
        """Returns the ranges, and the settings that are not varied, as plain values."""
        from dser_jax.training import told

        held = told(hparams_at({}, self.defaults))
        if "alpha" in self.ranges:
            del held["loss_weights"]
        return {
            "ranges": {field: str(values) for field, values in self.ranges.items()},
            "fixed": {
                field: _short(np.asarray(value).tolist())
                for field, value in held.items()
                if field not in self.ranges
            },
            "attributes": list(self.attrs),
        }

    def draw(self, random: np.random.Generator) -> Point:
        """Draws a point: every value of a range equally likely, negative weights left out.

        Raises:
          DserError: Next to all points have a negative gamma.
        """
        for _ in range(DRAWS):
            point = self.settle(
                {field: _draw(values, random, field) for field, values in self.ranges.items()}
            )
            if self.allows(point):
                return point
        raise DserError(
            f"of {DRAWS} points none had a gamma = 1 - alpha - beta of 0 or more; range alpha and "
            "beta lower"
        )

    def settle(self, point: Mapping[str, float]) -> Point:
        """Rounds values to 4 significant digits, within their ranges; counts to whole numbers."""
        settled = {}
        for field, value in point.items():
            values = self.ranges[field]
            if isinstance(values, Choice):
                settled[field] = value
            elif is_count(field):
                settled[field] = round(value)
            else:
                short = float(f"{value:.{DIGITS}g}")
                settled[field] = min(max(short, values.low), values.high)
        return settled

    def allows(self, point: Mapping[str, float]) -> bool:
        """Tells whether a point is in the space: not with a negative gamma of eq. 5."""
        return not self._on_simplex or _fits(point["alpha"] + point["beta"])

    def hparams(self, point: Mapping[str, float]) -> HParams:
        """Returns the traced settings of a point."""
        return hparams_at(point, self.defaults)


def parse_range(text: str) -> tuple[str, Range | Choice]:
    """Reads what to choose a setting from: "alpha=0:1", "learning_rate=1e-4:1e-2:log", "=.1,.2".

    Raises:
      DserError: The setting cannot vary within one program, or the values cannot be read.
    """
    field, _, values = text.partition("=")
    if field not in GRID_FIELDS:
        raise DserError(f"--range {text}: expected one of {', '.join(GRID_FIELDS)} before the =")
    try:
        if ":" not in values:
            found: Range | Choice = Choice(tuple(float(value) for value in values.split(",")))
        else:
            low, high, *scale = values.split(":")
            if scale not in ([], ["log"]):
                raise ValueError
            found = Range(float(low), float(high), bool(scale))
    except ValueError:
        raise DserError(
            f"--range {text}: expected {field}=LOW:HIGH, {field}=LOW:HIGH:log or "
            f"{field}=VALUE,VALUE,..."
        ) from None
    _check(field, found)
    return field, found


def _check(field: str, values: Range | Choice) -> None:
    """Refuses values that a setting cannot have."""

    def refuse(expected: str) -> None:
        raise DserError(f"--range {field}={values}: expected {expected}")

    if field not in GRID_FIELDS:
        refuse(f"one of {', '.join(GRID_FIELDS)} before the =")
    ends = values.values if isinstance(values, Choice) else (values.low, values.high)
    if not ends or not all(map(math.isfinite, ends)):
        refuse("finite numbers")
    if isinstance(values, Choice) and len(set(ends)) != len(ends):
        refuse("each value once")
    if isinstance(values, Range) and not values.low < values.high:
        refuse("the lower end first, and the higher after it")
    if isinstance(values, Range) and values.log and values.low <= 0:
        refuse("a lower end above 0 for a logarithmic range")
    if field.endswith("_dropout") and not (min(ends) >= 0 and max(ends) < 1):
        refuse("rates from 0 on and below 1")
    if field in ("learning_rate", "weight_decay") and min(ends) < 0:
        refuse("rates of 0 or more")
    if field == "half_life" and min(ends) <= 0:
        refuse("turns, more than 0")
    if is_count(field) and (min(ends) < 1 or any(end % 1 for end in ends)):
        refuse("whole numbers, 1 or more")


def _draw(values: Range | Choice, random: np.random.Generator, field: str) -> float:
    share = float(random.random())
    if isinstance(values, Choice):
        return values.values[int(share * len(values.values))]
    low, high = values.low, values.high
    if is_count(field):  # So that the ends are as likely as the others.
        low, high = low - 0.499, high + 0.499
    if values.log:
        return low * (high / low) ** share
    return low + (high - low) * share


def _short(value: Any) -> Any:
    """Writes float32's 0.10000000149 as 0.1."""
    if isinstance(value, list):
        return [_short(each) for each in value]
    return float(f"{value:.7g}") if isinstance(value, float) else value


def _least(values: Range | Choice) -> float:
    return min(values.values) if isinstance(values, Choice) else values.low


def _fits(total: float) -> bool:
    return total <= 1 + 1e-9
