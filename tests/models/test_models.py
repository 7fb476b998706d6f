"""Networks against the paper's parameter counts and against Keras 3 as a referee."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from dser_jax.config import Config
from dser_jax.data.dataset import Data
from dser_jax.models.layers import LSTM, BatchNorm, Dropout, dense, orthogonal
from dser_jax.models.network import HEADS, Batch, Rates
from dser_jax.models.sequences import arrange, every_step
from dser_jax.models.table import MODELS, make_network
from dser_jax.system.errors import DserError
from dser_jax.training.hparams import HParams
from dser_jax.training.optimizers import rmsprop
from dser_jax.training.run import make_run

RATES = Rates(*[jnp.float32(0.0)] * 3)


def random(*shape, seed=0, scale=1.0):
    return np.random.default_rng(seed).normal(0, scale, shape).astype(np.float32)


def count(config, batch, words=0, dim=0):
    network = make_network(config, words, dim)
    shapes = jax.eval_shape(lambda key: network.init(key, batch, RATES, False), jax.random.key(0))
    return sum(np.prod(leaf.shape) for leaf in jax.tree.leaves(shapes["params"]))


def test_acoustic_lstm_has_the_papers_parameter_count():
    batch = Batch(jnp.zeros((2, 1, 68)), None, jnp.ones(2, bool))
    assert count(Config(text=None), batch) == 1_387_403  # Fig. 2


def test_acoustic_cnn_has_the_papers_parameter_count():
    batch = Batch(jnp.zeros((2, 1, 68)), None, jnp.ones(2, bool))
    assert count(Config(acoustic="cnn", text=None), batch) == 1_348_613  # Fig. 2


def test_text_and_bimodal_parameter_counts():
    tokens = jnp.zeros((2, 100), jnp.int32)
    # Embedding, three LSTM layers with two biases, dense 64, three heads.
    text = 3438 * 300 + (556 * 1024 + 2048) + 2 * (512 * 1024 + 2048) + 257 * 64
    batch = Batch(None, tokens, jnp.ones(2, bool))
    assert count(Config(acoustic=None), batch, 3438, 300) == text + 3 * 65
    acoustic = 1_387_403 - 3 * 257
    fusion = (256 + 64 + 1) * 64 + 65 * 32 + 3 * 33
    batch = Batch(jnp.zeros((2, 1, 68)), tokens, jnp.ones(2, bool))
    assert count(Config(), batch, 3438, 300) == acoustic + text + fusion


def test_unknown_network_names_those_there_are():
    with pytest.raises(DserError, match=r"'transformer'; there are lstm, cnn, dense"):
        make_network(Config(acoustic="transformer"))


@pytest.mark.parametrize("steps", [1, 7])
def test_lstm_stack_equals_keras(keras, steps):
    x = random(3, steps, 5)
    stack = keras.Sequential([keras.layers.LSTM(4, return_sequences=True) for _ in range(3)])
    expected_shape = stack(x).shape
    ours = arrange(jnp.asarray(x), jnp.full(3, steps))
    for number, layer in enumerate(stack.layers):
        kernel, recurrent, bias = (
            random(*w.shape, seed=7 * number + i, scale=0.5) for i, w in enumerate(layer.weights)
        )
        layer.set_weights([kernel, recurrent, bias])
        half = random(*bias.shape, seed=99)
        params = {
            "kernel": kernel,
            "recurrent_kernel": recurrent,
            "bias": bias - half,
            "recurrent_bias": half,
        }
        ours = LSTM(4).apply({"params": params}, ours)
    states = every_step(ours)
    assert states.shape == expected_shape
    np.testing.assert_allclose(states, stack(x), atol=1e-5)


def test_batch_norm_equals_keras_in_training_and_after(keras):
    layer = keras.layers.BatchNormalization()
    norm = BatchNorm()
    real = jnp.ones((6, 1), bool)
    first = random(6, 3, 4, scale=3)
    variables = norm.init(jax.random.key(0), jnp.asarray(first), real, False)
    for seed in range(3):
        x = random(6, 3, 4, seed=seed, scale=3) + 1
        theirs = layer(x, training=True)
        ours, updated = norm.apply(variables, jnp.asarray(x), real, True, mutable=["batch_stats"])
        variables = variables | updated
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    np.testing.assert_allclose(
        norm.apply(variables, jnp.asarray(first), real, False), layer(first), atol=1e-5
    )


def test_batch_norm_leaves_filling_rows_out():
    norm = BatchNorm()
    x = jnp.asarray(random(6, 2, 4))
    real = (jnp.arange(6) < 4)[:, None]
    variables = norm.init(jax.random.key(0), x, real, False)
    full, stats = norm.apply(variables, x, real, True, mutable=["batch_stats"])
    part, part_stats = norm.apply(variables, x[:4], real[:4], True, mutable=["batch_stats"])
    np.testing.assert_allclose(full[:4], part, atol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), stats, part_stats)


def test_dense_equals_keras(keras):
    layer = keras.layers.Dense(3)
    x = random(5, 4)
    theirs = layer(x)
    kernel, bias = (w.value for w in layer.weights)
    ours = dense(3, "d").apply({"params": {"kernel": kernel, "bias": bias}}, x)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_rmsprop_step_equals_keras(keras):
    # Keras 3 adds epsilon under the root; the paper's Keras 2 outside of it. Both are checked:
    # the first against Keras 3 itself, the second by hand below.
    values = random(50)
    gradients = [random(50, seed=seed, scale=10.0**-seed) for seed in range(5)]
    variable = keras.Variable(values)
    theirs = keras.optimizers.RMSprop(1e-3)
    ours = rmsprop(1e-3, epsilon_inside=True)
    params = jnp.asarray(values)
    state = ours.init(params)
    for gradient in gradients:
        theirs.apply([jnp.asarray(gradient)], [variable])
        updates, state = ours.update(jnp.asarray(gradient), state)
        params = optax.apply_updates(params, updates)
        np.testing.assert_allclose(params, variable.value, atol=3e-6)


def test_rmsprop_adds_epsilon_to_the_root_as_keras_2_did():
    optimizer = rmsprop(1e-3)
    for gradient in (1.0, 1e-3, 1e-6):
        updates, _ = optimizer.update(jnp.float32(gradient), optimizer.init(jnp.float32(0.0)))
        # v = 0.1 g^2 after one step; the step is -lr g / (sqrt(v) + 1e-7)
        expected = -1e-3 * gradient / (np.sqrt(0.1 * gradient**2) + 1e-7)
        assert float(updates) == pytest.approx(expected, rel=1e-5)


def test_initial_weights_are_keras_kind():
    steps = arrange(jnp.zeros((1, 2, 32)), jnp.full(1, 2))
    params = LSTM(64).init(jax.random.key(0), steps)["params"]
    limit = np.sqrt(6 / (32 + 256))
    kernel = np.asarray(params["kernel"])
    assert np.abs(kernel).max() <= limit
    assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.03)
    recurrent = np.asarray(params["recurrent_kernel"])
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(64), atol=1e-5)
    assert (params["bias"] == 0).all()
    forget = np.repeat([0, 1, 0, 0], 64)
    np.testing.assert_array_equal(params["recurrent_bias"], forget)


@pytest.mark.parametrize("units", [1, 2, 16, 256])
def test_recurrent_kernels_are_those_of_a_qr_decomposition(units):
    shape = (units, 4 * units)
    theirs = nn.initializers.orthogonal()(jax.random.key(units), shape)
    np.testing.assert_allclose(orthogonal(jax.random.key(units), shape), theirs, atol=1e-5)


def test_embedding_starts_as_keras_does():
    batch = Batch(None, jnp.zeros((1, 4), jnp.int32), jnp.ones(1, bool))
    network = make_network(Config(acoustic=None, units=2), 500, 40)
    params = network.init(jax.random.key(0), batch, RATES, False)["params"]
    table = np.asarray(params["text"]["embedding"]["embedding"])
    assert table.shape == (500, 40)
    assert -0.05 <= table.min() < -0.049
    assert 0.049 < table.max() <= 0.05


def test_heads_start_as_keras_does_times_their_scale():
    batch = Batch(jnp.ones((2, 1, 5)), None, jnp.ones(2, bool))
    config = Config(acoustic="dense", text=None, units=6, layers=1)
    start = lambda config: make_network(config).init(jax.random.key(0), batch, RATES, False)  # noqa: E731
    usual = start(config)["params"]
    small = start(dataclasses.replace(config, head_scale=0.1))["params"]
    limit = np.sqrt(6 / (6 + 1))
    for name in usual:
        kernel = np.asarray(usual[name].get("kernel", 0.0))
        if name in HEADS:
            assert 0 < np.abs(kernel).max() <= limit
            np.testing.assert_allclose(small[name]["kernel"], 0.1 * kernel, rtol=1e-6)
        else:
            jax.tree.map(np.testing.assert_array_equal, usual[name], small[name])


def test_dropout_keeps_the_mean_and_can_be_switched_off():
    x = jnp.ones((200, 200))
    for rate in (0.0, 0.4, 0.9):
        y = Dropout().apply({}, x, jnp.float32(rate), True, rngs={"dropout": jax.random.key(0)})
        assert float((y == 0).mean()) == pytest.approx(rate, abs=0.01)
        assert float(y.mean()) == pytest.approx(1, abs=0.05)
    np.testing.assert_array_equal(Dropout().apply({}, x, jnp.float32(0.9), False), x)


@pytest.mark.parametrize(
    ("modality", "name"), [(modality, name) for modality in MODELS for name in MODELS[modality]]
)
def test_every_network_overfits_sixteen_utterances(modality, name):
    halves = {"acoustic": None, "text": None} | {modality: name}
    config = Config(
        **halves, units=8, layers=1, taps=(3,), embedding_dim=4, text_dense=8, max_epochs=200
    )
    acoustic = random(16, 1, 12) if modality == "acoustic" else None
    tokens = (
        np.random.default_rng(0).integers(0, 9, (16, 6), np.int32) if acoustic is None else None
    )
    gold = np.random.default_rng(1).uniform(-1, 1, (16, 3)).astype(np.float32)
    rows = np.arange(16, dtype=np.int32)  # for training and, to have their CCC, for validation
    data = Data(acoustic, tokens, gold, np.ones((16, 3), bool), rows, rows, rows, None)
    hparams = HParams(np.ones(3, np.float32), *np.float32([0, 0, 0, 0.01]), np.int32(200))
    run = make_run(config, 9, config.embedding_dim)
    init, epoch = map(jax.jit, (run.init, run.epoch))
    state = init(jax.random.key(0), data)
    for number in range(config.max_epochs):
        state = epoch(hparams, state, data)
        assert np.isfinite(state.history.train_loss[number])
        if (state.history.validation_ccc[number] > 0.9).all():
            return
    pytest.fail(f"CCCs of {state.history.validation_ccc[-1]} after {config.max_epochs} epochs")
