"""Each benchmark at a tiny size: it ends well, prints its JSON, and compares what is equal."""

import argparse
import functools
import importlib
import json
import os
import runpy
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from keras_reference import usual_promotion

from dser_jax.models.network import Batch, Rates
from dser_jax.training.hparams import HParams
from dser_jax.training.run import make_run

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
KEYS = {
    "lanes": {"found"},
    "table6": {"found", "padding_used", "steps_a_run", "total_seconds"},
    "roofline": {"found", "mean_tokens"},
    "compile": {"found"},
    "kernels": {"found"},
    "weightings": {"found"},
    "features": {"frames_per_second", "speed_up", "largest_relative_difference", "opensmile"},
    "opening": {"seconds", "check_seconds_a_gigabyte", "processor_seconds_a_gigabyte"},
    "refill": {"seconds", "ratio", "occupancy", "same_results"},
    "pending": {"found"},
    "versus_torch": {"found", "pytorch"},
    "versus_keras": {"found", "keras"},
    "versus_nkululeko": {"found", "theirs_over_ours", "their_predicted_seconds"},
}
ALWAYS = {
    *("benchmark", "complete", "date", "settings", "source", "machine", "versions"),
    *("git_commit", "command"),
}
PLAIN_JAX = (
    *("lanes", "table6", "roofline", "weightings", "refill", "features", "opening"),
    *("compile", "kernels", "pending"),
)


@pytest.fixture(autouse=True)
def benchmarks_first(monkeypatch):
    """Lets the benchmarks' own modules be imported, as where one of them is run."""
    monkeypatch.syspath_prepend(BENCHMARKS)


def run(name, tmp_path, monkeypatch, capfd, *flags):
    """Runs a benchmark in this process; returns what it printed, and its JSON."""
    out = tmp_path / f"{name}.json"
    argv = [f"{name}.py", "--size", "small", "--out", os.fspath(out), *flags]
    monkeypatch.setattr(sys, "argv", argv)
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
    assert result["complete"]
    return printed, result


@pytest.fixture
def compiled(monkeypatch):
    """The configuration and the lanes of each program that is compiled."""
    import common
    import plain

    found = set()

    def noting(function):
        def note(config, data, lanes, *more):
            found.add((config, lanes))
            return function(config, data, lanes, *more)

        return note

    monkeypatch.setattr(common, "compile_lanes", noting(common.compile_lanes))
    monkeypatch.setattr(plain, "compile_plain", noting(plain.compile_plain))
    return found


@pytest.mark.parametrize("name", PLAIN_JAX)
def test_each_ends_well_and_prints_its_json(name, compiled, tmp_path, monkeypatch, capfd):
    if name == "features":
        pytest.importorskip("opensmile")
    run(name, tmp_path, monkeypatch, capfd)
    module = importlib.import_module(name)
    if hasattr(module, "programs"):  # They are those that are compiled ahead.
        from sizes import settings

        named = module.programs(settings(name, "small"))
        assert compiled == {(side.config, side.lanes) for side in named}


def test_instructions_of_loops_count_as_often_as_they_run():
    from kernels import computations, launches

    def loop(x):
        twice = jax.lax.fori_loop(0, 7, lambda _, x: jnp.sort(jnp.sin(x)), x)
        return jax.lax.while_loop(lambda x: x.sum() < 9, lambda x: jnp.sort(x + 1), twice)

    text = jax.jit(loop).lower(jnp.zeros(5)).compile().as_text()
    counted = [launches(computations(text), rounds) for rounds in (0, 1, 5)]
    assert counted[0] >= 7 * 2  # a sort, and what makes the sine
    assert counted[1] - counted[0] >= 2
    assert counted[2] - counted[0] == 5 * (counted[1] - counted[0])


def test_products_in_half_precision_are_a_side_of_their_own(tmp_path, monkeypatch, capfd):
    _, result = run("lanes", tmp_path, monkeypatch, capfd, "--half-lanes", "2")
    (part,) = result["found"]
    assert [row["side"] for row in part["rows"]] == ["keras", "plain", "masked, half"]


def test_every_schedule_is_a_side_of_its_own(tmp_path, monkeypatch, capfd):
    from dser_jax.models import schedules

    chosen, choose = [], schedules.choose

    def noting(*given):
        chosen.append(choose(*given))
        return chosen[-1]

    monkeypatch.setattr("dser_jax.models.sequences.choose", noting)
    monkeypatch.delenv(schedules.VARIABLE, raising=False)
    flags = ("--schedules", "rule", "rows", "--graphs", "0", "--plain-lanes", "1")
    _, result = run("lanes", tmp_path, monkeypatch, capfd, *flags)
    (part,) = result["found"]
    sides = [row["side"] for row in part["rows"]]
    assert sides == ["keras, graphs 0", "keras, rows, graphs 0", "plain"]
    assert {schedules.SCHEDULES[name] for name in ("packed", "rows")} == set(chosen)
    assert schedules.VARIABLE not in os.environ


def test_a_prediction_is_that_of_an_epoch_and_of_a_run(tmp_path, monkeypatch, capfd):
    flags = ("--experiment", "fig4", "--predict", "0.01", "--rows", "480", "--lanes", "50")
    printed, result = run("table6", tmp_path, monkeypatch, capfd, *flags)
    (row,) = result["found"]
    assert (row["runs"], row["lanes"], row["measured_rows"]) == (121, 50, 48)
    assert row["epoch_seconds"] == pytest.approx(
        10 * row["measured_seconds"] / row["measured_epochs"]
    )
    # 121 runs in 50 lanes: each lane has two or three runs of two epochs.
    expected = 3 * 2 * row["epoch_seconds"] + 121 * row["run_seconds"]
    assert row["predicted_seconds"] == pytest.approx(expected)
    assert "minutes in all by prediction, from what is measured above" in printed


def test_torch(tmp_path, monkeypatch, capfd):
    torch = pytest.importorskip("torch")
    printed, result = run("versus_torch", tmp_path, monkeypatch, capfd)
    (found,) = result["found"]
    assert {row["padding"] for row in found["rows"] if row["side"] == "torch"} == {
        *("keras", "masked", "masked, packed")
    }
    ways = {(row["padding"], row.get("step")) for row in found["rows"]}
    assert ("keras", "eager") in ways
    if not torch.cuda.is_available():
        assert "keras, graph, threads" in found["left_out"][-2]
        assert all(text.endswith("there is no GPU") for text in found["left_out"][-2:])
    for padding, ratio in found["ours_over_torch"].items():
        assert f"{padding}: our best is {ratio:.2f} times as fast" in printed


def test_keras(keras, tmp_path, monkeypatch, capfd):
    _, result = run("versus_keras", tmp_path, monkeypatch, capfd)
    (found,) = result["found"]
    rates = found["steps_per_second"]
    best = max(rate for name, rate in rates.items() if name != "Keras")
    assert found["ours_over_keras"] == pytest.approx(best / rates["Keras"])


ANOTHER = """#!{python}
import configparser, csv, json, sys
if sys.argv[1] == "-c":
    sys.exit()
config = configparser.ConfigParser()
config.read(sys.argv[2])
rows = list(csv.DictReader(open(config["DATA"]["test"])))
target = config["DATA"]["target"]
inputs = list(csv.DictReader(open(eval(config["FEATS"]["import_file"])[0])))
assert {{row["file"] for row in rows}} < {{row["file"] for row in inputs}}
with open(sys.argv[3], "w") as out:
    for run in range(int(config["EXP"]["runs"])):
        for row in reversed(rows):
            print(f"{{run}},{{row['file']}},{{float(row[target]) * (1 - 2 * run)}}", file=out)
print("something else")
print(json.dumps({{"ready_seconds": 1.0, "runs_seconds": 6.0, "version": "0"}}))
"""
"""Stands in for another tool's Python: its first run predicts the labels, the second minus them."""


def test_what_another_tool_predicts_is_scored_by_our_own_ccc(tmp_path, monkeypatch, capfd):
    python = tmp_path / "python"
    python.write_text(ANOTHER.format(python=sys.executable))
    python.chmod(0o755)
    flags = ("--python", os.fspath(python), "--theirs", "2")
    with usual_promotion():  # for Optax' AdamW
        _, result = run("versus_nkululeko", tmp_path, monkeypatch, capfd, *flags)
    ours, *theirs = result["found"]
    assert [part["target"] for part in theirs] == ["valence", "arousal", "dominance"]
    for part in theirs:
        first, second = part["test_ccc"]
        assert first == pytest.approx(1)
        assert -1 <= second < 0
    assert result["their_seconds_a_run"] == 3
    once = sum(part["seconds"] - 6 for part in theirs)
    assert result["their_predicted_seconds"] == pytest.approx(once + 3 * ours["runs"])
    assert {len(scores) for scores in ours["test_ccc"].values()} == {2}


@pytest.mark.skipif(
    "DSER_NKULULEKO" not in os.environ, reason="DSER_NKULULEKO names no Python with nkululeko"
)
def test_the_tool_itself_predicts_the_test_rows(tmp_path, monkeypatch, capfd):
    flags = ("--rows", "600", "--units", "32", "--epochs", "5", "--batch", "8")
    with usual_promotion():
        _, result = run("versus_nkululeko", tmp_path, monkeypatch, capfd, *flags)
    for part in result["found"][1:]:  # Of other rows it would be near 0.
        assert part["test_ccc"][0] > 0.5


def test_without_the_other_tool_nothing_is_compared(monkeypatch, capfd):
    monkeypatch.delenv("DSER_NKULULEKO", raising=False)
    monkeypatch.setattr(sys, "argv", ["versus_nkululeko.py", "--size", "small"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(os.fspath(BENCHMARKS / "versus_nkululeko.py"), run_name="__main__")
    assert ended.value.code == 3
    assert "nkululeko is not installed" in capfd.readouterr().out


@functools.cache
def make_parts(padding):
    """Makes a tiny data set, its configuration, and the state of a run."""
    from common import WORDS, MadeUp, paper_config

    data = MadeUp(6, tokens=7).make()
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
    from torch_process import Way
    from torch_runs import TorchRun

    data, config, state = make_parts(padding.split(",")[0])
    run = TorchRun(config, data, Way(padding, "eager", 1), "cpu")
    copy_to_torch(state.weights.params, run.network.eval())
    with torch.no_grad():
        pred = run.network(run.speech, run.tokens, run.lengths).numpy()
    np.testing.assert_allclose(pred, predicted(padding.split(",")[0]), atol=1e-5)


def test_what_a_graph_cuts_behind_the_longest_row_changes_nothing():
    torch = pytest.importorskip("torch")
    from torch_process import Way
    from torch_runs import TorchRun

    data, config, _ = make_parts("masked")
    run = TorchRun(config, data, Way("masked", "eager", 1), "cpu")
    run.network.eval()
    rows = run.rows[run.lengths[run.rows] < 7]
    longest = int(run.lengths[rows].max())
    assert len(rows) > 1
    with torch.no_grad():
        cut, whole = (run.loss(rows, run.lengths[rows], width) for width in (longest, 7))
    torch.testing.assert_close(cut, whole)


def test_of_the_graphs_the_narrowest_that_holds_a_batch_is_replayed(monkeypatch):
    torch = pytest.importorskip("torch")
    import torch_runs
    from common import MadeUp, paper_config
    from torch_process import Way

    replayed = []

    def capture(graphs, width):
        return argparse.Namespace(replay=lambda: replayed.append((width, graphs.rows.tolist())))

    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: None)
    monkeypatch.setattr(torch_runs.Graphs, "capture", capture)
    config = paper_config(argparse.Namespace(units=4, layers=1, tokens=30), 4)
    way = Way("masked", "graph", 1)
    run = torch_runs.TorchRun(config, MadeUp(40, tokens=30).make(), way, "cpu")
    run.epoch()
    assert sorted(row for _, rows in replayed for row in rows) == list(range(40))
    narrowest = {min(w for w in (8, 16, 24, 30) if w >= run.lengths[r].max()) for _, r in replayed}
    assert len(narrowest) > 1
    for width, rows in replayed:
        assert width == min(w for w in (8, 16, 24, 30) if w >= run.lengths[rows].max())


def test_made_up_utterances_are_as_long_as_iemocaps():
    from common import FRAME_MEAN, TOKEN_MEAN, TOKEN_MEDIAN, TOKENS, MadeUp, lengths

    many = lengths(10039, TOKEN_MEAN, TOKEN_MEDIAN, TOKENS)
    assert abs(many.mean() - TOKEN_MEAN) < 0.1
    assert np.median(many) == TOKEN_MEDIAN
    assert many.max() == TOKENS
    data = MadeUp(64).make()
    real = data.tokens != 0
    assert abs(real[data.train].sum(1).mean() - TOKEN_MEAN) < 0.3
    assert not (np.diff(real.astype(int), axis=1) < 0).any()  # padded in front
    data = MadeUp(16, tokens=None, frames=3409).make()
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
