"""Where values of flags stand, if they are of a file: what is wrong with one is said with that."""

from __future__ import annotations

import argparse
import functools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from dser_jax.system import DataError, DserError

P = ParamSpec("P")
R = TypeVar("R")

_FLAG = re.compile(r"--([a-z]+(?:-[a-z]+)*)")
_SETTING = re.compile(r"(?:the )?(\w+) is ")


class Place(NamedTuple):
    """Where a flag has its value from.

    Attributes:
      file: The file.
      line: The line of its key; None where that cannot be found.
      items: The texts that it has, and their lines.
    """

    file: str
    line: int | None
    items: Mapping[str, int | None]


def find_place(text: str, file: str, key: str, value: Any) -> Place:
    """Finds a key and its values in the text of a file.

    Args:
      text: The file's.
      file: Its path.
      key: As it stands there.
      value: What TOML makes of it.
    """
    lines = text.splitlines()
    begins = re.compile(rf"""\s*\[*\s*["']?{re.escape(key)}["']?\s*[=.\]]""")
    first = next((i for i, line in enumerate(lines) if begins.match(line)), None)
    items: dict[str, int | None] = {}
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str):
            at = next((i for i in range(first or 0, len(lines)) if item in lines[i]), first)
            items[item] = None if at is None else at + 1
    return Place(file, None if first is None else first + 1, items)


def with_places(
    function: Callable[Concatenate[argparse.Namespace, P], R],
) -> Callable[Concatenate[argparse.Namespace, P], R]:
    """Has a function of flags say the file and the line of a flag that is wrong, if it is of one.

    Its errors then are a `DataError`; what names a file of its own stays as it is.
    """

    @functools.wraps(function)
    def with_place(args: argparse.Namespace, *others: P.args, **named: P.kwargs) -> R:
        try:
            return function(args, *others, **named)
        except DserError as error:
            there = isinstance(error, DataError) and error.file is not None
            found = None if there else next(_named(str(error), getattr(args, "filed", {})), None)
            if found is None:
                raise
            raise DataError(str(error), file=found[0], line=found[1]) from None

    return with_place


def _named(message: str, filed: Mapping[str, Place]) -> Iterator[tuple[str, int | None]]:
    """Yields the places that a message speaks of, by a flag, a setting's name, or the value."""
    names = [*_FLAG.findall(message), *_SETTING.findall(message)[:1]]
    for name in names:
        if place := filed.get(name.replace("_", "-")):
            texts = sorted((text for text in place.items if text in message), key=len)
            yield place.file, place.items[texts[-1]] if texts else place.line
    for place in filed.values():
        for text, line in place.items.items():
            # Words stand in many messages; what a grid or weights are written with does not.
            if repr(text) in message or (re.search(r"[=:,]", text) and f" {text}" in message):
                yield place.file, line
