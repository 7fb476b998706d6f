"""Ranks of arms: Friedman's test, Nemenyi's critical difference, and what does not differ."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dser_jax.stats.arms.ranks import alike, critical_difference, friedman

calm = settings(deadline=None, derandomize=True, max_examples=50)
shapes = st.tuples(st.integers(3, 12), st.integers(3, 6))
tables = shapes.flatmap(lambda shape: arrays(np.float64, shape, elements=st.integers(0, 6)))


@calm
@given(tables)
def test_friedman_equals_scipy_with_ties(scores):
    found = friedman(scores)
    ranked = np.array([scipy.stats.rankdata(-row) for row in scores])
    assert found.ranks == pytest.approx(ranked.mean(0))
    if found.note:
        assert found.note == "no test: all arms are tied at every seed"
        assert np.ptp(scores, axis=1).max() == 0
        assert found.chi2 is found.p is found.f is found.f_p is found.critical is None
        return
    want = scipy.stats.friedmanchisquare(*scores.T)
    assert found.chi2 == pytest.approx(want.statistic, abs=1e-9)
    assert found.p == pytest.approx(want.pvalue)


@calm
@given(tables)
def test_f_is_that_of_a_two_way_analysis_of_the_ranks(scores):
    found = friedman(scores)
    if found.note or math.isinf(found.f):
        return
    ranked = np.array([scipy.stats.rankdata(-row) for row in scores])
    n, k = ranked.shape
    of_arms = n * ((ranked.mean(0) - ranked.mean()) ** 2).sum()  # Seeds all have one mean rank.
    of_rest = ((ranked - ranked.mean()) ** 2).sum() - of_arms
    want = (of_arms / (k - 1)) / (of_rest / ((k - 1) * (n - 1)))
    assert found.f == pytest.approx(want, abs=1e-9)
    assert found.f_p == pytest.approx(scipy.stats.f.sf(want, k - 1, (k - 1) * (n - 1)))


def test_friedman_by_hand():
    # Ranks 1 2 3, 1 2 3, 1 3 2, 2 1 3: means 1.25 2 2.75.
    # chi2 = 12 * 4 / (3 * 4) * (.75^2 * 2) = 4.5; F = 3 * 4.5 / (4 * 2 - 4.5).
    found = friedman([[9, 8, 7], [0.3, 0.2, 0.1], [5, 1, 3], [0, 1, -1]])
    assert found.ranks == (1.25, 2, 2.75)
    assert found.chi2 == pytest.approx(4.5)
    assert found.f == pytest.approx(13.5 / 3.5)
    assert found.critical == pytest.approx(2.343 * math.sqrt(3 * 4 / (6 * 4)), abs=1e-3)
    assert found.groups == ((0, 1, 2),)
    assert (found.seeds, found.unscored, found.note) == (4, 0, "")


@pytest.mark.parametrize(
    ("arms", "q"),
    # J. Demsar, 2006, table 5 (a), alpha .05.
    [
        *((2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (6, 2.850)),
        *((7, 2.949), (8, 3.031), (9, 3.102), (10, 3.164)),
    ],
)
def test_the_critical_difference_is_that_of_the_published_table(arms, q):
    found = critical_difference(arms, 14) / math.sqrt(arms * (arms + 1) / (6 * 14))
    assert found == pytest.approx(q, abs=1e-3)


def test_the_critical_difference_of_the_published_example():
    # The same paper's: 4 classifiers on 14 data sets, 1.25 at .05 and 1.12 at .10.
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)
    assert critical_difference(4, 14, 0.1) == pytest.approx(1.12, abs=0.005)


def test_two_arms_at_one_level_have_one_decision():
    # Of two arms Nemenyi's test is a sign test by the normal distribution, and so is Friedman's.
    for wins in range(21):
        scores = [[1.0, 0.0]] * wins + [[0.0, 1.0]] * (20 - wins)
        found = friedman(scores)
        apart = abs(found.ranks[0] - found.ranks[1])
        assert (apart >= found.critical) == (found.p < 0.05)


@pytest.mark.parametrize(
    ("ranks", "critical", "groups"),
    [
        ((1, 2, 3, 4), 1.5, ((0, 1), (1, 2), (2, 3))),
        ((4, 3, 2, 1), 2.5, ((3, 2, 1), (2, 1, 0))),
        ((1, 2, 3, 9), 2.5, ((0, 1, 2),)),
        ((1, 5, 9), 2.5, ()),
        ((2, 2, 2), 0.5, ((0, 1, 2),)),
        ((1, 3), 2.0, ()),  # As far apart as the critical difference is apart.
    ],
)
def test_groups_are_the_largest_that_do_not_differ(ranks, critical, groups):
    assert alike(ranks, critical) == groups


@calm
@given(st.lists(st.integers(0, 30), min_size=2, max_size=9), st.integers(1, 12))
def test_groups_are_the_maximal_cliques(ranks, critical):
    found = alike(ranks, critical)
    near = np.abs(np.subtract.outer(ranks, ranks)) < critical
    for group in found:
        assert near[np.ix_(group, group)].all()
        rest = set(range(len(ranks))) - set(group)
        assert not any(near[list(group), other].all() for other in rest)
    together = {(a, b) for group in found for a in group for b in group}
    assert all(near[pair] for pair in together)
    pairs = {(a, b) for a in range(len(ranks)) for b in range(len(ranks)) if a != b and near[a, b]}
    assert pairs <= together


def test_a_run_that_diverged_is_the_last_of_its_seed():
    nan = math.nan
    found = friedman([[nan, 0.2, -5], [0.1, 0.2, 0.3], [nan, 0.4, nan]])
    assert found.ranks == pytest.approx(((3 + 3 + 2.5) / 3, (1 + 2 + 1) / 3, (2 + 1 + 2.5) / 3))
    assert found.unscored == 3
    assert friedman([[nan, nan]] * 3).note == "no test: all arms are tied at every seed"


def test_equal_to_rounding_is_tied():
    assert friedman([[0.1 + 0.2, 0.3]] * 3).ranks == (1.5, 1.5)


def test_where_all_seeds_agree_f_is_infinite():
    found = friedman([[3, 2, 1]] * 5)
    assert found.chi2 == pytest.approx(10)
    assert (found.f, found.f_p) == (math.inf, 0)


def test_few_seeds_are_ranked_and_not_tested():
    found = friedman([[3, 2, 1], [1, 2, 3]])
    assert found.ranks == (2, 2, 2)
    assert found.note == "no test: fewer than 3 seeds"
    assert found.groups == ()


@pytest.mark.parametrize("scores", [[1.0, 2.0], [[1.0], [2.0]], np.ones((0, 3))])
def test_what_cannot_be_ranked_is_refused(scores):
    with pytest.raises(ValueError, match="of two arms at least"):
        friedman(scores)
    with pytest.raises(ValueError, match="infinite"):
        friedman([[1, math.inf]] * 3)
