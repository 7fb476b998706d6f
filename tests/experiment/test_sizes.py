"""What a journal remembers of lanes: what had no room on a device, and what was measured."""

from contextlib import closing

import numpy as np
import pytest
from laned import list_schedules, pose_as_accelerator
from sixty import prepare_sixty
from tiny import CONFIG

from dser_jax.engine import sizing
from dser_jax.engine.pace import setting
from dser_jax.engine.pace.doubling import Pace
from dser_jax.engine.pace.ordering import Order
from dser_jax.experiment.options import Options
from dser_jax.experiment.running import train_groups
from dser_jax.experiment.sizes import Sizes, this_device
from dser_jax.plan import Group, paired_runs
from dser_jax.system import read_sealed, write_sealed
from dser_jax.training.hparams import HParams


def test_a_size_is_remembered_by_program_and_device(tmp_path, monkeypatch):
    one, other = Sizes(tmp_path, "one", pytest.fail), Sizes(tmp_path, "other", pytest.fail)
    assert one.lanes() is None
    one.keep(8)
    other.keep(4)
    one.keep(2)
    assert (one.lanes(), other.lanes()) == (2, 4)
    assert Sizes(tmp_path, "one", pytest.fail).lanes() == 2
    assert this_device() in (tmp_path / "lanes.json").read_text()
    monkeypatch.setattr("dser_jax.experiment.sizes.this_device", lambda: "4 x another")
    assert Sizes(tmp_path, "one", pytest.fail).lanes() is None


@pytest.mark.parametrize("text", ["", "{", "\xff", "[]", "[" * 10**5, '{"a": 2, "checksum": "0"}'])
def test_a_damaged_file_costs_nothing_but_the_hint(tmp_path, text):
    (tmp_path / "lanes.json").write_bytes(text.encode("latin-1"))
    said: list[str] = []
    sizes = Sizes(tmp_path, "one", said.append)
    assert sizes.lanes() is None
    assert "lanes.json: damaged" in said[0]
    assert "found out again" in said[0]
    sizes.keep(8)
    assert Sizes(tmp_path, "one", pytest.fail).lanes() == 8


def test_what_is_no_number_of_lanes_is_left_out(tmp_path):
    said: list[str] = []
    for wrong in (True, 0, -3, 2.5, "8", [], {}):
        sizes = Sizes(tmp_path, "one", said.append)
        write_sealed(tmp_path / "lanes.json", {f"one on {this_device()}": wrong})
        assert (sizes.lanes(), sizes.schedule()) == (None, None)
    assert len(said) == 7  # once each


def test_a_resumed_sweep_keeps_the_lanes_that_were_measured_for_it(tmp_path, monkeypatch, capsys):
    pose_as_accelerator(monkeypatch)
    monkeypatch.setattr(sizing, "FEW", 2)
    monkeypatch.setattr(setting, "double", lambda *_: Pace(4, "8 were no faster than 4"))
    data, group = prepare_sixty(tmp_path), Group(CONFIG, paired_runs({"one": HParams()}, range(11)))
    options = Options(baselines=False)
    with closing(train_groups(data, tmp_path / "out", [group], options)) as rows:
        next(rows)
    assert "4 lanes on each device: 8 were no faster than 4" in capsys.readouterr().err
    kept = read_sealed(tmp_path / "out" / "lanes.json")
    assert list(kept.values()) == [4]
    monkeypatch.setattr(setting, "double", lambda *_: pytest.fail("measured again"))
    ticks = []
    progress = "dser_jax.engine.progress.SweepProgress.__call__"
    monkeypatch.setattr(progress, lambda self, tick: ticks.append(tick.lanes))
    assert len(list(train_groups(data, tmp_path / "out", [group], options))) == 10
    assert set(ticks) == {4}
    assert read_sealed(tmp_path / "out" / "lanes.json") == kept


def test_a_resumed_sweep_keeps_the_order_of_steps_that_was_measured_for_it(tmp_path, monkeypatch):
    pose_as_accelerator(monkeypatch)
    decided = [Order("rows", "rows were faster")]
    monkeypatch.setattr(setting, "decide", lambda *_: decided.pop())
    followed = list_schedules(monkeypatch)
    data, group = prepare_sixty(tmp_path), Group(CONFIG, paired_runs({"one": HParams()}, range(3)))
    options = Options(baselines=False, lanes=2)
    with closing(train_groups(data, tmp_path / "out", [group], options)) as rows:
        next(rows)
    assert "rows" in read_sealed(tmp_path / "out" / "lanes.json").values()
    assert len(list(train_groups(data, tmp_path / "out", [group], options))) == 2
    assert followed == ["rows", "rows"]
    assert not decided  # once, and not again


def test_lanes_in_flight_go_on_as_they_began(tmp_path, monkeypatch):
    pose_as_accelerator(monkeypatch)
    monkeypatch.setattr(setting, "decide", lambda *_: pytest.fail("another order would follow"))
    short = HParams(patience=np.int32(1), learning_rate=np.float32(0))
    runs = paired_runs({"short": short, "long": HParams()}, range(2))
    data, group = prepare_sixty(tmp_path), Group(CONFIG, runs)
    options = Options(baselines=False, lanes=2)
    monkeypatch.setenv("DSER_NO_COMPILE_CACHE", "1")  # Nothing is measured, nor kept.
    with closing(train_groups(data, tmp_path / "out", [group], options)) as rows:
        assert next(rows)["name"] == "short"
    assert list((tmp_path / "out" / "lanes").glob("*/[0-9]*"))
    assert not (tmp_path / "out" / "lanes.json").exists()
    monkeypatch.delenv("DSER_NO_COMPILE_CACHE")
    assert len(list(train_groups(data, tmp_path / "out", [group], options))) == 3


@pytest.mark.parametrize("schedule", ["row", "", 3, True, [], {}, None])
def test_what_is_no_schedule_is_left_out(tmp_path, schedule):
    said: list[str] = []
    sizes = Sizes(tmp_path, "one", said.append)
    kept = {f"one on {this_device()}": 4, f"steps of one on {this_device()}": schedule}
    write_sealed(tmp_path / "lanes.json", kept)
    assert (sizes.lanes(), sizes.schedule()) == (4, None)
    assert "left out" in said[0]
    sizes.follow("lean")
    assert (sizes.lanes(), sizes.schedule()) == (4, "lean")
