"""The front of a grid, and who lies beyond it."""

import itertools

import numpy as np
import pytest

from dser_jax.stats import beyond, front


def test_the_front_is_what_no_other_point_beats():
    scores = np.random.default_rng(0).random((40, 3))
    found = front(scores)
    for at, own in enumerate(scores):
        beaten = any((other >= own).all() and (other > own).any() for other in scores)
        assert found[at] == (not beaten)
    assert front([[1, 0], [0, 1], [1, 0]]).tolist() == [True, True, True]  # Twins beat neither.


def test_an_arm_is_beyond_in_as_many_resamples_as_no_point_is_as_good():
    random = np.random.default_rng(1)
    grid, arm = random.normal(0, 0.1, (5, 3, 3)), random.normal(0.05, 0.1, (3, 3))
    share = np.mean(
        [
            not any(
                (points[list(drawn)].mean(0) >= arm[list(drawn)].mean(0)).all() for points in grid
            )
            for drawn in itertools.product(range(3), repeat=3)  # All resamples there are.
        ]
    )
    found = beyond(grid, arm, resamples=20_000)
    assert found.share == pytest.approx(share, abs=0.02)
    assert found.beaten == sum((points.mean(0) >= arm.mean(0)).all() for points in grid)


def test_the_ends():
    grid = np.zeros((4, 5, 3))
    assert beyond(grid, np.full((5, 3), 0.1)) == (0, 1.0)
    assert beyond(grid, np.full((5, 3), -0.1)) == (4, 0.0)
    assert beyond(grid, np.zeros((5, 3))) == (4, 0.0)
