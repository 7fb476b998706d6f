"""The lane law: what a lane computes is what its run computes alone."""

import contextlib
import dataclasses

import jax
import numpy as np
import pytest
from laned import DATASET, LANES, assert_same, compiled, hparams, train
from tiny import CONFIG

from dser_jax.engine.lanes import train_runs
from dser_jax.engine.terms import Hooks
from dser_jax.models.schedules import VARIABLE
from dser_jax.plan.runs import RunSpec
from dser_jax.system.errors import DserError

RUNS = [
    RunSpec("a", hparams(), 0),
    RunSpec("b", hparams(alpha=0.5, dropout=0.5), 1),
    RunSpec("c", hparams(rate=0.01), 0),
    RunSpec("d", hparams(rate=0, patience=1), 2),
    RunSpec("e", hparams(rate=0.003), 7),
    RunSpec("nan", hparams(rate=np.inf), 3),
]


@contextlib.contextmanager
def quickly():
    """Compiles as most tests do what need only be close to programs as users have them."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="module")
def program():
    return compiled(LANES)


@pytest.fixture(scope="module")
def wide():
    """A program of its own for 16 lanes."""
    with quickly():
        return compiled(16)


@pytest.fixture(scope="module")
def in_turn():
    """A program for lanes that count as too wide for a core to train side by side."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dser_jax.engine.program.NARROW", 0)
        return compiled(LANES)


@pytest.fixture(scope="module")
def reference(program):
    return train(RUNS, program)


def test_every_run_comes_back_once(reference):
    assert sorted(reference) == sorted(spec.name for spec in RUNS)
    assert {name: bool(o.result.diverged) for name, o in reference.items()} == {
        name: name == "nan" for name in reference
    }
    assert int(reference["d"].result.epochs) == 2
    assert int(reference["a"].result.epochs) == CONFIG.max_epochs


def test_a_lane_is_bitwise_the_same_in_any_slot_beside_any_neighbour(program, reference):
    names = [spec.name for spec in RUNS]
    for order in (
        RUNS[::-1],
        RUNS[2:] + RUNS[:2],
        [RUNS[5], RUNS[0], RUNS[3], *RUNS[1:3], RUNS[4]],
    ):
        assert_same(train(order, program), reference, names)


@pytest.mark.parametrize(("schedule", "padding"), [("lean", "masked"), ("rows", "keras")])
def test_a_lane_is_bitwise_the_same_under_every_schedule(schedule, padding, monkeypatch):
    monkeypatch.setenv(VARIABLE, schedule)
    config = dataclasses.replace(CONFIG, padding=padding)
    program, runs = compiled(2, config), RUNS[:3]
    names = [spec.name for spec in runs]
    found = [train(order, program, config) for order in (runs, runs[::-1])]
    assert_same(*found, names)


def test_lanes_in_turn_are_those_side_by_side(in_turn, reference):
    names = [spec.name for spec in RUNS]
    found = train(RUNS, in_turn)
    assert_same(found, reference, names, exactly=False)
    assert_same(train(RUNS[::-1], in_turn), found, names)


def test_a_lane_beside_repeats_of_itself_is_bitwise_the_same(program, reference):
    assert_same(train(RUNS[1:2], program), reference, ["b"])


def test_a_run_alone_is_close_to_its_lane(reference):
    with quickly():
        alone = compiled(1)
    for spec in RUNS[:3]:
        assert_same(train([spec], alone), reference, [spec.name], exactly=False)


def test_more_lanes_change_no_lane(wide, reference):
    others = [RunSpec(f"other {seed}", hparams(), seed) for seed in range(10)]
    more = train([*RUNS, *others], wide)
    assert_same(more, reference, [spec.name for spec in RUNS], exactly=False)


def test_fault_07_a_lane_that_becomes_nan_ends_alone(program, reference):
    """The others are what they are beside a run that stays finite, and its lane is used again."""
    assert bool(reference["nan"].result.diverged)
    assert int(reference["nan"].result.epochs) == 1
    runs = [RUNS[5], *RUNS[:5], RunSpec("calm", hparams(), 3)]
    calm = [RunSpec("nan", hparams(rate=1e-4), 3), *RUNS[:5], RunSpec("calm", hparams(), 3)]
    names = [*"abcde", "calm"]
    assert_same(train(runs, program), train(calm, program), names)
    assert_same(train(runs, program), reference, [*"abcde", "nan"])


def test_fault_08_nan_in_the_first_epoch_gives_a_defined_result(reference):
    result = reference["nan"].result
    assert int(result.best_epoch) == 0
    assert np.isfinite(result.test_pred).all()  # of the weights before training
    assert np.isnan(result.history.validation_loss[1:]).all()


def test_sixty_runs_of_one_program(wide):
    runs = [
        (f"{name} {seed}", RunSpec(name, hparams(alpha, rate=0.001 + 0.001 * alpha), seed))
        for name, alpha in (("none", 1.0), ("two", 0.7), ("three", 0.9))
        for seed in range(20)
    ]
    ended = [run for run, _ in train_runs(DATASET, CONFIG, runs, program=wide)]
    assert sorted(ended) == sorted(run for run, _ in runs)


def test_weights_come_on_request(program):
    outcome = train(RUNS[:1], program, keep_weights=True)["a"]
    kernel = outcome.weights.params["valence"]["kernel"]
    assert kernel.shape == (CONFIG.fusion[-1], 1)
    assert train(RUNS[:1], program)["a"].weights is None


def test_lanes_are_refilled_as_soon_as_a_run_has_ended(program, monkeypatch):
    """Six runs of 3, 3, 3, 2, 3 and 1 epochs in four lanes: the short one's lane is busy next.

    The first tick is that of the compiled program, before it has trained.
    """
    monkeypatch.setattr("dser_jax.engine.lanes.ROUND_SECONDS", 1e9)
    ticks = []
    train(RUNS, program, hooks=Hooks(progress=ticks.append))
    assert [tick.busy for tick in ticks] == [4, 4, 4, 4, 2]
    assert [tick.epochs for tick in ticks] == [0, 4, 8, 12, 15]
    assert {tick.lanes for tick in ticks} == {LANES}
    assert ticks[-1].lane_epochs == 4 * 5


def test_lanes_below_one_are_refused():
    with pytest.raises(DserError, match="lanes is 0"):
        train(RUNS, None, lanes=0)


def test_no_runs_is_nothing_to_do():
    assert train([], None) == {}


def test_features_that_stay_on_the_host_give_the_same(program, reference):
    with quickly():
        streamed = train(RUNS, None, lanes=LANES, stream=True)
    assert_same(streamed, reference, [spec.name for spec in RUNS], exactly=False)
