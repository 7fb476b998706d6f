"""What is asked of an encoder: which one, which of its layers, pooled or not, under which name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from dser_jax.system import DserError

Half = Literal["speech", "text"]
HALVES: tuple[Half, ...] = get_args(Half)
POOLS = {"mean": 1, "mean+sd": 2, "none": 1}
"""How the steps of an utterance become one row, or stay; and the columns for each of a layer's."""

_SPAN = re.compile(r"(\d+)(?::(\d+))?")


class Encoding(NamedTuple):
    """Features of a frozen encoder.

    Attributes:
      half: What it reads: "speech" or "text".
      model: A folder in the format of `transformers`, or a name on the hub.
      layers: Numbers and spans of them, "4,6" or "2:6", both ends included; "last", or "all". Layer
        0 is what goes into the first layer of the transformer.
      pool: "mean" or "mean+sd" over the steps of an utterance, or "none" for its sequence.
      name: What the features are called; None for the end of the model's name.
      kept: What of the weights must be found there, as `Weights.sha256` has it; None for any.
    """

    half: Half
    model: str
    layers: str = "last"
    pool: str = "mean"
    name: str | None = None
    kept: str | None = None

    @property
    def feature(self) -> str:
        """What the features are called."""
        if self.name is not None:
            return self.name
        end = Path(self.model).expanduser().absolute().name
        return re.sub(r"[^A-Za-z0-9_-]+", "-", end).strip("-_") or "encoder"


def make_encoding(
    half: str, model: str, layers: str = "last", pool: str = "mean", name: str | None = None
) -> Encoding:
    """Makes a request of what a user wrote.

    Raises:
      DserError: There is no such half, pooling or list of layers.
    """
    if pool not in POOLS:
        raise DserError(f"no pooling {pool!r}; there are {', '.join(POOLS)}")
    _spans(layers)
    for each in HALVES:
        if each == half:
            return Encoding(each, model, layers, pool, name)
    raise DserError(f"an encoder of {half!r}; there are encoders of {' and of '.join(HALVES)}")


def _spans(layers: str) -> list[tuple[int, int]]:
    """Reads a list of layers; nothing of "last" and "all"."""
    if layers in ("last", "all"):
        return []
    found = [_SPAN.fullmatch(part.strip()) for part in layers.split(",")]
    spans = [(int(part[1]), int(part[2] or part[1])) for part in found if part is not None]
    if len(spans) < len(found) or any(first > last for first, last in spans):
        raise DserError(
            f"layers {layers!r}: expected numbers, as in 4,6, spans, as in 2:6, last, or all"
        )
    return spans


def chosen_layers(layers: str, highest: int, model: str) -> tuple[int, ...]:
    """Returns the numbers of the layers that are asked for, each once, in the order of numbers.

    Args:
      layers: As of `Encoding`.
      highest: The number of the last layer.
      model: What the encoder is called, for messages.

    Raises:
      DserError: There are not as many.
    """
    if layers == "last":
        return (highest,)
    spans = _spans(layers) or [(0, highest)]
    numbers = sorted({number for first, last in spans for number in range(first, last + 1)})
    if numbers[-1] > highest:
        raise DserError(f"{model} has the layers 0 to {highest}, and none of number {numbers[-1]}")
    return tuple(numbers)


def written(layers: Sequence[int]) -> str:
    """Writes numbers of layers, those in a row as a span.

    >>> written((0, 2, 3, 4))
    '0, 2:4'
    """
    spans: list[list[int]] = []
    for number in layers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(f"{first}" if first == last else f"{first}:{last}" for first, last in spans)
