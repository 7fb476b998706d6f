"""Pieces of HTML: text, tables, sections. Names and notes of a journal are text, never markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from dser_jax.report.sections.section import Section
from dser_jax.report.text import is_command

__all__ = ["element", "escape", "paragraphs", "section", "slug", "table"]


def element(name: str, content: str = "", **attributes: str | bool | None) -> str:
    """Writes an element around content that is HTML already.

    Args:
      name: Of the element.
      content: HTML; text is to be escaped before.
      attributes: By name, `_` for `-`, a trailing `_` for names that Python has; True is one
        without a value, None and False are left out.
    """
    given = "".join(
        f" {key.rstrip('_').replace('_', '-')}"
        + ("" if value is True else f'="{escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return f"<{name}{given}>{content}</{name}>"


def paragraphs(lines: Iterable[str], class_: str | None = None) -> str:
    """Writes texts as paragraphs; one that is a command is shown as such."""
    found = []
    for line in lines:
        if is_command(line):
            found.append(element("pre", element("code", escape(line)), class_="command"))
        elif line:
            found.append(element("p", escape(line), class_=class_))
    return "".join(found)


def slug(title: str, taken: set[str]) -> str:
    """Makes an id of a title, unlike all before."""
    plain = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:48].strip("-") or "section"
    unique, count = plain, 1
    while unique in taken:
        count += 1
        unique = f"{plain}-{count}"
    taken.add(unique)
    return unique


def table(header: Sequence[str], lines: Sequence[Sequence[str]], caption: str = "") -> str:
    """Writes a table of text cells; a newline in a cell begins a smaller line below."""
    head = element("tr", "".join(element("th", escape(name), scope="col") for name in header))
    body = "".join(
        # The first cell names the row; where it is empty, the row goes on with the one before.
        element(
            "tr", "".join(map(_cell, line, range(len(line)))), class_=None if line[0] else "more"
        )
        for line in lines
    )
    told = element("caption", escape(caption)) if caption else ""
    whole = element("table", told + element("thead", head) + element("tbody", body), class_="plain")
    return scrolled(whole, caption or ", ".join(filter(None, header)))


def scrolled(content: str, name: str, *, tall: bool = False) -> str:
    """Puts a table into a box that a narrow screen, or the keyboard, moves sideways."""
    kind = "wide tall" if tall else "wide"
    return element("div", content, class_=kind, role="region", tabindex="0", aria_label=name)


def _cell(text: str, place: int) -> str:
    first, *rest = text.split("\n")
    content = escape(first) + "".join(element("small", escape(line)) for line in rest)
    if place == 0:
        return element("th", content, scope="row")
    return element("td", content, class_="number" if _numeric(first) else None)


def _numeric(text: str) -> bool:
    return bool(re.fullmatch(r"[<+\-−–]?\s*\d*\.?\d*( .*)?", text)) or text in ("–", "")


def section(found: Section) -> str:
    """Writes what a section of a report says, without its heading."""
    content = paragraphs(found.told)
    if found.lines:
        content += table(found.header, found.lines, "")
    return content + paragraphs(found.after, "note")
