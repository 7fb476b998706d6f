"""The gradient of a step, and what a run with each weighting does, watched or not."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laned import DATASET, LANES, assert_same, compiled, train
from tiny import DENSE, make_dataset

from dser_jax.loss import METHODS, WEIGHTINGS, Weighting, find_gradient, needed, weighted_sum
from dser_jax.models import Factors
from dser_jax.plan.runs import RunSpec
from dser_jax.system import DserError
from dser_jax.training.hparams import HParams
from dser_jax.training.run import make_run

ONES = jnp.ones(3)


def losses_of(params):
    """Three losses of a shared layer and three heads, and nothing else."""
    hidden = jnp.tanh(jnp.array([0.3, -0.8, 0.5]) @ params["shared"])
    heads = jnp.stack([params[name] @ hidden for name in ("valence", "arousal", "dominance")])
    return (heads - jnp.array([1.0, -0.5, 0.3])) ** 2, ()


PARAMS = {
    "shared": jnp.array(np.random.default_rng(0).standard_normal((3, 4)), jnp.float32),
    **{
        name: jnp.array(np.random.default_rng(seed).standard_normal(4), jnp.float32)
        for seed, name in enumerate(("valence", "arousal", "dominance"), 1)
    },
}
WEIGHTS = jnp.array([0.5, 0.3, 0.2])
WHOLE = Factors(PARAMS, {})
"""Nothing in fewer numbers than it has."""


def test_watching_changes_no_gradient_and_tells_what_each_task_wants():
    fixed = WEIGHTINGS["fixed"]
    plain = find_gradient(fixed, losses_of, PARAMS, (), WEIGHTS, {})
    seen = find_gradient(fixed, losses_of, PARAMS, (), WEIGHTS, {}, WHOLE)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), plain.gradient, seen.gradient
    )
    each = [
        WEIGHTS[task] * jax.grad(lambda p, task=task: losses_of(p)[0][task])(PARAMS)["shared"]
        for task in range(3)
    ]
    gram = [[float((a * b).sum()) for b in each] for a in each]
    np.testing.assert_allclose(seen.gram, gram, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(seen.shares, WEIGHTS, atol=1e-6)
    assert plain.gram is None


def test_heads_get_the_gradient_of_their_own_loss():
    for name in METHODS["gradients"][1:]:
        weighting = WEIGHTINGS[name]
        given = needed(weighting, jax.random.key(0), jnp.float32(0), jnp.int32(0))
        found = find_gradient(weighting, losses_of, PARAMS, weighting.memory, WEIGHTS, given, WHOLE)
        each = jax.grad(lambda p: (WEIGHTS * losses_of(p)[0]).sum())(PARAMS)
        for head in ("valence", "arousal", "dominance"):
            np.testing.assert_allclose(found.gradient[head], each[head], atol=1e-6)
        if name != "gradnorm":  # It begins with the sum.
            assert not np.allclose(found.gradient["shared"], each["shared"], atol=1e-4), name


def test_a_weighting_that_asks_for_what_there_is_not_is_refused(monkeypatch):
    monkeypatch.setitem(WEIGHTINGS, "odd", Weighting(weighted_sum, needs=("mood",)))
    with pytest.raises(DserError, match=r"'odd' needs 'mood'; there are key, setting"):
        make_run(dataclasses.replace(SMALL, weighting="odd"), DATASET.words, 3)


def spec(name, method=0, setting=0.0, weights=(1.0, 1, 1), seed=0):
    hparams = HParams(
        loss_weights=np.array(weights, np.float32),
        method=np.int32(method),
        weighting_setting=np.float32(setting),
        learning_rate=np.float32(0.003),
    )
    return RunSpec(name, hparams, seed)


FAMILIES = ("losses", "gradients", "famo")
SMALL = dataclasses.replace(DENSE, max_epochs=6)
"""Weightings know no recurrence; those that look back begin with the third epoch."""


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    config = dataclasses.replace(SMALL, weighting=request.param, watch_gradients=True)
    names = METHODS.get(request.param, ("famo",))
    runs = [spec(name, number) for number, name in enumerate(names)]
    runs += [spec("another seed", 0, seed=1)]
    runs += [spec("a setting", 3 if request.param == "losses" else 2, 0.9)]
    program = compiled(LANES, config)
    return config, runs, program, train(runs, program, config)


def test_lanes_law_holds_whatever_the_neighbours_weigh_by(family):
    config, runs, program, found = family
    names = [each.name for each in runs]
    assert_same(train(runs[::-1], program, config), found, names)
    # Each method makes a network of its own.
    finals = {name: found[name].result.test_pred.tobytes() for name in names}
    same = {"a setting", "famo"} if len(runs) == 3 else set()
    assert len({finals[name] for name in finals if name not in same}) == len(finals) - len(same)
    assert all(np.isfinite(found[name].result.test_pred).all() for name in names)


def test_what_was_watched_is_of_each_epoch(family):
    _, runs, _, found = family
    for each in runs:
        history = found[each.name].result.history
        epochs = int(found[each.name].result.epochs)
        for kept in history.watched:
            assert np.isfinite(kept[:epochs]).all()
        assert (np.abs(history.watched.cosines[:epochs]) <= 1 + 1e-5).all()
        assert (history.watched.norms[:epochs] > 0).all()
    shares = found[runs[0].name].result.history.watched.shares
    if runs[0].name in ("fixed", "sum"):
        np.testing.assert_allclose(shares[: SMALL.max_epochs], 1, atol=1e-5)


def test_a_family_and_its_method_alone_train_alike():
    """Also the plain sum of gradients and eq. 6, which are one in mathematics."""
    results = {}
    for weighting, method in (("fixed", 0), ("losses", 0), ("gradients", 0)):
        config = dataclasses.replace(SMALL, weighting=weighting)
        run = [spec("a", method, weights=(0.7, 0.2, 0.1))]
        results[weighting] = train(run, compiled(1, config), config)
    for other in ("losses", "gradients"):
        assert_same(results["fixed"], results[other], ["a"], exactly=False)


def test_weight_on_one_task_is_that_task_alone():
    """Bitwise: what weighs nothing has no part in any sum."""
    program = compiled(LANES, SMALL)
    given = [spec("a", weights=(1, 0, 0)), spec("b", weights=(1.0, 0.0, -0.0))]
    found = train(given, program, SMALL)
    np.testing.assert_array_equal(
        found["a"].result.validation_pred[:, 0], found["b"].result.validation_pred[:, 0]
    )


def test_the_losses_of_an_epoch_count_by_their_labels(monkeypatch):
    """A batch without a label has no loss, which must not lower the mean."""
    weighting = Weighting(
        weighted_sum, memory=np.zeros(3, np.float32), remember=lambda memory, losses: losses
    )
    monkeypatch.setitem(WEIGHTINGS, "mean", weighting)
    config = dataclasses.replace(SMALL, weighting="mean", batch_size=1, max_epochs=1)
    sparse = make_dataset(missing=True)  # Of valence every third is missing, of dominance all.
    run = make_run(config, sparse.words, sparse.embedding_dim)
    state = run.init(jax.random.key(0), sparse.data)
    after = jax.jit(run.epoch)(jax.tree.map(jnp.asarray, HParams()), state, sparse.data)
    np.testing.assert_allclose(after.memory, [1, 1, 0])  # One utterance alone has no CCC.
