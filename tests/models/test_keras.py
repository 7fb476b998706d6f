"""Whole networks against Keras 3: what they predict, and how one optimizer step changes them."""

import dataclasses
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict
from keras_reference import (
    by_their_names,
    copy_to_keras,
    make_model,
    named,
    usual_promotion,
    zeros_at_first,
)
from scipy.stats import ks_2samp

from dser_jax.config import Config
from dser_jax.data.dataset import Data
from dser_jax.loss.losses import multitask_loss
from dser_jax.models.network import Batch, Rates
from dser_jax.models.schedules import SCHEDULES, VARIABLE
from dser_jax.models.table import MODELS, make_network
from dser_jax.training.hparams import HParams
from dser_jax.training.optimizers import OPTIMIZERS, rmsprop
from dser_jax.training.run import make_run
from dser_jax.training.state import Weights

NO_DROPOUT = Rates(*[jnp.float32(0.0)] * 3)
LOSS_WEIGHTS = (0.7, 0.2, 0.1)
WORDS, TOKENS = 9, 14
UTTERANCES, FILLING = 6, 2
FUNCTIONALS, SEQUENCES = (1, 30), (24, 5)
SMALL = Config(
    units=4,
    embedding_dim=5,
    text_dense=6,
    fusion=(7, 5),
    max_tokens=TOKENS,
    batch_size=8,
    padding="keras",  # as Keras does without masks; masks: test_models_recurrence
)
small = partial(dataclasses.replace, SMALL)


class Arrays(NamedTuple):
    """What both sides are given; `acoustic` as ours takes it."""

    acoustic: np.ndarray | None
    tokens: np.ndarray | None
    gold: np.ndarray

    def batch(self, real) -> Batch:
        acoustic, tokens = (None if x is None else jnp.asarray(x) for x in self[:2])
        return Batch(acoustic, tokens, real)

    def theirs(self, config: Config, rows: slice) -> list[np.ndarray]:
        """Returns Keras' inputs: a CNN sees functionals as steps of one channel."""
        acoustic = self.acoustic
        if config.acoustic == "cnn" and acoustic.shape[1] == 1:
            acoustic = acoustic.reshape(len(acoustic), -1, 1)
        return [x[rows] for x in (acoustic, self.tokens) if x is not None]


def make_arrays(config: Config, shape: tuple[int, int], rows: int) -> Arrays:
    random = np.random.default_rng(1)
    acoustic = random.normal(1, 2, (rows, *shape)).astype(np.float32)
    tokens = random.integers(1, WORDS, (rows, TOKENS)).astype(np.int32)
    tokens[:, :4] = 0  # padding in front
    gold = random.uniform(-1, 1, (rows, 3)).astype(np.float32)
    return Arrays(acoustic if config.acoustic else None, tokens if config.text else None, gold)


def randomize(shapes):
    """Makes variables of which none is a zero or a one, biases and running statistics included."""
    random = np.random.default_rng(3)
    made = {}
    for path, leaf in flatten_dict(shapes).items():
        values = random.normal(0, 0.4, leaf.shape)
        positive = path[-1] in ("scale", "var", "bias")  # of biases, lest ReLUs be dead
        made[path] = jnp.asarray(0.5 + abs(values) if positive else values, jnp.float32)
    return unflatten_dict(made)


def init_shapes(config: Config, arrays: Arrays):
    network = make_network(config, WORDS, config.embedding_dim)
    batch = arrays.batch(jnp.ones(len(arrays.gold), bool))
    return jax.eval_shape(
        lambda key: network.init(key, batch, NO_DROPOUT, False), jax.random.key(0)
    )


class Step(NamedTuple):
    """A network before, in and after one training step.

    The dictionaries are by Keras' (layer, variable), with the list of our arrays that stand for it.
    """

    evaluated: Any
    trained: Any
    loss: Any
    stats: dict
    gradient: dict
    change: dict


def our_step(config: Config, variables, arrays: Arrays) -> Step:
    """Takes the step of a last batch, which the last two rows only fill up."""
    network = make_network(config, WORDS, config.embedding_dim)
    real = jnp.arange(UTTERANCES + FILLING) < UTTERANCES
    batch, gold = arrays.batch(real), jnp.asarray(arrays.gold)
    weight = jnp.broadcast_to(real[:, None], gold.shape).astype(jnp.float32)
    optimizer = rmsprop(1e-3, epsilon_inside=True)

    @jax.jit
    def step(params, stats):
        def loss(params):
            pred, updated = network.apply(
                {"params": params, "batch_stats": stats},
                batch,
                NO_DROPOUT,
                True,
                rngs={"dropout": jax.random.key(0)},
                mutable=["batch_stats"],
            )
            loss = multitask_loss(gold, pred, weight, jnp.asarray(LOSS_WEIGHTS))
            return loss, (pred, updated.get("batch_stats", {}))

        evaluated = network.apply(
            {"params": params, "batch_stats": stats}, batch, NO_DROPOUT, False
        )
        (value, (pred, new)), gradient = jax.value_and_grad(loss, has_aux=True)(params)
        change, _ = optimizer.update(gradient, optimizer.init(params))
        return evaluated[:UTTERANCES], pred[:UTTERANCES], value, new, gradient, change

    *values, stats, gradient, change = step(variables["params"], variables.get("batch_stats", {}))
    return Step(*values, *map(by_their_names, (stats, gradient, change)))


def their_ccc_loss(gold, pred):
    """Computes eq. 3 of one attribute with Keras' operations."""
    from keras import ops

    gold, pred = ops.reshape(gold, (-1,)), ops.reshape(pred, (-1,))
    gold_mean, pred_mean = ops.mean(gold), ops.mean(pred)
    covariance = ops.mean((gold - gold_mean) * (pred - pred_mean))
    spread = ops.var(gold) + ops.var(pred) + ops.square(gold_mean - pred_mean)
    return 1 - 2 * covariance / spread


def their_model(config: Config, variables, inputs, rates=(0.0, 0.0, 0.0)):
    """Makes Keras' network with our values."""
    with zeros_at_first():
        model = make_model(config, WORDS, inputs[0].shape[1:], rates)
    copy_to_keras(variables, model)
    return model


def their_step(config: Config, variables, arrays: Arrays) -> Step:
    """Takes the step in Keras, on the rows that are real."""
    import keras

    rows = slice(UTTERANCES)
    inputs, gold = arrays.theirs(config, rows), arrays.gold[rows]
    model = their_model(config, variables, inputs)
    optimizer = keras.optimizers.RMSprop(1e-3)
    optimizer.build(model.trainable_variables)

    @jax.jit
    def step(params, others, slots):
        def loss(params):
            heads, new = model.stateless_call(params, others, inputs, training=True)
            losses = [their_ccc_loss(gold[:, i], head) for i, head in enumerate(heads)]
            weighted = sum(w * loss for w, loss in zip(LOSS_WEIGHTS, losses, strict=True))
            return weighted, (jnp.concatenate(heads, 1), new)

        evaluated, _ = model.stateless_call(params, others, inputs, training=False)
        (value, (pred, new)), gradient = jax.value_and_grad(loss, has_aux=True)(params)
        after, _ = optimizer.stateless_apply(slots, gradient, params)
        change = [a - b for a, b in zip(after, params, strict=True)]
        return jnp.concatenate(evaluated, 1), pred, value, new, gradient, change

    def values(variables):
        return [variable.value for variable in variables]

    trainable, others = model.trainable_variables, model.non_trainable_variables
    *shown, stats, gradient, change = step(
        values(trainable), values(others), values(optimizer.variables)
    )
    stats = named(others, stats)
    return Step(*shown, stats, named(trainable, gradient), named(trainable, change))


NETWORKS = [
    *((name, None, FUNCTIONALS) for name in MODELS["acoustic"]),
    *((name, None, SEQUENCES) for name in MODELS["acoustic"]),
    *((None, name, FUNCTIONALS) for name in MODELS["text"]),
    ("lstm", "lstm", FUNCTIONALS),
    ("cnn", "cnn", SEQUENCES),
    ("dense", "cnn", FUNCTIONALS),
    *((None, "lstm", FUNCTIONALS, name) for name in list(SCHEDULES)[1:]),
]


@pytest.fixture(
    scope="module",
    params=NETWORKS,
    ids=lambda p: "-".join([p[0] or "none", p[1] or "none", f"{p[2][0]}x{p[2][1]}", *p[3:]]),
)
def steps(request):
    """The same step of a network, ours under the strict flags of the tests and theirs without."""
    pytest.importorskip("keras")
    acoustic, text, shape, *schedule = request.param
    config = small(acoustic=acoustic, text=text)
    arrays = make_arrays(config, shape, UTTERANCES + FILLING)
    variables = randomize(init_shapes(config, arrays))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, *(schedule or ["packed"]))
        ours = our_step(config, variables, arrays)
    with usual_promotion():
        theirs = their_step(config, variables, arrays)
    return ours, theirs, shape[0]


def same(ours, theirs, atol=1e-5, rtol=1e-5):
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), atol=atol, rtol=rtol)


def test_evaluation_equals_keras(steps):
    ours, theirs, _ = steps
    same(ours.evaluated, theirs.evaluated)


def test_training_equals_keras_in_predictions_loss_and_statistics(steps):
    ours, theirs, _ = steps
    same(ours.trained, theirs.trained)
    same(ours.loss, theirs.loss)
    assert ours.stats.keys() == theirs.stats.keys()
    for name, (part,) in ours.stats.items():
        same(part, theirs.stats[name])


def test_one_optimizer_step_equals_keras(steps):
    # Both start from the same values, so equal changes are equal parameters. Our two LSTM biases
    # add up to Keras' one and have its gradient each. RMSprop divides a gradient by its size, so
    # each moves as Keras' one does, and their sum twice as far: the parts are compared.
    ours, theirs, acoustic_steps = steps
    assert ours.change.keys() == theirs.change.keys()
    for (layer, name), parts in ours.change.items():
        assert len(parts) == (2 if "lstm" in layer and name == "bias" else 1)
        for gradient, change in zip(ours.gradient[layer, name], parts, strict=True):
            same(gradient, theirs.gradient[layer, name], atol=1e-5)
            same(change, theirs.change[layer, name], atol=3e-6)
            # The first step of a sequence knows no state, and functionals are one step.
            stateless = acoustic_steps == 1 and layer.startswith("acoustic")
            # One step has all of the attention, and a score that all steps share changes nothing.
            alone = "pooling" in layer and (stateless or name == "bias")
            if stateless and name == "recurrent_kernel":
                assert not change.any()
            elif not alone:
                assert np.abs(change).max() > 5e-6, (layer, name)
            if stateless and "lstm" in layer:
                assert not change[..., SMALL.units : 2 * SMALL.units].any()  # the forget gate
    if ("text_embedding", "embeddings") in ours.change:
        (table,) = ours.change["text_embedding", "embeddings"]
        pools = any(layer.startswith("text_layers") for layer, _ in ours.change)
        assert (table[0] != 0).all() != pools  # the padding's vector is trained, but where it pools


def test_dropout_is_where_keras_has_it(keras, monkeypatch):
    keras.utils.set_random_seed(0)
    config = small(acoustic="dense", text="dense")
    arrays = make_arrays(config, FUNCTIONALS, UTTERANCES)
    variables = randomize(init_shapes(config, arrays))
    inputs = arrays.theirs(config, slice(None))
    rates = (0.3, 0.5, 0.4)
    model = their_model(config, variables, inputs, rates)
    dropouts = [model.get_layer(f"{name}_dropout") for name in Rates._fields]
    spying = keras.Model(model.inputs, [*model.outputs, *(layer.output for layer in dropouts)])
    outputs = [np.asarray(y) for y in spying(inputs, training=True)]
    heads, dropped = outputs[:3], outputs[3:]

    # Ours draws from Keras' masks: a value is kept where the number reaches the rate. A zero that
    # Keras kept counts as dropped, which is the same zero.
    masks = [jnp.asarray(y != 0, jnp.float32) for y in dropped]
    assert all(0 < mask.mean() < 1 for mask in masks)
    draws = iter(masks)
    monkeypatch.setattr(jax.random, "uniform", lambda key, shape: next(draws))
    pred, _ = make_network(config, WORDS, config.embedding_dim).apply(
        variables,
        arrays.batch(jnp.ones(UTTERANCES, bool)),
        Rates(*map(jnp.float32, rates)),
        True,
        rngs={"dropout": jax.random.key(0)},
        mutable=["batch_stats"],
    )
    same(pred, np.concatenate(heads, 1))
    assert next(draws, None) is None


def test_values_are_drawn_as_keras_draws_them(keras):
    keras.utils.set_random_seed(0)
    config = small(acoustic="cnn", text="dense", units=16, embedding_dim=16)
    arrays = make_arrays(config, SEQUENCES, UTTERANCES)
    network = make_network(config, WORDS, config.embedding_dim)
    batch = arrays.batch(jnp.ones(UTTERANCES, bool))
    init = jax.jit(lambda key: network.init(key, batch, NO_DROPOUT, False))
    variables = init(jax.random.key(0))
    model = make_model(config, WORDS, SEQUENCES)
    theirs = named(model.variables, [v.value for v in model.variables])
    ours = by_their_names(variables["params"]) | by_their_names(variables["batch_stats"])
    assert ours.keys() == theirs.keys()
    for name, parts in ours.items():
        one, other = np.sum(parts, axis=0), np.asarray(theirs[name])
        if name[1] in ("kernel", "recurrent_kernel", "embeddings"):
            assert ks_2samp(one.ravel(), other.ravel(), method="asymp").pvalue > 1e-3, name
        else:
            np.testing.assert_array_equal(one, other, str(name))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras' own
def test_epochs_equal_keras_fit(monkeypatch):
    # Batches of 8, 8 and 6 utterances in the rows' order, validation batches of 8 and 5.
    pytest.importorskip("keras")
    monkeypatch.setitem(OPTIMIZERS, "rmsprop", partial(rmsprop, epsilon_inside=True))
    monkeypatch.setattr(jax.random, "permutation", lambda key, rows: rows)
    config = small(acoustic="dense", text=None, protocol="paper", max_epochs=8)
    arrays = make_arrays(config, FUNCTIONALS, 35)
    variables = randomize(init_shapes(config, arrays))
    train, validation = slice(22), slice(22, 35)
    rows = np.arange(35, dtype=np.int32)
    data = Data(*arrays, np.ones((35, 3), bool), rows[train], rows[validation], rows[:1], None)
    hparams = HParams(np.float32(LOSS_WEIGHTS), *np.float32([0, 0, 0, 0.01]), patience=np.int32(2))
    run = make_run(config, WORDS, config.embedding_dim)
    state = jax.jit(run.init)(jax.random.key(0), data)
    state = state._replace(weights=Weights(variables["params"], variables["batch_stats"]))
    epoch = jax.jit(run.epoch)
    for _ in range(config.max_epochs):
        state = epoch(hparams, state, data)

    with usual_promotion():
        history, stopping, model = their_fit(config, variables, arrays, train, validation)
    epochs = len(history["loss"])
    assert 2 < epochs < config.max_epochs
    assert int(state.epoch) == epochs
    assert int(state.best.epoch) == stopping.best_epoch + 1
    same(state.history.train_loss[:epochs], history["loss"])
    same(state.history.validation_loss[:epochs], history["val_loss"])
    best = state.best.weights
    ours = by_their_names(best.params) | by_their_names(best.stats)
    for name, value in named(model.variables, [v.value for v in model.variables]).items():
        same(ours[name][0], value)


def their_fit(config: Config, variables, arrays: Arrays, train: slice, validation: slice):
    import keras

    model = their_model(config, variables, arrays.theirs(config, train))
    model.compile(
        keras.optimizers.RMSprop(0.01),
        loss=[their_ccc_loss] * 3,
        loss_weights=list(LOSS_WEIGHTS),
    )
    stopping = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    history = model.fit(
        arrays.theirs(config, train),
        np.split(arrays.gold[train], 3, axis=1),
        validation_data=(
            arrays.theirs(config, validation),
            np.split(arrays.gold[validation], 3, axis=1),
        ),
        batch_size=config.batch_size,
        epochs=config.max_epochs,
        shuffle=False,
        callbacks=[stopping],
        verbose=0,
    )
    return history.history, stopping, model
