"""Weightings against TorchJD, against each other, and where they are undefined."""

import json
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

from dser_jax.loss import METHODS, WEIGHTINGS, by_gradients, by_steps, methods
from dser_jax.loss.small import least_above, least_on_simplex, solve_three

FOUND = json.loads((Path(__file__).parent / "torchjd.json").read_text())
ONES = jnp.ones(3)
FORCE = jnp.float32(1.5)
KEY = jax.random.key(0)
OWN = {"cagrad": 0.5, "stch": 0.3}
BY_GRADIENTS = METHODS["gradients"][1:-1]
"""Without the plain sum and what needs a memory."""


def shares(name, rows, key=KEY):
    """Returns how much of each gradient a method takes."""
    rows = np.asarray(rows, np.float32)
    return np.asarray(_shares(name, rows @ rows.T, key))


@partial(jax.jit, static_argnums=0)
def _shares(name, gram, key):
    weighting = WEIGHTINGS[name]
    known = {"key": key, "setting": jnp.float32(OWN.get(name, 0)), "gram": gram}
    given = {need: known[need] for need in weighting.needs}

    def combined(losses):
        return weighting.combine((), weighting.memory, losses, ONES, **given)

    return jax.grad(combined)(ONES)


def given_of(name, method=0, setting=0.0):
    """Returns what a weighting by losses needs."""
    known = {"key": KEY, "setting": jnp.float32(setting), "method": jnp.int32(method)}
    return {need: known[need] for need in WEIGHTINGS[name].needs if need in known}


EXACT = {
    "cagrad": jax.jit(lambda gram: by_gradients.cagrad(gram, jnp.asarray(0.5))),
    **{
        name: jax.jit(getattr(by_gradients, name))
        for name in ("mgda", "nash", "aligned", "imtl_g", "upgrad")
    },
}


def exactly(name, rows):
    """Returns the shares in float64, in which TorchJD computes."""
    with jax.enable_x64(True):
        return np.asarray(EXACT[name](jnp.asarray(rows @ rows.T)))


def close(found, expected, rows, near=1):
    """Tells whether two vectors agree to 1e-5, or so often that, of the longest gradient."""
    scale = np.linalg.norm(rows, axis=1).max()
    return np.allclose(found, expected, atol=near * 1e-5 * scale, rtol=0)


@pytest.mark.parametrize("name", ["cagrad", "aligned", "imtl_g", "upgrad"])
def test_gradients_come_together_as_in_torchjd(name):
    for case in FOUND["gradients"]:
        rows = np.array(case["rows"])
        # Of CAGrad, TorchJD stops a little before its own problem is solved.
        near = 3 if name == "cagrad" else 1
        assert close(exactly(name, rows) @ rows, case[name], rows, near), (name, rows)


@pytest.mark.parametrize("name", ["cagrad", "upgrad", "mgda"])
def test_float32_is_close(name):
    for case in FOUND["gradients"]:
        rows = np.array(case["rows"])
        scale = np.linalg.norm(rows, axis=1).max()
        exact = exactly(name, rows) @ rows
        assert np.abs(shares(name, rows) @ rows - exact).max() < 3e-3 * scale


def test_pcgrad_is_one_of_torchjds_orders():
    seen = set()
    for case in FOUND["gradients"]:
        rows = np.array(case["rows"])
        for seed in range(8):
            found = shares("pcgrad", rows, jax.random.key(seed)) @ rows
            which = [number for number, one in enumerate(case["pcgrad"]) if close(found, one, rows)]
            assert which, (found, case["pcgrad"])
            seen |= {(len(case["pcgrad"]), which[0])}
    assert len(seen) > 3  # The order is drawn.


def test_mgda_finds_the_shortest():
    for case in FOUND["gradients"]:
        rows = np.array(case["rows"])
        found = shares("mgda", rows)
        assert found.min() >= 0
        assert found.sum() == pytest.approx(1, abs=1e-5)
        # TorchJD walks there, and is never ahead of it.
        assert np.linalg.norm(found @ rows) <= np.linalg.norm(case["mgda"]) + 1e-5


def test_nash_is_the_bargain():
    for case in FOUND["gradients"]:
        rows = np.array(case["rows"])
        gram = rows @ rows.T
        if np.linalg.cond(gram) > 1e4:
            continue
        found = exactly("nash", rows)
        square = gram / np.linalg.norm(gram) + 1e-6 * np.eye(3)
        bargain = found / np.sqrt(found @ square @ found / 3)  # It is cut to a length of 1.
        np.testing.assert_allclose(square @ bargain, 1 / bargain, rtol=1e-5)
        length = min(1, np.sqrt(3 * np.linalg.norm(gram)))
        assert np.linalg.norm(found @ rows) == pytest.approx(length, rel=1e-4)
        theirs = np.array(case["nash"])
        angle = theirs @ (found @ rows) / np.linalg.norm(theirs)
        assert angle > 0.97  # They stop early.


@pytest.mark.parametrize("name", ["uncertainty", "imtl_l", "geometric", "stch"])
def test_losses_come_together_as_in_torchjd(name):
    weighting, setting = WEIGHTINGS[name], OWN.get(name, 0)
    learned = jnp.array([0.3, -0.2, 0.1]) if len(weighting.learned) else ()
    for case in FOUND["losses"]:

        def combined(learned, losses):
            return weighting.combine(learned, (), losses, ONES, **given_of(name, setting=setting))

        losses = jnp.array(case["losses"])
        value, (by_scales, by_losses) = jax.value_and_grad(combined, (0, 1))(learned, losses)
        assert float(value) == pytest.approx(case[name]["value"], abs=1e-5)
        np.testing.assert_allclose(by_losses, case[name]["by_losses"], atol=1e-5)
        if len(weighting.learned):
            np.testing.assert_allclose(by_scales, case[name]["by_scales"], atol=1e-5)


def test_dwa_remembers_as_torchjd_does():
    dwa = WEIGHTINGS["dwa"]
    memory = dwa.memory
    for (losses, _), expected in zip(FOUND["steps"]["losses"], FOUND["steps"]["dwa"], strict=True):
        losses = jnp.array(losses)
        found = jax.grad(
            lambda losses, memory=memory: dwa.combine((), memory, losses, ONES, **given_of("dwa"))
        )(losses)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        memory = dwa.remember(memory, losses)


def test_famo_moves_as_torchjds_does():
    famo = WEIGHTINGS["famo"]
    memory, given = famo.memory, {"setting": jnp.float32(0)}
    for (losses, after), expected in zip(
        FOUND["steps"]["losses"], FOUND["steps"]["famo"], strict=True
    ):
        losses = jnp.array(losses)
        found = jax.grad(
            lambda losses, memory=memory: famo.combine((), memory, losses, ONES, **given)
        )(losses)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        memory = famo.update(memory, losses, ONES, after=jnp.array(after), **given)
    assert np.abs(memory.logits).max() > 0.05
    quick = by_steps.next_logits(
        famo.memory, losses, ONES, setting=jnp.float32(0.1), after=jnp.array(after)
    )
    assert np.abs(quick.logits).max() == pytest.approx(0.1, abs=1e-3)  # Adam's first step.


def test_gradnorm_goes_down_the_slope_of_its_equation():
    random = np.random.default_rng(1)
    rows = random.standard_normal((3, 5))
    gram = jnp.asarray(rows @ rows.T, jnp.float32)
    first, losses = jnp.array([1.0, 0.9, 1.1]), jnp.array([0.5, 0.8, 0.9])
    logits = jnp.array([0.2, -0.1, 0.3])

    def apart(logits):
        lengths = 3 * jax.nn.softmax(logits) * jnp.sqrt(jnp.diagonal(gram))
        rate = losses / first / (losses / first).mean()
        goal = jax.lax.stop_gradient(lengths.mean()) * rate**1.5
        return jnp.abs(lengths - goal).sum()

    memory = by_gradients.Norms(logits, first)
    moved = by_gradients.next_norms(memory, losses, gram, jnp.float32(1.5))
    expected = logits - by_gradients.NORM_RATE * jax.grad(apart)(logits)
    np.testing.assert_allclose(moved.logits, expected, atol=1e-6)
    # The first epoch only measures; what it measured stays.
    start = WEIGHTINGS["gradnorm"].memory
    assert not by_gradients.next_norms(start, losses, gram, jnp.float32(1.5)).logits.any()
    known = by_gradients.first_losses(start, losses)
    np.testing.assert_array_equal(by_gradients.first_losses(known, first).first, losses)


@pytest.mark.parametrize("family", ["losses", "gradients"])
def test_a_method_of_a_family_is_what_it_is_alone(family):
    whole = WEIGHTINGS[family]
    losses, weights = jnp.array([0.3, 0.9, 0.6]), jnp.array([0.5, 0.3, 0.2])
    rows = np.random.default_rng(2).standard_normal((3, 5))
    known = {"key": KEY, "setting": jnp.float32(0.4), "gram": jnp.asarray(rows @ rows.T)}
    learned = jnp.array([0.1, 0.2, -0.3])
    memories = {
        "losses": (jnp.array([0.5, 0.6, 0.7]), jnp.array([0.9, 0.8, 0.7])),
        "gradients": by_gradients.Norms(jnp.array([0.1, 0.0, -0.2]), ONES),
    }
    values = []
    for number, name in enumerate(METHODS[family]):
        alone = WEIGHTINGS["fixed" if name == "sum" else name]
        given = {need: known[need] for need in alone.needs}
        one = alone.combine(learned, memories[family], losses, weights, **given)
        given = {need: known[need] for need in whole.needs if need != "method"}
        found = whole.combine(
            learned, memories[family], losses, weights, method=jnp.int32(number), **given
        )
        assert float(found) == pytest.approx(float(one), abs=1e-6), name
        values.append(float(found))
    assert len({round(value, 5) for value in values}) == len(values)
    assert {name: method.number for name, method in methods().items()}["pcgrad"] == 1


EDGES = {
    "one is zero": [[1.0, 0, 0], [0, 0, 0], [0, 2, 0]],
    "all are zero": [[0.0, 0, 0]] * 3,
    "equal": [[1.0, 2, 3]] * 3,
    "opposite": [[1.0, 0, 0], [-1, 0, 0], [0, 1, 0]],
    "all cancel out": [[1.0, 0, 0], [-0.5, 0.8660254, 0], [-0.5, -0.8660254, 0]],
    "tiny": [[1e-7, 0, 0], [0, 2e-7, 0], [1e-8, 1e-8, 1e-7]],
    "huge": [[1e7, 0, 0], [0, 2e7, 0], [1e6, 1e6, 1e7]],
}


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("name", BY_GRADIENTS)
def test_whatever_the_gradients_shares_are_finite(name, edge):
    rows = np.array(EDGES[edge])
    found = shares(name, rows)
    assert np.isfinite(found).all()
    assert np.isfinite(found @ rows).all()


@pytest.mark.parametrize("name", [*BY_GRADIENTS, "gradnorm"])
def test_equal_gradients_give_their_direction(name):
    rows = np.array(EDGES["equal"])
    found = shares(name, rows) @ rows
    np.testing.assert_allclose(found / np.linalg.norm(found), rows[0] / 14**0.5, atol=1e-4)


def test_what_is_undefined_is_as_it_says():
    opposite, cancel = np.array(EDGES["opposite"]), np.array(EDGES["all cancel out"])
    np.testing.assert_allclose(shares("mgda", EDGES["one is zero"]), [0.8, 0, 0.2], atol=1e-6)
    np.testing.assert_allclose(shares("mgda", cancel) @ cancel, 0, atol=1e-4)
    np.testing.assert_allclose(shares("cagrad", cancel), 0, atol=1e-6)
    np.testing.assert_allclose(shares("aligned", EDGES["all are zero"]), 1 / 3, atol=1e-6)
    np.testing.assert_allclose(shares("imtl_g", EDGES["all are zero"]), 0, atol=1e-6)
    # Of two that are opposite, neither gains by UPGrad, and neither loses.
    both = opposite[:2] @ (shares("upgrad", opposite) @ opposite)
    np.testing.assert_allclose(both, 0, atol=1e-5)


def test_a_loss_without_labels_counts_for_nothing():
    losses = jnp.array([0.5, 0.0, 0.8])
    for name in ("geometric", "dwa", "stch", "random"):
        weighting = WEIGHTINGS[name]

        def combined(losses, weighting=weighting, name=name):
            return weighting.combine((), weighting.memory, losses, ONES, **given_of(name))

        value, slope = jax.value_and_grad(combined)(losses)
        assert np.isfinite(value)
        assert np.isfinite(slope).all()
    geometric = WEIGHTINGS["geometric"].combine((), (), losses, ONES)
    assert float(geometric) == pytest.approx(0.4**0.5, abs=1e-6)


@pytest.mark.parametrize("name", [*BY_GRADIENTS, "gradnorm"])
def test_a_gradient_of_zero_has_no_part_in_what_is_made_of_the_others(name):
    """As where a corpus has no labels of an attribute, or its weight is 0."""
    two = np.array([[1.0, 0.2, 0], [-0.4, 2, 0.3]])
    low, high = shares(name, [*two, [0, 0, 0]]), shares(name, [[0, 0, 0], *two])
    np.testing.assert_allclose(low[:2], high[1:], rtol=1e-4)
    made = low[:2] @ two
    assert np.linalg.norm(made) > 0.1
    if name != "imtl_g":  # Which alone may go against a task.
        assert (two @ made > 0).all()
    if name == "mgda":
        np.testing.assert_allclose(low, [*_least_of_two(two), 0], atol=1e-6)


def _least_of_two(two):
    one, other = two
    share = other @ (other - one) / ((one - other) @ (one - other))
    return share, 1 - share


def test_gradnorm_keeps_the_weights_of_two_tasks_where_the_third_has_no_gradient():
    gram = jnp.array([[1.0, 0.3, 0], [0.3, 1.0, 0], [0, 0, 0]])
    memory = by_gradients.Norms(jnp.zeros(3), jnp.array([1.0, 1, 0]))
    step = jax.jit(lambda m: by_gradients.next_norms(m, jnp.array([0.5, 0.5, 0]), gram, FORCE))
    for _ in range(400):
        memory = step(memory)
    np.testing.assert_allclose(by_gradients.gradnorm(memory)[:2], 1, atol=0.1)


@pytest.mark.parametrize("name", ["uncertainty", "imtl_l"])
def test_nothing_pulls_at_the_scale_of_a_loss_without_labels(name):
    """For ever it would: until ``exp`` overflows, and the run counts as diverged."""
    losses = jnp.array([0.5, 0.0, 0.7])
    combine = WEIGHTINGS[name].combine
    pull = jax.grad(combine)(jnp.zeros(3), (), losses, ONES)
    assert pull[1] == 0
    assert (jnp.abs(pull[jnp.array([0, 2])]) > 0.1).all()


@pytest.mark.parametrize("lacks", ["labels", "weight"])
def test_famo_trains_on_the_others_where_a_task_has_no_labels_or_no_weight(lacks):
    losses, loss_weights = jnp.array([0.5, 0.8, 0.7]), ONES
    if lacks == "labels":
        losses = losses.at[1].set(0.0)
    else:
        loss_weights = loss_weights.at[1].set(0.0)
    memory, setting = by_steps.LOGITS, jnp.float32(0)
    after = losses * jnp.array([0.9, 1, 0.8])
    for _ in range(20):
        memory = by_steps.next_logits(memory, losses, loss_weights, setting=setting, after=after)
    slope = jax.grad(by_steps.famo, argnums=2)((), memory, losses, loss_weights, setting=setting)
    assert memory.logits[1] == 0
    assert memory.logits[0] > 0 > memory.logits[2]
    assert slope[1] == 0
    assert float(slope.sum()) == pytest.approx(1, abs=1e-5)  # A mean of the gradients.


def test_small_problems_against_scipy():
    random = np.random.default_rng(3)
    on_simplex, above_floor = jax.jit(least_on_simplex), jax.jit(least_above)
    with jax.enable_x64(True):
        for _ in range(20):
            rows = random.standard_normal((3, random.integers(2, 6)))
            square, linear = rows @ rows.T, random.standard_normal(3)
            floor = np.abs(random.standard_normal(3)) * (random.random(3) < 0.6)
            found = np.asarray(on_simplex(jnp.asarray(square), jnp.asarray(linear)))

            def value(w, linear=linear, square=square):
                return 0.5 * w @ square @ w + linear @ w

            theirs = optimize.minimize(
                value,
                np.full(3, 1 / 3),
                bounds=[(0, 1)] * 3,
                constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
                tol=1e-13,
            )
            assert value(found) <= theirs.fun + 1e-8
            assert found.min() >= 0
            assert found.sum() == pytest.approx(1, abs=1e-12)
            above = np.asarray(above_floor(jnp.asarray(square), jnp.asarray(floor)))
            theirs = optimize.minimize(
                lambda v, square=square: v @ square @ v,
                floor + 0.1,
                bounds=[(f, None) for f in floor],
                tol=1e-13,
            )
            assert above @ square @ above <= theirs.fun + 1e-7
            assert (above >= floor).all()
            regular = square + np.eye(3)
            solved = solve_three(jnp.asarray(regular), jnp.asarray(linear))
            np.testing.assert_allclose(solved, np.linalg.solve(regular, linear), rtol=1e-9)
