"""Tables of a terminal are readable at any width: nothing is cut, no word or number is parted."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from fabricated import fabricate
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from dser_jax.report.grids import Line, lay_out, wrapped
from dser_jax.report.sections.section import Section
from dser_jax.report.terminal import print_section
from dser_jax.report.writing import write_report

SETTINGS = (
    "learning rate",
    "weight decay",
    "acoustic dropout",
    "text dropout",
    "embedding dropout",
    "fusion dropout",
    "modality dropout",
    "half life",
)


def cells(*texts):
    return [[Line(part) for part in text.split("\n")] for text in texts]


def laid(header, rows, width, **more):
    found = lay_out(header, [cells(*row) for row in rows], width, **more)
    lines = [line.plain for line in found.lines]
    assert max(map(len, lines)) <= width
    return lines, found.lean


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_search_of_eight_settings_parts_no_word_and_no_number(width):
    random = np.random.default_rng(0)
    trials = [(f"trial {i}", *(f"{v:.4g}" for v in random.random(8)), ".416") for i in range(3)]
    section = Section("Search", (), ("", *SETTINGS, "validation CCC"), tuple(trials))
    console = Console(file=io.StringIO(), width=width)
    print_section(console, section)
    said = console.file.getvalue()
    assert max(map(len, said.splitlines())) <= width
    flat = " ".join(said.split())
    for name, *values in trials:
        told = zip((*SETTINGS, "validation CCC"), values, strict=True)
        assert f"{name} {', '.join(f'{field} {value}' for field, value in told)}" in flat


def test_what_fits_is_side_by_side_with_numbers_at_the_right():
    lines, lean = laid(("step", "mean"), [("paper", ".043"), ("+ context", "−.1")], 30)
    assert lines == [
        " step       mean",
        " ───────────────",
        " paper      .043",
        " + context   −.1",
    ]
    assert not lean
    lines, _ = laid(
        ("name", "valence", "part"), [("a", "not trained", "all"), ("b", ".1", "x")], 40
    )
    assert lines[2:] == [" a     not trained  all", " b              .1  x"]


def test_names_are_wrapped_between_words_and_stand_above_where_that_is_not_enough():
    row = ("a name of words, ensemble of 20", "0123456789" * 2)
    assert laid(("name", "x"), [row], 42)[0][2:] == [
        " a name of words,     01234567890123456789",
        " ensemble of 20",
    ]
    assert laid(("name", "x"), [row], 37)[0] == [
        "                      x",
        " ──────────────────────",
        " a name of words, ensemble of 20",
        "   01234567890123456789",
    ]
    grid = ("alpha=0.1,beta=0.2,gamma=0.7", "0123456789" * 2)
    assert laid(("name", "x"), [grid], 37)[0][2:] == [f" {grid[0]}", f"   {grid[1]}"]


def test_a_row_that_goes_on_has_no_name_again():
    rows = [("one name of some words", "whole", ".1"), ("", "a part", ".2")]
    assert laid(("name", "part", "mean"), rows, 24)[0][2:] == [
        " one name of some words",
        "   whole     .1",
        "   a part    .2",
    ]


def test_a_name_stands_above_before_another_word_is_wrapped():
    rows = [("one name of some words", "speaker Ses05F", ".1")]
    assert laid(("name", "part", "mean"), rows, 39)[0][2:] == [
        " one name of some  speaker Ses05F    .1",
        " words",
    ]
    for width, gap in ((25, "  "), (22, " ")):
        assert laid(("name", "part", "mean"), rows, width)[0][2:] == [
            *([" one name of some words"] if width > 22 else [" one name of some", " words"]),
            f"   speaker Ses05F{gap}  .1",
        ]
    assert laid(("name", "part", "mean"), rows, 20)[0][-2:] == [
        "   speaker        .1",
        "   Ses05F",
    ]


def test_intervals_are_left_out_before_numbers_and_that_is_told():
    row = ("paper", ".1 ± .2\n[−.123, .456]", ".3 ± .1\n[−.123, .456]", "2\n1 div.")
    header = ("name", "valence", "arousal", "n")
    lines, lean = laid(header, [row], 60)
    assert "[−.123, .456]" in lines[3]
    assert not lean
    lines, lean = laid(header, [row], 28)
    assert lean
    assert lines[3:] == ["   .1 ± .2  .3 ± .1       2", "                     1 div."]


def test_where_no_column_fits_each_row_is_a_list():
    row = ("paper", "unspeakable\n[1, 2]", ".123456789", "")
    assert laid(("name", "first", "second thing", "third"), [row, row], 24)[0][:3] == [
        " paper",
        "   first unspeakable",
        "   [1, 2],",
    ]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(st.text("ab .,-+[]()0", max_size=30), min_size=4, max_size=4), min_size=1),
    st.integers(20, 90),
)
def test_every_letter_is_there_and_no_line_is_too_long(rows, width):
    lines, lean = laid(("name", "one", "two words", "3"), rows, width)
    if not lean:
        for row in rows:
            for cell in row:
                for word in cell.split():
                    assert word in "".join("".join(lines).split()) or len(word) > 1
        letters = "".join(sorted("".join(map("".join, rows)).replace(" ", "")))
        there = "".join("".join(lines)).replace(" ", "")
        assert all(there.count(letter) >= letters.count(letter) for letter in set(letters))


def test_wrapping_parts_no_interval():
    assert wrapped("+.178 [−.144, .500] over", 8) == ["+.178", "[−.144,", ".500]", "over"]
    assert wrapped("+.178 [−.144, .500] over", 14) == ["+.178", "[−.144, .500]", "over"]
    assert wrapped("", 5) == [""]


LONG = ("lstm + lstm", "gemaps_hsf by speaker + we + context", (0.6, 0.6, 0.5))
NAMES = dict.fromkeys(
    ("paper", "+ by speaker", "+ modality dropout", "alpha=0.10,beta=0.20,gamma=0.70"), LONG
)


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160])
def test_tables_of_scores_have_all_columns_at_any_width(tmp_path, width):
    fabricate(tmp_path / "j", NAMES, seeds=2, diverged=[("paper", 1)])
    console = Console(file=io.StringIO(), width=width)
    write_report(tmp_path / "j", None, console, draw=False)
    said = console.file.getvalue()
    lines = said.splitlines()
    table = lines[next(i for i, line in enumerate(lines) if line.split()[-1:] == ["n"]) :]
    table = table[: table.index("")]
    assert max(map(len, table)) <= width
    assert table[0].split()[-5:] == ["valence", "arousal", "dominance", "mean", "n"]
    for name in NAMES:
        assert any(line.startswith(f" {name}") for line in table)
    assert sum(bool(re.search(r"\.\d+ +[12]$", line)) for line in table) >= len(NAMES)
    assert any(line.endswith(" 1 div.") for line in table)
    assert ("Intervals have no room" in said) == (width == 60)
