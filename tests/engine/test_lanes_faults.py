"""What befalls lanes under way: signals, memory, poisonous runs, searches that end them."""

import dataclasses

import jax
import numpy as np
import pytest
from laned import DATASET, LANES, assert_same, compiled, hparams, train
from tiny import CONFIG

from dser_jax.engine.checkpoint import Checkpoints
from dser_jax.engine.lanes import train_runs
from dser_jax.engine.program import compile_program
from dser_jax.engine.terms import Hooks, Judge
from dser_jax.plan.runs import RunSpec
from dser_jax.system.errors import DserError
from dser_jax.system.signals import Interrupted

LONG = dataclasses.replace(CONFIG, acoustic="dense", text="dense", max_epochs=30)
"""Long enough for runs to end at different epochs."""


@pytest.fixture(scope="module")
def long_program():
    return compiled(LANES, LONG)


def spread(count=14):
    """Runs whose patience spreads their ends over 3 to 30 epochs."""
    return [RunSpec(f"r{i}", hparams(rate=3e-3, patience=1 + i % 5), i) for i in range(count)]


@pytest.fixture(scope="module")
def undisturbed(long_program):
    return train(spread(), long_program, LONG)


NAMES = [spec.name for spec in spread()]


def test_refilled_lanes_give_what_fixed_ones_do(long_program, undisturbed):
    runs = spread()
    assert len({int(o.result.epochs) for o in undisturbed.values()}) > 4
    fixed = {}
    for start in range(0, len(runs), LANES):
        fixed |= train(runs[start : start + LANES], long_program, LONG)
    assert_same(fixed, undisturbed, NAMES)


def test_a_signal_saves_the_lanes_and_the_next_call_goes_on_bitwise(
    long_program, undisturbed, tmp_path
):
    found, told = {}, []
    for rounds in (3, 2, 1, 4, 1000):
        left = iter(range(rounds))
        stop = Hooks(stop=lambda left=left: None if next(left, None) is not None else "SIGTERM")
        places = Checkpoints(tmp_path, told.append)
        runs = [(s.name, s) for s in spread() if s.name not in found]
        try:
            for run, outcome in train_runs(
                DATASET, LONG, runs, program=long_program, checkpoints=places, hooks=stop
            ):
                assert run not in found
                found[run] = outcome
        except Interrupted:
            assert rounds < 1000
        else:
            assert rounds == 1000
    assert_same(found, undisturbed, NAMES)
    assert told == []


def test_fault_10_runs_under_way_go_on_in_fewer_and_in_more_lanes(
    long_program, undisturbed, tmp_path
):
    found = {}
    programs = (long_program, compiled(2, LONG), long_program)
    for rounds, program in zip((6, 3, 1000), programs, strict=True):
        left = iter(range(rounds))
        stop = Hooks(stop=lambda left=left: None if next(left, None) is not None else "SIGTERM")
        runs = [(s.name, s) for s in spread() if s.name not in found]
        try:
            for run, outcome in train_runs(
                *(DATASET, LONG, runs),
                program=program,
                checkpoints=Checkpoints(tmp_path, print),
                hooks=stop,
            ):
                found[run] = outcome
        except Interrupted:
            assert rounds < 1000
    assert_same(found, undisturbed, NAMES, exactly=False)


class Broken:
    """A program whose `advance` fails when it should."""

    def __init__(self, program, fails):
        self.fails, self.calls = fails, 0
        self.program = dataclasses.replace(program, advance=self.advance)
        self._advance = program.advance

    def advance(self, hparams, state, data):
        self.calls += 1
        if error := self.fails(self.calls, np.asarray(hparams.loss_weights)):
            jax.tree.map(lambda leaf: leaf.delete(), state)  # As a failed call does.
            raise error
        return self._advance(hparams, state, data)


def test_fault_09_out_of_memory_halves_the_lanes_and_goes_on(
    long_program, undisturbed, monkeypatch
):
    program = Broken(
        long_program, lambda call, _: MemoryError("RESOURCE_EXHAUSTED") if call == 3 else None
    ).program
    notices, sizes, compiled_for = [], [], []

    def again(run, data, lanes, *rest):
        compiled_for.append(lanes)
        return compile_program(run, data, lanes, *rest)

    monkeypatch.setattr("dser_jax.engine.lanes.compile_program", again)
    hooks = Hooks(notice=notices.append, shrunk=sizes.append)
    found = train(spread(), program, LONG, hooks=hooks)
    assert notices == ["out of memory with 4 lanes; going on with 2"]
    assert sizes == compiled_for == [2]
    assert_same(found, undisturbed, NAMES, exactly=False)


def test_fault_09_one_lane_that_does_not_fit_is_explained(monkeypatch):
    def never(*_):
        raise MemoryError("RESOURCE_EXHAUSTED: 1 PB wanted")

    monkeypatch.setattr("dser_jax.engine.lanes.compile_program", never)
    with pytest.raises(DserError, match=r"with one lane.*1 PB wanted.*--batch-size"):
        train(spread(), None, lanes=4)


def test_fault_19_a_poisonous_run_is_found_by_halving_and_the_others_finish(
    long_program, undisturbed
):
    poison = 0.123

    def fails(_, weights):
        if np.isclose(weights[:, 0], poison).any():
            return jax.errors.JaxRuntimeError("an instruction of that lane's")

    runs = spread()
    runs.insert(5, RunSpec("poison", hparams(alpha=poison), 99))
    notices = []
    program = Broken(long_program, fails).program
    found = train(runs, program, LONG, hooks=Hooks(notice=notices.append))
    assert sorted(found) == sorted([*NAMES, "poison"])
    assert found["poison"].result is None
    assert "an instruction of that lane's" in found["poison"].traceback
    assert_same(found, undisturbed, NAMES)
    assert any("'poison', seed 99: failed" in notice for notice in notices)


def test_an_error_of_the_program_itself_is_raised(monkeypatch):
    def never(*_):
        raise TypeError("a loss that cannot be traced")

    monkeypatch.setattr("dser_jax.engine.lanes.compile_program", never)
    with pytest.raises(TypeError, match="cannot be traced"):
        train(spread(), None, lanes=4)


def test_a_judge_ends_runs_at_its_rungs_alone(long_program, undisturbed):
    asked = []

    def keep(run, epoch, ccc):
        asked.append((run, epoch, ccc))
        return run != "r3"

    runs = [(s.name, s) for s in spread()]
    judge = Judge((2, 4), keep)
    found = dict(train_runs(DATASET, LONG, runs, program=long_program, judge=judge))
    assert {epoch for _, epoch, _ in asked} == {2, 4}
    assert found["r3"].pruned
    assert int(found["r3"].result.epochs) == 2
    for run, epoch, ccc in asked:
        history = undisturbed[run].result.history
        best = int(np.nanargmin(history.validation_loss[:epoch]))
        np.testing.assert_array_equal(ccc, history.validation_ccc[best])
    assert_same(found, undisturbed, [name for name in NAMES if name != "r3"])


def test_runs_come_from_an_iterator_when_a_lane_is_free(long_program, undisturbed):
    ended = []

    def ask():
        for spec in spread():
            yield spec.name, spec
            if spec.name == "r5":  # By now somebody must have made room.
                assert ended

    for run, _ in train_runs(DATASET, LONG, ask(), program=long_program):
        ended.append(run)
    assert sorted(ended) == sorted(NAMES)
