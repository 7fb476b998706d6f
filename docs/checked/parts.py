"""The parts of a page that show what came out: found, held against what comes now, written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from dser_jax.journal import environment

ROOT = Path(__file__).parents[2]
KEPT = Path(__file__).with_name("shown.json")
PART = re.compile(r"<!-- shown (?P<name>[\w.-]+) -->(?P<text>.*?)<!-- end -->", re.DOTALL)
NUMBER = re.compile(r"([+−-]?(?:\d[\d,]*)?\.?\d+)")


class Shown(NamedTuple):
    """What came out.

    Attributes:
      text: As the page shows it.
      within: How far a number with a decimal point may lie off; those without must be the same.
      times: Where above 1, the factor by which any number may lie off instead, e.g. for seconds.
    """

    text: str
    within: float = 0.0
    times: float = 1.0


def read(page: str) -> str:
    """Reads a page, by its path in the repository."""
    return (ROOT / page).read_text("utf-8")


def parts(text: str) -> dict[str, str]:
    """Returns what a page shows, by name."""
    found = [(part["name"], part["text"].strip()) for part in PART.finditer(text)]
    names = [name for name, _ in found]
    assert len(set(names)) == len(names), f"shown twice: {names}"
    return dict(found)


def kept(page: str) -> dict[str, str]:
    """Returns what a page was last written to show."""
    everything = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
    return everything.get(page, {}).get("shown", {})


def write(page: str, came: Mapping[str, Shown]) -> None:
    """Puts what came into a page, and keeps it."""
    text = read(page)
    shown = parts(text)
    assert set(shown) == set(came), f"{page}: {sorted(set(shown) ^ set(came))} is not in both"

    def fill(part: re.Match) -> str:
        new = came[part["name"]].text.strip()
        around = "\n\n" if part["text"].startswith("\n") else ""
        return f"<!-- shown {part['name']} -->{around}{new}{around}<!-- end -->"

    (ROOT / page).write_text(PART.sub(fill, text), "utf-8")
    everything = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
    everything[page] = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "versions": environment()["versions"],
        "shown": {name: each.text.strip() for name, each in came.items()},
    }
    KEPT.write_text(json.dumps(everything, indent=1, ensure_ascii=False) + "\n", "utf-8")


def problems(text: str, came: Mapping[str, Shown], kept: Mapping[str, str]) -> Iterator[str]:
    """Yields what a page shows that did not come, or that nobody wrote from what came."""
    shown = parts(text)
    yield from (f"{name} is shown, and nothing makes it" for name in shown.keys() - came.keys())
    yield from (f"{name} is not shown" for name in came.keys() - shown.keys())
    for name in shown.keys() & came.keys():
        if kept.get(name) != shown[name]:
            yield f"{name} was changed by hand: {shown[name]!r}, not {kept.get(name)!r}"
        if why := difference(shown[name], came[name]):
            yield f"{name}: {why}"


def difference(shown: str, came: Shown) -> str:
    """Says where a page shows something else than came; empty where it does not."""
    ours, theirs = (NUMBER.split(_folded(text)) for text in (shown, came.text))
    for place, (one, other) in enumerate(zip_longest(ours, theirs)):
        if one is None or other is None or (place % 2 == 0 and one != other):
            return f"shown {_near(ours, place)!r}, came {_near(theirs, place)!r}"
        if place % 2 and not _close(one, other, came):
            return f"shown {one}, came {other} ({_near(theirs, place)!r})"
    return ""


def _folded(text: str) -> str:
    """White space, and what fills a table up to its width, as one of a kind."""
    return " ".join(re.sub(r"[─-]{2,}", "-", text).split())


def _near(pieces: list[str], place: int) -> str:
    return "".join(pieces[max(0, place - 2) : place + 3])


def _close(one: str, other: str, came: Shown) -> bool:
    a, b = (float(each.replace("−", "-").replace(",", "")) for each in (one, other))
    if came.times > 1:
        low, high = sorted((abs(a), abs(b)))
        return high <= low * came.times
    within = came.within + 1e-9 if "." in one + other else 0
    return abs(a - b) <= within


def fenced(lines: Iterable[str]) -> str:
    """Writes lines as a block of text."""
    text = "\n".join(line.rstrip() for line in lines).strip("\n")
    return f"```\n{text}\n```"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Writes a table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def short(value: float, digits: int = 2) -> str:
    """Writes a number below 1 as the pages do: .62, −.04."""
    return (
        f"{abs(value):.{digits}f}".replace("0.", ".", 1)
        if value >= 0
        else "−" + short(-value, digits)
    )
