import dataclasses

import jax
import numpy as np
import pytest
from tiny import CONFIG, make_dataset

from dser_jax.config import Config
from dser_jax.data.dataset import Data
from dser_jax.engine.program import lane_state
from dser_jax.engine.sizing import (
    CPU_LANES,
    _free_of_container,
    affordable,
    bucket,
    choose_lanes,
    fitting_lanes,
    free_bytes,
    lane_bytes,
    must_stream,
    temporary_bytes,
)
from dser_jax.plan.runs import tree_bytes
from dser_jax.training.run import make_run

MB, GB = 2**20, 2**30


def paper_data(rows=1000):
    return Data(
        np.zeros((rows, 1, 46), np.float32),
        np.zeros((rows, 100), np.int32),
        np.zeros((rows, 3), np.float32),
        np.ones((rows, 3), bool),
        np.arange(640, dtype=np.int32),
        np.arange(640, 800, dtype=np.int32),
        np.arange(800, rows, dtype=np.int32),
        None,
    )


@pytest.mark.parametrize(("batch", "measured"), [(8, 223 * MB), (256, 846 * MB)])
def test_estimate_is_near_what_xla_reports_at_the_papers_widths(batch, measured):
    estimate = lane_bytes(Config(batch_size=batch), paper_data(), 44 * MB)
    assert 0.75 * measured < estimate < 1.5 * measured


def test_lanes_come_in_few_sizes_that_hold_the_runs_or_fit():
    assert [bucket(wanted, 20) for wanted in (1, 3, 7, 9, 20, 60)] == [1, 3, 8, 10, 20, 20]
    assert [bucket(60, fits) for fits in (1, 7, 9, 47, 64, 100)] == [1, 6, 8, 40, 64, 64]
    assert len({bucket(1000, fits) for fits in range(1, 257)}) < 25


def test_lanes_that_fit_follow_from_two_programs():
    # A lane: 1 GB that stay and 2 GB for an epoch; 3 GB whatever their number.
    assert fitting_lanes(30 * GB, GB, 7 * GB, 11 * GB) == 9
    assert fitting_lanes(2 * GB, GB, 7 * GB, 11 * GB) == 1


def choose(runs, free, monkeypatch, at_most=None, devices=1, config=CONFIG):
    monkeypatch.setattr("dser_jax.engine.sizing.free_bytes", lambda device: free)
    dataset = make_dataset()
    run = make_run(config, dataset.words, dataset.embedding_dim)
    some = jax.local_devices()[:1] * devices
    return choose_lanes(run, config, dataset.data, runs, some, at_most)


def test_small_programs_get_all_lanes_without_a_trial(monkeypatch):
    monkeypatch.setattr("dser_jax.engine.sizing.temporary_bytes", None)
    assert choose(60, 10 * GB, monkeypatch) == CPU_LANES
    assert choose(None, 10 * GB, monkeypatch) == CPU_LANES
    assert choose(7, None, monkeypatch) == 8
    assert choose(24, 10 * GB, monkeypatch) == 12
    assert choose(41, 10 * GB, monkeypatch) == 16
    assert choose(60, 10 * GB, monkeypatch, at_most=5) == 5
    assert choose(80, 10 * GB, monkeypatch, devices=2) == CPU_LANES
    assert choose(6, 10 * GB, monkeypatch, devices=2) == 6


def test_lanes_that_take_turns_need_room_to_work_for_one_of_them(monkeypatch):
    data, config = paper_data(), Config(batch_size=256)
    run = make_run(config, 3438, config.embedding_dim)
    state = tree_bytes(lane_state(run, data))
    working = lane_bytes(config, data, state) - state
    free = int((tree_bytes(data) + 4.1 * (20 * state + working)) / 0.7)
    monkeypatch.setattr("dser_jax.engine.sizing.free_bytes", lambda device: free)
    tried = []
    monkeypatch.setattr(
        "dser_jax.engine.sizing.temporary_bytes", lambda run, data, lanes: tried.append(lanes) or 0
    )
    some = jax.local_devices()[:1]
    assert choose_lanes(run, config, data, 60, some) == 20
    assert not tried
    monkeypatch.setattr("dser_jax.engine.program.NARROW", 10**12)
    assert choose_lanes(run, config, data, 60, some) == 20
    assert tried == [2, 4]  # side by side each would need as much


def test_where_memory_is_short_two_programs_tell_what_fits(monkeypatch):
    dataset, speech = make_dataset(), dataclasses.replace(CONFIG, acoustic="dense", text=None)
    run = make_run(speech)
    state = tree_bytes(lane_state(run, dataset.data))
    need = {lanes: temporary_bytes(run, dataset.data, lanes) for lanes in (2, 4, 8)}
    assert need[2] < need[4] < need[8]
    free = (tree_bytes(dataset.data) + 8 * state + need[8]) / 0.7
    assert choose(60, int(1.1 * free), monkeypatch, config=speech) in (8, 10)


def test_a_container_has_its_own_limit(tmp_path):
    assert _free_of_container(tmp_path) is None
    (tmp_path / "memory.current").write_text(f"{GB}\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert _free_of_container(tmp_path) is None
    (tmp_path / "memory.max").write_text(f"{3 * GB}\n")
    assert _free_of_container(tmp_path) == 2 * GB


def test_free_memory_is_known_here():
    assert free_bytes(jax.local_devices()[0]) > 1 * GB


def test_features_stay_on_the_host_where_they_do_not_fit_beside_a_lane():
    dataset = make_dataset()
    run = make_run(CONFIG, dataset.words, dataset.embedding_dim)
    assert not must_stream(run, CONFIG, dataset.data, GB)
    assert must_stream(run, CONFIG, dataset.data, 0)
    assert must_stream(run, CONFIG, dataset.data, 2000)
    assert not must_stream(run, CONFIG, dataset.data._replace(acoustic=None), 2000)
    assert not must_stream(run, CONFIG, dataset.data, None)


def test_cores_have_copies_of_small_data_only(monkeypatch):
    data, cores = make_dataset().data, jax.local_devices()[:1] * 8
    need = tree_bytes(data)
    for free, used in ((None, 8), (100 * need, 8), (35 * need, 3), (need, 1)):
        monkeypatch.setattr("dser_jax.engine.sizing.free_bytes", lambda device, free=free: free)
        assert len(affordable(cores, data)) == used
