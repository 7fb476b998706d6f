"""Each arm against one reference: what is said of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

from dser_jax.stats.arms.effects import effect_size
from dser_jax.stats.arms.tost import tost
from dser_jax.stats.arms.verdicts import verdicts
from dser_jax.stats.paired import holm

MARGIN = 0.02


def around(mean: float, deviation: float, seeds: int = 20) -> np.ndarray:
    """Returns differences of exactly this mean and deviation."""
    values = scipy.stats.norm.ppf((np.arange(seeds) + 0.5) / seeds)
    return mean + deviation * values / values.std(ddof=1)


ARMS = {
    "same": np.zeros(20),
    "close": around(0.001, 0.01),
    "a little better": around(0.006, 0.005),
    "a little worse": around(-0.006, 0.005),
    "better": around(0.04, 0.02),
    "worse": around(-0.05, 0.03),
    "noisy": around(0.012, 0.08),
    "diverged": np.full(20, math.nan),
    "alike": np.full(20, 0.01),
}


def test_each_kind_of_arm_has_its_verdict():
    found = {each.arm: (each.says, each.sign) for each in verdicts(ARMS, MARGIN)}
    assert found == {
        "same": ("equivalent", ""),
        "close": ("equivalent", ""),
        "a little better": ("equivalent", "better"),
        "a little worse": ("equivalent", "worse"),
        "better": ("better", "better"),
        "worse": ("worse", "worse"),
        "noisy": ("undecided", ""),
        "diverged": ("undecided", ""),
        "alike": ("undecided", ""),
    }


def test_arms_come_by_their_difference_those_without_last():
    order = [each.arm for each in verdicts(ARMS, MARGIN)]
    assert order[:2] == ["better", "noisy"]
    assert order[-2:] == ["worse", "diverged"]


def test_the_numbers_are_those_of_the_tests_by_themselves():
    arms = {name: ARMS[name] for name in ("close", "a little better", "better", "noisy")}
    found = {each.arm: each for each in verdicts(arms, MARGIN)}
    for name, differences in arms.items():
        each, want = found[name], scipy.stats.ttest_1samp(differences, 0)
        assert each.test.p == pytest.approx(want.pvalue)
        ends = tuple(want.confidence_interval())
        assert (each.test.low, each.test.high) == pytest.approx(ends)
        assert each.equivalence == tost(differences, MARGIN)
        assert each.effect == effect_size(differences)
    names = list(arms)
    for adjusted, raw in (
        ([found[n].p_holm for n in names], [found[n].test.p for n in names]),
        ([found[n].equivalence_p_holm for n in names], [found[n].equivalence.p for n in names]),
    ):
        assert adjusted == pytest.approx(holm(raw))


def test_what_one_arm_shows_alone_may_not_hold_among_many():
    arm = around(0.004, 0.008)
    assert 0.02 < verdicts({"a": arm}, 0.02)[0].test.p < 0.05
    assert verdicts({"a": arm}, 0.02)[0].sign == "better"
    among = {f"{n}": around(0.0, 0.08) for n in range(14)} | {"a": arm}
    (found,) = [each for each in verdicts(among, 0.02) if each.arm == "a"]
    assert found.sign == ""
    assert found.p_holm == pytest.approx(15 * found.test.p)


def test_runs_that_diverged_are_left_out_and_counted():
    values = np.array(ARMS["better"])
    values[[0, 5]] = math.nan
    (found,) = verdicts({"a": values}, MARGIN)
    assert (found.lost, found.test.n, found.equivalence.n, found.effect.n) == (2, 18, 18, 18)
    assert found.test.difference == pytest.approx(np.nanmean(values))
    (found,) = verdicts({"a": ARMS["diverged"]}, MARGIN)
    assert (found.lost, found.test.n, found.test.difference) == (20, 0, None)
    assert found.test.note == found.effect.note == "no seed in common"


def test_an_arm_that_is_not_tested_does_not_count_for_holm():
    alone, beside = (
        verdicts({"a": ARMS["close"]}, MARGIN),
        verdicts({"a": ARMS["close"], "same": ARMS["same"], "gone": ARMS["diverged"]}, MARGIN),
    )
    assert alone[0].p_holm == beside[0].p_holm
    assert alone[0].equivalence_p_holm == beside[0].equivalence_p_holm


def test_false_verdicts_are_as_rare_as_is_promised():
    # Of five arms without a difference any is called better or worse in at most 5% of all cases;
    # of five arms that are off by the margin any is called equivalent in at most 5%.
    key = np.random.default_rng(0)
    signs = equals = 0
    times = 150
    for _ in range(times):
        shared = key.normal(0, 0.01, 10)  # The reference's own runs are in every difference.
        drawn = {f"{n}": shared + key.normal(0, 0.01, 10) for n in range(5)}
        signs += any(each.sign for each in verdicts(drawn, 1.0))
        moved = {name: values + MARGIN for name, values in drawn.items()}
        equals += any(each.equivalent for each in verdicts(moved, MARGIN))
    limit = 0.05 + 3 * math.sqrt(0.05 * 0.95 / times)
    assert 0 < signs / times < limit
    assert 0 < equals / times < limit


def test_differences_that_are_none_are_refused():
    with pytest.raises(ValueError, match="odd: want finite"):
        verdicts({"odd": [0.1, math.inf, 0.2]}, MARGIN)
    with pytest.raises(
        ValueError, match=r"odd: want a list of differences, got the shape \(1, 2\)"
    ):
        verdicts({"odd": [[0.1, 0.2]]}, MARGIN)
    assert verdicts({}, MARGIN) == ()
