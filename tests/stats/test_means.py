"""A score over several seeds, by hand and by SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dser_jax.stats.means import summary

value = st.integers(-1000, 1000).map(lambda number: number / 1000)


def test_summary_by_hand():
    # Mean 2, sd sqrt((1 + 0 + 1) / 2) = 1, t(2) at 97.5% 4.302653: 2 +- 4.302653 / sqrt(3).
    found = summary([1, 2, 3])
    assert (found.n, found.mean, found.sd) == (3, 2.0, 1.0)
    assert found.low == pytest.approx(2 - 4.3026527 / math.sqrt(3))
    assert found.high == pytest.approx(2 + 4.3026527 / math.sqrt(3))


def test_one_value_has_no_spread():
    found = summary([0.5])
    assert (found.n, found.mean, found.sd, found.low, found.high) == (1, 0.5, None, None, None)


def test_equal_values_have_no_width():
    found = summary([0.5, 0.5])
    assert (found.sd, found.low, found.high) == (0.0, 0.5, 0.5)


@pytest.mark.parametrize("values", [[], [math.nan], [1, math.inf]])
def test_summaries_of_nothing_are_refused(values):
    with pytest.raises(ValueError, match="at least one value"):
        summary(values)


@settings(deadline=None, derandomize=True)
@given(st.lists(value, min_size=2, max_size=30))
def test_summary_equals_scipy(values):
    found = summary(values)
    assert found.low <= found.mean <= found.high
    assume(found.sd > 0)
    want = scipy.stats.t.interval(
        0.95, len(values) - 1, loc=np.mean(values), scale=scipy.stats.sem(values)
    )
    assert (found.low, found.high) == pytest.approx(want, abs=1e-9)
