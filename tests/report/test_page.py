"""The page of a sweep: what is in the file. What a browser makes of it: see test_page_browser."""

from __future__ import annotations

import base64
import gzip
import json
import re
import struct
from html.parser import HTMLParser

import numpy as np
import pytest
from fabricated import NAMES, fabricate, weight_grid

from dser_jax.cli import main
from dser_jax.journal.journal import Journal
from dser_jax.journal.reading import read_journal
from dser_jax.report import page
from dser_jax.report.answer import answer
from dser_jax.report.captions import caption, verdict
from dser_jax.report.figures import style
from dser_jax.report.files import markdown
from dser_jax.report.page import build, curves, library, pack, predictions, scores, write_page
from dser_jax.report.page.compare import hold, judged
from dser_jax.report.page.sweep import labels, take
from dser_jax.report.text import mean_sd
from dser_jax.system.errors import DserError
from dser_jax.training.metrics import ccc


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep") / "j"
    lost = {"diverged": [("speech LSTM", 1)], "failed": [("text LSTM", 2)]}
    fabricate(folder, seeds=4, **lost)
    return folder


@pytest.fixture(scope="module")
def text(journal):
    return write_page([journal]).read_text("utf-8")


class Words(HTMLParser):
    """What a page says, and what it would load."""

    def __init__(self, text):
        super().__init__()
        self.words, self.loaded, self.tags, self.inside = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.inside = tag
        self.tags.append((tag, dict(attrs)))
        named = {"src", "href", "data", "poster", "srcset", "action", "background"}
        self.loaded += [value for name, value in attrs if name in named]

    def handle_data(self, data):
        if self.inside not in ("script", "style"):
            self.words.append(data)

    def __str__(self):
        return " ".join(" ".join(self.words).split())


def told(text):
    return str(Words(text))


def unpacked(text, name="data"):
    """Reads what the scripts read, written apart from what wrote it."""
    found = re.search(rf'<script type="application/octet-stream" id="{name}">(.*?)</script>', text)
    data = gzip.decompress(base64.b64decode(found.group(1)))
    (length,) = struct.unpack_from("<I", data)
    head = json.loads(data[4 : 4 + length])
    body = data[4 + length :]

    def array(name):
        kind, at, size = head["arrays"][name]
        return np.frombuffer(body, np.dtype(kind).newbyteorder("<"), size, at)

    return head["content"], array


def test_a_page_loads_nothing(text):
    words = Words(text)
    assert words.loaded
    assert all(value.startswith("#") for value in words.loaded)
    shell = re.sub(r'(<script type="application/octet-stream" id="\w+">).*?<', r"\1<", text)
    assert not re.search(r"https?://|@import|url\(", shell)
    policies = [attrs for tag, attrs in words.tags if attrs.get("http-equiv")]
    assert policies[0]["content"].startswith("default-src 'none';")
    ids = [attrs["id"] for _, attrs in words.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {value.removeprefix("#") for value in words.loaded} <= set(ids)


def test_the_library_and_its_licence_are_in_it(text):
    found = re.search(r'id="library">(.*?)</script>', text).group(1)
    source = gzip.decompress(base64.b64decode(found))
    assert b"Licensed under the MIT license" in source[:400]
    assert len(text) < 3 << 20


def test_it_says_what_the_report_says(journal, text):
    sweep = take(read_journal(journal), "j")
    words = told(text)
    for table in sweep.groups:
        assert caption(table) in words
        assert caption(table.by("ccc_batch32")) in words
        for row in table.everything:
            for column, found in row.scores.items():
                assert mean_sd(found) in words, (row.name, column)
    report = markdown(
        sweep.view, sweep.groups, answer(sweep.view, sweep.groups, []), sweep.said(), {}
    )
    assert "ValueError: no room" in report
    assert "'text LSTM', seed 2 failed: ValueError: no room" in words
    assert "12 of them" not in words
    assert "12 runs finished, 1 of them diverged, 1 of them failed." in words
    assert "dser sweep" in words
    assert "the scores move with the initial weights" in words


def test_a_verdict_and_the_baseline_that_counts(tmp_path):
    with Journal.open(tmp_path / "j", {}) as journal:
        for seed in range(3):
            level = {"mean": 0.5 + 0.01 * seed}
            journal.commit(_row("net", seed, level), {})
        journal.commit(_row("ridge", 0, {"mean": 0.7}, kind="baseline"), {})
        journal.commit(_row("mean", 0, {"mean": 0.0}, kind="baseline"), {})
    sweep = take(read_journal(tmp_path / "j"), "j")
    html = write_page([tmp_path / "j"]).read_text("utf-8")
    assert "does not beat 'ridge'" in verdict(sweep.groups[0])
    assert verdict(sweep.groups[0]) in told(html)
    assert html.count('class="baseline first"') == 4  # In each of both metrics, and in their folds.
    assert "1 more baseline</summary>" in html
    assert unpacked(html)[0]["yardsticks"] == [{"sweep": 0, "run": "ridge-0"}]


def _row(name, seed, ccc, **more):
    both = {part: {"ccc": ccc, "ccc_batch32": ccc} for part in ("validation", "test")}
    row = {"run": f"{name}-{seed}", "name": name, "network": name, "features": "f", "seed": seed}
    row |= {"corpus": "demo", "protocol": "strict", "split": "s", "truth": "k", "status": "ok"}
    return row | both | more


def test_scores_and_settings_are_those_of_the_rows(journal, text):
    content, array = unpacked(text)
    rows = read_journal(journal).rows
    assert content["runs"]["id"] == [row["run"] for row in rows]
    packed = array(content["runs"]["scores"]["test"]["rmse"]).reshape(-1, 4)
    for row, found in zip(rows, packed, strict=True):
        for value, column in zip(found, ("valence", "arousal", "dominance", "mean"), strict=True):
            score = row.get("test", {}).get("rmse", {}).get(column)
            if row["status"] != "ok":
                assert value == pack.NONE
            else:
                assert f"{value / 1000:.3f}" == f"{score:.3f}"
    columns = {column["key"]: column for column in content["runs"]["columns"]}
    assert "alpha" not in columns  # The same in all runs.
    status = columns["status"]
    found = [status["levels"][code] for code in array(status["codes"])]
    assert found == [row["status"] for row in rows]
    epochs = array(columns["epochs"]["values"])
    assert [None if np.isnan(v) else v for v in epochs] == [row.get("epochs") for row in rows]


def test_settings_that_differ_are_columns(tmp_path):
    with Journal.open(tmp_path, {}) as journal:
        for seed, (weights, units) in enumerate([([0.7, 0.2, 0.1], 16), ([1.0, 0.0, 0.1], None)]):
            settings = {"hparams": {"loss_weights": weights, "patience": 10}}
            settings |= {"config": {"units": units, "batch_size": 8, "fusion": [8, seed]}}
            journal.commit(_row(f"n{seed}", 0, {"mean": 0.5}, **settings), {})
    content, array = unpacked(write_page([tmp_path]).read_text("utf-8"))
    columns = {column["key"]: column for column in content["runs"]["columns"]}
    assert {"alpha", "beta", "units", "fusion"} <= columns.keys()
    assert not {"gamma", "patience", "batch_size"} & columns.keys()
    assert array(columns["alpha"]["values"]).tolist() == [0.7, 1.0]
    np.testing.assert_array_equal(array(columns["units"]["values"]), [16, np.nan])
    assert columns["fusion"]["levels"] == ["[8, 0]", "[8, 1]"]
    assert array(content["runs"]["untrained"]).tolist() == [0, 2]


def decoded(content, array, run):
    """Returns the curves of a run, [series, epoch]."""
    given = content["curves"]
    epochs = array(given["epochs"]).astype(int)
    start, count = 5 * epochs[:run].sum(), epochs[run]
    codes = array(given["codes"])[start : start + 5 * count].reshape(5, count)
    codes = np.cumsum(codes.astype(int), 1) % 256
    lows, highs = array(given["ends"]).reshape(-1, 2, 5)[run]
    values = lows[:, None] + (highs - lows)[:, None] * codes / 254
    return np.where(codes == given["missing"], np.nan, values), (highs - lows) / 254


def test_curves_are_those_of_the_runs(journal, text):
    content, array = unpacked(text)
    view = read_journal(journal)
    assert content["curves"]["every"] == 1
    for number_, row in enumerate(view.rows):
        found, step = decoded(content, array, number_)
        if row["status"] == "failed":
            assert found.size == 0
            continue
        arrays = view.arrays(row["run"])
        given = [arrays["train_loss"], arrays["validation_loss"], *arrays["validation_ccc"].T]
        given = np.array([series[: row["epochs"]] for series in given])
        np.testing.assert_array_equal(np.isnan(found), np.isnan(given))
        assert (np.abs(np.nan_to_num(found - given)) <= step[:, None] * 0.501 + 1e-6).all()


def test_many_epochs_are_thinned_and_that_is_said(journal, monkeypatch):
    monkeypatch.setattr(curves, "VALUES", 400)
    html = write_page([journal], journal / "thin.html").read_text("utf-8")
    content, array = unpacked(html)
    every = content["curves"]["every"]
    assert every > 1
    assert array("curves.codes").size <= 500
    assert f"every {every}th epoch" in told(html)
    full = read_journal(journal).arrays(content["runs"]["id"][0])["train_loss"]
    found, _ = decoded(content, array, 0)
    np.testing.assert_allclose(found[0], full[::every], atol=0.01)


@pytest.mark.parametrize("values", [[], [np.nan], [3.0, 3.0], [np.inf, 1.0, -1.0, np.nan, 0.5]])
def test_codes_stand_for_values(values):
    values = np.array(values, np.float64)
    codes, low, high = pack.coded(values)
    found = np.where(codes == pack.MISSING, np.nan, low + (high - low) * codes / pack.LEVELS)
    known = np.isfinite(values)
    np.testing.assert_allclose(found[known], values[known], atol=(high - low) / 500 + 1e-12)
    assert np.isnan(found[~known]).all()


def test_thousandths_are_what_the_tables_show():
    values = [0.0005, 0.0015, -0.0004, 0.9995, 0.1235, None, 1e9, -2.5]
    found = pack.thousandths(values).tolist()
    shown = [f"{value:.3f}" for value in values if value is not None and abs(value) < 30]
    small = [f"{value / 1000:.3f}" for value in found if value not in (pack.NONE, 32767)]
    assert small == [text.replace("-0.000", "0.000") for text in shown]
    assert found[5:7] == [pack.NONE, 32767]


def test_only_kinds_that_a_browser_has_are_packed():
    with pytest.raises(TypeError, match="x: a page holds"):
        pack.Arrays().add("x", np.zeros(3, np.int64))


def test_predictions_are_means_over_seeds(journal, text):
    content, array = unpacked(text)
    found = content["predictions"]
    view = read_journal(journal)
    gold = view.truth("k")["test_gold"]
    np.testing.assert_allclose(array("truth.0").reshape(-1, 3), gold)
    heads = [entry for entry in found["entries"] if entry["run"] is None]
    assert [entry["name"] for entry in heads] == list(NAMES)
    starts = np.cumsum([0, *found["size"]])
    for entry in heads:
        rows = [r for r in view.rows if r["name"] == entry["name"] and r["status"] == "ok"]
        mean = np.mean([view.arrays(row["run"])["test_pred"] for row in rows], 0, np.float64)
        codes = array("predictions.codes")[starts[entry["at"]] : starts[entry["at"] + 1]]
        values = entry["low"] + (entry["high"] - entry["low"]) * codes.reshape(-1, 3) / 254
        np.testing.assert_allclose(values, mean, atol=(entry["high"] - entry["low"]) / 500)
        assert entry["ccc"][1] == pytest.approx(ccc(gold[:, 1], mean[:, 1]), abs=1e-6)
        assert entry["seeds"] == len(rows)
    single = next(e for e in found["entries"] if e["run"] == view.rows[0]["run"])
    assert single["ccc"][0] == pytest.approx(view.rows[0]["test"]["ccc"]["valence"], abs=1e-6)


def test_where_room_is_short_the_names_ahead_on_validation_are_kept(journal, monkeypatch):
    monkeypatch.setattr(predictions, "BYTES", 700)  # Two means of 100 utterances.
    html = write_page([journal], journal / "short.html").read_text("utf-8")
    found = unpacked(html)[0]["predictions"]
    kept = [entry["name"] for entry in found["entries"]]
    sweep = take(read_journal(journal), "j")
    height = {}
    for row in sweep.groups[0].rows:
        levels = [run["validation"]["ccc"]["mean"] for run in row.runs if run["status"] == "ok"]
        height[row.name] = np.mean(levels)
    assert set(kept) == set(sorted(height, key=height.get)[1:])
    assert "1 name with a lower mean on validation are left out for room" in told(html)


def test_names_are_text(tmp_path):
    name = '</script><img src=x onerror="alert(1)"> & "q"'
    fabricate(tmp_path / name.replace("/", "_"), {name: NAMES["speech LSTM"]}, 2)
    html = write_page([tmp_path / name.replace("/", "_")]).read_text("utf-8")
    assert "<img" not in html
    assert name in told(html)
    assert name in unpacked(html)[0]["runs"]["columns"][0]["levels"]


def test_a_searched_grid_is_packed_with_its_pick(tmp_path):
    with Journal.open(tmp_path, {}) as journal:
        for row in weight_grid(seeds=3, values=[0.0, 0.3, 0.6, 0.9], diverged=[(0.3, 0.3)]):
            journal.commit(row, {})
    html = write_page([tmp_path]).read_text("utf-8")
    (search,) = unpacked(html)[0]["searches"]
    assert len(search["points"]) == 16
    assert [axis["key"] for axis in search["axes"]] == ["alpha", "beta"]
    by_place = {tuple(point["at"]): point for point in search["points"]}
    assert by_place[0.3, 0.3]["scores"] == {}
    assert by_place[0.3, 0.3]["lost"] == 3
    assert not by_place[0.6, 0.6]["allowed"]
    allowed = [p for p in search["points"] if p["allowed"] and p["scores"]]
    best = max(allowed, key=lambda point: point["scores"]["validation ccc"][0])
    assert search["points"][search["pick"]] == best
    assert best["scores"]["test ccc"][4] == 3
    assert 'id="searches"' in html


def test_test_scores_of_trials_are_not_shown(tmp_path):
    search = {"kind": "random", "ranges": {"alpha": "0 to 1"}, "seed": 0}
    with Journal.open(tmp_path, {"search": search, "planned": 3}) as journal:
        for number_ in range(3):
            weights = {"hparams": {"loss_weights": [(number_ + 1) / 3, 0.5, 0.5]}}
            level = {"mean": 0.5 + 0.01 * number_, "valence": 0.5 + 0.01 * number_}
            level |= {"arousal": 0.5, "dominance": 0.5}
            ended = {"epochs": 5, "best_epoch": 3}
            journal.commit(_row(f"trial-{number_}", number_, level, **weights, **ended), {})
    html = write_page([tmp_path]).read_text("utf-8")
    content, array = unpacked(html)
    test = array(content["runs"]["scores"]["test"]["ccc"]).reshape(3, 4)
    assert (test[:2] == pack.NONE).all()
    assert test[2, 3] == 520
    validation = array(content["runs"]["scores"]["validation"]["ccc"]).reshape(3, 4)
    assert validation[:, 3].tolist() == [500, 510, 520]
    assert content["part"] == "validation"
    assert "the tables of scores show 'trial-2' alone" in told(html)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two sweeps with the same labels: one name is better in the second, one is only there."""
    folder = tmp_path_factory.mktemp("two")
    for name, lift in (("before", 0.0), ("after", 0.1)):
        key = np.random.default_rng(0)
        manifest = {"versions": {"numpy": name}, "command": "same", "data_fingerprint": "aa"}
        with Journal.open(folder / name, manifest) as journal:
            for seed in range(5):
                level = 0.5 + key.normal(0, 0.01)
                for row_name, more in (("a", lift), ("same", 0.0), ("noisy", key.normal(0, 0.02))):
                    weights = {"hparams": {"loss_weights": [0.5 + lift, 0.2, 0.1]}}
                    row = _row(row_name, seed, {"mean": level + more, "valence": level}, **weights)
                    journal.commit(row, {})
                    key.normal()
                if name == "after":
                    journal.commit(_row("new", seed, {"mean": level}), {})
    return folder / "before", folder / "after"


def test_two_sweeps_are_held_against_each_other(two):
    first, second = (take(read_journal(folder), folder.name) for folder in two)
    ((*_, held),) = hold(first, second)
    by_name = {each.name: each for each in held}
    assert by_name["a"].tests["mean"].difference == pytest.approx(0.1)
    assert judged(by_name["a"]) in ("higher", "–")
    assert judged(by_name["same"]) == "equal"
    assert by_name["a"].settings == ("alpha: 0.5 before, 0.6 now",)
    html = write_page(two).read_text("utf-8")
    words = told(html)
    assert "after against before" in words
    assert "Only in after: 'new'." in words
    assert "alpha: 0.5 before, 0.6 now" in words
    assert "versions: numpy before after" in words
    content, _ = unpacked(html)
    assert [each["name"] for each in content["comparison"]] == ["a", "same", "noisy"]
    assert content["runs"]["columns"][0]["levels"] == ["before", "after"]


def test_what_a_row_leaves_out_is_told_as_the_default_that_it_was(tmp_path):
    given = {
        "before": {"config": {"units": 8}, "hparams": {"patience": 10, "weight_decay": 0.5}},
        "after": {"config": {"units": 8, "head_scale": 0.1}, "hparams": {"patience": 10}},
    }
    folders = [tmp_path / name for name in given]
    for folder in folders:
        with Journal.open(folder, {}) as journal:
            journal.commit(_row("a", 0, {"mean": 0.5}, **given[folder.name]), {})
    ((*_, (held,)),) = hold(*(take(read_journal(folder), folder.name) for folder in folders))
    wanted = {"weight_decay: 0.5 before, 0.0 now", "head_scale: 1.0 before, 0.1 now"}
    assert set(held.settings) == wanted
    content, array = unpacked(write_page(folders).read_text("utf-8"))
    columns = {column["key"]: column for column in content["runs"]["columns"]}
    assert array(columns["weight_decay"]["values"]).tolist() == [0.5, 0.0]
    assert array(columns["head_scale"]["values"]).tolist() == [1.0, 0.1]
    assert "half_life" not in columns


def test_a_steady_lead_is_one_and_noise_is_none(tmp_path):
    for name, lifts in (("one", (0.0, 0.0, 0.0, 0.0)), ("two", (0.08, 0.1, 0.12, 0.09))):
        with Journal.open(tmp_path / name, {}) as journal:
            for seed, lift in enumerate(lifts):
                journal.commit(_row("up", seed, {"mean": 0.5 + lift}), {})
                journal.commit(_row("down", seed, {"mean": 0.5 - lift}), {})
                swing = lift if seed % 2 else -lift
                journal.commit(_row("both", seed, {"mean": 0.5 + swing}), {})
    sweeps = [take(read_journal(tmp_path / name), name) for name in ("one", "two")]
    ((*_, held),) = hold(*sweeps)
    assert {each.name: judged(each) for each in held} == {
        "up": "higher",
        "down": "lower",
        "both": "undecided",
    }
    assert held[0].p_holm == pytest.approx(3 * held[0].tests["mean"].p, rel=0.5)


def test_why_there_is_no_test_is_said_once_a_table(tmp_path):
    for name, lift in (("one", 0.0), ("two", 0.1)):
        with Journal.open(tmp_path / name, {}) as journal:
            for seed in range(2):
                for row, level in (("a", 0.5), ("b", 0.6), ("c", 0.7)):
                    journal.commit(_row(row, seed, {"mean": level + lift * (seed + 1)}), {})
    few = "o test with fewer than 3 seeds in common"
    assert told(write_page([tmp_path / "one"]).read_text("utf-8")).count(few) == 1
    both = write_page([tmp_path / "one", tmp_path / "two"], tmp_path / "page.html")
    assert told(both.read_text("utf-8")).count(few) == 3  # One a sweep, and one of both.


def test_stretched_rows_are_held_against_each_other_too(tmp_path):
    """A loss may lack nothing but the spread of its predictions."""
    for name, spread in (("one", 1.0), ("two", 0.3)):
        fabricate(tmp_path / name, seeds=3)
        for path in (tmp_path / name / "arrays").glob("*.npz"):
            with np.load(path) as kept:
                arrays = dict(kept)
            preds = ("validation_pred", "test_pred")
            np.savez(path, **arrays | {part: spread * arrays[part] for part in preds})
    sweeps = [take(read_journal(tmp_path / name), name) for name in ("one", "two")]
    (*_, plain), (*_, stretched) = hold(*sweeps)
    assert [f"{each.name}, stretched" for each in plain] == [each.name for each in stretched]
    assert all(each.tests["mean"].difference == pytest.approx(0, abs=1e-6) for each in stretched)
    html = write_page([tmp_path / "one", tmp_path / "two"], tmp_path / "page.html")
    words = told(html.read_text("utf-8"))
    assert words.index("two against one") < words.index("two against one, stretched")
    assert "Only in" not in words


def test_what_does_not_compare_is_said(tmp_path, journal):
    other = tmp_path / "j"
    fabricate(other, seeds=2, protocol="paper")
    html = write_page([journal, other], tmp_path / "page.html").read_text("utf-8")
    assert "They do not compare: " in told(html)
    assert "protocol paper" in told(html)
    assert unpacked(html)[0]["comparison"] == []


def test_sweeps_are_told_apart_by_their_folders(tmp_path):
    assert labels([tmp_path / "a" / "x", tmp_path / "b" / "x"]) == ["a/x", "b/x"]
    assert labels([tmp_path / "x"]) == ["x"]
    assert labels([tmp_path / "x", tmp_path / "x"]) == ["x (1)", "x (2)"]


def test_a_sweep_that_has_begun_has_a_page(tmp_path):
    with Journal.open(tmp_path, {"planned": 4, "command": "dser sweep --x"}):
        pass
    words = told(write_page([tmp_path]).read_text("utf-8"))
    assert "0 of 4 runs finished" in words
    assert "There is nothing to report before the first run has finished." in words
    assert "dser sweep --x" in words


def test_a_torn_line_is_said(tmp_path):
    fabricate(tmp_path, seeds=2)
    rows = tmp_path / "rows.jsonl"
    rows.write_bytes(rows.read_bytes()[:-20])
    html = write_page([tmp_path]).read_text("utf-8")
    assert "dropped the last line, which is cut off" in told(html)
    assert unpacked(html)[0]["runs"]["count"] == 5


def test_what_cannot_be_read_is_said_and_the_rest_is_shown(tmp_path):
    fabricate(tmp_path, seeds=2)
    run = read_journal(tmp_path).rows[0]["run"]
    (tmp_path / "arrays" / f"{run}.npz").write_bytes(b"no archive")
    (tmp_path / "truth" / "k.npz").unlink()
    html = write_page([tmp_path]).read_text("utf-8")
    assert f"{run}.npz: damaged" in told(html)
    assert "its run has no learning curves here" in told(html)
    assert "writes it anew; no predictions are shown against labels" in told(html)
    assert 'id="predictions"' not in html
    assert unpacked(html)[0]["runs"]["count"] == 6


def test_many_names_are_shown_in_part(journal, monkeypatch):
    monkeypatch.setattr(scores, "NAMES", 2)
    words = told(write_page([journal], journal / "part.html").read_text("utf-8"))
    assert "Shown are the 2 names, of 3, with the highest mean on validation" in words


def test_what_was_read_is_not_read_again(tmp_path, monkeypatch):
    fabricate(tmp_path, seeds=2)
    cache = {}
    first = write_page([tmp_path], cache=cache).read_text("utf-8")
    for file in (tmp_path / "arrays").iterdir():
        file.unlink()
    monkeypatch.setattr(build, "leak_sections", lambda *_: ([], None))
    second = write_page([tmp_path], cache=cache).read_text("utf-8")
    assert unpacked(second)[0]["curves"] == unpacked(first)[0]["curves"]
    data = [re.search('id="data">(.*?)<', html).group(1) for html in (first, second)]
    assert data[0] == data[1]


def test_without_the_library_it_says_what_to_install(journal, monkeypatch):
    monkeypatch.setattr(library, "find_spec", lambda name: None)
    library.plotly_js.cache_clear()
    with pytest.raises(DserError, match="pip install plotly"):
        write_page([journal])
    library.plotly_js.cache_clear()


def test_colours_are_those_of_the_figures():
    script = build._file("charts.js")
    for name, given in (("PALETTE", style.COLOURS),):
        found = re.search(rf"const {name} = (\[.*?\]);", script).group(1)
        assert tuple(json.loads(found)) == given


def test_the_command_writes_a_page(journal, two, tmp_path, capsys):
    main(["report", str(journal), "--html", str(tmp_path / "deep" / "a.html")])
    assert (tmp_path / "deep" / "a.html").exists()
    main(["report", str(journal), "--html"])
    assert str(journal / "report" / "report.html") in capsys.readouterr().out
    main(["report", *map(str, two), "--html"])
    assert (two[0] / "report" / "against-after.html").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--html", "--no-figures"], "leave them out"),
        (["--html", "."], "a folder; give a file"),
        (["--html", "--validation"], "leave them out"),
    ],
)
def test_the_command_says_what_does_not_go_together(journal, more, message, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["report", str(journal), *more])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_three_sweeps_are_too_many(journal):
    with pytest.raises(DserError, match="one sweep, or compares two, not 3"):
        write_page([journal] * 3)
    assert page.default_file([journal]) == journal / "report" / "report.html"
