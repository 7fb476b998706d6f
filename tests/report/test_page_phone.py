"""The tables of a page in a headless Chromium: on a narrow screen, by any click, by any filter."""

from __future__ import annotations

import json

import browser
import pytest
from fabricated import NAMES, fabricate
from held_against import add_baselines

from dser_jax.report.page import write_page

SHOWN = "[...document.querySelectorAll('#runs tbody tr[data-place]')]"


@pytest.fixture(scope="module")
def phone(tmp_path_factory):
    """The page of a small sweep, 400 pixels wide."""
    if browser.find() is None:
        pytest.skip(f"no Chromium: none of {', '.join(browser.NAMES)} is installed")
    folder = tmp_path_factory.mktemp("phone") / "sweep"
    fabricate(folder, seeds=3)
    add_baselines(folder, (("ridge", 0.9, 0.3), ("mean", 0.0, 0.0)))
    file = write_page([folder])
    with browser.running() as chromium:
        page = chromium.open(file, width=400)
        yield page
        assert page.complaints() == []


def box(page, selector):
    return page.run(
        f"(() => {{ const b = document.querySelector('{selector}').getBoundingClientRect();"
        "return [b.left, b.right]; })()"
    )


@pytest.mark.parametrize("table", [".wide", "#runs .rows"])
def test_the_mean_stays_in_view(phone, table):
    assert phone.run("document.documentElement.scrollWidth") == 400
    for scrolled in (0, 120, 10_000):
        phone.run(f"document.querySelector('{table}').scrollLeft = {scrolled}")
        phone.settle()
        left, right = box(phone, f"{table} tbody .column-mean")
        assert 0 <= left < right <= 400


def test_the_drawing_clips_nothing_and_has_an_axis(phone):
    phone.run("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    outside = phone.run(
        "[...document.querySelectorAll('.drawn svg')].flatMap(svg => {"
        " const b = svg.getBoundingClientRect();"
        " return [...svg.children].map(each => each.getBoundingClientRect())"
        "  .filter(c => c.left < b.left - 0.5 || c.right > b.right + 0.5); }).length"
    )
    assert outside == 0
    assert phone.run("document.querySelectorAll('thead .drawn svg.axis text').length") > 1
    assert phone.run("document.querySelectorAll('.drawn .seed').length") >= 9


def test_a_head_sorts_wherever_it_is_clicked(phone):
    edge = (
        "(() => { const th = document.querySelector('#runs th[data-key=seed]');"
        " th.dispatchEvent(new MouseEvent('click', { bubbles: true }));"
        " return th.getAttribute('aria-sort'); })()"
    )
    assert phone.run(edge) == "descending"
    assert phone.run(edge) == "ascending"
    # A click on the button inside is one, not two.
    phone.run("document.querySelector('#runs th[data-key=seed] button').click()")
    head = "document.querySelector('#runs th[data-key=seed]').getAttribute('aria-sort')"
    assert phone.run(head) == "descending"


@pytest.mark.parametrize(
    ("text", "why", "rows"),
    [
        ("nothing>3", "nothing>3: no column is called nothing", 11),
        ("seed>abc", "seed>abc: expected a number after >", 11),
        ("name>3", "name>3: name is words", 11),
        ('text "two', '"two: a quotation mark is open', 6),
        ("seed>1", "", 3),
    ],
)
def test_a_filter_that_cannot_be_read_says_so(phone, text, why, rows):
    phone.run(
        "(() => { const input = document.querySelector('#runs input[type=search]');"
        f" input.value = {json.dumps(text)}; input.dispatchEvent(new Event('input')); }})()"
    )
    kept = "JSON.parse(sessionStorage.getItem('dser-page:' + location.pathname)).filter"
    phone.wait(f"{kept} === {json.dumps(text)}")
    assert phone.run(f"{SHOWN}.length") == rows
    told = phone.run("document.querySelector('#runs .unread').textContent")
    assert phone.run("document.querySelector('#runs .unread').hidden") == (why == "")
    assert why in told


def test_the_curves_of_what_validation_picks_are_there_at_once(phone):
    first = phone.run("document.querySelector('#curves .legend span').textContent")
    assert first == f"{list(NAMES)[2]}, seed 0"


def test_it_says_when_it_was_written(phone):
    text = phone.run("document.querySelector('header').textContent")
    assert "Written on 2" in text
    assert "Begun 2" in text
