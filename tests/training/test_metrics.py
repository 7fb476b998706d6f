from __future__ import annotations

import json
import math

import audmetric
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dser_jax.training.metrics import ccc, ccc_batch32, pcc, rmse, scores

nan, inf = math.nan, math.inf


values = st.integers(-1000, 1000).map(lambda number: number / 250)
sizes = st.integers(2, 40)
vectors = sizes.flatmap(lambda n: arrays(np.float64, n, elements=values))
pairs = sizes.flatmap(lambda n: st.tuples(*[arrays(np.float64, n, elements=values)] * 2))
calm = settings(deadline=None, derandomize=True)


@pytest.mark.parametrize(
    ("gold", "pred", "want"),
    [
        # Covariance 2/3 and variances 2/3 each: (4/3) / (4/3).
        ([1, 2, 3], [1, 2, 3], 1.0),
        # gold - mean = -1 0 1, pred - mean = 1 0 -1: covariance -2/3; 2(-2/3) / (2/3 + 2/3 + 0).
        ([1, 2, 3], [3, 2, 1], -1.0),
        # Shifted by 1: covariance 2/3, variances 2/3 each, shift^2 1: (4/3) / (4/3 + 1) = 4/7.
        ([1, 2, 3], [2, 3, 4], 4 / 7),
        # Doubled about its mean: covariance 4/3, variances 2/3 and 8/3: (8/3) / (10/3) = 0.8.
        ([1, 2, 3], [0, 2, 4], 0.8),
        # Mean 1 against 2/3: covariance (-1)(-2/3)/3 + (1)(1/3)/3 = 1/3, variances 2/3 and 2/9,
        # shift^2 1/9: (2/3) / (6/9 + 2/9 + 1/9) = 2/3.
        ([0, 1, 2], [0, 1, 1], 2 / 3),
        ([1, 2, 3], [5, 5, 5], 0.0),
        ([0.1, 0.1, 0.1], [0.1, 0.1, 0.1], 0.0),
        ([0.1, 0.1, 0.1], [0.7, 0.7, 0.7], 0.0),
        ([3.0], [3.0], 0.0),
        ([], [], 0.0),
    ],
)
def test_ccc_by_hand(gold, pred, want):
    assert ccc(gold, pred) == pytest.approx(want, abs=1e-15)


@calm
@given(pairs)
def test_ccc_equals_audmetric(pair):
    gold, pred = pair
    want = audmetric.concordance_cc(gold, pred)
    assume(not math.isnan(want) and (np.ptp(gold) > 0 or np.ptp(pred) > 0))
    assert ccc(gold, pred) == pytest.approx(want, abs=1e-6)


@calm
@given(vectors)
def test_ccc_of_a_vector_with_itself_is_one(x):
    assert ccc(x, x) == pytest.approx(1.0 if np.ptp(x) > 0 else 0.0)


@calm
@given(pairs)
def test_ccc_is_symmetric_and_below_pcc(pair):
    gold, pred = pair
    assert ccc(gold, pred) == pytest.approx(ccc(pred, gold), abs=1e-12)
    assert abs(ccc(gold, pred)) <= abs(pcc(gold, pred)) + 1e-12 <= 1 + 2e-12


@calm
@given(vectors, st.floats(0.1, 10))
def test_a_shift_lowers_ccc_and_not_pcc(x, shift):
    assume(np.ptp(x) > 0)
    assert ccc(x, x + shift) < ccc(x, x)
    assert pcc(x, x + shift) == pytest.approx(1.0)


@calm
@given(vectors, st.floats(-1e6, 1e6))
def test_constants_are_finite(x, constant):
    flat = np.full_like(x, constant)
    for metric in (ccc, ccc_batch32, pcc, rmse):
        assert math.isfinite(metric(x, flat))
        assert math.isfinite(metric(flat, flat))
    assert ccc(flat, flat) == pcc(flat, flat) == 0.0


def test_float32_is_scored_in_float64():
    gold = np.linspace(-1, 1, 50, dtype=np.float32) + np.float32(1000)
    assert ccc(gold, gold + np.float32(0.5)) == pytest.approx(
        audmetric.concordance_cc(gold.astype(np.float64), gold.astype(np.float64) + 0.5), abs=1e-9
    )


def test_pcc_and_rmse_by_hand():
    # Covariance 1/3, sds sqrt(2/3) and sqrt(2/9): (1/3) / (2 / (3 sqrt(3))) = sqrt(3) / 2.
    assert pcc([0, 1, 2], [0, 1, 1]) == pytest.approx(math.sqrt(3) / 2)
    # Errors 0, 0, 1: the root of 1/3.
    assert rmse([0, 1, 2], [0, 1, 1]) == pytest.approx(math.sqrt(1 / 3))
    assert rmse([], []) == 0.0


def test_batches_are_consecutive_and_weigh_equally():
    # Batches of 2: [1, 2] against [1, 2] is 1; [3, 5] against [5, 3] is -1; [7] alone is 0.
    assert ccc_batch32([1, 2, 3, 5, 7], [1, 2, 5, 3, 7], batch=2) == pytest.approx(0.0, abs=1e-15)
    # Without the swap: (1 + 1 + 0) / 3.
    assert ccc_batch32([1, 2, 3, 5, 7], [1, 2, 3, 5, 7], batch=2) == pytest.approx(2 / 3)
    assert ccc_batch32([], []) == 0.0


def test_batches_have_32_rows():
    gold, pred = np.random.default_rng(0).normal(size=(2, 70))
    parts = [(0, 32), (32, 64), (64, 70)]
    want = np.mean([audmetric.concordance_cc(gold[a:b], pred[a:b]) for a, b in parts])
    assert ccc_batch32(gold, pred) == pytest.approx(want, abs=1e-9)
    assert ccc_batch32(gold[:32], pred[:32]) == ccc(gold[:32], pred[:32])


def test_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="equal length"):
        ccc([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match="at least one row"):
        ccc_batch32([1, 2], [1, 2], batch=0)
    with pytest.raises(ValueError, match=r"\[utt, 3\]"):
        scores(np.zeros((4, 2)), np.zeros((4, 2)))


def test_scores_drop_missing_labels_attribute_by_attribute():
    gold = np.array([[1, nan, nan], [2, 0, nan], [nan, 1, nan], [3, 2, nan]], dtype=float)
    pred = np.array([[1, 9, 9], [2, 0, 9], [9, 1, 9], [3, 1, 9]], dtype=float)
    result = scores(gold, pred)
    assert set(result) == {"ccc", "ccc_batch32", "rmse"}
    assert set(result["ccc"]) == {"valence", "arousal", "mean"}
    assert result["ccc"]["valence"] == pytest.approx(1.0)
    assert result["ccc"]["arousal"] == pytest.approx(2 / 3)
    assert result["ccc"]["mean"] == pytest.approx(5 / 6)
    assert result["rmse"]["mean"] == pytest.approx(math.sqrt(1 / 3) / 2)


def test_scores_of_a_diverged_run_are_none_and_valid_json():
    gold = np.zeros((4, 3))
    gold[:, :] = np.arange(4)[:, None]
    pred = gold.copy()
    pred[2, 0], pred[1, 1] = nan, inf
    result = scores(gold, pred)
    assert result["ccc"] == {
        "valence": None,
        "arousal": None,
        "dominance": pytest.approx(1.0),
        "mean": None,
    }
    json.dumps(result, allow_nan=False)
    assert math.isnan(ccc(gold[:, 0], pred[:, 0]))
    assert math.isnan(pcc(gold[:, 0], pred[:, 0]))


def test_scores_without_any_label_are_empty():
    assert scores(np.full((3, 3), nan), np.zeros((3, 3))) == {
        "ccc": {},
        "ccc_batch32": {},
        "rmse": {},
    }
