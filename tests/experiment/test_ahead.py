"""The next group's program, compiled by a child while a group trains."""

import dataclasses
import json
import os
import subprocess
import sys
import time
from contextlib import closing

import pytest
from sixty import prepare_sixty
from tiny import DENSE

from dser_jax.experiment import ahead
from dser_jax.experiment.ahead import compile_next
from dser_jax.experiment.options import Options
from dser_jax.experiment.running import train_groups
from dser_jax.plan import Group, paired_runs
from dser_jax.training.hparams import HParams

SMALL = dataclasses.replace(DENSE, text=None)
GROUPS = [
    Group(dataclasses.replace(SMALL, units=units), paired_runs({f"{units} units": HParams()}, [0]))
    for units in (4, 6)
]

SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import jax
from dser_jax.experiment import ahead, running
from test_ahead import GROUPS

hits, waited = [], []
jax.monitoring.register_event_listener(
    lambda event, **_: hits.append(event) if event.endswith("/cache_hits") else None
)
ahead._useful = lambda: True  # As on an accelerator.
wait = ahead.Beside.wait
ahead.Beside.wait = lambda child, seconds: waited.append((wait(child, seconds), len(hits)))
found = running.run_experiment(sys.argv[2], sys.argv[3], GROUPS, baselines=False)
assert [row["status"] for row in found.rows] == ["ok", "ok"]
print(waited, len(hits))
(first, none), (well, before) = waited
assert not first and none == 0, waited
assert well, "the child failed"
assert len(hits) - before >= 4, "advance, fill, put and harvest were in the cache"
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return prepare_sixty(tmp_path_factory.mktemp("data"))


def test_a_sweep_finds_the_next_program_in_the_cache(data, tmp_path):
    fresh = {
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PLATFORMS": "cpu",
    }
    tests = os.path.dirname(os.path.dirname(__file__))
    paths = os.pathsep.join([os.path.join(tests, "experiment"), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, tests, str(data), str(tmp_path / "out")],
        env={**os.environ, **fresh, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_who_stops_in_the_middle_leaves_no_child_behind(data, tmp_path, monkeypatch):
    begun = []
    begin = ahead.Beside.begin

    def noting(child, command, given, environment):
        begin(child, command, given, environment)
        begun.append((child._child, json.loads(given)))

    monkeypatch.setattr(ahead.Beside, "begin", noting)
    monkeypatch.setattr(ahead, "CHILD", (sys.executable, "-c", "import time; time.sleep(600)"))
    monkeypatch.setattr(ahead, "_useful", lambda: True)
    start = time.monotonic()
    with closing(train_groups(data, tmp_path, GROUPS, Options(baselines=False))) as rows:
        assert next(rows)["name"] == "4 units"
        child, job = begun[0]
        assert child.poll() is None
    assert child.poll() is not None
    assert time.monotonic() - start < 300
    assert job["config"] == GROUPS[1].config.to_json()
    assert (job["count"], job["lanes"]) == (1, None)


def test_on_a_processor_nothing_is_compiled_ahead(data, tmp_path, monkeypatch):
    monkeypatch.setattr(ahead.Beside, "begin", lambda *_: pytest.fail("begun"))
    rows = list(train_groups(data, tmp_path, GROUPS, Options(baselines=False)))
    assert [row["status"] for row in rows] == ["ok", "ok"]


def test_lanes_and_schedule_of_the_journal_are_those_that_are_compiled(data, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(ahead, "compile_ahead", lambda *given, **named: asked.append(named))
    job = {"data": str(data), "journal": str(tmp_path), "lanes": None, "count": 7, "free": 10**9}
    config = GROUPS[0].config
    compile_next(lambda: json.dumps({**job, "config": config.to_json()}))
    prepared = ahead.load_prepared(data)
    key = ahead.program_key(config, ahead.load_dataset(prepared, config))
    sizes = ahead.Sizes(tmp_path, key, pytest.fail)
    sizes.keep(3)
    sizes.follow("rows")
    compile_next(lambda: json.dumps({**job, "config": config.to_json()}))
    given = {"lanes": None, "free": 10**9}
    assert asked == [
        {**given, "at_most": None, "schedule": None},
        {**given, "at_most": 3, "schedule": "rows"},
    ]
