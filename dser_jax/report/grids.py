"""A table for a console of some width: whole, or with names above their rows, or as a list.

What does not fit is never cut. The first of these that fits is taken:

1. all columns, the words of names and of headers wrapped;
2. each name on a line of its own, above its numbers;
3. the same with the words of other columns wrapped, too;
4. any of these without the intervals below numbers, which is said;
5. a block for each row: its name, and "column value" one after the other.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from rich.cells import cell_len, chop_cells
from rich.text import Text

NAME = 16
"""Names narrower than this are wrapped too often: they stand above their rows then."""

_WORD = re.compile(r"[\[(][^\s\])]*, [^\s\])]*[\])]\S*|\S+")
"""What is not parted: an interval, or what has no space in it."""

_NUMBER = re.compile(r"[*+−<-]*[\d.]")


class Line(NamedTuple):
    """A line of a cell, and how it is printed."""

    text: str
    style: str = ""


Cell = Sequence[Line]
"""Lines below each other."""

Row = Sequence[Cell]


class Laid(NamedTuple):
    """A table as lines, and whether intervals were left out of it."""

    lines: tuple[Text, ...]
    lean: bool = False


def lay_out(
    header: Sequence[str], rows: Sequence[Row], width: int, *, rules: Collection[int] = ()
) -> Laid:
    """Lays a table out.

    Args:
      header: Names of the columns; the first is that of the rows' names.
      rows: Cells; a first one that is empty goes on with the row before.
      width: Columns of the console.
      rules: Numbers of rows before which there is a rule.
    """
    for lean in (False, True):
        shown = [_without_intervals(row) for row in rows] if lean else rows
        places = ((False, 2), (True, 2), (True, 1))
        for whole, (above, gap) in itertools.product((True, False), places):
            table = _Columns(header[above:], [row[above:] for row in shown], above, whole)
            widths = table.fitted(width - (3 if above else 1), gap)
            if widths is not None:
                names = [row[0] for row in shown] if above else None
                return Laid(tuple(table.lines(widths, gap, width, names, rules)), lean)
    return Laid(tuple(_blocks(header, rows, width)))


class _Columns:
    """Columns side by side."""

    def __init__(
        self, header: Sequence[str], rows: Sequence[Row], above: bool, whole: bool
    ) -> None:
        """Measures them.

        Args:
          header: Names of the columns.
          rows: Cells; those of a column of numbers stand at its right, as do words among them.
          above: Whether names are above, and in no column.
          whole: Whether of all cells only names are wrapped.
        """
        self.header, self.rows, self.above = header, rows, above
        self.right, self.natural, self.least = [], [], []
        for at, head in enumerate(header):
            name = at == 0 and not above
            cells = [row[at] for row in rows if row[at]]
            numbers = [cell[0].text for cell in cells if re.search(r"\d", cell[0].text)]
            self.right.append(not name and bool(numbers) and all(map(_NUMBER.match, numbers)))
            texts = [line.text for cell in cells for line in cell]
            widest = max(map(cell_len, texts), default=0)
            self.natural.append(max(widest, cell_len(head)))
            wraps = name or not (whole or self.right[-1])
            least = max(_longest([head]), _longest(texts) if wraps else widest)
            self.least.append(max(least, min(NAME, self.natural[-1])) if name else least)

    def fitted(self, room: int, gap: int) -> list[int] | None:
        """Returns widths of the columns that fit; None where there are none."""
        room -= gap * (len(self.header) - 1)
        if sum(self.least) > room:
            return None
        widths = list(self.natural)
        while sum(widths) > room:
            spare = [has - least for has, least in zip(widths, self.least, strict=True)]
            widths[spare.index(max(spare))] -= 1
        return widths

    def lines(
        self,
        widths: Sequence[int],
        gap: int,
        width: int,
        names: Sequence[Cell] | None,
        rules: Collection[int],
    ) -> Iterator[Text]:
        """Yields the lines of the table."""
        indent = 3 if self.above else 1
        rule = Text(" " + "─" * (indent - 1 + sum(widths) + gap * (len(widths) - 1)))
        yield from self._side_by_side(
            [[Line(head, "bold")] for head in self.header], widths, gap, indent
        )
        yield rule
        for at, row in enumerate(self.rows):
            if at in rules:
                yield rule
            if names is not None:
                yield from _above(names[at], width)
            yield from self._side_by_side(row, widths, gap, indent)

    def _side_by_side(
        self, row: Row, widths: Sequence[int], gap: int, indent: int
    ) -> Iterator[Text]:
        cells = [
            [Line(part, line.style) for line in cell for part in wrapped(line.text, width)]
            for cell, width in zip(row, widths, strict=True)
        ]
        for at in range(max(map(len, cells))):
            text = Text(" " * indent)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True)):
                line = cell[at] if at < len(cell) else Line("")
                pad = " " * (width - cell_len(line.text))
                text.append(pad if self.right[column] else "")
                text.append(line.text, line.style)
                text.append(("" if self.right[column] else pad) + " " * gap)
            text.rstrip()
            yield text


def _above(name: Cell, width: int) -> Iterator[Text]:
    """Yields a name on lines of its own; what is said of it beside it, where there is room."""
    if not any(line.text for line in name):
        return
    if 1 + sum(cell_len(line.text) + 2 for line in name) <= width:
        yield Text(" ") + Text("  ").join(Text(line.text, line.style) for line in name)
        return
    for line in name:
        for part in wrapped(line.text, width - 1):
            yield Text(" ") + Text(part, line.style)


def _blocks(header: Sequence[str], rows: Sequence[Row], width: int) -> Iterator[Text]:
    """Yields a block for each row."""
    for name, *cells in rows:
        yield from _above(name, width)
        texts = [" ".join(line.text for line in cell).strip() for cell in cells]
        told = [f"{head} {text}" for head, text in zip(header[1:], texts, strict=True) if text]
        line = ""
        for at, each in enumerate(told):
            item = each + ("," if at + 1 < len(told) else "")
            if line and cell_len(f"{line} {item}") > width - 3:
                yield Text("   " + line)
                line = ""
            *whole, line = wrapped(f"{line} {item}", width - 3)
            yield from (Text("   " + part) for part in whole)
        yield Text("   " + line)


def _without_intervals(row: Row) -> Row:
    """Leaves out the lines of numbers that are intervals."""
    return [
        row[0],
        *([line for line in cell if not line.text.startswith(("[", "("))] for cell in row[1:]),
    ]


def _longest(texts: Sequence[str]) -> int:
    """Returns the width of the longest word."""
    return max((cell_len(word) for text in texts for word in _WORD.findall(text)), default=0)


def wrapped(text: str, width: int) -> list[str]:
    """Parts a text into lines between its words; a word that is wider than a line, anywhere."""
    lines: list[str] = [""]
    for word in _WORD.findall(text):
        if lines[-1] and cell_len(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines += map(str.strip, chop_cells(word, width))
    return lines[1:] or [""]
