"""Tests of equivalence, their power, and effect sizes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from dser_jax.stats.arms.effects import effect_size, hedges, probability_below
from dser_jax.stats.arms.power import power_of_tost, seeds_needed, tost_power
from dser_jax.stats.arms.tost import tost

calm = settings(deadline=None, derandomize=True)
value = st.integers(-1000, 1000).map(lambda number: number / 1000)
lists = st.lists(value, min_size=3, max_size=30)

GIVEN = [0.012, -0.004, 0.007, 0.015, -0.002, 0.009, 0.001, 0.006]


@pytest.mark.parametrize(
    ("margin", "t_low", "t_high", "p"),
    [
        (0.02, 10.768851046710695, -6.123464320678631, 0.00023993594401339047),
        (0.01, 6.545772204863364, -1.9003854788312993, 0.049574899637669485),
    ],
)
def test_tost_equals_statsmodels(margin, t_low, t_high, p):
    # statsmodels 0.15.0: ttost_paired(np.array(GIVEN), np.zeros(8), -margin, margin), and
    # DescrStatsW(GIVEN).tconfint_mean(alpha=0.1)
    found = tost(GIVEN, margin)
    assert (found.t_low, found.t_high) == pytest.approx((t_low, t_high))
    assert found.p == pytest.approx(p)
    assert (found.low, found.high) == pytest.approx((0.0010137503323019957, 0.009986249667698004))
    assert found.deviation == pytest.approx(np.std(GIVEN, ddof=1))
    assert found.equivalent


@calm
@given(lists, st.integers(1, 1500), st.sampled_from([0.9, 0.95, 0.99]))
def test_tost_equals_two_tests_of_scipy(differences, thousandths, confidence):
    margin = thousandths / 1000
    found = tost(differences, margin, confidence)
    if found.note:
        assert np.ptp(differences) == 0
        return
    above = scipy.stats.ttest_1samp(differences, -margin, alternative="greater")
    below = scipy.stats.ttest_1samp(differences, margin, alternative="less")
    assert (found.t_low, found.t_high) == pytest.approx((above.statistic, below.statistic))
    assert found.p == pytest.approx(max(above.pvalue, below.pvalue))
    ends = scipy.stats.ttest_1samp(differences, 0).confidence_interval(2 * confidence - 1)
    assert (found.low, found.high) == pytest.approx(tuple(ends), abs=1e-12)


@calm
@given(lists, st.integers(1, 1500))
def test_the_interval_is_inside_the_margins_where_the_test_rejects(differences, thousandths):
    margin = thousandths / 1000
    found = tost(differences, margin)
    if found.low is None or found.high is None or abs(found.p - 0.05) < 1e-9:
        return
    assert found.equivalent == (-margin < found.low and found.high < margin)
    least = max(-found.low, found.high)
    if least > 1e-6:
        assert tost(differences, least * 1.001).equivalent
        assert not tost(differences, least * 0.999).equivalent


@calm
@given(lists)
def test_tost_does_not_care_which_of_two_comes_first(differences):
    one, two = tost(differences, 0.1), tost([-each for each in differences], 0.1)
    assert one.p == two.p
    assert one.note == two.note
    if one.low is not None:
        assert (one.low, one.t_low) == pytest.approx((-two.high, -two.t_high))


@pytest.mark.parametrize(
    ("differences", "difference", "note", "equivalent"),
    [
        ([], None, "no seed in common", False),
        ([0.0, 0.0], 0, "no test with fewer than 3 seeds in common", False),
        ([0.0] * 4, 0, "no test: the scores are equal", True),
        ([1e-17, 0, -1e-17], 0, "no test: the scores are equal", True),
        ([0.01] * 4, 0.01, "no test: every seed differs alike", False),
        ([0.1 + 0.2 - 0.3, 0.01, 0.01 + 1e-16], None, "", True),
        ([0.3 - 0.29, 0.2 - 0.19, 0.1 - 0.09], 0.01, "no test: every seed differs alike", False),
        (
            [0.01, math.nan, 0.02, math.nan],
            None,
            "no test: 2 of 4 differences are not finite",
            False,
        ),
        ([0.01, math.inf, 0.02], None, "no test: 1 of 3 differences is not finite", False),
    ],
)
def test_where_there_is_no_test_of_equivalence_the_note_says_why(
    differences, difference, note, equivalent
):
    found = tost(differences, 0.05)
    assert found.note == note
    assert found.equivalent is equivalent
    if note:
        assert found.difference == pytest.approx(difference, abs=1e-15)
        assert found.p is found.low is found.high is found.t_low is found.t_high is None
        assert effect_size(differences).g is None or max(map(abs, differences)) < 1e-15
    else:
        assert found.p is not None


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (([0.1] * 3, 0), "margin above 0, got 0"),
        (([0.1] * 3, math.nan), "margin above 0, got nan"),
        (([0.1] * 3, 0.1, 95), "between .5 and 1, got 95"),
        (([[0.1] * 3], 0.1), r"shape \(1, 3\)"),
    ],
)
def test_a_test_that_makes_no_sense_is_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        tost(*arguments)


# Power


def test_power_equals_that_of_another_program():
    # The documented example of PowerTOST (D. Labes and others, on CRAN), sampleN.TOST(CV = 0.3):
    # a crossover of 40, 38 degrees of freedom, margins log(.8) and log(1.25), a true ratio of .95,
    # has a power of .815845.
    error = math.sqrt(2 * math.log(1 + 0.3**2) / 40)
    found = tost_power(math.log(1.25) / error, math.log(0.95) / error, 38, 0.05)
    assert found == pytest.approx(0.815845, abs=1e-6)


@pytest.mark.parametrize(
    ("seeds", "margin", "difference", "arms"),
    [(5, 1.5, 0, 1), (10, 1.0, 0.0, 1), (20, 0.5, 0.2, 1), (3, 2, 0.3, 1), (12, 1.2, -0.2, 15)],
)
def test_power_is_how_often_the_test_rejects(seeds, margin, difference, arms):
    times = 40_000
    drawn = np.random.default_rng(0).normal(difference, 1, (times, seeds))
    p = np.maximum(
        scipy.stats.ttest_1samp(drawn, -margin, axis=1, alternative="greater").pvalue,
        scipy.stats.ttest_1samp(drawn, margin, axis=1, alternative="less").pvalue,
    )
    rejected = float((p < 0.05 / arms).mean())
    found = power_of_tost(seeds, 1, margin, difference=difference, arms=arms)
    assert found == pytest.approx(rejected, abs=4 * math.sqrt(0.25 / times))
    assert tost(drawn[0], margin).p == pytest.approx(p[0])


def test_at_the_margin_the_power_is_the_level():
    assert power_of_tost(30, 0.1, 0.2, difference=0.2) == pytest.approx(0.05, abs=1e-6)
    assert power_of_tost(30, 0.1, 0.2, difference=-0.2) == pytest.approx(0.05, abs=1e-6)
    assert power_of_tost(3, 1, 0.2) < 0.01  # Where the margin is small, it is below.


@pytest.mark.parametrize("arms", [1, 15])
@pytest.mark.parametrize(("deviation", "margin"), [(0.02, 0.01), (0.02, 0.02), (1, 0.1)])
def test_the_seeds_needed_are_the_least_that_do(deviation, margin, arms):
    found = seeds_needed(deviation, margin, arms=arms)
    assert power_of_tost(found, deviation, margin, arms=arms) >= 0.8
    assert power_of_tost(found - 1, deviation, margin, arms=arms) < 0.8
    # With many seeds t is normal: n = ((z_.95 + z_.9) sigma / margin)^2.
    normal = scipy.stats.norm.ppf
    rough = ((normal(1 - 0.05 / arms) + normal(0.9)) * deviation / margin) ** 2
    assert rough < found < rough + 8


def test_few_seeds_are_enough_for_a_wide_margin_but_not_fewer_than_are_tested():
    assert seeds_needed(0.001, 0.5) == 3
    assert seeds_needed(0.02, 0.02, power=0.9) > seeds_needed(0.02, 0.02)
    assert seeds_needed(0.02, 0.02, alpha=0.01) > seeds_needed(0.02, 0.02)


def test_power_rises_with_seeds_and_margin_and_is_a_probability():
    powers = [[power_of_tost(n, 1, m, arms=16) for n in (5, 9, 20, 300)] for m in (0.01, 0.5, 3)]
    assert np.all(np.diff(powers, axis=0) >= 0)
    assert powers[1] == sorted(powers[1])
    assert powers[2] == sorted(powers[2])
    assert np.min(powers) >= 0
    assert np.max(powers) == pytest.approx(1)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: seeds_needed(0, 0.1), "deviation above 0, got 0"),
        (lambda: seeds_needed(0.1, -1), "margin above 0, got -1"),
        (lambda: seeds_needed(0.1, 0.1, power=1), "power between .05 and 1, got 1"),
        (lambda: seeds_needed(0.1, 0.1, power=0.01), "power between .05 and 1, got 0.01"),
        (lambda: seeds_needed(0.1, 0.1, alpha=0.5), "alpha between 0 and .5, got 0.5"),
        (lambda: seeds_needed(0.1, 0.1, arms=0), "at least 1 arm, got 0"),
        (lambda: seeds_needed(1, 1e-5), "more than 10000000 seeds"),
        (lambda: power_of_tost(2, 0.1, 0.1), "at least 3 seeds, got 2"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call()


# Effect sizes


def test_effect_by_hand():
    # Differences 1 2 3: mean 2, sd 1. J of 2 degrees of freedom: Gamma(1) / Gamma(1/2), and the
    # latter is sqrt(pi).
    found = effect_size([1, 2, 3])
    assert found.d == pytest.approx(2)
    assert found.g == pytest.approx(2 / math.sqrt(math.pi))
    assert hedges(19) == pytest.approx(1 - 3 / (4 * 19 - 1), abs=1e-4)  # Hedges' approximation.


@pytest.mark.parametrize("freedom", [2, 7, 19, 199])
@pytest.mark.parametrize("t", [-3.0, 0.0, 0.2, 10.0, 50.0])
def test_noncentral_t_equals_scipy(freedom, t):
    shifts = t + np.linspace(-6, 8, 15)
    want = scipy.stats.nct.cdf(t, freedom, shifts)
    found = [probability_below(t, freedom, shift) for shift in shifts.tolist()]
    np.testing.assert_allclose(found, want, atol=1e-9)


@pytest.mark.parametrize("true", [0.0, 0.5, 2.0])
def test_the_interval_of_an_effect_has_the_true_one_as_often_as_it_says(true):
    times, seeds = 400, 12
    drawn = np.random.default_rng(1).normal(true, 1, (times, seeds))
    found = [effect_size(each) for each in drawn]
    factor = hedges(seeds - 1)
    covered = np.mean([each.low < factor * true < each.high for each in found])
    assert covered == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / times))
    # Unbiased, to four standard errors of a mean of so many.
    assert np.mean([each.g for each in found]) == pytest.approx(true, abs=0.1)


def test_effects_do_not_depend_on_the_unit_and_are_finite_where_they_are_huge():
    one, two = effect_size(GIVEN), effect_size(np.multiply(GIVEN, -1000.0))
    assert (one.g, one.low, one.high) == pytest.approx((-two.g, -two.high, -two.low))
    huge = effect_size([100, 100.0001, 99.9999])
    assert huge.d == pytest.approx(1e6)
    assert 0 < huge.low < huge.g < huge.high < math.inf
    with pytest.raises(ValueError, match="list of differences"):
        effect_size([[1.0, 2.0]])
