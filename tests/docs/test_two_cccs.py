"""The two scores: against Keras' own evaluation, and what the order of rows does to one."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from dser_jax.training.metrics import ccc, ccc_batch32

SCRIPT = Path(__file__).parents[2] / "docs" / "figures" / "two_cccs.py"


@pytest.fixture(scope="module")
def simulated():
    spec = importlib.util.spec_from_file_location("two_cccs", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.dialogues()


def test_batch_mean_equals_keras_evaluate(keras):
    random = np.random.default_rng(0)
    gold = random.uniform(-1, 1, 150).astype(np.float32)  # four batches of 32 and one of 22
    pred = (0.6 * gold + random.normal(0, 0.3, 150)).astype(np.float32)
    ops = keras.ops

    def concordance(true, predicted):
        true_mean, mean = ops.mean(true), ops.mean(predicted)
        covariance = ops.mean((true - true_mean) * (predicted - mean))
        return 2 * covariance / (ops.var(true) + ops.var(predicted) + (true_mean - mean) ** 2)

    model = keras.Sequential([keras.Input((1,)), keras.layers.Identity()])
    model.compile(loss="mse", metrics=[concordance])
    logs = model.evaluate(pred[:, None], gold[:, None], batch_size=32, verbose=0, return_dict=True)
    assert ccc_batch32(gold, pred) == pytest.approx(logs["concordance"], abs=1e-5)
    assert ccc(gold, pred) != pytest.approx(logs["concordance"], abs=1e-3)


def test_sorted_by_dialogue_the_batch_mean_is_lower(simulated):
    gold, pred = simulated
    assert ccc_batch32(gold, pred) < ccc(gold, pred) - 0.2
    order = np.random.default_rng(1).permutation(gold.size)
    assert ccc(gold[order], pred[order]) == pytest.approx(ccc(gold, pred), abs=1e-9)
    assert ccc_batch32(gold[order], pred[order]) == pytest.approx(ccc(gold, pred), abs=0.03)


def test_the_page_states_what_the_script_prints(simulated):
    gold, pred = simulated
    order = np.random.default_rng(1).permutation(gold.size)
    page = SCRIPT.parents[1].joinpath("two-cccs.md").read_text("utf-8")
    for value in (ccc(gold, pred), ccc_batch32(gold, pred), ccc_batch32(gold[order], pred[order])):
        assert f"{value:.3f}".lstrip("0") in page
