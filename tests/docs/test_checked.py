"""What the pages show comes from `docs/checked/`: nothing is quoted by hand."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))
from checked.blocks import blocks, follow  # noqa: E402
from checked.parts import PART, Shown, difference, kept, parts, problems, read  # noqa: E402

PAGES = {
    name: importlib.import_module(f"checked.{name}")
    for name in ("readme", "tutorial", "share", "predict", "searches")
}
names = pytest.mark.parametrize("name", PAGES)


@names
def test_a_page_shows_what_was_written_into_it(name):
    page = PAGES[name].PAGE
    assert parts(read(page)) == kept(page)


@names
def test_no_part_of_a_line_begins_it(name):
    """GitHub takes a line that begins with a comment for HTML."""
    for part in PART.finditer(read(PAGES[name].PAGE)):
        alone = part["text"].startswith("\n\n") and part["text"].endswith("\n\n")
        before = part.string[part.string.rfind("\n", 0, part.start()) + 1 : part.start()]
        assert alone or before.strip(), part["name"]


RESULT = re.compile(
    r"(?<![\w./%])[−-]?\.\d{2,}(?![\d/])|± ?\.?\d|p [<=>]"
    r"|\d+(?:\.\d+)? (?:times|minutes?|seconds?|hours?)\b|\b\d+ of \d+\b"
)
"""Numbers that only a run can know: scores, spreads, p-values, factors, times."""


@names
def test_results_stand_in_parts_alone(name):
    """Outside of code and of what is shown, a page has no score, factor or time."""
    text = PART.sub("", read(PAGES[name].PAGE))
    text = re.sub(r"^```.*?^```$|`[^`\n]+`", "", text, flags=re.MULTILINE | re.DOTALL)
    assert [found[0] for found in RESULT.finditer(text)] == []


@names
def test_output_stands_in_parts_alone(name):
    """A block without a language is what something printed, or a file, which says so before it."""
    text = PART.sub("", read(PAGES[name].PAGE))
    for found in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if found[1]:
            continue
        assert text[: found.start()].rstrip().endswith("<!-- a file -->"), found[2][:80]


@names
def test_each_block_is_run_or_says_why_not(name):
    found = blocks(read(PAGES[name].PAGE))
    assert any(not block.why for block in found)


def test_a_number_changed_by_hand_is_found_however_little_it_was():
    text = "of <!-- shown score -->.63<!-- end --> here"
    came = {"score": Shown(".62", within=0.05)}
    assert list(problems(text, came, {"score": ".63"})) == []
    (told,) = problems(text, came, {"score": ".62"})
    assert "by hand" in told


@pytest.mark.parametrize(
    ("shown", "came", "same"),
    [
        (".620 ± .018", Shown(".621 ± .023", within=0.01), True),
        (".620 ± .018", Shown(".640 ± .018", within=0.01), False),
        ("−.04", Shown(".04", within=0.01), False),
        ("12 networks", Shown("13 networks", within=5), False),
        ("1,366 epochs", Shown("1,400 epochs", times=1.1), True),
        ("4 minutes", Shown("9 minutes", times=2), False),
        ("ahead of it", Shown("behind it"), False),
        ("a ──── b", Shown("a ── b"), True),
        ("one .1", Shown("one .1 two", within=1), False),
    ],
)
def test_what_came_may_lie_as_far_off_as_it_says(shown, came, same):
    assert (difference(shown, came) == "") == same


def test_a_page_is_followed_block_by_block(tmp_path):
    first, second = "```sh\necho 3 > a\n```\n", "<!-- not run: why -->\n```sh\nfalse\n```\n"
    text = first + second + "```python\nprint(open('a').read())\n```\n"
    page = follow(text, tmp_path, {"echo 3": "echo 4"})
    assert page.said("open(").strip() == "4"
    assert len(page.outputs) == 2


def test_a_block_that_fails_ends_it(tmp_path):
    with pytest.raises(SystemExit, match="ended with 1"):
        follow("```sh\nfalse\n```\n", tmp_path, {})
