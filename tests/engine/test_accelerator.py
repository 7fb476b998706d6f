"""What an accelerator may compute in another way: sums in any order, products in fewer bits."""

import dataclasses

import jax
import numpy as np
import pytest
from laned import DATASET, compiled, train
from tiny import CONFIG

from dser_jax.models.text import Embedding
from dser_jax.plan.runs import RunSpec
from dser_jax.training.hparams import HParams
from dser_jax.training.metrics import ccc

WORDS, WIDTH, LANES = 7, 3, 5
FLAGS = {"cpu": [{}], "gpu": [{}, {"xla_gpu_deterministic_ops": True}]}
"""What may be said to XLA of how it adds up rows of a table."""


def gradient(table, tokens, weights):
    """The gradient of a weighted sum of the vectors of tokens, by the layer."""

    def total(table):
        found = Embedding(WORDS, WIDTH).apply({"params": {"embedding": table}}, tokens)
        return (found * weights).sum()

    return jax.grad(total)(table)


def test_gradients_of_embeddings_under_vmap_are_sums_over_each_lanes_own_tokens():
    random = np.random.default_rng(0)
    tables = random.normal(size=(LANES, WORDS, WIDTH)).astype(np.float32)
    tokens = random.integers(0, WORDS, (LANES, 4, 6)).astype(np.int32)
    weights = random.normal(size=(LANES, 4, 6, WIDTH)).astype(np.float32)
    expected = np.zeros((LANES, WORDS, WIDTH))
    for lane in range(LANES):
        np.add.at(expected[lane], tokens[lane], weights[lane])
    for flags in FLAGS[jax.default_backend()]:
        many = jax.jit(jax.vmap(gradient), compiler_options=flags)
        np.testing.assert_allclose(many(tables, tokens, weights), expected, atol=1e-5)


def table_of(precision: str) -> np.ndarray:
    """Trains seeds with products in a precision; returns their CCC on the test rows [run, attr]."""
    config = dataclasses.replace(CONFIG, max_epochs=60)
    settings = HParams(learning_rate=np.float32(0.01))
    runs = [RunSpec(f"{seed}", settings, seed) for seed in range(8)]
    with jax.default_matmul_precision(precision):
        found = train(runs, compiled(len(runs), config), config)
    gold = DATASET.data.gold[DATASET.data.test]
    preds = [found[spec.name].result.test_pred for spec in runs]
    return np.array(
        [[ccc(*columns) for columns in zip(gold.T, pred.T, strict=True)] for pred in preds]
    )


@pytest.mark.skipif(jax.default_backend() != "gpu", reason="only a GPU multiplies in TF32")
def test_tf32_changes_a_table_by_less_than_the_seeds_do():
    exact, fast = table_of("highest"), table_of("tensorfloat32")
    assert (exact != fast).any()
    assert exact.mean() > 0.5  # They have learned.
    off = np.abs(fast.mean(0) - exact.mean(0))
    assert (off < exact.std(0, ddof=1)).all()
