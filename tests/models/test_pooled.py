"""Pooling and mixing against NumPy, and networks that pool."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.core import unfreeze

from dser_jax.config import Config
from dser_jax.models.network import Batch, Rates
from dser_jax.models.pooling import AttentiveStatistics, LayerMix, even, statistics
from dser_jax.models.table import make_network

RATES = Rates(*[jnp.float32(0.0)] * 3)


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


def test_even_statistics_are_means_and_deviations_of_real_steps():
    x, real = random(3, 5, 2), np.arange(5)[None] >= np.array([[0], [3], [5]])
    found = np.asarray(statistics(jnp.asarray(x), even(jnp.asarray(real))))
    expected = np.concatenate([x[0].mean(0), x[0].std(0)])
    np.testing.assert_allclose(found[0], expected, atol=1e-4)
    np.testing.assert_allclose(found[1, :2], x[1, 3:].mean(0), atol=1e-5)
    assert np.isfinite(found).all()  # The last has no step at all.
    np.testing.assert_allclose(found[2, :2], 0, atol=1e-6)


def test_attention_weighs_real_steps_alone():
    x, real = jnp.asarray(random(2, 4, 3)), jnp.array([[False, True, True, True], [False] * 4])
    module = AttentiveStatistics(5)
    params = module.init(jax.random.key(0), x, real)
    before = module.apply(params, x, real)
    after = module.apply(params, x.at[:, 0].set(99.0), real)
    np.testing.assert_array_equal(before, after)
    assert np.isfinite(np.asarray(before)).all()
    # By hand, from the module's own parameters.
    kernels = unfreeze(params)["params"]
    hidden = np.tanh(np.asarray(x[0]) @ kernels["attention"]["kernel"])
    score = (hidden @ kernels["score"]["kernel"])[1:, 0]
    share = np.exp(score - score.max()) / np.exp(score - score.max()).sum()
    np.testing.assert_allclose(before[0, :3], share @ np.asarray(x[0, 1:]), rtol=1e-4, atol=1e-5)


def test_layers_weigh_the_same_at_first_and_can_be_told_apart():
    x = jnp.asarray(random(2, 3, 8))
    mix = LayerMix(4)
    params = unfreeze(mix.init(jax.random.key(0), x))
    apart = np.asarray(x).reshape(2, 3, 4, 2)
    np.testing.assert_allclose(mix.apply(params, x), apart.mean(2), atol=1e-6)
    params["params"]["weights"] = jnp.array([0.0, 0.0, 50.0, 0.0])
    params["params"]["scale"] = jnp.array([2.0])
    np.testing.assert_allclose(mix.apply(params, x), 2 * apart[:, :, 2], atol=1e-5)


@pytest.mark.parametrize("name", ["mlp", "attention"])
@pytest.mark.parametrize("steps", [1, 6])
def test_rows_of_a_batch_do_not_see_each_other(name, steps):
    """Neither what else is in the batch nor what stands on padding changes a row."""
    config = Config(acoustic=name, text=name, units=5, layers=2, fusion=(4, 3))
    network = make_network(config, 7, 3)
    frames = None if steps == 1 else jnp.array([6, 2, 0])
    x, tokens = jnp.asarray(random(3, steps, 4)), jnp.array([[0, 0, 1], [0, 2, 6], [0, 0, 0]])
    batch = Batch(x, tokens, jnp.ones(3, bool), frames)
    params = jax.jit(network.init, static_argnums=3)(jax.random.key(0), batch, RATES, False)
    apply = jax.jit(network.apply, static_argnums=3)
    whole = apply(params, batch, RATES, False)
    assert np.isfinite(np.asarray(whole)).all()
    padded = batch if steps == 1 else batch._replace(acoustic=x.at[1, :4].set(9.0))
    alone = Batch(*(None if each is None else each[1:2] for each in padded))
    np.testing.assert_allclose(
        apply(params, alone, RATES, False)[0], np.asarray(whole)[1], atol=1e-5
    )


def test_a_text_half_reads_features_in_the_place_of_tokens():
    config = Config(acoustic="dense", text="mlp", units=4, layers=1, fusion=(3, 3), mix_layers=True)
    network = make_network(config, layers=(1, 2))
    batch = Batch(
        jnp.asarray(random(2, 1, 3)), None, jnp.ones(2, bool), text=jnp.asarray(random(2, 1, 8))
    )
    params = network.init(jax.random.key(0), batch, RATES, False)
    assert params["params"]["text_mix"]["weights"].shape == (2,)
    assert params["params"]["text"]["layers"]["dense_0"]["kernel"].shape == (4, 4)
    assert network.apply(params, batch, RATES, False).shape == (2, 3)
    beside = make_network(Config(acoustic=None, text="mlp", units=4, layers=1), layers=(1, 2))
    batch = batch._replace(acoustic=None)
    params = beside.init(jax.random.key(0), batch, RATES, False)
    assert params["params"]["text"]["layers"]["dense_0"]["kernel"].shape == (8, 4)
