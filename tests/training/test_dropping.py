"""What training takes away from a batch looks like what is missing, as often as was asked."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny import CONFIG, WORDS, make_dataset

from dser_jax.models.network import Batch
from dser_jax.training.dropping import drop_inputs
from dser_jax.training.hparams import HParams
from dser_jax.training.run import make_run

COUNT = 4000


def batch(**changes):
    random = np.random.default_rng(0)
    acoustic = jnp.asarray(random.normal(size=(COUNT, 2, 3)).astype(np.float32))
    tokens = jnp.asarray(random.integers(0, WORDS, (COUNT, 4)))
    given = Batch(acoustic, tokens, jnp.ones(COUNT, bool), jnp.full(COUNT, 2))
    return given._replace(**changes)


def rates(**values):
    return HParams()._replace(**{name: np.float32(value) for name, value in values.items()})


def test_at_rate_zero_nothing_changes():
    given = batch()
    jax.tree.map(
        np.testing.assert_array_equal,
        drop_inputs(given, HParams(), WORDS, jax.random.key(0)),
        given,
    )


@pytest.mark.parametrize("features", [False, True])
def test_an_utterance_loses_one_half_at_most_and_as_often_as_asked(features):
    given = batch()
    if features:
        given = batch(tokens=None, text=given.acoustic + 1, text_frames=jnp.full(COUNT, 2))
    found = drop_inputs(given, rates(modality_dropout=0.4), WORDS, jax.random.key(1))
    mute = np.asarray((found.acoustic == 0).all((1, 2)))
    np.testing.assert_array_equal(np.asarray(found.frames) == 0, mute)
    if features:
        silent = np.asarray((found.text == 0).all((1, 2)))
        np.testing.assert_array_equal(np.asarray(found.text_frames) == 0, silent)
    else:
        had = np.asarray((given.tokens > 0).any(1))
        silent = np.asarray((found.tokens == 0).all(1)) & had
    assert not (mute & silent).any()
    assert mute.mean() == pytest.approx(0.2, abs=0.03)
    assert silent.mean() == pytest.approx(0.2, abs=0.03)
    whole = ~mute & ~silent
    np.testing.assert_array_equal(found.acoustic[whole], given.acoustic[whole])


def test_a_network_of_one_half_loses_nothing():
    given = batch(tokens=None)
    found = drop_inputs(given, rates(modality_dropout=0.9), 0, jax.random.key(1))
    np.testing.assert_array_equal(found.acoustic, given.acoustic)


def test_words_are_left_out_wherever_they_occur_and_padding_stays():
    given, out = batch(), set()
    for seed in range(200):
        found = drop_inputs(given, rates(embedding_dropout=0.25), WORDS, jax.random.key(seed))
        tokens = np.asarray(found.tokens)
        gone = {word for word in range(1, WORDS) if not (tokens == word).any()}
        np.testing.assert_array_equal(tokens == 0, given.tokens == 0)
        np.testing.assert_array_equal(tokens == WORDS, np.isin(given.tokens, list(gone)))
        out |= {(seed, word) for word in gone}
    assert len(out) / 200 / (WORDS - 1) == pytest.approx(0.25, abs=0.04)


def test_settings_that_are_off_change_no_run_and_others_do():
    dataset = make_dataset()
    run = make_run(CONFIG, WORDS, CONFIG.embedding_dim)
    init, epoch = jax.jit(run.init), jax.jit(run.epoch)
    state = init(jax.random.key(0), dataset.data)
    losses = {
        name: float(epoch(rates(**values), state, dataset.data).history.train_loss[0])
        for name, values in {
            "usual": {},
            "decay": {"weight_decay": 0.5},  # RMSprop has none.
            "modality": {"modality_dropout": 0.5},
            "words": {"embedding_dropout": 0.5},
        }.items()
    }
    assert losses["decay"] == losses["usual"]
    assert len(set(losses.values())) == 3
