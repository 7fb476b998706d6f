"""How far two scores are from each other, over the same resamples: held against repeated rows."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fabricated import fabricate
from held_against import add_baselines

from dser_jax.journal import intervals
from dser_jax.journal.intervals import read_differences, read_intervals
from dser_jax.journal.reading import read_journal
from dser_jax.stats import differences, resampling
from dser_jax.stats.bootstrap import bootstrap_ccc, update_intervals
from dser_jax.stats.derived.view import with_derived
from dser_jax.stats.differences import bootstrap_difference, differences_of
from dser_jax.stats.table import tables
from dser_jax.training import metrics


def make(seed=0, utterances=60, seeds=2):
    key = np.random.default_rng(seed)
    gold = key.normal(0, 0.4, (utterances, 3))
    noise = key.normal(0, 0.3, (utterances, 3))
    near = 0.8 * gold + noise + key.normal(0, 0.02, (seeds, utterances, 3))
    far = 0.6 * gold + noise + key.normal(0, 0.02, (1, utterances, 3))
    return gold, near, far


def mean_ccc(gold, preds):
    return np.mean([[metrics.ccc(gold[:, at], p[:, at]) for at in range(3)] for p in preds], 0)


def test_a_difference_is_that_of_repeated_rows():
    gold, near, far = make()
    drawn = np.random.default_rng(7).integers(0, 60, (40, 60))
    want = [mean_ccc(gold[r], near[:, r]) - mean_ccc(gold[r], far[:, r]) for r in drawn]
    ends = np.percentile(np.mean(want, 1), [2.5, 97.5])
    found = bootstrap_difference(gold, near, far, resamples=40, seed=7)
    np.testing.assert_allclose(found["mean"], ends, atol=1e-5, rtol=0)
    valence = np.percentile(np.array(want)[:, 0], [2.5, 97.5])
    np.testing.assert_allclose(found["valence"], valence, atol=1e-5, rtol=0)


def test_what_both_share_is_in_no_difference():
    gold, near, far = make()
    alone = bootstrap_ccc(gold, near, resamples=400)["mean"]
    found = bootstrap_difference(gold, near, far, resamples=400)["mean"]
    assert found.high - found.low < 0.5 * (alone.high - alone.low)
    same = bootstrap_difference(gold, near, near, resamples=50)
    assert same["mean"] == (0, 0)


def test_speakers_are_drawn_whole():
    gold, near, far = make()
    speakers = [f"s{number % 10}" for number in range(60)]
    found = bootstrap_difference(gold, near, far, clusters=speakers, resamples=300)["mean"]
    alone = bootstrap_difference(gold, near, far, resamples=300)["mean"]
    assert found != alone
    one = bootstrap_difference(gold, near, far, clusters=["s"] * 60, resamples=20)["mean"]
    assert one.low == pytest.approx(one.high, abs=1e-6)  # All of it, each time, to rounding.


def test_few_labels_give_none():
    gold, near, far = make(utterances=9)
    assert bootstrap_difference(gold, near, far) == {}


def test_the_memory_that_is_allowed_makes_no_difference(monkeypatch):
    gold, near, far = make()
    want = bootstrap_difference(gold, near, far, resamples=30)
    monkeypatch.setattr(resampling, "CHUNK_BYTES", 4 * 60 * 7)
    found = bootstrap_difference(gold, near, far, resamples=30)
    np.testing.assert_allclose(found["mean"], want["mean"], atol=1e-6, rtol=0)


@pytest.fixture
def journal(tmp_path):
    fabricate(tmp_path / "j", seeds=2)
    add_baselines(tmp_path / "j")
    return tmp_path / "j"


def test_a_journal_keeps_the_difference_of_what_validation_picks(journal, monkeypatch):
    assert update_intervals(read_journal(journal)) == []
    ((keys, found),) = read_differences(journal).items()
    (table,) = tables(with_derived(read_journal(journal), []).scored)
    assert (found.first, found.second) == (table.picked.name, table.yardstick.name)
    assert found.second == "ridge"  # Which is better on validation, though not on test.
    assert (found.unit, found.count) == ("utterance", 100)
    assert set(keys) < set(read_intervals(journal))
    low, high = found.scores["mean"]
    step = table.picked.scores["mean"].mean - table.yardstick.scores["mean"].mean
    assert low < step < high
    monkeypatch.setattr(differences, "bootstrap_difference", lambda *_, **__: pytest.fail("again"))
    assert update_intervals(read_journal(journal)) == []


def test_a_file_of_an_older_version_is_read_and_what_it_lacks_computed(journal):
    update_intervals(read_journal(journal))
    kept, rows = read_differences(journal), read_intervals(journal)
    path = journal / intervals.FILE
    content = json.loads(path.read_text("utf-8"))
    del content["differences"], content["checksum"]
    path.write_text(json.dumps(content), "utf-8")
    assert read_differences(journal) == {}
    assert read_intervals(journal) == rows
    view = with_derived(read_journal(journal), [])
    (table,) = tables(view.scored)
    assert differences_of(view, table, {}, []) == kept


def test_predictions_that_are_gone_are_said(journal):
    view = read_journal(journal)
    (table,) = tables(view.rows)
    (journal / f"arrays/{table.picked.finished[0]}.npz").unlink()
    problems = []
    assert differences_of(view, table, {}, problems) == {}
    assert "no interval for the difference of" in problems[0]
