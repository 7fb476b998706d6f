"""One style for all figures, which survives print, small columns and colour blindness."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dser_jax.journal import JournalView
from dser_jax.system import DataError, replacing

Row = Mapping[str, Any]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette, without its yellow, which is too pale for a line."""

DASHES = ("-", (0, (5, 1.6)), (0, (1.2, 1.4)), (0, (6, 1.5, 1.2, 1.5)))
"""A second mark beside the colour, for print without any."""

GREY = "#BBBBBB"

STYLE = {
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.labelsize": 8,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.edgecolor": "#555555",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.5,
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.4,
    "pdf.fonttype": 42,
    "text.usetex": False,
    "text.parse_math": False,
}


@contextmanager
def style() -> Iterator[None]:
    """Draws in the style of this project, whatever the user's."""
    with mpl.rc_context():
        mpl.rcdefaults()  # A user's matplotlibrc would make every machine's figures its own.
        mpl.rcParams.update(STYLE)
        yield


def save(figure: Figure, path: Path, endings: Sequence[str] = (".pdf", ".png")) -> list[Path]:
    """Writes a figure, as PDF and as PNG by default.

    Args:
      figure: Drawn through Matplotlib's objects, without pyplot.
      path: Where to, without an ending.
      endings: Of the files.
    """
    FigureCanvasAgg(figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    written = []
    for ending in endings:
        file = path.with_name(path.name + ending)
        metadata = {"CreationDate": None} if ending == ".pdf" else None
        with replacing(file) as out:
            figure.savefig(out, format=ending[1:], dpi=200, metadata=metadata)
        written.append(file)
    return written


def by_name(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Gathers rows by name, in the order in which the names first occur."""
    names: dict[str, list[Row]] = {}
    for row in rows:
        names.setdefault(str(row["name"]), []).append(row)
    return names


def load_array(view: JournalView, row: Row, name: str, problems: list[str]) -> NDArray | None:
    """Loads an array of a run; None if the run diverged or has none, said where it should have."""
    if row.get("status", "ok") != "ok":
        return None
    try:
        return view.arrays(row["run"]).get(name)
    except DataError as error:
        problems.append(f"{error}; its run is in no figure")
        return None


def shorten(text: str, limit: int = 60) -> str:
    """Cuts a long text in the middle."""
    half = (limit - 1) // 2
    return text if len(text) <= limit else f"{text[:half]}…{text[-half:]}"


def told_apart(names: Sequence[str], longest: int = 30) -> tuple[list[str], str]:
    """Leaves out of long names the words that all of them have in one place; returns these, too."""
    words = [name.split(" ") for name in names]
    if max(map(len, names), default=0) <= longest or len(set(map(len, words))) > 1:
        return list(names), ""
    shared = [len(set(column)) == 1 for column in zip(*words, strict=True)]
    if all(shared):
        return list(names), ""
    kept = [[word for word, same in zip(each, shared, strict=True) if not same] for each in words]
    common = [word for word, same in zip(words[0], shared, strict=True) if same]
    return [" ".join(each).strip(",") for each in kept], " ".join(common).strip(",")


def labels_of(names: Sequence[str], limit: int) -> list[str]:
    """Cuts long names; those that would look alike lose the words that they begin and end with."""
    cut = [shorten(name, limit) for name in names]
    for label in {each for each in cut if cut.count(each) > 1}:
        alike = [place for place, each in enumerate(cut) if each == label]
        words = [names[place].split(" ") for place in alike]
        first, last = _shared(words), _shared([each[::-1] for each in words])
        if first + last < min(map(len, words)):
            for place, each in zip(alike, words, strict=True):
                kept = " ".join(each[first : len(each) - last])
                cut[place] = "…" * (first > 0) + shorten(kept, limit - 2) + "…" * (last > 0)
    return cut


def _shared(words: Sequence[Sequence[str]]) -> int:
    """Counts the words that all lists begin with."""
    count = 0
    for column in zip(*words, strict=False):
        if len(set(column)) > 1:
            break
        count += 1
    return count


def wrapped(text: str, width: int) -> str:
    """Breaks lines that are longer than so many letters."""
    return "\n".join(textwrap.fill(line, width) for line in text.splitlines())


def look(number: int) -> dict[str, Any]:
    """Returns the colour and the dashes of a line, by its place among those that are named."""
    dash = DASHES[number // len(COLOURS) % len(DASHES)]
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": dash}
