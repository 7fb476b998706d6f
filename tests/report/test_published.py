"""The published numbers, and the verdicts on made-up results, against cases worked by hand."""

import csv
import io
import math
import re
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from fabricated import fabricate
from rich.console import Console

import dser_jax
from dser_jax.journal.reading import read_journal
from dser_jax.report.published import (
    AGREES,
    DIFFERS,
    METRIC,
    NOT_COMPARABLE,
    SOURCES,
    UNDECIDED,
    Score,
    compared_with,
    diff,
    hold,
    load,
    patterns,
)
from dser_jax.report.published.patterns import ranks, share_of_orders, spearman
from dser_jax.report.published.verdicts import TOLERANCE, WIDEST, Difference, difference, judge
from dser_jax.report.sections.paper import order_sentences, paper_csv, paper_sections
from dser_jax.report.writing import write_report
from dser_jax.stats.means import summary
from dser_jax.stats.rows import COLUMNS
from dser_jax.system.errors import DserError

ROOT = Path(dser_jax.__file__).parents[1]

COUNTS = {
    **{"table3": 8, "table4": 6, "table5": 8, "table6": 3, "fig4": 121, "fig5": 33},
    **{"fig6_dropout_acoustic": 11, "fig6_dropout_grid": 81},
}


def rows_of(table, key, values, name=None, corpus="iemocap", protocol="paper", **settings):
    """Rows whose every score is one of `values`, with the settings of the published row."""
    source = SOURCES[table]
    wanted = {row.key: row for row in load(table)}
    named = key if isinstance(key, str) else tuple(key.items())
    used = {"split": "last_session", **wanted[named].settings, **settings}
    return [
        {
            "run": f"{table}{name or key}{corpus}{seed}",
            "name": name or str(key),
            "seed": seed,
            "corpus": corpus,
            "protocol": protocol,
            "split": "last session (Ses05)",
            "truth": "k",
            "paper": {"table": source.name, "row": key},
            "config": {k: v for k, v in used.items() if k != "loss_weights"},
            "hparams": {k: v for k, v in used.items() if k == "loss_weights"},
            "status": "ok" if value is not None else "diverged",
            "test": {METRIC: dict.fromkeys(COLUMNS, value)} if np.ndim(value) == 0 else value,
        }
        for seed, value in enumerate(values)
    ]


def exactly(mean, sd, n):
    """So many values with this mean and deviation."""
    shape = np.linspace(-1, 1, n)
    return (mean + sd * shape / shape.std(ddof=1)).tolist()


def cell(rows, table, attribute="mean"):
    (found,) = [each for each in diff(rows, table) if each.attribute == attribute]
    return found


# The data.


def test_every_table_is_there_and_whole():
    assert {name: len(load(name)) for name in SOURCES} == COUNTS
    for name in SOURCES:
        for row in load(name):
            scores = [row.scores[column].mean for column in COLUMNS]
            assert all(-1 < score < 1 for score in scores)
            # The mean is that of the three; Table 5 prints .476 for .4747.
            assert scores[3] == pytest.approx(np.mean(scores[:3]), abs=0.0014)
            assert (row.scores["mean"].sd is not None) == (row.source.n == 20)
        assert len({row.key for row in load(name)}) == COUNTS[name]


def test_the_numbers_the_paper_rests_on():
    best = {row.key: row.scores for row in load("table6")}["two"]
    assert best["mean"] == Score(0.508, 0.002)
    grid = max(load("fig4"), key=lambda row: row.scores["mean"].mean)
    assert grid.key == (("alpha", 0.7), ("beta", 0.2))
    assert grid.settings["loss_weights"] == pytest.approx([0.7, 0.2, 0.1])
    assert {row.label: row.settings["loss_weights"] for row in load("fig5")}["beta=0.3"] == [
        *(1.0, 0.3, 1.0)
    ]
    assert {row.key for row in load("table5") if row.flaw} == {"lstm + dense", "cnn + dense"}


def test_rows_know_what_they_were_trained_with():
    rows = {row.key: row.settings for row in load("table3")}
    assert (rows["cnn gemaps_lld"]["acoustic"], rows["cnn gemaps_lld"]["text"]) == ("cnn", None)
    assert rows["cnn gemaps_lld"]["features"] == "gemaps_lld"
    sizes = {name: load(name)[0].settings["batch_size"] for name in SOURCES}
    assert {name for name, size in sizes.items() if size == 256} == {"table6", "fig5"}
    assert set(sizes.values()) == {8, 256}
    assert load("fig6_dropout_grid")[1].label == "acoustic=0.1 text=0.2"
    point = load("fig6_dropout_grid")[1].settings
    assert (point["acoustic_dropout"], point["text_dropout"]) == (0.1, 0.2)


def test_the_files_are_packaged_and_say_where_they_are_from():
    assert '"report/published/*.csv"' in (ROOT / "pyproject.toml").read_text()
    for name in SOURCES:
        text = (ROOT / "dser_jax" / "report" / "published" / f"{name}.csv").read_text()
        assert "doi:10.1017/ATSIP.2020.14" in text
        assert re.search(r"^# ccc_batch32 on session 5 of IEMOCAP", text, re.MULTILINE)


def test_a_table_that_does_not_exist_is_refused():
    with pytest.raises(DserError, match=r"no published table is called 'table7'; there are table3"):
        load("table7")


# The rule.


def test_the_interval_of_two_means_is_welchs():
    ours, theirs = exactly(0.5, 0.02, 10), exactly(0.493, 0.01, 20)
    found = difference(summary(ours), Score(0.493, 0.01), 20)
    interval = scipy.stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
    assert found.value == pytest.approx(0.007)
    assert found.value - found.reach == pytest.approx(interval.low)
    assert found.value + found.reach == pytest.approx(interval.high)
    assert found.basis == "Welch: means of 10 and 20 runs"


def test_one_published_run_is_held_against_one_more_of_ours():
    # t(.975, 4) = 2.776; 2.776 * .01 * sqrt(1 + 1/5) = .0304
    found = difference(summary(exactly(0.4, 0.01, 5)), Score(0.42), 1)
    assert found.reach == pytest.approx(0.0304, abs=5e-5)
    assert found.basis == "one published run against where one more of our 5 could come out"


def test_one_run_of_ours_is_held_against_one_more_of_theirs():
    # t(.975, 19) = 2.093; 2.093 * .01 * sqrt(1 + 1/20) = .02145
    found = difference(summary([0.5]), Score(0.493, 0.01), 20)
    assert found.reach == pytest.approx(0.02145, abs=5e-5)
    assert "one run of ours" in found.basis


@pytest.mark.parametrize(
    ("value", "reach", "verdict", "why"),
    [
        (0.01, 0.012, AGREES, "contains 0"),
        (-0.01, 0.012, AGREES, "contains 0"),
        (0.013, 0.012, DIFFERS, "does not contain 0"),
        (TOLERANCE, 0.001, AGREES, "at most 0.005"),
        (TOLERANCE + 1e-6, 0.001, DIFFERS, "does not contain 0"),
        (0.0, WIDEST + 1e-6, UNDECIDED, "would contain anything"),
        (0.3, 0.2, DIFFERS, "does not contain 0"),
        (0.0, None, UNDECIDED, "one run on each side"),
        (0.0, 0.0, AGREES, "contains 0"),
    ],
)
def test_the_verdict(value, reach, verdict, why):
    found, reason = judge(Difference(value, reach, ""))
    assert found == verdict
    assert why in reason


def test_two_rows_within_the_tolerance_keep_the_papers_order():
    means = {row.key: row.scores["mean"].mean for row in load("table6")}
    assert means["two"] - TOLERANCE > means["three"] + TOLERANCE


def test_a_faithful_result_agrees_and_another_does_not():
    rows = rows_of("table6", "two", exactly(0.508, 0.002, 20))
    found = cell(rows, "table6")
    assert (found.verdict, found.published) == (AGREES, Score(0.508, 0.002))
    assert found.low == pytest.approx(-found.high)
    assert cell(rows, "table6", "arousal").verdict == DIFFERS
    assert cell(rows, "table6", "arousal").difference == pytest.approx(0.508 - 0.594)


def test_only_the_papers_metric_is_compared():
    rows = rows_of("table6", "two", exactly(0.508, 0.002, 5))
    for row in rows:
        row["test"]["ccc"] = dict.fromkeys(COLUMNS, 0.9)
    assert cell(rows, "table6").ours.mean == pytest.approx(0.508)


@pytest.mark.parametrize(
    ("table", "key", "changed", "why"),
    [
        ("table6", "two", {"max_tokens": 100}, "100 tokens, where the authors' code had 554"),
        ("table6", "two", {"units": 64}, "units 64, published 256"),
        ("table6", "two", {"batch_size": 8}, "batch size 8, published 256"),
        ("table6", "two", {"features": "gemaps_hsf"}, "features gemaps_hsf, published paa_hsf"),
        ("table6", "two", {"loss_weights": [1, 1, 1]}, "loss weights 1/1/1, published 0.7/0.2/0.1"),
        ("table6", "two", {"protocol": "strict"}, "the protocol is strict, not paper"),
        ("table6", "two", {"corpus": "demo"}, "the corpus is demo, not iemocap"),
        ("table6", "two", {"split": "session:Ses01"}, "not on session 5"),
        ("table3", "lstm gemaps_hsf", {}, "its authors fed 47 columns"),
        ("table5", "lstm + dense", {}, "kept the worst weights"),
        ("table5", "cnn + dense", {}, "with a patience of 20"),
        ("table5", "cnn + cnn", {"taps": [3]}, "taps 3, published 4/8/12"),
        ("fig4", {"alpha": 0.7, "beta": 0.2}, {"units": 256}, "units 256, published 32"),
    ],
)
def test_what_does_not_compare_is_said(table, key, changed, why):
    (found,) = [
        each
        for each in diff(rows_of(table, key, exactly(0.5, 0.01, 5), **changed), table)
        if each.attribute == "mean"
    ]
    assert found.verdict == NOT_COMPARABLE
    assert why in found.reason
    assert found.reason.count(";") == 0
    assert found.difference is not None


@pytest.mark.parametrize(
    ("table", "key", "changed"),
    [
        (
            "table3",
            "lstm paa_hsf",
            {"max_tokens": 7, "vectors": "x", "fusion": [1, 1], "taps": [1]},
        ),
        ("table4", "cnn glove", {"features": "x", "acoustic_dropout": 0.9}),
        ("table5", "cnn + cnn", {"layers": 9}),
        ("fig4", {"alpha": 0.3, "beta": 0.1}, {"acoustic_dropout": 0.7}),
    ],
)
def test_settings_that_play_no_part_do_not_matter(table, key, changed):
    assert cell(rows_of(table, key, exactly(0.4, 0.01, 5), **changed), table).verdict != (
        NOT_COMPARABLE
    )


def test_unknown_and_mixed_settings_do_not_compare():
    rows = rows_of("table6", "two", exactly(0.5, 0.01, 4))
    rows[0]["config"] = {**rows[0]["config"], "units": 8}
    assert "its runs have 2 different settings" in cell(rows, "table6").reason
    for row in rows:
        row["config"] = {}
    assert "units not known, published 256" in cell(rows, "table6").reason


def test_another_loss_or_optimizer_is_not_the_papers():
    rows = rows_of("table6", "two", exactly(0.508, 0.002, 5))
    assert cell(rows, "table6").verdict == AGREES
    for row in rows:
        row["config"] |= {"loss": "mse", "weighting": "fixed", "optimizer": "adam"}
    found = cell(rows, "table6")
    assert found.verdict == NOT_COMPARABLE
    assert found.reason == "loss mse, published ccc; optimizer adam, published rmsprop"


def test_what_sees_more_than_the_papers_networks_is_not_theirs():
    rows = rows_of("table6", "two", exactly(0.508, 0.002, 5))
    for row in rows:
        row["config"] |= {"context": "all", "normalize": "speaker"}
        row["hparams"]["modality_dropout"] = 0.1
    want = "context all, published none; normalize speaker, published none; "
    assert cell(rows, "table6").reason == want + "modality dropout 0.1, published 0"


def test_lost_runs_are_left_out_and_said():
    rows = rows_of("table6", "two", [*exactly(0.508, 0.002, 5), None, None, 0.9])
    rows[-2]["status"], rows[-1]["status"] = "failed", "pruned"
    found = cell(rows, "table6")
    assert found.verdict == AGREES
    assert found.reason.endswith("; left out of 8 runs: 1 diverged, 1 failed, 1 pruned")
    rows = rows_of("table6", "two", [None, None])
    rows[0]["status"] = "failed"
    found = cell(rows, "table6")
    assert (found.ours, found.difference, found.verdict) == (None, None, NOT_COMPARABLE)
    assert found.reason == "no run to compare: 1 diverged, 1 failed"


def test_rows_find_their_partner():
    near = 0.1 + 0.2  # 0.30000000000000004
    rows = rows_of("fig4", {"alpha": 0.3, "beta": 0.1}, [0.4])
    rows[0]["paper"]["row"] = {"beta": 0.1, "alpha": near}
    (held,), unknown = hold(rows, "fig4")
    assert (held.published.label, unknown) == ("alpha=0.3 beta=0.1", [])
    assert compared_with(rows) == ("fig4",)
    rows[0]["paper"]["row"] = {"alpha": 2, "beta": 0.1}
    held, (unknown,) = hold(rows, "fig4")
    assert held == []
    assert "names a row that fig4 does not have" in unknown
    assert diff(rows, "table6") == []
    assert compared_with([{"name": "no key"}, {"paper": None}, {"paper": {"table": "?"}}]) == ()


def test_one_row_may_answer_to_several():
    rows = rows_of("fig5", {"weight": "alpha", "value": 1.0}, exactly(0.47, 0.01, 3))
    for row in rows:
        row["paper"]["row"] = [{"weight": w, "value": 1} for w in ("alpha", "beta", "gamma")]
    labels = [each.held.published.label for each in diff(rows, "fig5") if each.attribute == "mean"]
    assert labels == ["alpha=1", "beta=1", "gamma=1"]


# Orders.


def test_ranks_share_ties():
    assert ranks([0.3, 0.1, 0.3, 0.2]).tolist() == [3.5, 1, 3.5, 2]


@pytest.mark.parametrize(
    ("one", "two"),
    [([1, 2, 3], [1, 3, 2]), ([1, 2, 2, 5], [4, 4, 1, 9]), ([3, 2, 1, 0, 5], [1, 2, 3, 4, 5])],
)
def test_spearman_is_scipys(one, two):
    assert spearman(one, two) == pytest.approx(scipy.stats.spearmanr(one, two).statistic)


def test_spearman_without_an_answer():
    assert spearman([1, 2], [1, 2]) is None
    assert spearman([1, 1, 1], [1, 2, 3]) is None


def test_the_share_of_orders_is_counted():
    # Of the 6 orders of three, 1 is the same, and 2 more have one swap of neighbours.
    assert share_of_orders([1, 2, 3], [1, 2, 3]) == pytest.approx(1 / 6)
    assert share_of_orders([1, 3, 2], [1, 2, 3]) == pytest.approx(3 / 6)


def table6(means, n=5, sd=0.002, **common):
    """Rows of Table 6 with these means, whose seeds do not differ alike."""
    return [
        row
        for turn, (key, mean) in enumerate(means.items())
        for row in rows_of(
            "table6", key, np.roll(exactly(mean, sd, n), turn).tolist(), f"ours {key}", **common
        )
    ]


def sentences(rows, table):
    ((_, found),) = patterns(rows, table).items()
    return {text.partition(":")[0]: text for text in order_sentences(found)}


def test_the_order_of_the_paper_is_recognised():
    told = sentences(table6({"none": 0.6, "three": 0.65, "two": 0.7}, corpus="demo"), "table6")
    assert told["Mean"].startswith("Mean: two is ahead here (by .050")
    assert "before three) and in the paper" in told["Mean"]
    assert (
        "the order of the 3 rows is the paper's, rank correlation 1.00 (as high in 17%"
        in (told["Mean"])
    )
    # Dominance: none .486, two .485, three .483.
    assert "two is ahead here" in told["Dominance"]
    assert "none in the paper (where two is no. 2)" in told["Dominance"]
    assert "is another, rank correlation -0.50." in told["Dominance"]


def test_a_lead_that_seeds_could_make_is_said():
    rows = table6({"none": 0.6, "two": 0.701, "three": 0.7})
    for place, row in enumerate(rows):
        noise = 0.05 * (-1) ** (place // 2)
        row["test"] = {METRIC: dict.fromkeys(COLUMNS, row["test"][METRIC]["mean"] + noise)}
    assert "it may be the seeds' doing" in sentences(rows, "table6")["Mean"]
    few = sentences(table6({"none": 0.6, "two": 0.7, "three": 0.65}, n=2), "table6")["Mean"]
    assert "no test with fewer than 3 seeds in common" in few


def test_few_rows_and_ties_are_said():
    two = sentences(table6({"none": 0.6, "two": 0.7}), "table6")["Mean"]
    assert "2 rows, too few for a rank correlation" in two
    one = sentences(table6({"two": 0.7}), "table6")["Mean"]
    assert one == "Mean: one row (two), so there is no order."
    same = sentences(table6({"none": 0.6, "two": 0.6, "three": 0.6}), "table6")["Mean"]
    assert "all rows of a side tie, so there is no rank correlation" in same
    assert "none, two, three tie here at .600" in same
    table5 = [
        row
        for key in ("cnn + lstm", "dense + lstm", "lstm + lstm", "lstm + dense")
        for row in rows_of("table5", key, exactly(0.4 + len(key) / 100, 0.001, 3))
    ]
    told = sentences(table5, "table5")["Dominance"]
    assert "cnn + lstm, dense + lstm tie in the paper at .478" in told
    assert "the order of the 3 rows" in told  # Nothing compares with lstm + dense.


# The report.


def report_of(rows):
    (section,) = paper_sections(rows)
    return section


def test_results_that_compare_get_verdicts():
    section = report_of(table6({"none": 0.493, "two": 0.7}, n=20))
    assert section.title.startswith("The paper's Table 6, against iemocap, protocol paper")
    cells = {line[0]: line[-1] for line in section.lines}
    assert cells["none"].startswith("+.000 agrees\n[−.00")
    assert cells["two"].startswith("+.192 differs\n[.19")
    assert "Of 8 scores: 2 agrees, 6 differs" in section.told[0]
    assert "1 of the 3 published rows have no runs here: three." in section.after


def test_rows_without_a_verdict_say_why():
    rows = [
        row
        for key in ("lstm paa_hsf", "lstm gemaps_hsf")
        for row in rows_of("table3", key, exactly(0.4, 0.01, 5))
    ]
    section = report_of(rows)
    assert section.lines[1][0] == "lstm gemaps_hsf"
    assert section.lines[1][-1] == "+.018 –"
    assert any(
        text.startswith("Not comparable: its authors fed 47") and "(lstm gemaps_hsf)" in text
        for text in section.after
    )


def test_another_corpus_gets_no_verdict_but_orders():
    section = report_of(table6({"none": 0.6, "two": 0.7, "three": 0.65}, corpus="demo"))
    assert "No score is held against the published one: the corpus is demo" in section.told[0]
    assert section.lines[1][-1] == ".700 | .508"
    assert any(text.startswith("Mean: two is ahead here") for text in section.after)


def test_a_grid_shows_its_extremes_and_the_file_all():
    rows = [
        row
        for point in load("fig4")
        for row in rows_of(
            "fig4", dict(point.key), exactly(0.3 + dict(point.key)["alpha"] / 10, 0.001, 2)
        )
    ]
    section = report_of(rows)
    assert len(section.lines) == 6
    assert any("Of 121 rows those with the 3 highest and the 3 lowest" in t for t in section.told)
    assert any("is no. " in text and "rank correlation" in text for text in section.after)
    (tied,) = (text for text in section.after if text.startswith("Arousal"))
    assert re.search(r"; [^;]+ tie here at \.300, and \d+ other ties\.$", tied)
    lines = paper_csv(rows).lines
    assert len(lines) == 121 * 4
    header = paper_csv(rows).header
    assert {len(line) for line in lines} == {len(header)}
    first = dict(zip(header, lines[0], strict=True))
    assert first["published"] == load("fig4")[0].scores["valence"].mean
    assert (first["published_n"], first["n"], first["verdict"]) == (1, 2, DIFFERS)


NAMES = {
    key: ("lstm", "paa_hsf", (level, level, level))
    for key, level in (("none", 0.4), ("two", 0.6), ("three", 0.5))
}


def test_the_report_shows_the_paper(tmp_path):
    for name, levels in NAMES.items():
        fabricate(tmp_path / name, {name: levels}, 3, paper={"table": "table6", "row": name})
    view = read_journal(tmp_path / "two")
    assert view.rows[0]["paper"] == {"table": "table6", "row": "two"}
    stream = io.StringIO()
    files = write_report(tmp_path / "two", None, Console(file=stream, width=80), draw=False)
    assert tmp_path / "two" / "report" / "paper.csv" in files
    said = " ".join(stream.getvalue().split())
    assert "The paper's Table 6, against demo, protocol strict" in said
    assert "Mean: one row (two), so there is no order." in said
    text = (tmp_path / "two" / "report" / "report.md").read_text()
    assert "## The paper's Table 6" in text
    with open(tmp_path / "two" / "report" / "paper.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["attribute"] for line in lines] == list(COLUMNS)
    assert float(lines[3]["mean"]) == pytest.approx(
        np.mean([row["test"][METRIC]["mean"] for row in view.rows])
    )
    assert lines[0]["verdict"] == NOT_COMPARABLE
    assert not math.isnan(float(lines[0]["difference_low"]))


def test_a_report_without_keys_says_nothing_of_the_paper(tmp_path):
    fabricate(tmp_path / "j", NAMES, 2)
    stream = io.StringIO()
    files = write_report(tmp_path / "j", None, Console(file=stream, width=80), draw=False)
    assert "The paper's Table" not in stream.getvalue()
    assert "paper.csv" not in {file.name for file in files}


def test_a_key_that_leads_nowhere_is_said():
    rows = rows_of("table6", "two", [0.5])
    rows[0]["paper"]["row"] = "four"
    assert "names a row that table6 does not have: four" in report_of(rows).told[0]
