"""Under "strict" nothing is learned from the test rows: permuting their labels changes nothing."""

import dataclasses

import jax
import numpy as np
import pytest
from tiny import CONFIG

from dser_jax.corpora.utterances import ATTRS, Corpus, Utterance
from dser_jax.data.dataset import load_dataset
from dser_jax.data.preparing import prepare
from dser_jax.engine.lanes import train_runs
from dser_jax.plan.runs import RunSpec
from dser_jax.training.hparams import HParams

SMALL = dataclasses.replace(CONFIG, acoustic="dense", text="dense")
COUNT, TEST = 48, 36  # the last of four sessions is the test's


def corpus(order):
    """Makes utterances whose labels are taken in another order; words and features stay."""
    labels = np.random.default_rng(0).uniform(1, 5, (COUNT, 3))[order].tolist()
    return Corpus(
        "toy",
        tuple(
            Utterance(
                f"Ses{1 + i // 12:02d}_{i:03d}",
                speaker=f"s{i // 12}",
                session=f"Ses{1 + i // 12:02d}",
                transcript=f"word{i % 5} word{i % 7}" + (" unseen" if i >= TEST else ""),
                **dict(zip(ATTRS, labels[i], strict=True)),
            )
            for i in range(COUNT)
        ),
        (1.0, 5.0),
    )


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("leak")
    features = np.random.default_rng(1).normal(size=(COUNT, 4)).astype(np.float32)
    np.save(folder / "toy.npy", features)
    order = np.arange(COUNT)
    order[TEST:] = order[TEST:][::-1]
    return [
        load_dataset(
            prepare(corpus(rows), folder / name, acoustic={"toy_hsf": folder / "toy.npy"}), CONFIG
        )
        for name, rows in (("as_it_is", np.arange(COUNT)), ("permuted", order))
    ]


def test_what_is_fitted_does_not_see_the_test_labels(both):
    one, other = both
    assert (one.data.gold != other.data.gold)[TEST:].any()
    np.testing.assert_array_equal(one.data.gold[:TEST], other.data.gold[:TEST])
    np.testing.assert_array_equal(one.scaler.mean, other.scaler.mean)
    np.testing.assert_array_equal(one.scaler.scale, other.scaler.scale)
    assert one.tokenizer.index == other.tokenizer.index
    assert "unseen" not in one.tokenizer.index
    for part in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(one.split, part), getattr(other.split, part))


def test_what_is_trained_and_chosen_does_not_see_the_test_labels(both):
    runs = [
        (f"rate {rate}, seed {seed}", RunSpec("", HParams(learning_rate=np.float32(rate)), seed))
        for rate in (1e-3, 1e-2)
        for seed in range(2)
    ]
    results = [
        dict(train_runs(dataset, SMALL, runs, lanes=4, keep_weights=True)) for dataset in both
    ]
    for run, outcome in results[0].items():
        twin = results[1][run]
        jax.tree.map(np.testing.assert_array_equal, outcome.weights, twin.weights)
        jax.tree.map(np.testing.assert_array_equal, outcome.result, twin.result)
    # The choice among settings goes by validation: the same for both.
    chosen = [
        min(found, key=lambda run: np.nanmin(found[run].result.history.validation_loss))
        for found in results
    ]
    assert chosen[0] == chosen[1]


def test_paper_protocol_does_see_test_rows(both, tmp_path):
    paper = dataclasses.replace(CONFIG, protocol="paper")
    np.save(tmp_path / "toy.npy", np.random.default_rng(1).normal(size=(COUNT, 4)))
    prepared = prepare(
        corpus(np.arange(COUNT)), tmp_path / "out", acoustic={"toy_hsf": tmp_path / "toy.npy"}
    )
    assert "unseen" in load_dataset(prepared, paper).tokenizer.index
