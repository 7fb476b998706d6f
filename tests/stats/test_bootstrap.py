"""Intervals over test utterances: the resamples, the coefficients, the file in the journal."""

import json

import audmetric
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from fabricated import NAMES, fabricate
from hypothesis import given, settings
from hypothesis import strategies as st

from dser_jax.journal import intervals
from dser_jax.journal.intervals import Interval, read_intervals
from dser_jax.journal.reading import read_journal
from dser_jax.loss.losses import ccc
from dser_jax.stats import bootstrap, resampling
from dser_jax.stats.bootstrap import (
    bootstrap_ccc,
    bootstrap_many,
    draw_counts,
    resampled_ccc,
    update_intervals,
)
from dser_jax.stats.resampling import to_sum
from dser_jax.stats.table import tables
from dser_jax.training import metrics

ATTRS = ("valence", "arousal", "dominance")


def make(utterances=80, seeds=2, seed=0, missing=False, offset=0.0):
    key = np.random.default_rng(seed)
    gold = np.clip(np.round(key.normal(0, 0.5, (utterances, 3)) * 4) / 4, -1, 1)
    preds = 0.6 * gold + key.normal(offset, 0.3, (seeds, utterances, 3))
    if missing:
        gold = np.where(key.random(gold.shape) < 0.3, np.nan, gold)
    return gold, preds


def reference(counts, gold, preds):
    """The CCC of each resample, averaged over seeds, from rows that are repeated: float64."""
    found = []
    for drawn in np.asarray(counts).astype(int):
        rows = np.repeat(np.arange(len(gold)), drawn)
        labels, guesses = gold[rows], preds[:, rows]
        known = np.isfinite(labels)
        found.append(
            [
                np.mean(
                    [
                        metrics.ccc(labels[known[:, at], at], run[known[:, at], at])
                        for run in guesses
                    ]
                )
                for at in range(gold.shape[1])
            ]
        )
    return np.array(found)


def ours(counts, gold, preds):
    runs = to_sum(gold, preds, range(gold.shape[1]))
    return np.mean([np.asarray(resampled_ccc(counts, *run), np.float64) for run in runs], axis=0)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("offset", [0.0, 3.0, -40.0])
def test_coefficients_equal_those_of_repeated_rows(missing, offset):
    gold, preds = make(missing=missing, offset=offset)
    counts = draw_counts(np.arange(30), np.arange(len(gold)), count=len(gold))
    np.testing.assert_allclose(
        ours(counts, gold, preds), reference(counts, gold, preds), atol=1e-5, rtol=0
    )


def test_coefficients_equal_the_loss_with_counts_as_weights():
    gold, preds = make(missing=True)
    counts = draw_counts(np.arange(5), np.arange(len(gold)), count=len(gold))
    known = np.isfinite(gold)
    for drawn, found in zip(counts, ours(counts, gold, preds[:1]), strict=True):
        weight = jnp.asarray(known, jnp.float32) * drawn[:, None]
        labels, guesses = np.where(known, gold, 0), preds[0]
        want = ccc(jnp.asarray(labels, jnp.float32), jnp.asarray(guesses, jnp.float32), weight)
        np.testing.assert_allclose(found, want, atol=1e-5)


def test_every_utterance_once_is_the_ccc_itself():
    gold, preds = make()
    (found,) = ours(np.ones((1, len(gold)), np.float32), gold, preds[:1])
    for at, value in enumerate(found):
        want = audmetric.concordance_cc(gold[:, at], preds[0, :, at])
        assert value == pytest.approx(want, abs=1e-6)


def test_a_resample_by_hand():
    # The second utterance twice, the third once: labels 0 0 1, predictions 1 1 0. Means 1/3 and
    # 2/3, variances 2/9, covariance -2/9: -4/9 / (4/9 + 1/9) = -4/5.
    gold, preds = np.array([[5.0], [0.0], [1.0]]), np.array([[[2.0], [1.0], [0.0]]])
    found = ours(np.array([[0, 2, 1]], np.float32), gold, preds)
    np.testing.assert_allclose(found, [[-0.8]], atol=1e-6)


def test_resamples_that_say_nothing():
    gold = np.array([[0.3, 0.3, np.nan], [0.3, 0.3, 0.1], [0.5, 0.6, 0.2]])
    preds = np.array([[[0.2, 0.3, 0.2], [0.2, 0.3, 0.4], [0.7, 0.1, 0.1]]])
    # Constant and unequal; constant and equal; without a label.
    (found,) = ours(np.array([[2, 0, 0]], np.float32), gold, preds)
    assert found[0] == pytest.approx(0, abs=1e-5)
    assert found[1] == 0
    assert np.isnan(found[2])


def test_counts_are_those_of_a_multinomial():
    counts = np.asarray(draw_counts(np.arange(4000), np.arange(20), count=20))
    assert (counts.sum(1) == 20).all()
    assert (counts == np.round(counts)).all()
    assert counts.min() >= 0
    np.testing.assert_allclose(counts.mean(0), 1, atol=0.08)
    np.testing.assert_allclose(counts.var(0), 19 / 20, rtol=0.12)


def test_a_resample_does_not_depend_on_its_neighbours():
    places = np.arange(15)
    whole = np.asarray(draw_counts(np.arange(40), places, seed=3, count=15))
    np.testing.assert_array_equal(
        whole[[7, 30]], draw_counts(np.array([7, 30]), places, seed=3, count=15)
    )
    assert (whole != np.asarray(draw_counts(np.arange(40), places, seed=4, count=15))).any()


def test_utterances_of_a_speaker_are_drawn_together():
    speakers = np.array([0, 1, 1, 2, 0, 2, 2])
    counts = np.asarray(draw_counts(np.arange(200), speakers, count=3))
    assert (counts[:, 0] == counts[:, 4]).all()
    assert (counts[:, 3] == counts[:, 6]).all()
    assert (counts[:, [0, 1, 3]].sum(1) == 3).all()


@pytest.mark.parametrize("memory", [1, 4 * 80 * 33, 2**26])
def test_the_memory_that_is_allowed_makes_no_difference(monkeypatch, memory):
    gold, preds = make()
    want = bootstrap_ccc(gold, preds, resamples=100)
    monkeypatch.setattr(resampling, "CHUNK_BYTES", memory)
    found = bootstrap_ccc(gold, preds, resamples=100)
    for column, ends in want.items():
        assert found[column] == pytest.approx(ends, abs=1e-5)


def test_intervals_are_close_to_scipys():
    gold, preds = make(300, seeds=1)
    found = bootstrap_ccc(gold, preds, resamples=4000)
    for at, attr in enumerate(ATTRS):

        def statistic(labels, guesses, axis):
            labels, guesses = np.moveaxis(labels, axis, -1), np.moveaxis(guesses, axis, -1)
            shift = labels.mean(-1) - guesses.mean(-1)
            both = (labels - labels.mean(-1, keepdims=True)) * (
                guesses - guesses.mean(-1, keepdims=True)
            )
            return 2 * both.mean(-1) / (labels.var(-1) + guesses.var(-1) + shift**2)

        want = scipy.stats.bootstrap(
            (gold[:, at], preds[0, :, at]),
            statistic,
            paired=True,
            vectorized=True,
            n_resamples=4000,
            method="percentile",
            rng=np.random.default_rng(1),
        ).confidence_interval
        width = want.high - want.low
        assert found[attr].low == pytest.approx(want.low, abs=0.06 * width)
        assert found[attr].high == pytest.approx(want.high, abs=0.06 * width)


def test_intervals_are_the_percentiles_of_the_mean_over_seeds_and_attributes():
    gold, preds = make(missing=True)
    found = bootstrap_ccc(gold, preds, resamples=200, seed=5)
    counts = draw_counts(np.arange(200), np.arange(len(gold)), seed=5, count=len(gold))
    values = reference(counts, gold, preds)
    for column, scores in zip((*ATTRS, "mean"), [*values.T, values.mean(1)], strict=True):
        assert found[column] == pytest.approx(tuple(np.percentile(scores, [2.5, 97.5])), abs=1e-4)


def test_an_attribute_without_labels_is_absent():
    gold, preds = make()
    gold[:, 1] = np.nan
    found = bootstrap_ccc(gold, preds, resamples=50)
    assert list(found) == ["valence", "dominance", "mean"]


def test_a_handful_of_labels_has_no_interval():
    gold, preds = make(30)
    gold[9:, 2] = np.nan
    assert bootstrap_ccc(gold, preds, resamples=50) == {}
    assert bootstrap_many(gold, {}, resamples=50) == {}


def test_more_utterances_make_narrower_intervals():
    def width(utterances):
        low, high = bootstrap_ccc(*make(utterances), resamples=500)["mean"]
        return high - low

    assert width(1600) == pytest.approx(width(100) / 4, rel=0.35)


def test_repeated_utterances_are_narrow_and_their_speakers_are_not():
    gold, preds = make(20, seeds=1)
    gold, preds = np.repeat(gold, 9, axis=0), np.repeat(preds, 9, axis=1)
    speakers = np.repeat([f"s{number}" for number in range(20)], 9)
    alone = bootstrap_ccc(gold, preds, resamples=800)["mean"]
    together = bootstrap_ccc(gold, preds, clusters=speakers, resamples=800)["mean"]
    assert together.high - together.low > 2 * (alone.high - alone.low)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 1000), st.floats(-2, 2), st.floats(0.1, 5))
def test_intervals_hold_the_score_and_stay_in_range(seed, offset, spread):
    key = np.random.default_rng(seed)
    gold = key.uniform(-1, 1, (60, 3))
    preds = gold[None] * 0.5 + key.normal(offset, spread, (1, 60, 3))
    for attr, (low, high) in bootstrap_ccc(gold, preds, resamples=200).items():
        assert -1 <= low <= high <= 1
        if attr != "mean":
            at = ATTRS.index(attr)
            assert low - 0.05 <= metrics.ccc(gold[:, at], preds[0, :, at]) <= high + 0.05


def test_shapes_that_do_not_fit_are_refused():
    gold, preds = make()
    with pytest.raises(ValueError, match="want labels"):
        bootstrap_ccc(gold[:, 0], preds)
    for wrong in (preds[0], preds[:, 1:], preds[:0]):
        with pytest.raises(ValueError, match="want predictions"):
            bootstrap_ccc(gold, wrong)


# The file in the journal


@pytest.fixture
def journal(tmp_path):
    fabricate(tmp_path / "j", seeds=2, diverged=[("text LSTM", 1)])
    return tmp_path / "j"


def test_a_journal_gets_an_interval_for_each_name(journal):
    view = read_journal(journal)
    assert update_intervals(view) == []
    (table,) = tables(view.rows, intervals=read_intervals(journal))
    gold = view.truth("k")["test_gold"]
    assert [row.name for row in table.rows] == list(NAMES)
    for row in table.rows:
        found = row.over_utterances
        assert (found.name, found.unit, found.count) == (row.name, "utterance", 100)
        preds = np.stack([view.arrays(run)["test_pred"] for run in row.finished])
        assert len(preds) == row.n
        want = bootstrap_ccc(gold, preds)
        assert {column: tuple(ends) for column, ends in found.scores.items()} == want
        low, high = found.scores["mean"]
        assert low < row.scores["mean"].mean < high
    for metric, part in (("rmse", "test"), ("ccc", "validation")):
        (other,) = tables(view.rows, metric, part, read_intervals(journal))
        assert all(row.over_utterances is None for row in other.rows)


def test_what_has_not_changed_is_not_computed_again(journal, monkeypatch):
    update_intervals(read_journal(journal))
    before = (journal / intervals.FILE).stat()
    monkeypatch.setattr(bootstrap, "bootstrap_many", lambda *_, **__: pytest.fail("computed"))
    update_intervals(read_journal(journal))
    assert (journal / intervals.FILE).stat().st_mtime_ns == before.st_mtime_ns


def test_another_seed_renews_its_name_alone(journal):
    update_intervals(read_journal(journal))
    before = read_intervals(journal)
    fabricate(journal, dict(list(NAMES.items())[:1]), seeds=3)
    asked = []
    many = bootstrap.bootstrap_many
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            bootstrap,
            "bootstrap_many",
            lambda gold, preds, **more: asked.extend(preds) or many(gold, preds, **more),
        )
        update_intervals(read_journal(journal))
    now = read_intervals(journal)
    assert len(asked) == 4  # The name's, and what is made of it: stretched, ensemble, both.
    assert len(now) == len(before) == 10
    assert set(now) - set(before) == set(asked)


def test_many_speakers_are_drawn_and_two_are_not(tmp_path):
    for count in (2, 10):
        folder = tmp_path / str(count)
        fabricate(folder, seeds=1)
        speakers = np.array([f"s{number % count}" for number in range(100)])
        np.savez(folder / "truth/k.marks.npz", test_speaker=speakers)
        update_intervals(read_journal(folder))
        units = {(entry.unit, entry.count) for entry in read_intervals(folder).values()}
        assert units == {("speaker", 10) if count == 10 else ("utterance", 100)}


def test_what_cannot_be_read_is_said_and_costs_its_name_alone(journal):
    run = read_journal(journal).rows[0]["run"]
    (journal / f"arrays/{run}.npz").write_bytes(b"")
    problems = update_intervals(read_journal(journal))
    assert len(problems) == 2
    assert all(f"{run}.npz: damaged" in problem for problem in problems)
    # Its row has none; what is made of its name's other run alone has one.
    assert len(read_intervals(journal)) == 10 - 1 - 2
    (journal / "truth/k.npz").unlink()
    (journal / intervals.FILE).unlink()
    problems = update_intervals(read_journal(journal))
    assert len(problems) == 3
    assert all("k.npz: missing" in problem for problem in problems[1:])


def test_predictions_of_another_shape_have_no_interval(journal):
    run = read_journal(journal).rows[0]["run"]
    path = journal / f"arrays/{run}.npz"
    arrays = dict(np.load(path))
    np.savez(path, **arrays | {"test_pred": arrays["test_pred"][:-1]})
    (problem,) = update_intervals(read_journal(journal))
    assert f"odd predictions of the test rows by run {run}" in problem
    found = read_intervals(journal).values()
    plain = [entry for entry in found if entry.name in NAMES]
    assert sorted(len(entry.scores) for entry in plain) == [0, 4, 4]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"schema": 2}', '{"schema": 1, "rows": [1]}']
)
def test_a_damaged_file_is_no_intervals(tmp_path, text):
    (tmp_path / intervals.FILE).write_text(text)
    assert read_intervals(tmp_path) == {}
    assert read_intervals(tmp_path / "absent") == {}


def test_the_file_says_what_it_is(journal):
    update_intervals(read_journal(journal))
    content = json.loads((journal / intervals.FILE).read_text("utf-8"))
    assert content["level"] == 0.95
    entry = content["rows"][0]
    assert set(entry) == {"of", "name", "unit", "count", "resamples", "scores"}
    assert json.loads(entry["of"])[:2] == ["k", entry["name"]]
    assert len(entry["scores"]["mean"]) == 2
    assert isinstance(next(iter(read_intervals(journal).values())).scores["mean"], Interval)
