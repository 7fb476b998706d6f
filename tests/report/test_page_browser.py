"""The page of a sweep in a browser: it is used as a reader would, with mouse and keyboard."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import browser
import pytest
from fabricated import fabricate, weight_grid

from dser_jax.journal.journal import Journal
from dser_jax.journal.reading import read_journal
from dser_jax.report.page import write_page

ROOT = Path(__file__).parents[2]

ROWS = "document.querySelectorAll('#runs tbody tr[data-place]')"


@pytest.fixture(scope="module")
def chromium():
    if browser.find() is None:
        pytest.skip(f"no Chromium: none of {', '.join(browser.NAMES)} is installed")
    with browser.running() as found:
        yield found


@pytest.fixture(scope="module")
def sixty(tmp_path_factory):
    """The page of 60 runs and a baseline."""
    folder = tmp_path_factory.mktemp("sixty") / "sixty"
    fabricate(folder, seeds=20, diverged=[("text LSTM", 3)])
    base = {"run": "base", "name": "ridge", "kind": "baseline", "network": "ridge", "seed": 0}
    base |= {"corpus": "demo", "protocol": "strict", "split": "last session", "truth": "k"}
    base |= {"status": "ok", "hparams": {}, "config": {}}
    level = {"valence": 0.6, "arousal": 0.6, "dominance": 0.6, "mean": 0.6}
    base |= {part: {"ccc": level, "ccc_batch32": level} for part in ("validation", "test")}
    with Journal.open(folder, {"data_fingerprint": "aa"}) as journal:
        journal.commit(base, {})
    return write_page([folder])


@pytest.fixture
def opened(chromium, sixty):
    """The page of 60 runs, in a tab of its own; in the end nothing may have gone wrong there."""
    page = chromium.open(sixty)
    yield page
    quiet(page)


@pytest.fixture(scope="module")
def lasting(chromium, sixty):
    """The same in one tab for all tests that leave it as it was, or do not care."""
    page = chromium.open(sixty)
    yield page
    quiet(page)


def quiet(page):
    assert page.complaints() == []
    assert page.fetched() == []
    page.close()


def column(page, key):
    """Returns what a column of the table of runs shows, of the rows that are drawn."""
    return page.run(f"[...{ROWS}].map(row => row.querySelector('.column-{key}').textContent)")


def texts(page, selector):
    return page.run(f"[...document.querySelectorAll('{selector}')].map(each => each.textContent)")


def drawn(page, selector):
    """Waits until the charts that a selector finds are drawn; returns how many lines they have."""
    page.see(selector)
    page.wait(f"document.querySelector('{selector} .main-svg') !== null")
    return page.run(f"document.querySelector('{selector}').data.length")


def write(page, text):
    """Types into the filter."""
    page.click("#runs input[type=search]")
    page.run("document.querySelector('#runs input[type=search]').select()")
    if text:
        page.send("Input.insertText", text=text)
    else:
        page.key("Delete", 46)
    kept = "JSON.parse(sessionStorage.getItem('dser-page:' + location.pathname)).filter"
    page.wait(f"{kept} === {json.dumps(text)}")


def test_it_opens_without_a_word(lasting):
    assert "60 runs finished" in " ".join(texts(lasting, "header .lead"))
    assert texts(lasting, "#runs output") == ["61 runs"]
    links = texts(lasting, "nav a")
    assert links == ["Results", "Runs", "Seeds", "Predictions", "Origin"]
    for selector in ("#curves .panel", "#seeds-chart", "#predictions .panel"):
        assert drawn(lasting, selector) > 0
    assert texts(lasting, "#broken")[0]
    assert lasting.run("document.querySelector('#broken').hidden")


def test_runs_are_sorted_by_any_column(opened):
    opened.click("#runs th[data-key=mean] button")
    high = [float(text) for text in column(opened, "mean")]
    assert len(high) > 10
    assert high == sorted(high, reverse=True)
    order = "document.querySelector('#runs th[data-key=mean]').getAttribute('aria-sort')"
    assert opened.run(order) == "descending"
    assert not opened.run("document.querySelector('#runs .by-test').hidden")
    opened.click("#runs th[data-key=mean] button")
    low = [float(text) for text in column(opened, "mean")]
    assert low == sorted(low)
    assert opened.run(order) == "ascending"
    opened.click("#runs th[data-key=name] button")
    names = column(opened, "name")
    assert names == sorted(names, key=str.lower)
    assert opened.run(order) is None
    assert opened.run("document.querySelector('#runs .by-test').hidden")
    opened.click("#runs th[data-key=mean] button")
    opened.run("document.querySelector('#runs .rows').scrollTop = 1e6")
    opened.settle()
    assert column(opened, "mean")[-1] == "–"  # A run without a score is the last, either way.


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("speech", 20),
        ("speech -lstm", 0),
        ("seed=3", 3),
        ('name:"text lstm" seed<5', 5),
        ("status=diverged", 1),
        ("-status=ok", 1),
        ("no such run", 0),
        ("", 61),
    ],
)
def test_runs_are_filtered(lasting, text, count):
    write(lasting, text)
    said = texts(lasting, "#runs output")[0]
    assert said.split(" ")[0] == str(count)
    assert len(column(lasting, "name")) == min(count, lasting.run(f"{ROWS}.length"))


def test_a_filter_by_score_agrees_with_the_column(lasting):
    write(lasting, "valence>.5 valence<=.6")
    values = [float(text) for text in column(lasting, "valence")]
    assert values
    assert all(0.5 < value <= 0.6 for value in values)


def test_ticking_a_run_draws_its_curves(opened):
    chosen = texts(opened, "#curves .legend li")
    assert len(chosen) == 3  # One a name, to begin with.
    before = drawn(opened, "#curves .panel")
    opened.see("#runs .rows")
    opened.click("#runs tr[data-place='7'] input")
    opened.wait("document.querySelectorAll('#curves .legend li').length === 4")
    assert opened.run("document.querySelector('#runs tr[data-place=\"7\"] input').checked")
    assert drawn(opened, "#curves .panel") == before + 2  # A line, and a dot.
    opened.click("#curves .legend li:first-child button")
    opened.wait("document.querySelectorAll('#curves .legend li').length === 3")
    assert drawn(opened, "#curves .panel") == before
    opened.click("#runs .clear")
    opened.wait("!document.querySelector('#curves .empty').hidden")
    assert opened.run("document.querySelector('#curves .panel').hidden")


def test_the_keyboard_reaches_every_run(opened):
    opened.run("document.querySelector('#runs tr[data-place=\"0\"] input').focus()")
    for _ in range(3):
        opened.key("ArrowDown", 40)
    place = "Number(document.activeElement.closest('tr').dataset.place)"
    assert opened.run(place) == 3
    opened.key(" ", 32, " ")
    opened.wait("document.querySelectorAll('#curves .legend li').length === 4")
    assert opened.run(place) == 3
    opened.key("End", 35)
    assert opened.run(place) == 60
    opened.key("ArrowUp", 38)
    assert opened.run(place) == 59
    reached = opened.run(
        "[...document.querySelectorAll('a[href], button, select, input, [tabindex=\"0\"]')]"
        ".filter(each => each.tabIndex < 0 && !each.closest('#runs tbody')).length"
    )
    assert reached == 0


@pytest.mark.parametrize(
    ("selector", "told"),
    [
        ("#curves .panel", "epoch"),
        ("#seeds-chart", "seed"),
        ("#predictions .panel", "prediction"),
    ],
)
def test_hovering_tells_a_value(lasting, selector, told):
    drawn(lasting, selector)
    x, y = lasting.run(
        f"(() => {{ const plot = document.querySelector('{selector}');"
        "const points = plot.querySelectorAll('.scatterlayer .point, .boxlayer .point');"
        "const mid = points[Math.floor(points.length / 2)];"
        "const b = (mid || plot.querySelector('.scatterlayer path')).getBoundingClientRect();"
        "return [b.x + b.width / 2, b.y + b.height / 2]; })()"
    )
    lasting.mouse("Moved", x - 3, y)
    lasting.mouse("Moved", x, y)
    lasting.wait(f"document.querySelector('{selector} .hovertext') !== null", 10)
    assert told in texts(lasting, f"{selector} .hovertext")[0]


def test_clicking_a_seed_adds_its_curves(opened):
    drawn(opened, "#seeds-chart")
    x, y = opened.run(
        "(() => { const b = document.querySelectorAll('#seeds-chart .boxlayer .point')[5]"
        ".getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
    )
    opened.mouse("Moved", x, y)
    opened.wait("document.querySelector('#seeds-chart .hovertext') !== null", 10)
    opened.mouse("Pressed", x, y, 1)
    opened.mouse("Released", x, y)
    opened.wait("document.querySelectorAll('#curves .legend li').length === 4", 10)


def test_other_scores_are_chosen_once_for_all(lasting):
    before = column(lasting, "mean")
    lasting.run(
        "(() => { const s = document.querySelector('#runs select[data-choice=metric]');"
        "s.value = 'rmse'; s.dispatchEvent(new Event('change')); })()"
    )
    assert column(lasting, "mean") != before
    assert (
        lasting.run("document.querySelector('#seeds select[data-choice=metric]').value") == "rmse"
    )
    drawn(lasting, "#seeds-chart")
    assert "RMSE" in lasting.run("document.querySelector('#seeds-chart').layout.xaxis.title.text")


def test_predictions_of_one_seed_are_shown(lasting):
    drawn(lasting, "#predictions .panel")
    title = "document.querySelector('#predictions .panel').layout.title.text"
    mean = lasting.run(title)
    lasting.run(
        "(() => { const s = document.querySelectorAll('#predictions select')[1];"
        "s.selectedIndex = 2; s.dispatchEvent(new Event('change')); })()"
    )
    assert lasting.run(title) != mean
    assert lasting.run(title).startswith("Valence, CCC .")


def test_tables_of_scores_are_sorted_with_the_baselines_below(lasting):
    names = "[...document.querySelector('.scores tbody').rows].map(r => r.cells[0].dataset.value)"
    assert lasting.run(names)[-1] == "ridge"
    lasting.click(".scores th:nth-child(5) button")
    values = lasting.run(
        "[...document.querySelector('.scores tbody').rows]"
        ".map(row => Number(row.cells[4].dataset.value))"
    )
    assert values[:3] == sorted(values[:3], reverse=True)
    assert lasting.run(names)[-1] == "ridge"


SNAP = """
addEventListener("beforeprint", () => {
  const shown = (selector) => getComputedStyle(document.querySelector(selector)).display;
  window.snap = {
    rows: document.querySelectorAll("#runs tbody tr[data-place]").length,
    spacers: document.querySelectorAll("#runs .spacer").length,
    open: [...document.querySelectorAll("details")].map((each) => each.open),
    width: document.querySelector("#seeds-chart .main-svg").getBoundingClientRect().width,
    ink: document.querySelector("#seeds-chart").layout.font.color,
  };
})
"""


def test_print_shows_tables_whole_and_no_controls(opened):
    drawn(opened, "#seeds-chart")
    opened.send("Emulation.setEmulatedMedia", media="print")
    hidden = opened.run(
        "['nav', '.toolbar', '.copy', '.legend button', 'details.long']"
        ".map(each => getComputedStyle(document.querySelector(each)).display)"
    )
    assert hidden == ["none"] * 5
    style = "getComputedStyle(document.querySelector('#runs .rows'))"
    assert opened.run(f"[{style}.overflowY, {style}.maxHeight]") == ["visible", "none"]
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    opened.send("Emulation.setEmulatedMedia", media="", features=features)
    opened.settle()
    drawn_rows = opened.run(f"{ROWS}.length")
    assert drawn_rows < 61
    opened.run(SNAP)
    pdf = opened.printed()
    assert pdf.startswith(b"%PDF")
    assert 4 <= pdf.count(b"/Type /Page\n") <= 12
    snap = opened.run("window.snap")
    assert snap["rows"] == 61
    assert snap["spacers"] == 0
    assert snap["open"][:-1] == [True] * (len(snap["open"]) - 1)  # All but the whole manifest.
    assert snap["width"] <= 695
    assert snap["ink"] == "#1b1c1e"  # Dark on white, also for who reads white on dark.
    opened.wait(f"{ROWS}.length === {drawn_rows}")
    ink = opened.run("document.querySelector('#seeds-chart').layout.font.color")
    assert ink == "#e4e6e9"


@pytest.mark.parametrize("width", [1440, 900, 380])
def test_nothing_is_wider_than_the_screen(lasting, width):
    lasting.resize(width, 900)
    for selector in ("#curves .panel", "#seeds-chart", "#predictions .panel"):
        drawn(lasting, selector)
    lasting.wait(f"document.documentElement.scrollWidth === {width}", 10)
    wide = lasting.run(
        "[...document.querySelectorAll('main p, main h2, .panel svg, .toolbar > *')]"
        f".filter(each => each.getBoundingClientRect().right > {width} + 1)"
        ".map(each => each.outerHTML)"
    )
    assert wide == []


def test_a_reader_of_the_dark_sees_light_on_dark(chromium, sixty):
    page = chromium.open(sixty, prefers_color_scheme="dark")
    drawn(page, "#seeds-chart")
    assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 27)"
    assert page.run("document.querySelector('#seeds-chart').layout.font.color") == "#e4e6e9"
    quiet(page)


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grid") / "grid"
    values = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    with Journal.open(folder, {"command": "dser sweep --grid"}) as journal:
        for row in weight_grid(seeds=3, values=values, diverged=[(0.2, 0.2)]):
            journal.commit(row, {})
    return write_page([folder])


def test_the_surface_turns_and_tells(chromium, grid):
    page = chromium.open(grid)
    page.see(".surface")
    page.wait("document.querySelector('.surface canvas') !== null")
    camera = "JSON.stringify(document.querySelector('.surface').layout.scene.camera.eye)"
    before = page.run(camera)
    x, y = page.middle(".surface")
    page.mouse("Moved", x, y)
    page.mouse("Pressed", x, y, 1)
    for step in range(1, 5):
        page.mouse("Moved", x + 25 * step, y + 4 * step, 1)
        page.settle()
    page.mouse("Released", x + 100, y + 16)
    page.wait(f"{camera} !== {json.dumps(before)}", 20)
    kept = page.run("JSON.parse(sessionStorage.getItem('dser-page:' + location.pathname)).camera")
    assert kept
    for dx in range(0, 60, 6):
        page.mouse("Moved", x + dx, y + 12)
        page.settle()
        if page.run("document.querySelector('.surface .hovertext') !== null"):
            break
    page.wait("document.querySelector('.surface .hovertext') !== null", 10)
    told = texts(page, ".surface .hovertext")[0]
    assert "mean CCC on validation ." in told
    assert "α (valence)" in told
    page.click(".turn-back")
    page.wait(f"Math.abs(JSON.parse({camera}).x - JSON.parse({json.dumps(before)}).x) < 1e-9", 10)
    quiet(page)


def test_a_point_of_the_map_leads_to_its_runs(chromium, grid):
    page = chromium.open(grid)
    drawn(page, ".map")
    page.see(".map")
    box = page.run(
        "(() => { const b = document.querySelector('.map .nsewdrag').getBoundingClientRect();"
        "return [b.x, b.y, b.width, b.height]; })()"
    )
    x, y = box[0] + box[2] * 2.5 / 6, box[1] + box[3] * 4.5 / 6  # alpha .4, beta .2
    page.mouse("Moved", x - 2, y)
    page.mouse("Moved", x, y)
    page.wait("document.querySelector('.map .hovertext') !== null", 10)
    assert "α (valence) 0.4β (arousal) 0.2γ (dominance) 0.4" in texts(page, ".map .hovertext")[0]
    page.mouse("Pressed", x, y, 1)
    page.mouse("Released", x, y)
    page.wait("document.querySelector('#runs output').textContent === '3 of 108 runs'", 10)
    assert column(page, "alpha") == ["0.4"] * 3
    quiet(page)


def test_two_sweeps_with_the_same_runs_are_told_apart(chromium, tmp_path):
    for name in ("one", "two"):
        fabricate(tmp_path / name / "j", seeds=3)
    page = chromium.open(write_page([tmp_path / "one" / "j", tmp_path / "two" / "j"]))
    assert texts(page, "#runs output") == ["18 runs"]
    legend = texts(page, "#curves .legend span")
    assert [text.split(":")[0] for text in legend] == ["one/j", "two/j", "one/j", "one/j"]
    assert not page.run("document.querySelector('#comparison-chart .main-svg')")  # All are equal.
    assert "equal" in " ".join(texts(page, "#comparison td"))
    assert drawn(page, "#seeds-chart") == 6
    quiet(page)


def test_a_page_that_is_watched_reads_itself_again(chromium, tmp_path):
    manifest = {"planned": 9, "command": "dser sweep"}
    rows = weight_grid(seeds=1, values=[0.1, 0.2, 0.3])
    with Journal.open(tmp_path / "j", manifest) as journal:
        for row in rows[:4]:
            journal.commit(row, {})
        file = write_page([tmp_path / "j"], refresh=2)
        page = chromium.open(file)
        page.wait(
            "(() => { const field = document.querySelector('#runs input[type=search]');"
            "if (!document.documentElement.dataset.ready) return false;"
            "if (field.value === '') {"
            "field.value = 'beta<.25'; field.dispatchEvent(new Event('input')); }"
            "return document.querySelector('#runs output').textContent.includes(' of '); })()"
        )
        for row in rows[4:]:
            journal.commit(row, {})
        write_page([tmp_path / "j"], file)
    page.wait("document.querySelector('header').textContent.includes('9 of 9 runs finished')")
    page.wait("document.documentElement.dataset.ready === 'true'")
    assert page.run("document.querySelector('#runs input[type=search]').value") == "beta<.25"
    assert texts(page, "#runs output") == ["6 of 9 runs"]
    page.run("window.still = true")
    page.run("new Promise(done => setTimeout(done, 2300))")
    assert page.run("window.still")  # The last page stays.
    quiet(page)


@pytest.fixture(scope="module")
def ten_thousand(tmp_path_factory):
    """The page of 10,000 runs; made by a process that does not check a million annotations."""
    file = tmp_path_factory.mktemp("many") / "page.html"
    program = ROOT / "tests" / "ten_thousand.py"
    env = {**os.environ, "PYTHONPATH": os.fspath(ROOT)}
    subprocess.run([sys.executable, program, file], env=env, check=True)
    return file


def test_ten_thousand_runs_are_a_few_megabytes(ten_thousand, sixty):
    assert ten_thousand.stat().st_size < 8e6
    assert sixty.stat().st_size < 2.5e6


def test_ten_thousand_runs_are_quick(chromium, ten_thousand):
    page = chromium.open(ten_thousand)
    assert page.seconds < 20
    assert texts(page, "#runs output") == ["10,000 runs"]
    assert page.run(f"{ROWS}.length") < 60
    page.see("#runs")
    page.run("document.querySelector('#runs .rows').scrollTop = 5000 * 30")
    page.settle()
    places = page.run(f"[...{ROWS}].map(row => Number(row.dataset.place))")
    assert 5000 in places
    assert len(places) < 60
    milliseconds = page.run(
        "(() => { const start = performance.now();"
        "document.querySelector('#runs th[data-key=mean] button').click();"
        "return performance.now() - start; })()"
    )
    assert milliseconds < 3000
    page.run("document.querySelector('#runs .rows').scrollTop = 0")
    page.settle()
    shown = [float(text) for text in column(page, "mean")]
    assert shown == sorted(shown, reverse=True)
    drawn(page, "#seeds-chart")
    assert "Shown are the 40 names, of 500" in " ".join(texts(page, "#seeds .told"))
    assert drawn(page, "#predictions .panel") == 2
    quiet(page)


def test_what_is_shown_in_the_table_is_in_the_journal(opened, sixty):
    rows = {(r["name"], str(r["seed"])): r for r in read_journal(sixty.parent.parent).rows}
    names, seeds = column(opened, "name"), column(opened, "seed")
    assert len(names) > 9
    for at in ("valence", "arousal", "dominance", "mean"):
        for name, seed, shown in zip(names, seeds, column(opened, at), strict=True):
            value = rows[name, seed]["test"]["ccc"][at]
            expected = "–" if value is None else f"{value:.3f}".replace("0.", ".", 1)
            assert shown == expected, (name, seed, at)
