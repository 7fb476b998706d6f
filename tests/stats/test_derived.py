"""Rows that are made of predictions: held against audmetric and means worked by hand."""

from __future__ import annotations

import csv
import io
import json
from itertools import combinations

import audmetric
import numpy as np
import pytest
from fabricated import NAMES, fabricate, search_row
from held_against import add_baselines
from rich.console import Console

from dser_jax.journal import intervals
from dser_jax.journal.intervals import read_derived, read_intervals
from dser_jax.journal.journal import Journal
from dser_jax.journal.reading import read_journal
from dser_jax.report.captions import verdict
from dser_jax.report.page.writing import write_page
from dser_jax.report.text import Asked
from dser_jax.report.writing import write_report
from dser_jax.stats import bootstrap
from dser_jax.stats.bootstrap import bootstrap_ccc, update_intervals
from dser_jax.stats.derived import making, view
from dser_jax.stats.derived.making import combine
from dser_jax.stats.derived.stretching import fit_stretch
from dser_jax.stats.derived.view import with_derived
from dser_jax.stats.rows import BOTH, DERIVED, ENSEMBLE, STRETCHED
from dser_jax.stats.table import tables

ATTRS = ("valence", "arousal", "dominance")
SPEECH, TEXT, _ = NAMES
ONE = {SPEECH: NAMES[SPEECH]}


@pytest.fixture
def journal(tmp_path):
    fabricate(tmp_path / "j", seeds=3)
    return tmp_path / "j"


def derived(folder):
    """What is made of a journal: (name, seed) -> row, and what could not be."""
    problems = []
    found = with_derived(read_journal(folder), problems)
    return found, {(row["name"], row["seed"]): row for row in found.derived}, problems


def preds_of(folder, name, part):
    found = read_journal(folder)
    return [
        np.asarray(found.arrays(row["run"])[f"{part}_pred"], np.float64)
        for row in found.rows
        if row["name"] == name and row["status"] == "ok"
    ]


def mapped(pred, own, labels):
    """An affine map by hand, from the predictions of validation and their labels."""
    return (pred - own.mean(0)) / own.std(0) * labels.std(0) + labels.mean(0)


# The map


def test_the_map_gives_validation_the_mean_and_deviation_of_its_labels():
    random = np.random.default_rng(0)
    pred, gold = random.normal(2, 3, (50, 3)), random.normal(-1, 0.5, (50, 3))
    gold[::4, 1] = gold[:, 2] = np.nan
    stretch = fit_stretch(pred, gold)
    found = stretch(pred)
    for column in (0, 1):
        known = np.isfinite(gold[:, column])
        assert found[known, column].mean() == pytest.approx(gold[known, column].mean(), abs=1e-12)
        assert found[known, column].std() == pytest.approx(gold[known, column].std(), abs=1e-12)
    np.testing.assert_array_equal(found[:, 2], pred[:, 2])  # Without labels as they were.
    # It is affine: of the mean of several it is the mean.
    both = random.normal(size=(2, 9, 3))
    np.testing.assert_allclose(stretch(both.mean(0)), stretch(both).mean(0), atol=1e-12)


# Rows


def test_there_are_a_stretched_row_a_seed_and_two_ensembles(journal):
    found, rows, problems = derived(journal)
    assert problems == []
    names = [
        *((f"{name}, stretched", seed) for name in NAMES for seed in range(3)),
        *((f"{name}, ensemble of 3{more}", None) for name in NAMES for more in ("", ", stretched")),
    ]
    assert set(rows) == set(names)
    assert found.rows == read_journal(journal).rows
    (table,) = tables(found.scored)
    assert [row.name for row in table.rows] == list(NAMES)
    assert [row.kind for row in table.derived] == [*DERIVED] * 3
    assert {row.of for row in table.derived} == set(NAMES)
    assert table.derived[0].network == "lstm"
    assert [row.n for row in table.derived] == [3, 1, 1] * 3


@pytest.mark.parametrize("part", ["validation", "test"])
def test_scores_are_those_of_predictions_made_by_hand(journal, part):
    _, rows, _ = derived(journal)
    truth = read_journal(journal).truth("k")
    gold, labels = truth[f"{part}_gold"], truth["validation_gold"]
    preds, own = preds_of(journal, TEXT, part), preds_of(journal, TEXT, "validation")
    mean, own_mean = sum(preds) / 3, sum(own) / 3
    wanted = {
        **{
            (f"{TEXT}, stretched", seed): mapped(preds[seed], own[seed], labels)
            for seed in range(3)
        },
        (f"{TEXT}, ensemble of 3", None): mean,
        (f"{TEXT}, ensemble of 3, stretched", None): mapped(mean, own_mean, labels),
    }
    for key, pred in wanted.items():
        scored = rows[key][part]
        for column, attr in enumerate(ATTRS):
            one, two = gold[:, column], pred[:, column]
            expected = audmetric.concordance_cc(one, two)
            assert scored["ccc"][attr] == pytest.approx(expected, abs=1e-6)
            expected = np.sqrt(np.mean((one - two) ** 2))
            assert scored["rmse"][attr] == pytest.approx(expected, abs=1e-9)
            batches = [
                audmetric.concordance_cc(one[at : at + 32], two[at : at + 32])
                for at in range(0, len(one), 32)
            ]
            assert scored["ccc_batch32"][attr] == pytest.approx(np.mean(batches), abs=1e-6)


def test_its_arrays_are_what_was_scored(journal):
    found, rows, _ = derived(journal)
    row = rows[f"{SPEECH}, ensemble of 3", None]
    arrays = found.arrays(row["run"])
    np.testing.assert_allclose(
        arrays["test_pred"], sum(preds_of(journal, SPEECH, "test")) / 3, atol=1e-12
    )
    assert set(arrays) == {"validation_pred", "test_pred"}
    plain = found.rows[0]["run"]
    assert "train_loss" in found.arrays(plain)
    assert not (journal / f"arrays/{row['run']}.npz").exists()


def test_of_one_run_there_is_no_ensemble_nor_of_settings_that_differ(tmp_path):
    fabricate(tmp_path / "one", ONE, seeds=1)
    assert set(derived(tmp_path / "one")[1]) == {(f"{SPEECH}, stretched", 0)}
    fabricate(tmp_path / "two", ONE, seeds=2)
    other = dict(ONE, **{SPEECH: ("lstm", "x", (0.1, 0.2, 0.3))})
    fabricate(tmp_path / "two", other, seeds=1, config={"batch_size": 9})
    assert {name for name, _ in derived(tmp_path / "two")[1]} == {f"{SPEECH}, stretched"}


def test_runs_that_are_lost_are_left_out_and_said(tmp_path):
    fabricate(tmp_path / "j", ONE, seeds=5, diverged=[(SPEECH, 1)], failed=[(SPEECH, 2)])
    runs = {row["seed"]: row["run"] for row in read_journal(tmp_path / "j").rows}
    (tmp_path / f"j/arrays/{runs[4]}.npz").write_bytes(b"damaged")
    _, rows, problems = derived(tmp_path / "j")
    assert set(rows) == {
        *((f"{SPEECH}, stretched", seed) for seed in (0, 3)),
        *((f"{SPEECH}, ensemble of 2{more}", None) for more in ("", ", stretched")),
    }
    (problem,) = problems
    assert f"{runs[4]}.npz: damaged" in problem
    assert problem.endswith("'speech LSTM', seed 4, is in no stretched or ensemble row")
    (tmp_path / "j/truth/k.npz").unlink()
    _, rows, problems = derived(tmp_path / "j")
    assert rows == {}
    assert "k.npz: missing" in problems[0]
    assert problems[0].endswith("2 runs are in no stretched or ensemble row")


def test_what_a_loss_has_no_weight_on_is_in_no_mean(tmp_path):
    fabricate(tmp_path / "j", ONE, seeds=2, weights={SPEECH: [0.0, 1.0, 1.0]})
    (table,) = tables(derived(tmp_path / "j")[0].scored)
    for row in (*table.rows, *table.derived):
        assert set(row.scores) == {"arousal", "dominance"}
        assert row.untrained == {"valence", "mean"}
    assert table.picked is None


def test_of_a_search_and_of_baselines_nothing_is_made(tmp_path, journal):
    add_baselines(journal)
    assert not any("ridge" in name for name, _ in derived(journal)[1])
    with Journal.open(tmp_path / "s", {"search": {"kind": "random", "ranges": {}}}) as opened:
        opened.commit(search_row({"acoustic_dropout": 0.1}, 0, 0.5, np.random.default_rng(0)), {})
    assert derived(tmp_path / "s")[0].derived == ()


def test_only_the_names_that_lead_are_made_into_rows_where_there_are_many(journal, monkeypatch):
    monkeypatch.setattr(view, "NAMES", 2)
    _, rows, problems = derived(journal)
    assert not any(name.startswith(TEXT) for name, _ in rows)
    assert "made of the 2 names, of 3, with the highest mean on validation" in problems[0]


def test_pooled_folds_are_stretched_fold_by_fold():
    """The validation rows of one fold are the test rows of another: no map sees both."""
    random = np.random.default_rng(1)

    def fold(scale):
        gold = random.normal(0, scale, (30, 3))
        return {"validation": random.normal(size=(30, 3)), "test": gold[:9] / 2, "gold": gold}

    members = [[fold(0.1), fold(0.9)] for _ in range(2)]
    for one, two in zip(*members, strict=True):
        two["gold"] = one["gold"]
    made = combine(BOTH, members)
    for at, place in ((0, slice(0, 30)), (1, slice(30, 60))):
        labels = members[0][at]["gold"]
        np.testing.assert_allclose(made["validation"][place].std(0), labels.std(0), atol=1e-12)
    np.testing.assert_allclose(
        combine(ENSEMBLE, members)["test"][:9],
        (members[0][0]["test"] + members[1][0]["test"]) / 2,
        atol=1e-12,
    )
    assert combine(STRETCHED, members[:1])["test"].shape == (18, 3)


# What is kept


def test_intervals_are_over_their_predictions_and_kept_with_the_scores(journal, monkeypatch):
    update_intervals(read_journal(journal))
    found, rows, _ = derived(journal)
    (table,) = tables(found.scored, intervals=read_intervals(journal))
    for row in table.derived:
        preds = [found.arrays(run)["test_pred"] for run in row.finished]
        want = bootstrap_ccc(found.truth("k")["test_gold"], np.stack(preds))
        assert row.over_utterances.scores["mean"] == pytest.approx(want["mean"], abs=1e-6)
    kept = read_derived(journal)
    assert kept == {
        row["run"]: {part: row[part] for part in ("validation", "test")} for row in rows.values()
    }
    # Neither scores nor intervals are computed again.
    monkeypatch.setattr(making, "combine", lambda *_: pytest.fail("computed"))
    monkeypatch.setattr(bootstrap, "bootstrap_many", lambda *_, **__: pytest.fail("computed"))
    before = (journal / intervals.FILE).stat().st_mtime_ns
    assert update_intervals(read_journal(journal)) == []
    assert (journal / intervals.FILE).stat().st_mtime_ns == before
    assert derived(journal)[1] == rows


def test_scores_that_are_none_are_not_believed(journal):
    update_intervals(read_journal(journal))
    content = json.loads((journal / intervals.FILE).read_text("utf-8"))
    del content["checksum"]
    content["derived"][0]["test"] = {"ccc": {"mean": "high"}}
    (journal / intervals.FILE).write_text(json.dumps(content), "utf-8")
    problems = []
    assert read_derived(journal, problems) == {}
    assert "is nothing that a row has there" in problems[0] or "not what was written" in problems[0]
    assert len(derived(journal)[1]) == 3 * 5


# Tables and reports


def test_validation_picks_among_plain_and_derived_rows(journal):
    found, _, _ = derived(journal)
    (table,) = tables(found.scored)

    def height(row):
        return np.mean([run["validation"]["ccc"]["mean"] for run in row.runs])

    best = max((*table.rows, *table.derived), key=height)
    assert table.picked == best
    assert best.kind == BOTH
    assert table.network.name == best.of
    assert {row.of for row in table.usual().derived} == {best.of}
    assert table.usual().derived_left_out == 6
    # The plain row, where it is the best.
    high = [row | {"validation": {"ccc": {"mean": 0.99}}} for row in found.rows]
    (table,) = tables([*high, *found.derived])
    assert (table.picked.kind, table.network) == ("network", table.picked)


def test_a_verdict_and_tests_are_on_plain_rows(journal):
    add_baselines(journal)
    (table,) = tables(derived(journal)[0].scored)
    assert "ensemble" not in verdict(table)
    assert "stretched" not in verdict(table)
    pairs = [(each.first, each.second) for each in table.comparisons()]
    assert pairs == list(combinations(NAMES, 2))
    apart = [(each.first, each.second) for each in table.stretched.comparisons()]
    assert apart == [(f"{one}, stretched", f"{two}, stretched") for one, two in pairs]


def report(folder, **asked):
    stream = io.StringIO()
    write_report(folder, console=Console(file=stream, width=80), draw=False, asked=Asked(**asked))
    return stream.getvalue()


def test_every_form_of_a_report_has_them(journal):
    add_baselines(journal)
    said = report(journal)
    cells = [line.rstrip() for line in said.splitlines()]
    cells = [line for line in cells if line.endswith(("  3", "  1"))]
    assert len(cells) == 3 + 3 + 1 + 3
    assert max(map(len, cells)) <= 80
    assert "ensemble: the mean of the predictions of all seeds" in " ".join(said.split())
    text = (journal / "report/report.md").read_text("utf-8")
    latex = (journal / "report/table.tex").read_text("utf-8")
    page = write_page([journal]).read_text("utf-8")
    best = NAMES.keys() - {SPEECH, TEXT}
    (plain,) = best
    for more in ("stretched", "ensemble of 3", "ensemble of 3, stretched"):
        for whole in (text.replace("\\", ""), latex, page):
            assert f"two weights [.7, .2], {more}" in whole
        assert f"{SPEECH}, {more}" not in text
        assert f"{SPEECH}, {more}" in page  # In a fold.
    tests = list(csv.DictReader((journal / "report/tests.csv").read_text("utf-8").splitlines()))
    assert {line["first"] for line in tests} <= set(NAMES)

    said = report(journal, everything=True)
    assert said.count("Paired t-tests") == 2
    text = (journal / "report/report.md").read_text("utf-8")
    assert f"| {SPEECH}, ensemble of 3 |" in text
    tests = list(csv.DictReader((journal / "report/tests.csv").read_text("utf-8").splitlines()))
    pairs = {(line["first"], line["second"]) for line in tests}
    kinds = {(first.endswith("stretched"), second.endswith("stretched")) for first, second in pairs}
    assert kinds == {(False, False), (True, True)}
    assert not any("ensemble" in name for pair in pairs for name in pair)
    assert plain in {name for pair in pairs for name in pair}


def test_a_page_that_is_written_again_reads_no_run_again(journal, monkeypatch):
    cache = {}
    first = write_page([journal], cache=cache).read_text("utf-8")
    monkeypatch.setattr(making, "combine", lambda *_: pytest.fail("computed"))
    assert "ensemble of 3" in first
    assert "ensemble of 3" in write_page([journal], cache=cache).read_text("utf-8")
