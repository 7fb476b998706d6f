"""Gradients of each task in few numbers: whole again, and their inner products, as they were."""

import dataclasses
from collections import OrderedDict

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from tiny import CONFIG, make_dataset

from dser_jax.loss import WEIGHTINGS, find_gradient
from dser_jax.models import MODELS, Batch, Embedding, Factors, Rates, find_factors, make_network
from dser_jax.training import HParams, make_run

WORDS, DIM, FEAT = 80, 3, 5
NONE = Rates(*[jnp.float32(0)] * 3)
TOKENS = np.array([[0, 0, 0, 7, 7, 2], [0, 3, 79, 7, 1, 1], [0, 0, 0, 0, 5, WORDS]])
"""Padding, a word said twice, one that two say, the last word, and one that was left out."""
UNITS = 16
"""More than two utterances have numbers."""


def batch_of(frames, tokens=TOKENS):
    random = np.random.default_rng(0)
    x = jnp.asarray(random.normal(size=(len(tokens), frames, FEAT)).astype(np.float32))
    return Batch(x, jnp.asarray(tokens, jnp.int32), jnp.ones(len(tokens), bool))


def losses_by(network, batch, stats=None):
    """A loss of each task, which the batch norm's statistics have a part in."""

    def losses(params):
        variables = {"params": params, "batch_stats": stats or {}}
        pred, updated = network.apply(
            variables,
            batch,
            NONE,
            True,
            rngs={"dropout": jax.random.key(1)},
            mutable=["batch_stats"],
        )
        return jnp.square(pred - jnp.array([[1.0, -0.5, 0.3]])).mean(0), updated

    return losses


def found_by(network, batch):
    """Returns what a step has of whole gradients, what it has of factors, and the factors."""
    seen = []

    @jax.jit
    def step():
        variables = dict(network.init(jax.random.key(0), batch, NONE, False))
        params = variables["params"]
        losses = losses_by(network, batch, variables.get("batch_stats"))
        seen.append(find_factors(network, losses, params, batch.tokens))
        weights = jnp.array([0.7, 0.2, 0.1])
        found = [
            find_gradient(WEIGHTINGS["fixed"], losses, params, (), weights, {}, given)
            for given in (Factors(params, {}), seen[0])
        ]
        return *found, seen[0].words

    *found, words = step()
    return *found, dataclasses.replace(seen[0], words=words)


def assert_same_step(network, batch):
    """Holds what comes of factors against what comes of whole gradients; returns the factors."""
    with jax.default_matmul_precision("highest"):
        whole, found, factors = found_by(network, batch)
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-6)  # noqa: E731
    jax.tree.map(close, whole.gradient, found.gradient)
    np.testing.assert_allclose(whole.gram, found.gram, rtol=1e-4, atol=1e-6)
    jax.tree.map(close, whole.aux, found.aux)
    assert np.abs(whole.gram).min() > 0
    return factors


def network_of(**changes):
    config = dataclasses.replace(CONFIG, units=UNITS, text_dense=UNITS, fusion=(UNITS, UNITS))
    return make_network(dataclasses.replace(config, **changes), WORDS, DIM)


@pytest.mark.parametrize(
    ("text", "padding"), [*((name, "masked") for name in MODELS["text"]), ("lstm", "keras")]
)
def test_each_text_network_has_the_gradients_of_the_whole(text, padding):
    network = network_of(acoustic=None, text=text, padding=padding)
    assert assert_same_step(network, batch_of(1)).words is not None


@pytest.mark.parametrize("frames", [1, 7])
@pytest.mark.parametrize("acoustic", MODELS["acoustic"])
def test_each_acoustic_network_has_the_gradients_of_the_whole(acoustic, frames):
    network = network_of(acoustic=acoustic, taps=(1, 1, 1), text=None, layers=2)
    probes = assert_same_step(network, batch_of(frames)).probes
    if acoustic == "lstm":
        assert len(probes) == 2 * (frames == 1)
    if acoustic == "mlp":
        assert len(probes) == 2


def test_two_halves_and_what_joins_them():
    probes = assert_same_step(network_of(acoustic="mlp", text="mlp", layers=2), batch_of(3)).probes
    assert {("fusion_0",), ("text", "layers", "dense_1")} < set(probes)
    assert not {"valence", "arousal", "dominance"} & {path[0] for path in probes}


def test_a_word_said_twice_has_one_row():
    """So inner products of the few rows are those of the tables."""
    *_, factors = found_by(network_of(acoustic=None, text="mlp"), batch_of(1))
    row, said = np.asarray(factors.words.row), {0, 1, 2, 3, 5, 7, 79}
    assert {word for word in range(WORDS) if row[word] <= TOKENS.size} == said
    assert len({row[word] for word in said}) == len(said)
    assert all(int(factors.words.said[row[word]]) == word for word in said)


def test_what_is_no_smaller_is_left_whole():
    network = network_of(acoustic="mlp", text="mlp", layers=2)
    many = batch_of(1, np.tile(TOKENS, (5, 1)))
    *_, factors = found_by(network, many)
    assert factors.words is None
    assert all(len(probe) * 2 < UNITS for probe in factors.probes.values())


class Foreign(nn.Module):
    """Somebody's encoder: a table under the same name, a layer called twice, one in a loop."""

    @nn.compact
    def __call__(self, tokens):
        x = nn.Embed(WORDS, DIM, name="embedding")(tokens).mean(1)
        x = nn.Dense(UNITS)(x)
        layer, looped = nn.Dense(UNITS), nn.Dense(UNITS)
        x = layer(layer(x))

        def step(module, carry, _):
            return module(carry), None

        scan = nn.scan(step, variable_broadcast="params", split_rngs={"params": False}, length=3)
        return scan(looped, x, None)[0]


def test_an_encoder_of_somebody_else_is_left_whole():
    network = network_of(acoustic="mlp", text="mlp", layers=2).clone(text=Foreign())
    factors = assert_same_step(network, batch_of(1, np.minimum(TOKENS, WORDS - 1)))
    assert factors.words is None
    assert {path[0] for path in factors.probes} == {"acoustic", "fusion_0", "fusion_1"}


class Codes(nn.Module):
    """Somebody's encoder of speech, with this package's table for something else than words."""

    width: int = DIM

    @nn.compact
    def __call__(self, x, lengths, real, train):
        codes = jnp.clip(jnp.round(10 * x[..., 0]), 0, 9).astype(jnp.int32)
        return nn.Dense(UNITS)(Embedding(10, self.width, name="codes")(codes).mean(1))


@pytest.mark.parametrize("width", [DIM, DIM + 2])
def test_a_table_of_something_else_is_not_looked_up_as_if_it_were_of_words(width):
    network = network_of(acoustic="mlp", text="mlp", layers=2).clone(acoustic=Codes(width))
    assert assert_same_step(network, batch_of(2)).words is not None


class Two(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(UNITS, name="fusion_0")(nn.Dense(2 * UNITS)(x))


class Helper(nn.Module):
    def scaled(self, x):
        return 2 * x


HELPER = Helper()


class Frozen(nn.Module):
    """Somebody's encoder of speech: others' networks within it, an argument by name, a helper."""

    @nn.compact
    def __call__(self, x, lengths, real, train):
        x = HELPER.scaled(nn.Dense(UNITS)(inputs=x.mean(1)))
        for one in (nn.Dense(UNITS), Two()):
            x = one.apply(one.init(jax.random.key(0), x), x)
        bank = self.param("bank", lambda key: OrderedDict(scale=jnp.ones(()), at=jnp.zeros(())))
        return bank["scale"] * x + bank["at"]


def test_networks_within_an_encoder_are_no_layers_of_this_one():
    network = network_of(acoustic="mlp", text="mlp", layers=2).clone(acoustic=Frozen())
    probes = assert_same_step(network, batch_of(2)).probes
    assert {path[0] for path in probes} == {"text", "fusion_1"}  # fusion_0 has a namesake.


class Nothing(nn.Module):
    @nn.compact
    def __call__(self, x, lengths, real, train):
        return x.mean(1)


def test_without_shared_layers_there_are_no_products():
    network = network_of(text=None).clone(acoustic=Nothing())
    _, found, _ = found_by(network, batch_of(2))
    np.testing.assert_array_equal(found.gram, np.zeros((3, 3)))


def test_layers_are_found_again_and_nothing_leaks():
    network, batch = network_of(acoustic="mlp", text="mlp", layers=2), batch_of(2)
    params = network.init(jax.random.key(0), batch, NONE, False)["params"]
    losses = losses_by(network, batch)
    with jax.checking_leaks():
        found = [find_factors(network, losses, params, batch.tokens) for _ in range(2)]
    assert list(found[0].probes) == list(found[1].probes) != []


def test_a_run_learns_the_same(monkeypatch):
    """With words and halves left out, watched, against whole gradients."""
    config = dataclasses.replace(
        CONFIG, weighting="cagrad", watch_gradients=True, units=32, acoustic="mlp", layers=2
    )
    data = make_dataset().data
    hparams = HParams(embedding_dropout=np.float32(0.2), modality_dropout=np.float32(0.2))
    found, used = [], []
    narrow = Factors.narrow
    monkeypatch.setattr(
        Factors, "narrow", lambda self: used.append((len(self.probes), self.words)) or narrow(self)
    )
    for whole in (False, True):
        if whole:
            monkeypatch.setattr(
                "dser_jax.training.steps.find_factors",
                lambda network, apply, params, tokens: Factors(params, {}),
            )
        used.clear()
        run = make_run(config, 60, 3)
        state = jax.jit(run.init)(jax.random.key(0), data)
        found.append(jax.jit(run.epoch)(hparams, state, data))
        count, words = used[0]
        assert (count, words is None) == (0, True) if whole else (count > 0 and words is not None)
    kept = [(state.weights, state.history.watched) for state in found]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), *kept)
