import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny import CONFIG, WORDS, make_dataset

from dser_jax.training.hparams import HParams
from dser_jax.training.metrics import ccc
from dser_jax.training.run import Run, make_run

DATASET = make_dataset()
SMALL = {"acoustic": "dense", "text": None}
"""What is soon compiled, where a network is as good as another."""


@functools.cache
def build(**changes) -> Run:
    """Makes the run of the configuration with changes; a function is compiled when it is called."""
    config = dataclasses.replace(CONFIG, **changes)
    run = make_run(config, WORDS, config.embedding_dim)
    return Run(*map(jax.jit, run))


@pytest.fixture(scope="module")
def run():
    return build()


def train(run, hparams, seed=0, data=DATASET.data, epochs=CONFIG.max_epochs):
    states = [run.init(jax.random.key(seed), data)]
    for _ in range(epochs):
        states.append(run.epoch(hparams, states[-1], data))
    return states


def with_(**changes):
    return HParams()._replace(**{k: np.asarray(v, np.float32) for k, v in changes.items()})


def test_a_run_learns():
    run = build(fusion=(8, 8), units=8, max_epochs=60)
    hparams = with_(learning_rate=0.01, text_dropout=0, fusion_dropout=0)
    state = train(run, hparams._replace(patience=np.int32(60)), epochs=60)[-1]
    result = run.result(state, DATASET.data)
    gold = DATASET.gold("test")
    scores = [ccc(gold[:, i], np.asarray(result.test_pred)[:, i]) for i in range(3)]
    assert min(scores) > 0.6, scores


def test_every_half_trains_alone():
    for half in ({"acoustic": None}, {"text": None}):
        run = build(**half)
        first, *_, last = train(run, HParams())
        assert np.isfinite(last.history.train_loss).all()
        moved = jax.tree.map(lambda a, b: (a != b).any(), first.weights.params, last.weights.params)
        assert any(jax.tree.leaves(moved))


def test_same_key_same_run_other_key_other_run(run):
    one, again, other = (train(run, HParams(), seed)[-1] for seed in (3, 3, 4))
    jax.tree.map(np.testing.assert_array_equal, one.weights, again.weights)
    assert one.history.train_loss[0] != other.history.train_loss[0]


def test_weight_zero_leaves_a_head_as_it_was(run):
    states = train(run, with_(loss_weights=[1, 0, 1]))
    before, after = (s.weights.params for s in (states[0], states[-1]))
    np.testing.assert_array_equal(before["arousal"]["kernel"], after["arousal"]["kernel"])
    assert (before["valence"]["kernel"] != after["valence"]["kernel"]).any()


def test_early_stopping_counts_as_keras_does():
    # A learning rate of 0 never improves after the first epoch, where no statistics are running:
    # with patience 1 the run stops after epoch 2 and keeps the weights of epoch 1.
    hparams = with_(learning_rate=0)._replace(patience=np.int32(1))
    states = train(build(acoustic=None), hparams)
    assert [bool(s.stopped) for s in states] == [False, False, True, True]
    last = states[-1]
    assert (int(last.epoch), int(last.best.epoch), int(last.wait)) == (2, 1, 1)
    assert np.isfinite(last.history.validation_loss).tolist() == [True, True, False]


def test_best_weights_are_those_of_the_lowest_validation_loss(run):
    states = train(run, with_(learning_rate=0.1))
    losses = np.asarray(states[-1].history.validation_loss)
    best = int(losses.argmin()) + 1
    assert int(states[-1].best.epoch) == best
    jax.tree.map(np.testing.assert_array_equal, states[-1].best.weights, states[best].weights)


def test_a_stopped_run_stays_as_it_was():
    hparams = with_(learning_rate=0)._replace(patience=np.int32(1))
    states = train(build(acoustic=None), hparams, epochs=4)
    for later in states[3:]:
        jax.tree.map(
            np.testing.assert_array_equal,
            states[2]._replace(key=jnp.int32(0)),
            later._replace(key=jnp.int32(0)),
        )


def test_divergence_ends_a_run_with_a_defined_result(run):
    states = train(run, with_(learning_rate=np.inf))
    last = states[-1]
    assert bool(last.diverged)
    assert bool(last.stopped)
    assert int(last.epoch) <= 2
    result = run.result(last, DATASET.data)
    assert np.isfinite(result.test_pred).all()  # from the last finite weights


def test_missing_labels_do_not_count(run):
    dataset = make_dataset(missing=True)
    data = dataset.data
    poisoned = data._replace(gold=np.where(data.known, data.gold, np.float32(0.77)))
    one, other = (train(run, HParams(), data=d)[-1] for d in (data, poisoned))
    jax.tree.map(np.testing.assert_array_equal, one.weights, other.weights)
    first = train(run, HParams(), data=data)[0]
    np.testing.assert_array_equal(  # no label of dominance at all: its head is never trained
        first.weights.params["dominance"]["kernel"], one.weights.params["dominance"]["kernel"]
    )


def test_all_training_rows_are_seen_once_an_epoch_whatever_the_batch_size():
    # With a learning rate of 0, no dropout and one batch, an epoch's loss is the loss of the set;
    # a last batch of one utterance is finite too.
    for size in (10, 29, 30, 1000):
        run = build(**SMALL, batch_size=size)._replace(init=build(**SMALL).init)
        hparams = with_(learning_rate=0, acoustic_dropout=0, text_dropout=0, fusion_dropout=0)
        states = train(run, hparams, epochs=2)
        losses = np.asarray(states[-1].history.train_loss)[:2]
        assert np.isfinite(losses).all()
        if size >= len(DATASET.data.train):
            np.testing.assert_allclose(losses[0], losses[1], rtol=0, atol=3e-5)


def test_paper_protocol_averages_the_validation_loss_over_batches():
    run = build(**SMALL, protocol="paper")
    state = train(run, with_(learning_rate=0), epochs=1)[-1]
    result = run.result(state, DATASET.data)
    gold, pred = DATASET.gold("validation"), np.asarray(result.validation_pred)
    total = 0.0
    for start in range(0, len(gold), CONFIG.batch_size):
        part = slice(start, start + CONFIG.batch_size)
        losses = [1 - ccc(gold[part, i], pred[part, i]) for i in range(3)]
        total += sum(losses) * len(gold[part])
    assert float(state.history.validation_loss[0]) == pytest.approx(total / len(gold), abs=1e-5)


def test_strict_protocol_takes_the_validation_loss_over_the_set(run):
    state = train(run, with_(learning_rate=0), epochs=1)[-1]
    result = run.result(state, DATASET.data)
    gold, pred = DATASET.gold("validation"), np.asarray(result.validation_pred)
    expected = sum(1 - ccc(gold[:, i], pred[:, i]) for i in range(3))
    assert float(state.history.validation_loss[0]) == pytest.approx(expected, abs=1e-5)


def test_pretrained_vectors_are_the_first_embedding(run):
    vectors = np.random.default_rng(0).normal(size=(WORDS, 3)).astype(np.float32)
    state = run.init(jax.random.key(0), DATASET.data._replace(word_vectors=vectors))
    embedding = state.weights.params["text"]["embedding"]["embedding"]
    np.testing.assert_array_equal(embedding, vectors)
