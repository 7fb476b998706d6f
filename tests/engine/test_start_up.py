"""Lanes train while what only ends a run, or takes one up again, is still being compiled."""

import threading

import jax
import pytest
from laned import DATASET, assert_same, hparams
from test_lanes_faults import LONG

from dser_jax.engine import program
from dser_jax.engine.checkpoint import Checkpoints
from dser_jax.engine.lanes import train_runs
from dser_jax.engine.terms import Hooks
from dser_jax.plan.runs import RunSpec
from dser_jax.system.background import NotMade, make_later
from dser_jax.system.signals import Interrupted

FULL = "RESOURCE_EXHAUSTED: Failed to allocate request"
ITEMS = [(f"r{i}", RunSpec(f"r{i}", hparams(patience=3 + i), i)) for i in range(3)]


@pytest.fixture
def gate(monkeypatch):
    """Holds back what is compiled in the background until it is set."""
    opened = threading.Event()

    def held(maker):
        def make():
            assert opened.wait(60)
            return maker()

        return make

    monkeypatch.setattr(program, "make_later", lambda makers: make_later([*map(held, makers)]))
    yield opened
    opened.set()


def train(**options):
    return dict(train_runs(DATASET, LONG, ITEMS, lanes=2, **options))


def test_epochs_are_trained_before_the_rest_is_compiled(gate):
    trained = []

    def progress(tick):
        trained.append((tick.epochs, gate.is_set()))
        if tick.epochs >= 2:
            gate.set()

    found = train(hooks=Hooks(progress=progress))
    assert sorted(found) == ["r0", "r1", "r2"]
    assert any(epochs >= 2 and not is_open for epochs, is_open in trained)
    assert_same(found, train(), found)


def test_a_signal_does_not_wait_for_it_and_the_next_call_goes_on(gate, tmp_path):
    with pytest.raises(Interrupted):
        train(hooks=Hooks(stop=lambda: "SIGTERM"), checkpoints=Checkpoints(tmp_path, print))
    assert not gate.is_set()
    gate.set()
    resumed = train(checkpoints=Checkpoints(tmp_path, pytest.fail))
    assert_same(resumed, train(), resumed)


def fail_once(monkeypatch, error):
    def fail():
        raise error

    def broken(makers):
        monkeypatch.setattr(program, "make_later", make_later)
        return make_later([fail, fail])

    monkeypatch.setattr(program, "make_later", broken)


@pytest.mark.parametrize("error", [MemoryError(), jax.errors.JaxRuntimeError(FULL)])
def test_where_compiling_it_runs_out_of_memory_fewer_lanes_go_on(monkeypatch, error):
    fail_once(monkeypatch, error)
    notices = []
    found = train(hooks=Hooks(notice=notices.append))
    assert notices == ["out of memory with 2 lanes; going on with 1"]
    assert_same(found, train(), found, exactly=False)


def test_where_it_cannot_be_compiled_no_run_is_blamed_and_the_next_call_goes_on(
    monkeypatch, tmp_path
):
    fail_once(monkeypatch, jax.errors.JaxRuntimeError("INTERNAL: ptxas exited with code 2"))
    with pytest.raises(NotMade, match="ptxas exited with code 2"):
        train(checkpoints=Checkpoints(tmp_path, pytest.fail))
    trained = []
    hooks = Hooks(progress=lambda tick: trained.append(tick.epochs))
    resumed = train(checkpoints=Checkpoints(tmp_path, pytest.fail), hooks=hooks)
    whole = train()
    assert trained[-1] < sum(int(each.result.epochs) for each in whole.values())
    assert_same(resumed, whole, resumed)
