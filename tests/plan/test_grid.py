"""Names and numbers of the command line's weights and grids."""

import pytest

from dser_jax.plan.grid import (
    grid_points,
    parse_grid,
    parse_weightings,
    parse_weights,
    point_weights,
)
from dser_jax.system.errors import DserError


@pytest.mark.parametrize(
    ("text", "name", "weights"),
    [
        ("none", "no weights", (1, 1, 1)),
        ("valence", "valence only", (1, 0, 0)),
        ("dominance", "dominance only", (0, 0, 1)),
        ("0.7,0.2", "0.7/0.2/0.1", (0.7, 0.2, 0.1)),
        ("0.9,0.9", "0.9/0.9/-0.8", (0.9, 0.9, -0.8)),
        ("0.9,0.9,0.2", "0.9/0.9/0.2", (0.9, 0.9, 0.2)),
        ("paper=0.7,0.2", "paper", (0.7, 0.2, 0.1)),
        ("a=b=none", "a=b", (1, 1, 1)),
    ],
)
def test_weights_are_read_and_named(text, name, weights):
    assert parse_weights(text) == (name, weights)


@pytest.mark.parametrize("text", ["", "0.7", "0.7;0.2", "1,2,3,4", "joy", "x=", "0.7,", "a,b"])
def test_weights_that_are_none_are_refused(text):
    with pytest.raises(DserError, match=r"--weights .*expected none, two numbers"):
        parse_weights(text)


def test_each_weighting_has_a_name_of_its_own():
    assert list(parse_weightings(["none", "a=none", "0.7,0.2"])) == [
        *("no weights", "a", "0.7/0.2/0.1")
    ]
    with pytest.raises(DserError, match="--weights a=valence: 'a' is there already; NAME= gives"):
        parse_weightings(["a=none", "a=valence"])


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("alpha=0:1:0.25", [0, 0.25, 0.5, 0.75, 1]),
        ("beta=0:1:0.1", [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]),
        ("gamma=-1:1:1", [-1, 0, 1]),
        ("alpha=0.5:0.5:0.1", [0.5]),
        ("learning_rate=0.001,0.002", [0.001, 0.002]),
        ("patience=5", [5]),
    ],
)
def test_an_axis_has_both_its_ends(text, values):
    assert parse_grid(text) == (text.partition("=")[0], values)


@pytest.mark.parametrize(
    "text",
    [
        *("alpha=", "alpha=a", "alpha=0:1", "alpha=0:1:0", "alpha=0:1:0.3", "alpha=1:0:0.1"),
        *("alpha=0:1:-0.1", "alpha=0:inf:0.1", "alpha=nan:1:0.1", "alpha=0:1:0.5:1", "alpha=1,,2"),
    ],
)
def test_an_axis_that_cannot_be_read_is_refused(text):
    with pytest.raises(DserError, match="expected alpha=LOW:HIGH:STEP with whole steps"):
        parse_grid(text)


@pytest.mark.parametrize("text", ["units=4,8", "alpha", "", "=1", "Alpha=1"])
def test_only_what_is_traced_has_an_axis(text):
    if text == "alpha":
        with pytest.raises(DserError, match="expected alpha="):
            parse_grid(text)
        return
    with pytest.raises(DserError, match="expected one of alpha, beta, gamma, learning_rate"):
        parse_grid(text)


def test_axes_are_crossed():
    points = grid_points([("alpha", [0.1, 0.2]), ("beta", [0.5]), ("learning_rate", [0.001])])
    assert points == {
        f"alpha={alpha:g} beta=0.5 learning rate=0.001": {
            **{"alpha": alpha, "beta": 0.5, "learning_rate": 0.001}
        }
        for alpha in (0.1, 0.2)
    }
    assert [point_weights(point) for point in points.values()] == [(0.1, 0.5, 0.4), (0.2, 0.5, 0.3)]


def test_three_axes_of_weights_are_equation_6():
    (point,) = grid_points([("gamma", [0.9]), ("beta", [0.5]), ("alpha", [0.1])]).values()
    assert point_weights(point) == (0.1, 0.5, 0.9)


def test_no_axes_are_one_point_without_a_name():
    assert grid_points([]) == {"": {}}
    assert point_weights({}) is None
    assert point_weights({"patience": 3}) is None


@pytest.mark.parametrize("fields", [["alpha"], ["beta"], ["gamma"], ["beta", "gamma"]])
def test_a_weight_without_its_partner_is_refused(fields):
    with pytest.raises(DserError, match="needs alpha and beta"):
        grid_points([(field, [1.0]) for field in fields])


def test_a_field_twice_is_refused():
    with pytest.raises(DserError, match="names a field twice: alpha, alpha, beta"):
        grid_points([("alpha", [1.0]), ("alpha", [0.5]), ("beta", [1.0])])


def test_a_grid_of_a_billion_points_is_refused_at_once():
    with pytest.raises(DserError, match=r"alpha=0:1:1e-9: 1,000,000,001 values; expected 100,000"):
        parse_grid("alpha=0:1:1e-9")
    axes = [parse_grid(f"{name}=0:0.9:0.001") for name in ("alpha", "beta")]
    with pytest.raises(DserError, match=r"811,801 points; expected 100,000"):
        grid_points(axes)
