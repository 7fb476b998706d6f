import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dser_jax.loss import LOSSES, WEIGHTINGS, ccc, ccc_loss, mse_loss, multitask_loss
from dser_jax.plan.weights import no_weights, single_task, three_weights, two_weights


def ones(x):
    return jnp.ones(x.shape, jnp.float32)


def test_ccc_by_hand():
    # gold 0 1 2: mean 1, variance 2/3. pred 0 1 1: mean 2/3, variance 2/9. Covariance 1/3.
    # 2/3 / (2/3 + 2/9 + 1/9) = 2/3
    gold = jnp.array([[0.0], [1.0], [2.0]])
    pred = jnp.array([[0.0], [1.0], [1.0]])
    assert float(ccc(gold, pred, ones(gold))[0]) == pytest.approx(2 / 3, abs=1e-6)
    assert float(ccc_loss(gold, pred, ones(gold))[0]) == pytest.approx(1 / 3, abs=1e-6)


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from((2, 3, 17, 40)), st.integers(0, 10_000), st.floats(-1, 1), st.floats(0.01, 2)
)
def test_ccc_equals_audmetric(count, seed, shift, spread):
    """At four lengths, each of which is compiled."""
    audmetric = pytest.importorskip("audmetric")
    random = np.random.default_rng(seed)
    gold = random.uniform(-1, 1, (count, 3)).astype(np.float32)
    pred = (gold + shift + random.normal(0, spread, (count, 3))).astype(np.float32)
    ours = ccc(jnp.asarray(gold), jnp.asarray(pred), ones(gold))
    for attr in range(3):
        one, other = gold[:, attr].astype(float), pred[:, attr].astype(float)
        theirs = audmetric.concordance_cc(one, other)
        # What float32 holds of values that are far from 0, and near each other.
        apart = np.sqrt(one.var() + other.var() + (one.mean() - other.mean()) ** 2)
        lost = max(1, np.abs([one, other]).max() / apart)
        assert float(ours[attr]) == pytest.approx(theirs, abs=1e-6 * lost)


def test_rows_without_weight_do_not_count():
    random = np.random.default_rng(0)
    gold, pred = jnp.asarray(random.uniform(-1, 1, (2, 10, 3)), jnp.float32)
    weight = jnp.asarray(random.uniform(size=(10, 3)) > 0.4, jnp.float32)
    for attr in range(3):
        rows = np.flatnonzero(weight[:, attr])
        alone = ccc(gold[rows], pred[rows], ones(gold[rows]))[attr]
        assert float(ccc(gold, pred, weight)[attr]) == pytest.approx(float(alone), abs=1e-6)


CONSTANT = {
    "constant predictions": ([[0.1], [0.5]], [[0.2], [0.2]], [[1.0], [1.0]]),
    "constant labels": ([[0.2], [0.2]], [[0.1], [0.5]], [[1.0], [1.0]]),
    "constant and equal": ([[0.2], [0.2]], [[0.2], [0.2]], [[1.0], [1.0]]),
    "constant and unequal": ([[0.2], [0.2]], [[0.3], [0.3]], [[1.0], [1.0]]),
    "a batch of one": ([[0.2]], [[0.3]], [[1.0]]),
    "a batch of one, hit": ([[0.2]], [[0.2]], [[1.0]]),
    "no labels": ([[0.0], [0.0]], [[0.1], [0.4]], [[0.0], [0.0]]),
}


@pytest.mark.parametrize("case", CONSTANT)
def test_degenerate_batches_stay_finite(case):
    gold, pred, weight = (jnp.asarray(x, jnp.float32) for x in CONSTANT[case])
    value, gradient = jax.value_and_grad(lambda p: ccc_loss(gold, p, weight).sum())(pred)
    assert ccc(gold, pred, weight)[0] == 0
    assert value == (0 if case == "no labels" else 1)
    assert np.isfinite(gradient).all()


def test_divergence_is_not_hidden():
    gold = jnp.array([[0.1], [0.5]])
    assert np.isnan(ccc(gold, jnp.array([[jnp.nan], [0.2]]), ones(gold))[0])


def test_weightings():
    assert no_weights() == (1, 1, 1)
    assert two_weights(0.7, 0.2) == pytest.approx((0.7, 0.2, 0.1))
    assert two_weights(0.9, 0.9)[2] == pytest.approx(-0.8)
    assert three_weights(0.9, 0.9, 0.2) == (0.9, 0.9, 0.2)
    assert single_task("arousal") == (0, 1, 0)
    with pytest.raises(ValueError, match="anger"):
        single_task("anger")


def test_multitask_loss_is_the_weighted_sum():
    random = np.random.default_rng(1)
    gold, pred = jnp.asarray(random.uniform(-1, 1, (2, 10, 3)), jnp.float32)
    losses = ccc_loss(gold, pred, ones(gold))
    weighted = multitask_loss(gold, pred, ones(gold), jnp.array([0.7, 0.2, 0.1]))
    expected = 0.7 * float(losses[0]) + 0.2 * float(losses[1]) + 0.1 * float(losses[2])
    assert float(weighted) == pytest.approx(expected, abs=1e-6)


def test_weight_zero_gives_no_gradient():
    random = np.random.default_rng(2)
    gold, pred = jnp.asarray(random.uniform(-1, 1, (2, 10, 3)), jnp.float32)
    gradient = jax.grad(multitask_loss, 1)(
        gold, pred, ones(gold), jnp.asarray(single_task("valence"))
    )
    assert (gradient[:, 1:] == 0).all()
    assert (gradient[:, 0] != 0).any()


def test_squared_errors_are_means_over_the_labels_that_are_there():
    gold = jnp.array([[1.0, 0, 5], [3, 0, 5], [7, 0, 5]])
    pred = jnp.array([[0.0, 0, 1], [1, 3, 1], [0, 0, 1]])
    weight = jnp.array([[1.0, 1, 0], [1, 1, 0], [0, 1, 0]])
    # (1 + 4) / 2, 9 / 3, and nothing.
    np.testing.assert_allclose(mse_loss(gold, pred, weight), [2.5, 3, 0], atol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_finite_and_0_without_labels(name):
    gold = jnp.array([[0.5, 0.1, 0], [0.5, -0.3, 0]])
    weight = jnp.array([[1.0, 1, 0], [1, 1, 0]])
    for pred in (gold, jnp.zeros_like(gold), gold[::-1]):
        value, gradient = jax.value_and_grad(lambda p: LOSSES[name](gold, p, weight).sum())(pred)
        assert jnp.isfinite(value)
        assert jnp.isfinite(gradient).all()
    assert LOSSES[name](gold, pred, weight)[2] == 0
    assert LOSSES[name](gold, gold, weight)[1] == pytest.approx(0, abs=1e-6)


def test_the_fixed_weighting_is_the_papers():
    losses, weights = jnp.array([0.5, 0.25, 1.0]), jnp.array([0.7, 0.2, 0.1])
    fixed = WEIGHTINGS["fixed"]
    assert float(fixed.combine((), (), losses, weights)) == pytest.approx(
        0.35 + 0.05 + 0.1, abs=1e-6
    )
    assert (fixed.learned, fixed.memory, fixed.remember) == ((), (), None)
