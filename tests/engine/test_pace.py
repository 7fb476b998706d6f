"""How many lanes an accelerator gets: by a measurement, here of a stand-in, by a stand-in clock."""

import dataclasses

import jax
import numpy as np
import pytest
from laned import DATASET, compiled, hparams, pose_as_accelerator
from tiny import CONFIG

from dser_jax.engine import sizing
from dser_jax.engine.lanes import train_runs
from dser_jax.engine.pace import doubling, rates, setting
from dser_jax.engine.pace.doubling import double
from dser_jax.engine.pace.rates import MEMORY, Timed, few_rows, identity, remembered
from dser_jax.engine.terms import Hooks
from dser_jax.plan.runs import RunSpec
from dser_jax.system import cache_root, recall, remember

FULL = "have no room"


def rates_of(table, asked):
    """Makes what measures from a table, which lists what it is asked for."""

    def rates(some):
        for lanes, schedule in some:
            assert schedule == "rule"
            asked.append(lanes)
            yield table[lanes]

    return rates


def decided(table, most, together=1, times=()):
    """Doubles by a table; returns the choice and what was asked for."""
    asked, clock = [], iter(times)
    found = double(most, rates_of(table, asked), together, lambda: next(clock, 0.0))
    return found, asked


@pytest.mark.parametrize("together", [1, 2, 5])
def test_lanes_are_doubled_while_steps_grow_by_more_than_a_tenth(together):
    plateau = {64: 1000.0, 128: 1800.0, 256: 2100.0, 512: 2200.0, 1024: 9999.0}
    found, asked = decided(plateau, 4096, together)
    assert found.lanes == 256
    assert found.reason == "512 were hardly faster than 256 (2,200 against 2,100 steps a second)"
    assert asked == [64, 128, 256, 512]  # and not 1,024, of which nobody has heard


def test_slower_lanes_are_told_from_hardly_faster_ones():
    found, _ = decided({64: 3310.0, 128: 3290.0}, 200)
    assert found == (64, "128 were no faster than 64 (3,290 against 3,310 steps a second)")


def test_where_all_grows_there_are_as_many_lanes_as_runs_or_room():
    growing = {64 * 2**i: 100.0 * 1.5**i for i in range(7)}
    found, asked = decided(growing, 300)
    assert found == (300, "fewer were slower, 256 train 225 steps a second")
    assert asked == [64, 128, 256]
    assert decided(growing, 4096)[0].lanes == 4096


def test_noise_below_a_tenth_goes_nowhere():
    random = np.random.default_rng(0)
    for _ in range(50):
        noisy = {64 * 2**i: 1000.0 * random.uniform(0.96, 1.04) for i in range(7)}
        assert decided(noisy, 4096)[0].lanes == 64


def test_out_of_memory_ends_the_doubling():
    found, asked = decided({64: 10.0, 128: 19.0, 256: FULL}, 4096, 5)
    assert found == (128, "256 have no room")
    assert asked == [64, 128, 256]
    assert decided({64: FULL}, 4096)[0] == (32, "64 have no room")


def test_no_numbers_are_begun_with_when_time_is_over():
    growing = {64 * 2**i: 100.0 * 1.5**i for i in range(7)}
    found, asked = decided(growing, 4096, 2, times=(0.0, 19.0, 21.0))
    assert asked == [64, 128, 256, 512]
    assert found == (512, "512 train 338 steps a second; for more there was no time")


def test_a_measurement_takes_rows_from_everywhere():
    few = few_rows(DATASET.data, 2)
    assert len(few.train) == rates.STEPS * 2
    assert few.train[0] == DATASET.data.train[0]
    assert few.train[-1] == DATASET.data.train[-1]
    assert len(np.unique(few.train)) == len(few.train)
    np.testing.assert_array_equal(few_rows(DATASET.data, 10**6).train, DATASET.data.train)


SPEECH = dataclasses.replace(CONFIG, acoustic="dense", text=None)


def items(count):
    return [(f"r{i}", RunSpec(f"r{i}", hparams(), i)) for i in range(count)]


@pytest.fixture
def accelerator(tmp_path, monkeypatch):
    """Has the processor pose as an accelerator, with few lanes; gives what is said and chosen."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    pose_as_accelerator(monkeypatch)
    monkeypatch.setattr(doubling, "FIRST", 2)
    monkeypatch.setattr(sizing, "FEW", 2)
    monkeypatch.setattr(sizing, "MOST", 16)
    monkeypatch.setattr(setting, "at_once", lambda: 2)
    return [], []


def train(count, told, **options):
    notices, chosen = told
    hooks = Hooks(notice=notices.append, measured=chosen.append)
    return dict(train_runs(DATASET, SPEECH, items(count), hooks=hooks, measure=True, **options))


def test_lanes_are_measured_once_and_remembered(accelerator, monkeypatch):
    tried = []
    compile_epoch = rates.compile_epoch

    def counted(run, data, lanes, schedule):
        tried.append(lanes)
        return compile_epoch(run, data, lanes, schedule)

    monkeypatch.setattr(rates, "compile_epoch", counted)
    found = train(12, accelerator)
    assert sorted(found) == sorted(run for run, _ in items(12))
    name = identity(SPEECH, DATASET.data, jax.local_devices()[0])
    assert set(tried) >= {2, 4}
    assert {Timed(2), Timed(4)} <= remembered(name).keys()
    notices, chosen = accelerator
    assert len(notices) == len(chosen) == 1
    assert notices[0].startswith(f"{chosen[0]} lanes on each device: ")
    # What is remembered decides the next time, and nothing is compiled for it.
    remember(MEMORY, name, {"2 by rule": 10.0, "4 by rule": 20.0, "8 by rule": 21.0})
    tried.clear()
    again = train(12, accelerator)
    assert again.keys() == found.keys()
    assert not tried
    assert chosen[1] == 4
    assert notices[1] == "4 lanes on each device: 8 were hardly faster than 4 (21 against 20 " + (
        "steps a second)"
    )


def test_nothing_is_measured_without_need(accelerator, monkeypatch):
    def never(*_):
        pytest.fail("measured")

    monkeypatch.setattr(setting, "double", never)
    assert len(train(2, accelerator)) == 2  # few runs
    assert len(train(5, accelerator, lanes=4)) == 5  # the user says it
    assert len(train(5, accelerator, at_most=3)) == 5  # the journal says it
    monkeypatch.setenv("DSER_NO_COMPILE_CACHE", "1")
    assert len(train(5, accelerator)) == 5  # nothing would be remembered
    assert accelerator == ([], [])


def test_out_of_memory_and_an_interrupt_in_the_middle_leave_what_was_measured(
    accelerator, monkeypatch
):
    seconds = rates._seconds

    def broken(error):
        def one(epoch, data, lanes):
            if lanes == 4:
                raise error
            return seconds(epoch, data, lanes)

        return one

    name = identity(SPEECH, DATASET.data, jax.local_devices()[0])
    monkeypatch.setattr(rates, "_seconds", broken(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        train(12, accelerator)
    assert recall(MEMORY, name).keys() == {"2 by rule"}
    assert accelerator == ([], [])
    monkeypatch.setattr(rates, "_seconds", broken(MemoryError("RESOURCE_EXHAUSTED")))
    assert len(train(12, accelerator)) == 12
    assert accelerator == (["2 lanes on each device: 4 have no room"], [2])
    assert recall(MEMORY, name).keys() == {"2 by rule"}  # another time there may be room


def test_a_damaged_memory_costs_another_measurement(accelerator):
    train(12, accelerator)
    name = identity(SPEECH, DATASET.data, jax.local_devices()[0])
    path = cache_root() / MEMORY
    path.write_bytes(path.read_bytes()[:-9])
    assert recall(MEMORY, name) == {}
    damaged = {"2 by rule": "fast", "4 by rule": -1, "by rule": 2.0, "2": 9.0, "-2 by rule": 1.0}
    remember(MEMORY, name, damaged)
    assert remembered(name) == {}
    train(12, accelerator)
    assert {Timed(2), Timed(4)} <= remembered(name).keys()


def test_other_settings_shapes_and_devices_are_measured_apart(monkeypatch):
    device = jax.local_devices()[0]
    wide = dataclasses.replace(SPEECH, units=SPEECH.units * 2)
    longer = DATASET.data._replace(tokens=np.zeros((61, 9), np.int32))
    names = {identity(SPEECH, DATASET.data, device), identity(wide, DATASET.data, device)}
    assert len(names | {identity(SPEECH, longer, device)}) == 3
    fewer = DATASET.data._replace(acoustic=DATASET.data.acoustic[:5])
    assert identity(SPEECH, fewer, device) in names
    monkeypatch.setenv("DSER_RECURRENCE", "rows")
    assert identity(SPEECH, DATASET.data, device) not in names


def test_a_program_that_needs_more_than_is_free_is_compiled_for_fewer_lanes(
    accelerator, monkeypatch
):
    notices, _ = accelerator
    shrunk = []
    hooks = Hooks(notice=notices.append, shrunk=shrunk.append)
    need = compiled(12, SPEECH).advance.memory_analysis()
    half = (need.temp_size_in_bytes + need.output_size_in_bytes) / sizing.SHARE / 2
    free = iter([10**9, 10**9, 1.02 * half])  # once the program is there
    monkeypatch.setattr(setting, "free_bytes", lambda device: 10**9)
    monkeypatch.setattr(sizing, "free_bytes", lambda device: next(free, 10**9))
    found = dict(train_runs(DATASET, SPEECH, items(12), hooks=hooks))
    assert len(found) == 12
    assert shrunk == [6]
    assert notices == ["12 lanes need more memory than is free; going on with 6"]


def test_a_resumed_sweep_on_an_accelerator_takes_as_many_lanes_again(accelerator):
    ticks = []
    for count, at_most, lanes in ((9, 6, 6), (7, 6, 6), (3, 6, 6), (2, 6, 2), (9, 40, 10)):
        hooks = Hooks(progress=ticks.append)
        assert len(dict(train_runs(DATASET, SPEECH, items(count), at_most=at_most, hooks=hooks)))
        assert ticks[-1].lanes == lanes
