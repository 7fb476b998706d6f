"""Each benchmark at a tiny size: it ends well, prints its JSON, and compares what is equal."""

import argparse
import functools
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dser_jax.models.network import Batch, Rates
from dser_jax.training.hparams import HParams
from dser_jax.training.run import make_run

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
KEYS = {
    "lanes": {"found"},
    "table6": {"rows", "padding_used", "steps_a_run", "total_seconds"},
    "roofline": {"found", "mean_tokens"},
    "compile": {"found"},
    "features": {"frames_per_second", "speed_up", "largest_relative_difference", "opensmile"},
    "opening": {"seconds", "check_seconds_a_gigabyte", "processor_seconds_a_gigabyte"},
    "refill": {"seconds", "ratio", "occupancy", "same_results"},
    "pending": {"found"},
    "versus_torch": {"found", "pytorch"},
    "versus_keras": {"found", "keras"},
}
ALWAYS = {"benchmark", "date", "settings", "machine", "versions", "git_commit", "command"}
PLAIN_JAX = ("lanes", "table6", "roofline", "refill", "features", "opening", "compile", "pending")


@pytest.fixture(autouse=True)
def benchmarks_first(monkeypatch):
    """Lets the benchmarks' own modules be imported, as where one of them is run."""
    monkeypatch.syspath_prepend(BENCHMARKS)


def run(name, tmp_path, monkeypatch, capfd):
    """Runs a benchmark in this process; returns what it printed, and its JSON."""
    out = tmp_path / f"{name}.json"
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--size", "small", "--out", os.fspath(out)])
    monkeypatch.setenv("PYTHONPATH", os.fspath(BENCHMARKS.parent))
    status = 0
    try:
        runpy.run_path(os.fspath(BENCHMARKS / f"{name}.py"), run_name="__main__")
    except SystemExit as ended:
        status = ended.code
    assert not status
    printed = capfd.readouterr().out
    (line,) = [line for line in printed.splitlines() if line.startswith("{")]
    result = json.loads(line)
    assert json.loads(out.read_text()) == result
    assert result.keys() >= ALWAYS | KEYS[name]
    assert result["benchmark"] == name
    return printed, result


@pytest.mark.parametrize("name", PLAIN_JAX)
def test_each_ends_well_and_prints_its_json(name, tmp_path, monkeypatch, capfd):
    if name == "features":
        pytest.importorskip("opensmile")
    run(name, tmp_path, monkeypatch, capfd)


def test_torch(tmp_path, monkeypatch, capfd):
    pytest.importorskip("torch")
    printed, result = run("versus_torch", tmp_path, monkeypatch, capfd)
    (found,) = result["found"]
    assert {row["padding"] for row in found["rows"] if row["side"] == "torch"} == {
        *("keras", "masked", "masked, packed")
    }
    for padding, ratio in found["ours_over_torch"].items():
        assert f"{padding}: our best is {ratio:.2f} times as fast" in printed


def test_keras(keras, tmp_path, monkeypatch, capfd):
    _, result = run("versus_keras", tmp_path, monkeypatch, capfd)
    (found,) = result["found"]
    rates = found["steps_per_second"]
    best = max(rate for name, rate in rates.items() if name != "Keras")
    assert found["ours_over_keras"] == pytest.approx(best / rates["Keras"])


@functools.cache
def make_parts(padding):
    """Makes a tiny data set, its configuration, and the state of a run."""
    from common import WORDS, made_up, paper_config

    data = made_up(6, tokens=7)
    widths = argparse.Namespace(units=4, layers=2, tokens=7)
    config = paper_config(widths, 6, padding=padding)
    engine = make_run(config, WORDS, config.embedding_dim)
    return data, config, jax.jit(engine.init)(jax.random.key(1), data)


@functools.cache
def predicted(padding):
    from common import WORDS

    from dser_jax.models.table import make_network

    data, config, state = make_parts(padding)
    network = make_network(config, WORDS, config.embedding_dim)
    weights = state.weights
    batch = Batch(jnp.asarray(data.acoustic), jnp.asarray(data.tokens), jnp.ones(10, bool))
    variables = {"params": weights.params, "batch_stats": weights.stats}
    rates = Rates(*[jnp.float32(0)] * 3)
    return jax.jit(network.apply, static_argnums=3)(variables, batch, rates, False)


def test_the_plain_side_computes_what_ours_does():
    from plain import make_network

    data, config, state = make_parts("keras")
    params = {**state.weights.params}
    stats = {"acoustic": {"BatchNorm_0": state.weights.stats["acoustic"]["input_norm"]["norm"]}}
    params["acoustic"] = {**params["acoustic"]}
    params["acoustic"]["BatchNorm_0"] = params["acoustic"].pop("input_norm")["norm"]
    speech, tokens = jnp.asarray(data.acoustic), jnp.asarray(data.tokens)
    variables = {"params": params, "batch_stats": stats}
    apply = jax.jit(make_network(config).apply, static_argnums=4)
    plain = apply(variables, speech, tokens, HParams(), False)
    np.testing.assert_allclose(plain, predicted("keras"), atol=1e-5)


def copy_to_torch(params, network):
    """Copies our parameters into PyTorch's network."""
    import torch

    def put(there, here):
        with torch.no_grad():
            there.copy_(torch.tensor(np.asarray(here).T.copy()))

    for half, lstm in (("acoustic", network.acoustic), ("text", network.text)):
        for layer in range(2):
            ours = params[half][f"lstm_{layer}"]
            put(getattr(lstm, f"weight_ih_l{layer}"), ours["kernel"])
            put(getattr(lstm, f"weight_hh_l{layer}"), ours["recurrent_kernel"])
            put(getattr(lstm, f"bias_ih_l{layer}"), ours["bias"])
            put(getattr(lstm, f"bias_hh_l{layer}"), ours["recurrent_bias"])
    put(network.embedding.weight, np.asarray(params["text"]["embedding"]["embedding"]).T)
    heads = [params[attr] for attr in ("valence", "arousal", "dominance")]
    dense = [
        (network.text_dense, params["text"]["dense"]),
        (network.fusion[0], params["fusion_0"]),
        (network.fusion[2], params["fusion_1"]),
        (network.fusion[5], {n: np.concatenate([h[n] for h in heads], -1) for n in heads[0]}),
    ]
    for there, here in dense:
        put(there.weight, here["kernel"])
        put(there.bias, here["bias"])


@pytest.mark.parametrize("padding", ["keras", "masked", "masked, packed"])
def test_pytorch_computes_what_ours_does(padding):
    torch = pytest.importorskip("torch")
    from torch_runs import TorchRun

    data, config, state = make_parts(padding.split(",")[0])
    run = TorchRun(config, data, padding, "cpu", 1)
    copy_to_torch(state.weights.params, run.network.eval())
    with torch.no_grad():
        pred = run.network(run.speech, run.tokens, run.lengths).numpy()
    np.testing.assert_allclose(pred, predicted(padding.split(",")[0]), atol=1e-5)


def test_made_up_utterances_are_as_long_as_iemocaps():
    from common import FRAME_MEAN, TOKEN_MEAN, TOKEN_MEDIAN, TOKENS, lengths, made_up

    many = lengths(10039, TOKEN_MEAN, TOKEN_MEDIAN, TOKENS)
    assert abs(many.mean() - TOKEN_MEAN) < 0.1
    assert np.median(many) == TOKEN_MEDIAN
    assert many.max() == TOKENS
    data = made_up(64)
    real = data.tokens != 0
    assert abs(real[data.train].sum(1).mean() - TOKEN_MEAN) < 0.3
    assert not (np.diff(real.astype(int), axis=1) < 0).any()  # padded in front
    data = made_up(16, tokens=None, frames=3409)
    real = (data.acoustic != 0).any(2)
    assert abs(real[data.train].sum(1).mean() - FRAME_MEAN) < 20
    np.testing.assert_array_equal(data.frames, real.sum(1))


def test_flops_are_counted_as_they_are():
    from plain import make_network
    from roofline import flops_by_hand, flops_in_program

    def looped(a):
        return jax.lax.scan(lambda x, _: (x @ a, None), a, length=5)[0]

    assert flops_in_program(jax.make_jaxpr(looped)(jnp.ones((3, 3))).jaxpr) == 5 * 2 * 27
    data, config, _ = make_parts("keras")
    network = make_network(config)
    inputs = (jnp.asarray(data.acoustic[:6]), jnp.asarray(data.tokens[:6]))

    def loss(params, variables):
        return network.apply({**variables, "params": params}, *inputs, HParams(), False).sum()

    def init(key):
        return network.init(key, *inputs, HParams(), False)

    variables = jax.eval_shape(init, jax.random.key(0))
    gradient = jax.make_jaxpr(jax.grad(loss))(variables["params"], variables)
    counted = flops_in_program(gradient.jaxpr)
    # The plain side multiplies the zero state before the first step, which by hand counts nothing.
    assert counted == pytest.approx(flops_by_hand(config, 7), rel=0.05)


def suite_with(torch: str, folder) -> subprocess.CompletedProcess:
    """Runs the suite's comparison with PyTorch where PyTorch is a file of a line."""
    (folder / "torch.py").write_text(torch)
    return subprocess.run(
        [sys.executable, BENCHMARKS / "all.py", "--size", "small", "--only", "versus_torch"],
        env={**os.environ, "PYTHONPATH": os.fspath(folder)},
        capture_output=True,
        text=True,
    )


def test_what_is_not_installed_is_left_out(tmp_path):
    done = suite_with("raise ImportError('no torch here')", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "PyTorch is not installed" in done.stdout
    assert "left out, as something is not installed: versus_torch" in done.stdout


def test_a_failure_is_told(tmp_path):
    done = suite_with("raise RuntimeError('broken')", tmp_path)
    assert done.returncode == 1
    assert "failed: versus_torch" in done.stdout
