"""Lanes divided among two devices, which XLA makes of one processor in a process of its own."""

import os
import subprocess
import sys

import pytest

from dser_jax.system.cores import available_cores

SCRIPT = """
import dataclasses, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import conftest, jax, numpy as np
from tiny import CONFIG, make_dataset
from dser_jax import lanes as engine
from dser_jax.engine.checkpoint import Checkpoints
from dser_jax.engine.lanes import train_runs
from dser_jax.engine.terms import Hooks
from dser_jax.engine.program import compile_program, send
from dser_jax.plan.runs import RunSpec
from dser_jax.system.signals import Interrupted
from dser_jax.training.hparams import HParams
from dser_jax.training.run import make_run

config = dataclasses.replace(CONFIG, acoustic="dense", text=None, max_epochs=20)
dataset = make_dataset()
runs = [(f"r{i}", RunSpec("", HParams(patience=np.int32(1 + i % 4)), i)) for i in range(11)]
two = jax.local_devices()
assert len(two) == 2
one, both = (
    compile_program(make_run(config), send(dataset.data, some), 4, some) for some in (two[:1], two)
)

def train(program, **options):
    return dict(train_runs(dataset, config, runs, program=program, keep_weights=True, **options))

def compare(one, other, test):
    assert one.keys() == other.keys() == dict(runs).keys()
    for run in one:
        jax.tree.map(test, one[run].result, other[run].result)
        jax.tree.map(test, one[run].weights, other[run].weights)

def near(a, b):
    np.testing.assert_allclose(a, b, atol=2e-5)

divided = train(both)
compare(divided, train(both), np.testing.assert_array_equal)
compare(divided, train(one), near)

# Stopped on two devices, resumed on one, and on two again.
found = {}
for stop_after, program in ((2, both), (3, one), (10**6, both)):
    rounds = iter(range(stop_after))
    stop = Hooks(stop=lambda: None if next(rounds, None) is not None else "SIGTERM")
    left = [(run, spec) for run, spec in runs if run not in found]
    places = Checkpoints(Path(sys.argv[2]), print)
    try:
        for run, outcome in train_runs(
            *(dataset, config, left), program=program, keep_weights=True,
            checkpoints=places, hooks=stop,
        ):
            found[run] = outcome
    except Interrupted:
        pass
compare(divided, found, near)

# No device waits for another.
text = both.advance.as_text()
for word in ("all-reduce", "all-gather", "all-to-all", "collective-permute"):
    assert word not in text, word

# Without a word from the user all devices are used, and each has as many lanes as the other.
class Asked(Exception):
    pass

def ask(run, data, lanes, devices, schedule):
    raise Asked(lanes, len(devices))

engine.compile_program = ask
for wanted, given in ((3, (4, 2)), (1, (1, 1)), (None, (12, 2))):
    try:
        next(train_runs(dataset, config, runs, lanes=wanted))
    except Asked as asked:
        assert asked.args == given, asked.args
print("held")
"""


def test_lanes_on_two_devices_are_those_on_one(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, os.path.dirname(os.path.dirname(__file__)), str(tmp_path)],
        env={**os.environ, "JAX_NUM_CPU_DEVICES": "2", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("held")


CORES = """
import jax
from dser_jax.system.cores import use_all_cores
use_all_cores()
print(jax.local_device_count())
jax.numpy.ones(1)
use_all_cores()  # too late to change anything, which is no error
print(jax.local_device_count())
"""


@pytest.mark.parametrize(
    ("chosen", "devices"),
    [
        ({}, available_cores()),
        ({"JAX_NUM_CPU_DEVICES": "3"}, 3),
        ({"XLA_FLAGS": "--xla_force_host_platform_device_count=3"}, 3),
    ],
)
def test_each_core_is_a_device_unless_a_number_is_chosen(chosen, devices):
    env = {key: value for key, value in os.environ.items() if key != "JAX_NUM_CPU_DEVICES"}
    done = subprocess.run(
        [sys.executable, "-c", CORES],
        env={**env, "JAX_PLATFORMS": "cpu", **chosen},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(devices)] * 2


def test_a_container_may_have_fewer_cores(tmp_path):
    every = available_cores(tmp_path)
    assert every >= 1
    for said, cores in (("max 100000", every), ("150000 100000", 1), ("50000 100000", 1)):
        (tmp_path / "cpu.max").write_text(said + "\n")
        assert available_cores(tmp_path) == cores
