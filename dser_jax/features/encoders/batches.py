"""Which utterances go through a network together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dser_jax.features.audio import RATE
from dser_jax.features.encoders.encoder import Encoder
from dser_jax.features.encoders.libraries import libraries

SECONDS, TOKENS, ROWS = 160.0, 8192, 64
"""What a batch has at most, padding counted: of recordings, of texts, and utterances of either."""
AHEAD = 4
"""Batches that are read at once, to find utterances of one length among them."""


class Item(NamedTuple):
    """What there is to encode.

    Attributes:
      length: Samples, as far as the file tells, or tokens.
      steps: Steps that it will have, so far as is known.
      read: Reads it; gives what the network takes, and how loud it is.
      where: The file, or the row of a table, for messages.
    """

    length: int
    steps: int
    read: Callable[[], tuple[Any, float]]
    where: Path | str | None


def _most(encoder: Encoder) -> float:
    """Returns what a batch has at most, of samples or tokens."""
    return SECONDS * RATE if encoder.half == "speech" else TOKENS


def portions(encoder: Encoder, todo: Mapping[str, Item]) -> Iterator[list[str]]:
    """Yields keys, the longest first, so many as are read at once."""
    most, portion, total = AHEAD * _most(encoder), [], 0
    for key in sorted(todo, key=lambda key: -todo[key].length):
        length = todo[key].length
        if portion and (total + length > most or len(portion) >= AHEAD * ROWS):
            yield portion
            portion, total = [], 0
        portion.append(key)
        total += length
    if portion:
        yield portion


def batches(encoder: Encoder, network: Any, given: Mapping[str, Any]) -> Iterator[list[str]]:
    """Yields keys of what may share a batch, the longest first."""
    lengths = {key: _length(value) for key, value in given.items()}
    alike = encoder.half == "speech" and not network.reader.masks
    batch: list[str] = []
    for key in sorted(lengths, key=lambda key: -lengths[key]):
        longest = lengths[batch[0]] if batch else 0
        full = len(batch) >= ROWS or longest * (len(batch) + 1) > _most(encoder)
        if batch and (full or (alike and lengths[key] != longest)):
            yield batch
            batch = []
        batch.append(key)
    if batch:
        yield batch


def _length(value: Any) -> int:
    """Returns the samples of a signal, or the tokens of a text."""
    return len(value) if isinstance(value, np.ndarray) else len(value["input_ids"])


def computed(
    network: Any, batch: list[str], given: Mapping[str, Any]
) -> dict[str, np.ndarray | str]:
    """Computes a batch, by halves where it is too large for the device; or says what is wrong."""
    torch, _ = libraries()
    name = network.reader.encoder.name
    try:
        layers = network([given[key] for key in batch])
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        if len(batch) > 1:
            middle = len(batch) // 2
            return {
                **computed(network, batch[:middle], given),
                **computed(network, batch[middle:], given),
            }
        return {batch[0]: f"too long for {name} in the memory of the device"}
    return {
        key: each if np.isfinite(each).all() else f"{name} gave a value that is no number"
        for key, each in zip(batch, layers, strict=True)
    }
