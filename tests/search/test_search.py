"""What searches choose: spaces, random draws, and successive halving by hand."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dser_jax.search.asha import halving
from dser_jax.search.base import Search
from dser_jax.search.random import random_search
from dser_jax.search.space import DIGITS, Choice, Range, Space, parse_range
from dser_jax.search.trials import value_of
from dser_jax.system.errors import DserError
from dser_jax.training.hparams import HParams

WIDE = Space(
    {
        "alpha": Range(0, 1),
        "beta": Range(0, 1),
        "learning_rate": Range(1e-4, 1e-2, log=True),
        "text_dropout": Choice((0.1, 0.3, 0.5)),
        "patience": Range(5, 20),
    }
)


@given(st.integers(0, 2**31), st.integers(0, 10**6))
def test_points_are_inside_their_ranges(seed, trial):
    point = random_search(WIDE, 10, seed).ask(trial)
    assert list(point) == list(WIDE.ranges)
    assert point == random_search(WIDE, 10, seed).ask(trial)
    assert 0 <= point["alpha"] <= 1
    assert 0 <= point["beta"] <= 1
    assert 1e-4 <= point["learning_rate"] <= 1e-2
    assert point["text_dropout"] in (0.1, 0.3, 0.5)
    assert isinstance(point["patience"], int)
    assert 5 <= point["patience"] <= 20
    hparams = WIDE.hparams(point)
    gamma = float(hparams.loss_weights[2])
    assert gamma >= -1e-6
    assert gamma == pytest.approx(1 - point["alpha"] - point["beta"], abs=1e-6)
    assert float(hparams.text_dropout) == pytest.approx(point["text_dropout"])
    assert hparams.acoustic_dropout == HParams().acoustic_dropout
    for field in ("alpha", "learning_rate"):
        assert float(f"{point[field]:.{DIGITS}g}") == point[field]


@given(st.floats(1e-6, 1e3), st.floats(1.001, 1e3), st.booleans(), st.integers(0, 100))
def test_any_range_holds_what_is_drawn_from_it(low, ratio, log, seed):
    space = Space({"learning_rate": Range(low, low * ratio, log)})
    value = space.draw(np.random.default_rng(seed))["learning_rate"]
    assert low <= value <= low * ratio


def test_draws_are_spread_as_they_should_be():
    points = [random_search(WIDE, 2000).ask(trial) for trial in range(2000)]

    def share(test):
        return sum(map(test, points)) / len(points)

    assert share(lambda p: p["learning_rate"] < 1e-3) == pytest.approx(0.5, abs=0.04)
    assert share(lambda p: p["text_dropout"] == 0.3) == pytest.approx(1 / 3, abs=0.04)
    for patience in (5, 11, 20):
        each = share(lambda p, patience=patience: p["patience"] == patience)
        assert each == pytest.approx(1 / 16, abs=0.02)
    # Uniform on the triangle: each of its corners of side 1/2 has a quarter of it.
    for corner in (lambda p: p["alpha"] > 0.5, lambda p: p["beta"] > 0.5):
        assert share(corner) == pytest.approx(1 / 4, abs=0.04)


def test_other_seeds_and_trials_are_other_points():
    points = [random_search(WIDE, 1, seed).ask(trial) for seed in range(3) for trial in range(3)]
    assert len({str(point) for point in points}) == 9


def test_weights_of_eq_6_may_be_anything():
    space = Space({name: Range(-1, 1) for name in ("alpha", "beta", "gamma")})
    weights = [space.hparams(random_search(space, 9).ask(t)).loss_weights for t in range(50)]
    assert np.min(weights) < 0 < np.max(weights)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alpha=0:1", ("alpha", Range(0, 1))),
        ("learning_rate=1e-4:1e-2:log", ("learning_rate", Range(1e-4, 1e-2, True))),
        ("text_dropout=.1,.3", ("text_dropout", Choice((0.1, 0.3)))),
        ("patience=5:20", ("patience", Range(5, 20))),
    ],
)
def test_ranges_are_read_and_written(text, expected):
    field, values = parse_range(text)
    assert (field, values) == expected
    assert parse_range(f"{field}={values}") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("units=2:3", "expected one of alpha, beta, gamma,"),
        ("alpha", "expected alpha=LOW:HIGH, alpha=LOW:HIGH:log or alpha=VALUE"),
        ("alpha=0:1:0.1", "expected alpha=LOW:HIGH"),
        ("alpha=a:b", "expected alpha=LOW:HIGH"),
        ("alpha=1:0", "the lower end first"),
        ("alpha=0:nan", "finite numbers"),
        ("alpha=1,1", "each value once"),
        ("learning_rate=0:1:log", "above 0 for a logarithmic range"),
        ("learning_rate=-1:1", "rates of 0 or more"),
        ("text_dropout=0:1", "below 1"),
        ("patience=0:3", "whole numbers, 1 or more"),
        ("patience=1.5,3", "whole numbers, 1 or more"),
    ],
)
def test_ranges_that_make_no_sense_are_refused(text, message):
    with pytest.raises(DserError, match=message):
        parse_range(text)


def test_spaces_that_make_no_sense_are_refused():
    with pytest.raises(DserError, match="at least one range"):
        Space({})
    with pytest.raises(DserError, match="needs ranges of alpha and beta"):
        Space({"alpha": Range(0, 1)})
    with pytest.raises(DserError, match="needs ranges of alpha and beta"):
        Space({"gamma": Range(0, 1)})
    with pytest.raises(DserError, match="leave nothing for gamma"):
        Space({"alpha": Range(0.6, 1), "beta": Range(0.6, 1)})
    corner = Space({"alpha": Range(0.5, 1), "beta": Range(0.5, 1)})
    with pytest.raises(DserError, match="of 10000 points none"):
        random_search(corner, 1).ask(0)


def test_a_space_says_what_it_is():
    fixed = HParams(loss_weights=np.array([1, 0, 0], np.float32), text_dropout=np.float32(0.2))
    space = Space({"learning_rate": Range(1e-4, 1e-2, True)}, fixed)
    assert space.describe() == {
        "ranges": {"learning_rate": "0.0001:0.01:log"},
        "fixed": {
            "loss_weights": [1.0, 0.0, 0.0],
            "acoustic_dropout": 0.1,
            "text_dropout": 0.2,
            "fusion_dropout": 0.4,
            "patience": 10,
        },
        "attributes": ["valence"],
    }
    assert WIDE.describe()["attributes"] == ["valence", "arousal", "dominance"]
    assert "loss_weights" not in WIDE.describe()["fixed"]


def row(status="ok", **ccc):
    return {"status": status, "validation": {"ccc": ccc}, "test": {"ccc": {"mean": 9.0}}}


def test_a_value_is_the_mean_ccc_on_validation():
    every = {"valence": 0.2, "arousal": 0.4, "dominance": 0.9}
    assert value_of(row(**every, mean=0.5)) == pytest.approx(0.5)
    assert value_of(row("pruned", **every)) == pytest.approx(0.5)
    assert value_of(row(**every), ("valence", "arousal")) == pytest.approx(0.3)
    assert value_of(row(valence=0.2, arousal=0.4)) == pytest.approx(0.3)
    assert value_of(row("diverged", **every)) == 0
    assert value_of(row("failed")) is None
    assert value_of(row(valence=None)) == 0


class Given(Search):
    """Asks for learning rates from a list, and writes down what it is told."""

    space = Space({"learning_rate": Range(1e-4, 1e-2)})

    def __init__(self, count=9):
        self.count, self.calls = count, []

    def ask(self, trial):
        return {"learning_rate": 1e-4 * (1 + trial)}

    def keep(self, trial, epoch, value):
        self.calls.append(("keep", trial, epoch, value))
        return True

    def tell(self, trial, value, pruned):
        self.calls.append(("tell", trial, value, pruned))


def test_halving_by_hand():
    search = halving(Given(), first=4, eta=3)
    assert search.rungs[:4] == (4, 12, 36, 108)
    # Values in the order of their coming, and how many of n may go on: max(1, n // 3).
    told = [
        (0.30, True),  # n = 1: the first always goes on.
        (0.20, False),  # n = 2, one may: .30 is higher.
        (0.40, True),  # n = 3, one may, and is the highest.
        (0.40, True),  # n = 4, one may: a tie shares the rank.
        (0.35, False),  # n = 5, one may.
        (0.38, False),  # n = 6, two may: both .40 are higher.
        (0.39, False),  # n = 7, two may.
        (0.10, False),
        (0.395, True),  # n = 9, three may: only the two .40 are higher.
    ]
    assert [search.keep(t, 4, value) for t, (value, _) in enumerate(told)] == [k for _, k in told]
    # The next rung counts its own alone.
    assert search.keep(0, 12, 0.32)
    assert not search.keep(2, 12, 0.31)
    assert search.keep(3, 12, 0.45)


def test_halving_forgets_asks_and_tells_the_search_within():
    inner = Given()
    search = halving(inner, first=1, eta=2)
    assert (search.count, search.space) == (9, inner.space)
    assert search.ask(3) == inner.ask(3)
    assert search.keep(0, 1, 0.5)
    assert not search.keep(1, 1, 0.4)
    search.tell(1, 0.4, True)
    assert inner.calls == [("keep", 0, 1, 0.5), ("keep", 1, 1, 0.4), ("tell", 1, 0.4, True)]
    search.begin()
    assert search.keep(1, 1, 0.4)
    assert search.describe()["halving"] == {"first": 1, "eta": 2}


def test_a_value_that_is_no_number_is_the_lowest():
    search = halving(Given(), first=1, eta=2)
    assert search.keep(0, 1, math.nan)
    assert search.keep(1, 1, 0.1)
    assert not search.keep(2, 1, math.nan)


def ray_tune_goes_on(before, value, eta):
    """Decides as Ray Tune's AsyncHyperBandScheduler, whose cutoff is interpolated."""
    return not before or value >= np.nanpercentile(before, (1 - 1 / eta) * 100)


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 5), st.integers(0, 1000))
def test_halving_keeps_what_ray_tune_keeps_save_at_the_edge(eta, seed):
    values = np.random.default_rng(seed).random(400).tolist()
    search = halving(Given(), first=1, eta=eta)
    ours = [search.keep(trial, 1, value) for trial, value in enumerate(values)]
    rays = [ray_tune_goes_on(values[:n], value, eta) for n, value in enumerate(values)]
    for n, (one, other) in enumerate(zip(ours, rays, strict=True)):
        if one != other:  # Between them lies less than one rank.
            rank = sum(v > values[n] for v in values[: n + 1])
            assert abs(rank - (n + 1) / eta) <= 1.5
    assert np.mean(ours) == pytest.approx(1 / eta, abs=0.08)


@pytest.mark.parametrize("wrong", [{"first": 0}, {"eta": 1}])
def test_halving_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(DserError, match="first rung"):
        halving(Given(), **wrong)


def test_rungs_go_on_beyond_any_run():
    for first, eta in itertools.product((1, 3, 7), (2, 3, 10)):
        rungs = halving(Given(), first, eta).rungs
        assert rungs[0] == first
        assert rungs[-1] * eta > 10**6
