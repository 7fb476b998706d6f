"""The recurrence and its own gradient against a plain scan over all steps, padding included."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

from dser_jax.config import Config
from dser_jax.models.layers import LSTM
from dser_jax.models.recurrence import Kernels
from dser_jax.models.schedules import FEW, RULE, SCHEDULES, VARIABLE, choose, scheduled
from dser_jax.models.sequences import (
    arrange,
    every_step,
    find_places,
    last_step,
    real_steps,
    token_lengths,
)
from dser_jax.system.errors import DserError

FEAT, UNITS = 3, 4


@pytest.fixture
def schedule(request, monkeypatch):
    """Takes a schedule by its name, in chunks so short that there are several."""
    made = SCHEDULES[request.param]
    short = dataclasses.replace(made, chunk=5, unroll=min(made.unroll, 3))
    monkeypatch.setitem(SCHEDULES, request.param, short)
    monkeypatch.setenv(VARIABLE, request.param)
    return request.param


def plain(x, lengths, padding, layers):
    """Keras' LSTM, step by step, over padding and all, in as few words as possible."""
    real = real_steps(lengths, x.shape[1])
    if padding is not None:
        x = jnp.where(real[..., None], x, padding[None, None])

    def step(kernels, carry, inputs):
        x, real = inputs
        state, cell = carry
        gates = x @ kernels.inputs + state @ kernels.recurrent + kernels.bias[None]
        i, f, g, o = jnp.split(gates, 4, axis=-1)
        new_cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
        new_state = jax.nn.sigmoid(o) * jnp.tanh(new_cell)
        if padding is None:
            new_state = jnp.where(real[:, None], new_state, 0.0)
            new_cell = jnp.where(real[:, None], new_cell, 0.0)
        return (new_state, new_cell), new_state

    for kernels in layers:
        zeros = jnp.zeros((x.shape[0], UNITS), x.dtype)
        inputs = (x.swapaxes(0, 1), real.swapaxes(0, 1))
        _, x = jax.lax.scan(lambda *a, k=kernels: step(k, *a), (zeros, zeros), inputs)
        x = x.swapaxes(0, 1)
    return x


def ours(x, lengths, padding, layers, half=False):
    steps = arrange(x, lengths, padding)
    for kernels in layers:
        params = {
            "kernel": kernels.inputs,
            "recurrent_kernel": kernels.recurrent,
            "bias": kernels.bias,
            "recurrent_bias": jnp.zeros_like(kernels.bias),
        }
        steps = LSTM(UNITS, half).apply({"params": params}, steps)
    return every_step(steps)


def made_up(rows, steps, lanes, kind, fed):
    random = np.random.default_rng(rows * steps)

    def normal(*shape, scale=1.0):
        return random.normal(0, scale, (lanes, *shape)).astype(kind)

    lengths = random.integers(0, steps + 1, (lanes, rows)).astype(np.int32)
    padding = normal(FEAT) if fed else None
    x = normal(rows, steps, FEAT)
    if fed:
        real = np.arange(steps) >= steps - lengths[..., None]
        x = np.where(real[..., None], x, padding[:, None, None]).astype(kind)
    layers = [
        Kernels(normal(width, 4 * UNITS), normal(UNITS, 4 * UNITS, scale=0.7), normal(4 * UNITS))
        for width in (FEAT, UNITS)
    ]
    return x, lengths, padding, layers, normal(rows, steps, UNITS)


def values_and_gradients(function, arrays):
    def loss(x, padding, layers, lengths, weights):
        found = function(x, lengths, padding, layers)
        return (weights * found).sum() + (found**3).sum(), found

    x, lengths, padding, layers, weights = arrays
    each = jax.vmap(jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True))
    return jax.jit(each)(x, padding, layers, lengths, weights)


def without_padding(found, lengths):
    """Sets to zero the gradient of inputs on padding: a plain scan sees those, we do not."""
    (loss, states), (d_x, *others) = found
    real = np.arange(d_x.shape[2]) >= d_x.shape[2] - lengths[..., None]
    return loss, states, np.where(real[..., None], d_x, 0.0), others


@pytest.mark.parametrize("fed", [False, True])
@pytest.mark.parametrize(
    ("schedule", "rows", "steps", "lanes", "kind", "close"),
    [
        ("packed", 3, 1, 2, "float32", 1e-5),  # a single step is none of a schedule
        ("packed", 21, 12, 2, "float32", 1e-5),
        *(
            (name, *case)
            for name in SCHEDULES
            for case in (
                (3, 7, 1, "float64", 1e-12),
                (3, 11, 4, "float32", 1e-5),
                (10, 12, 3, "float64", 1e-12),
            )
        ),
    ],
    indirect=["schedule"],
)
def test_values_and_gradients_are_those_of_a_plain_scan(
    schedule, rows, steps, lanes, kind, close, fed
):
    with jax.enable_x64(kind == "float64"):
        arrays = made_up(rows, steps, lanes, kind, fed)
        found, expected = (
            without_padding(values_and_gradients(f, arrays), arrays[1]) for f in (ours, plain)
        )
        if fed and steps == 1:  # the only step is fed as it is: its gradient is the input's
            found, expected = found[:2], expected[:2]
        for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            assert one.dtype == other.dtype == kind
            largest = float(np.abs(other).max())  # Sums of such terms may be near zero.
            np.testing.assert_allclose(one, other, rtol=0, atol=close * max(1, largest))


@pytest.mark.usefixtures("optimized")
@pytest.mark.parametrize("fed", [False, True])
@pytest.mark.parametrize("schedule", ["packed", "lean"], indirect=True)
def test_a_lane_does_not_depend_on_how_long_its_neighbours_utterances_are(schedule, fed):
    x, lengths, padding, layers, weights = made_up(8, 12, 3, "float32", fed)
    lengths[0] = np.minimum(lengths[0], 3)
    found = []
    for others in (3, 12):  # the windows that all lanes share begin late, and at once
        lengths[1:] = np.minimum(others, 4 * np.ones_like(lengths[1:])) if others < 12 else 12
        arrays = (x, lengths.copy(), padding, layers, weights)
        found.append(jax.tree.map(lambda a: np.asarray(a[0]), values_and_gradients(ours, arrays)))
    jax.tree.map(np.testing.assert_array_equal, *found)


def test_gradient_is_that_of_differences():
    with jax.enable_x64(True):
        x, lengths, padding, layers, weights = jax.tree.map(
            lambda a: jnp.asarray(a[0]), made_up(3, 6, 1, "float64", True)
        )

        @jax.jit
        def loss(kernel):
            changed = [layers[0]._replace(recurrent=kernel), layers[1]]
            return (ours(x, lengths, padding, changed) * weights).sum()

        kernel = layers[0].recurrent
        gradient = jax.grad(loss)(kernel)
        direction = np.random.default_rng(9).normal(size=kernel.shape)
        difference = (loss(kernel + 1e-6 * direction) - loss(kernel - 1e-6 * direction)) / 2e-6
        assert float((gradient * direction).sum()) == pytest.approx(float(difference), abs=1e-7)


def test_a_recurrent_product_in_bfloat16_is_close_and_not_equal():
    x, lengths, _, layers, _ = jax.tree.map(
        lambda a: jnp.asarray(a[0]), made_up(3, 11, 1, "float32", False)
    )

    def loss(layers, half):
        found = ours(x, lengths, None, layers, half)
        return (found**2).sum(), found

    both = jax.jit(jax.value_and_grad(loss, has_aux=True), static_argnums=1)
    exact, near = (both(layers, half) for half in (False, True))
    for one, other in zip(jax.tree.leaves(near), jax.tree.leaves(exact), strict=True):
        assert one.dtype == jnp.float32
        assert (one != other).any()
        np.testing.assert_allclose(one, other, atol=0.02 * float(jnp.abs(other).max()))


@pytest.mark.parametrize("schedule", SCHEDULES, indirect=True)
def test_no_kernel_is_cast_inside_a_loop(schedule):
    x, lengths, padding, layers, _ = jax.tree.map(jnp.asarray, made_up(3, 11, 2, "float32", True))

    def loss(layers, x, lengths, padding):
        return (ours(x, lengths, padding, layers, half=True) ** 2).sum()

    gradient = jax.vmap(jax.grad(loss))
    inside, outside = casts(jax.make_jaxpr(gradient)(layers, x, lengths, padding).jaxpr)
    kernel = 2 * UNITS * 4 * UNITS  # of both lanes
    assert inside  # the states', which differ from step to step
    assert kernel not in inside
    assert kernel in outside


def casts(jaxpr, looped=False):
    """Sizes of what is cast to another type, inside of loops and outside."""
    found = [], []
    for equation in jaxpr.eqns:
        if equation.primitive.name == "convert_element_type":
            found[0 if looped else 1].append(equation.outvars[0].aval.size)
        loops = looped or equation.primitive.name in ("scan", "while")
        for inner in jaxprs_in_params(equation.params):
            for sizes, more in zip(found, casts(inner, loops), strict=True):
                sizes.extend(more)
    return found


def test_the_schedule_goes_with_the_device_and_is_overruled_by_name(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    packed, lean, rows = SCHEDULES.values()
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    assert choose(True, 8) == choose(False, 256) == packed
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert choose(True, 8) == choose(True, FEW) == rows
    assert choose(True, FEW + 1) == choose(False, 8) == choose(False, 256) == lean
    monkeypatch.setenv(VARIABLE, "packed")
    assert choose(True, 8) == packed
    monkeypatch.setenv(VARIABLE, "row")
    with pytest.raises(DserError, match="no DSER_RECURRENCE is called 'row'; there are packed"):
        choose(True, 8)


def test_what_is_traced_meanwhile_follows_a_named_schedule(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    packed, lean, rows = SCHEDULES.values()
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    with scheduled("packed") as outer:
        assert choose(True, 8) == packed
        with scheduled("lean") as inner:
            assert choose(True, 8) == lean
        assert choose(True, 8) == packed
        with ThreadPoolExecutor(1) as pool:  # Another thread traces something else.
            assert pool.submit(choose, True, 8).result() == rows
        monkeypatch.setenv(VARIABLE, "rows")
        assert choose(False, 8) == rows
        monkeypatch.delenv(VARIABLE)
    assert (outer, inner) == ({"packed", "rows"}, {"lean"})
    with scheduled(RULE) as taken:
        assert (choose(True, 8), choose(False, 8)) == (rows, lean)
    assert taken == {"rows", "lean"}
    assert choose(True, 8) == rows


def test_layers_skip_what_keras_masks(keras):
    random = np.random.default_rng(0)
    x = random.normal(size=(5, 9, FEAT)).astype(np.float32)
    lengths = np.array([9, 1, 4, 0, 6])
    mask = np.arange(9) >= 9 - lengths[:, None]
    layer = keras.layers.LSTM(UNITS, return_sequences=True, zero_output_for_mask=True)
    theirs = layer(x, mask=mask)
    kernel, recurrent, bias = (w.value for w in layer.weights)
    params = {
        "kernel": kernel,
        "recurrent_kernel": recurrent,
        "bias": bias,
        "recurrent_bias": jnp.zeros_like(bias),
    }
    found = LSTM(UNITS).apply({"params": params}, arrange(jnp.asarray(x), jnp.asarray(lengths)))
    np.testing.assert_allclose(every_step(found), theirs, atol=1e-5)
    np.testing.assert_allclose(last_step(found), theirs[:, -1], atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 5, 8, 33, 256])
@pytest.mark.parametrize("kind", ["like speech", "any", "all the longest", "none"])
def test_each_step_has_its_place_and_rows_are_nearly_alike(count, kind):
    random = np.random.default_rng(count)
    lengths = {
        "like speech": np.clip(np.exp(random.normal(2.2, 0.7, count)), 1, 40).astype(int),
        "any": random.integers(0, 41, count),
        "all the longest": np.full(count, 40),
        "none": np.zeros(count, int),
    }[kind]
    places = jax.jit(find_places, static_argnums=1)(jnp.asarray(lengths), 40)
    chunks, size, rows = places.source.shape
    at, source, begins = map(np.asarray, (places.at, places.source, places.window.begins))
    none = chunks * size * rows

    here = np.sort(at[at < none])
    assert len(here) == len(set(here)) == lengths.sum()  # a place for each, and each for one
    np.testing.assert_array_equal(here, np.flatnonzero(source.reshape(-1) < count * 40))
    real = np.arange(40) >= 40 - lengths[:, None]
    np.testing.assert_array_equal(at < none, real)
    back = source.reshape(-1)[at[real]]  # back and forth
    np.testing.assert_array_equal(back, np.flatnonzero(real.reshape(-1)))
    for utterance in np.flatnonzero(lengths):  # in one row, one after the other
        own = at[utterance][at[utterance] < none]
        np.testing.assert_array_equal(own, own[0] + rows * np.arange(lengths[utterance]))
        assert begins.reshape(-1)[own[0]] == utterance
    assert (begins >= 0).sum() == (lengths > 0).sum()

    filled = source < count * 40
    load = filled.sum((0, 1))
    assert load.max() - load.min() <= lengths.max()
    flush = filled.reshape(-1, rows)[::-1]
    for row in range(rows):  # to the end, without a gap
        assert flush[: load[row], row].all()
    assert int(places.window.start) == chunks - -(-load.max() // size)


def test_few_places_stay_empty_where_lengths_are_those_of_speech(monkeypatch):
    monkeypatch.setenv(VARIABLE, "packed")
    random = np.random.default_rng(0)
    lengths = np.clip(np.round(np.exp(random.normal(2.2, 0.72, 256))), 1, 100).astype(int)
    places = find_places(jnp.asarray(lengths), 100)
    chunks, size, rows = places.source.shape
    computed = (chunks - int(places.window.start)) * size * rows
    assert computed < 1.15 * lengths.sum()


def test_tokens_are_counted_from_the_first_word():
    tokens = jnp.asarray([[0, 0, 3, 1], [0, 0, 0, 0], [2, 0, 0, 5], [1, 1, 1, 1]])
    np.testing.assert_array_equal(token_lengths(tokens), [2, 0, 4, 4])


def test_padding_goes_with_the_protocol_unless_it_is_named():
    assert Config().padding == "masked"
    assert Config(protocol="paper").padding == "keras"
    assert Config(padding="keras").padding == "keras"
    with pytest.raises(DserError, match="padding is 'zero'; expected one of"):
        Config(padding="zero")


def test_configurations_from_before_the_choice_fed_padding():
    config = dataclasses.replace(Config(), padding="keras")
    old = {key: value for key, value in config.to_json().items() if key != "padding"}
    assert Config.from_json(old) == config
