"""What was found, and how to mend it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
      state: "ok", "note" (it works, but not as well as it could) or "broken".
      what: What was found.
      mend: What to do about it.
    """

    state: Literal["ok", "note", "broken"]
    what: str
    mend: str = ""


def broken(found: Sequence[Finding]) -> int:
    """Counts what has to be mended."""
    return sum(finding.state == "broken" for finding in found)
