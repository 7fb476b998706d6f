"""Gradients of a batch's word vectors alone are those of the whole table."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from tiny import CONFIG, make_dataset

from dser_jax.models import MODELS, Batch, Lookup, Rates, find_lookup, make_network
from dser_jax.training import HParams, make_run

WORDS, DIM, ROWS = 40, 3, 3
NONE = Rates(*[jnp.float32(0)] * 3)


def network_of(text, padding="masked", words=WORDS):
    config = dataclasses.replace(CONFIG, acoustic=None, text=text, padding=padding)
    return make_network(config, words, DIM)


def batch_of(tokens):
    return Batch(None, jnp.asarray(tokens, jnp.int32), jnp.ones(len(tokens), bool))


TOKENS = np.array([[0, 0, 0, 7, 7, 2], [0, 3, 39, 7, 1, 1], [0, 0, 0, 0, 5, WORDS]])
"""Padding, a word said twice, one that two say, the last word, and one that was left out."""


@pytest.mark.parametrize("padding", ["masked", "keras"])
@pytest.mark.parametrize("text", MODELS["text"])
def test_each_task_has_the_gradients_of_the_whole_table(text, padding):
    network, batch = network_of(text, padding), batch_of(TOKENS)
    params = network.init(jax.random.key(0), batch, NONE, False)["params"]

    def outputs(params, lookup=None):
        variables = {"params": params, **(lookup.variables() if lookup else {})}
        return network.apply(variables, batch, NONE, False).sum(0)

    lookup = find_lookup(outputs, params, batch.tokens)
    assert lookup is not None
    few = lookup.narrow(params)
    assert len(few["text"]["embedding"]["embedding"]) == TOKENS.size + 1
    np.testing.assert_array_equal(outputs(few, lookup), outputs(params))
    whole = jax.jacrev(outputs)(params)
    found = jax.vmap(lookup.widen)(jax.jacrev(outputs)(few, lookup))
    assert np.abs(whole["text"]["embedding"]["embedding"]).max() > 0
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), whole, found)


def test_a_word_said_twice_has_one_row():
    """So inner products of the few rows are those of the tables."""
    params = {"text": {"embedding": {"embedding": jnp.ones((WORDS, DIM))}}}
    lookup = find_lookup(lambda *_: 0, params, jnp.asarray(TOKENS))
    assert lookup is not None
    row = np.asarray(lookup.row)
    said = {0, 1, 2, 3, 5, 7, 39}
    assert {word for word in range(WORDS) if row[word] <= TOKENS.size} == said
    assert len({row[word] for word in said}) == len(said)
    assert all(int(lookup.words[row[word]]) == word for word in said)


def test_a_table_no_larger_than_a_batch_is_left_as_it_is():
    params = {"text": {"embedding": {"embedding": jnp.ones((18, DIM))}}}
    assert find_lookup(lambda *_: 0, params, jnp.zeros((3, 6), jnp.int32)) is None
    assert find_lookup(lambda *_: 0, params, jnp.zeros((3, 5), jnp.int32)) is not None


@pytest.mark.parametrize(
    "params", [{}, {"text": {}}, {"text": {"embedding": jnp.ones((40, 3))}}, {"text": jnp.ones(3)}]
)
def test_a_network_without_such_a_table_has_no_lookup(params):
    assert find_lookup(lambda *_: 0, params, jnp.zeros((3, 5), jnp.int32)) is None


class Foreign(nn.Module):
    """Somebody's encoder, with a table of Flax' own under the same name."""

    @nn.compact
    def __call__(self, tokens):
        return nn.Embed(WORDS, DIM, name="embedding")(tokens).mean(1)


def test_a_network_that_looks_up_words_in_its_own_way_is_left_as_it_is():
    network, batch = network_of("mlp").clone(text=Foreign()), batch_of(TOKENS)
    params = network.init(jax.random.key(0), batch, NONE, False)["params"]

    def outputs(params, lookup=None):
        variables = {"params": params, **(lookup.variables() if lookup else {})}
        return network.apply(variables, batch, NONE, False)

    assert find_lookup(outputs, params, batch.tokens) is None


@pytest.mark.parametrize("weighting", ["fixed", "cagrad"])
def test_a_run_learns_the_same_with_many_words(weighting, monkeypatch):
    """A vocabulary larger than a batch, watched, with words left out, against the whole table."""
    config = dataclasses.replace(CONFIG, weighting=weighting, watch_gradients=True)
    data = make_dataset().data
    hparams = HParams(embedding_dropout=np.float32(0.2), modality_dropout=np.float32(0.2))
    found, used = [], []
    narrow = Lookup.narrow
    monkeypatch.setattr(Lookup, "narrow", lambda *given: used.append(1) or narrow(*given))
    for whole in (False, True):
        if whole:
            monkeypatch.setattr("dser_jax.training.steps.find_lookup", lambda *_: None)
        used.clear()
        run = make_run(config, 60, 3)
        state = jax.jit(run.init)(jax.random.key(0), data)
        found.append(jax.jit(run.epoch)(hparams, state, data))
        assert bool(used) is not whole
    kept = [(state.weights, state.history.watched) for state in found]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-6), *kept)
