"""Lets one line of a docstring tell of several names: `a, b: text` is an entry for each."""

from __future__ import annotations

import re
from typing import Any

import griffe

ENTRY = re.compile(r"^( +)(\w+(?:, \w+)+): (.+(?:\n\1 +.+)*)", re.MULTILINE)


def parted(text: str) -> str:
    """Repeats what is told of several names for each of them."""
    return ENTRY.sub(
        lambda found: "\n".join(f"{found[1]}{name}: {found[3]}" for name in found[2].split(", ")),
        text,
    )


class Names(griffe.Extension):
    """Rewrites docstrings as they are loaded."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrites the docstring of a module, class, function or attribute."""
        if obj.docstring is not None:
            obj.docstring.value = parted(obj.docstring.value)
