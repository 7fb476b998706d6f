"""What `dser doctor` finds, by what it is given; and once for real."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections import namedtuple
from concurrent.futures import Future
from importlib import metadata

import pytest

from dser_jax.cli import main
from dser_jax.commands.doctor import examination, installed, machine
from dser_jax.commands.doctor.findings import Finding
from dser_jax.commands.doctor.probes import Probed, probe


def done(answer=None, error=None) -> Future:
    future = Future()
    future.set_result(Probed(answer, error))
    return future


CPU = {"platform": "cpu", "kind": "cpu", "count": 1, "free": 9 << 30}


def test_for_real_everything_works_here(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    main(["doctor", str(tmp_path)])
    said = capsys.readouterr().out
    assert "JAX computes on" in said
    assert "features of a recording: gemaps_lld, paa_lld" in said
    said = " ".join(said.split())
    assert f"free in {tmp_path}" in said
    assert f"jax {metadata.version('jax')}" in said
    assert said.rstrip().endswith("Everything that is needed works.")


def test_what_is_broken_ends_with_code_1(capsys, monkeypatch):
    wrong = Finding("broken", "no sound", "plug it in")
    monkeypatch.setattr(examination, "examine", lambda folder: [("sound", [wrong, wrong])])
    with pytest.raises(SystemExit) as caught:
        main(["doctor"])
    assert caught.value.code == 1
    said = capsys.readouterr().out
    assert "broken  no sound\n          -> plug it in\n" in said
    assert "2 of these must be mended" in said


def test_packages_that_are_missing_too_old_or_damaged():
    needed = {"numpy": ">=1", "scipy": ">=99", "no-such-package": ">=2", "rich": ""}
    imports = dict.fromkeys(needed, Probed(0)) | {"rich": Probed(error="OSError: libx.so")}
    good, old, missing, damaged = installed.packages(needed, imports)
    assert good == Finding("ok", f"numpy {metadata.version('numpy')}")
    assert old == Finding(
        "broken",
        f"scipy is {metadata.version('scipy')}, needed is >=99",
        'pip install "scipy>=99"',
    )
    assert (missing.state, missing.what) == ("broken", "no-such-package is not installed")
    assert damaged.what == "rich cannot be imported: OSError: libx.so"
    (unknown,) = installed.packages({}, {})
    assert unknown.state == "note"


def test_what_is_required_and_imported():
    needed, extras = installed.requirements()
    assert {"jax", "numpy", "opensmile"} <= needed.keys()
    assert "ray" not in needed
    assert extras["demo"].keys() == {"espeakng-loader", "soxr"}
    missing = installed.try_imports(["rich", "no-such-package"])
    assert missing["rich"] == Probed(0)
    assert missing["no-such-package"].error == (
        "ModuleNotFoundError: No module named 'no_such_package'"
    )


def test_extras_are_notes():
    extras = {"ray": {"ray": ">=999"}, "test": {"pytest": ">=999"}, "own": {"numpy": ">=1"}}
    ray, own = installed.optional(extras)
    assert (ray.state, ray.mend) == ("note", 'pip install "dser_jax[ray]"')
    assert ray.what.startswith("ray (sweeps on a Ray cluster): ray is ")
    assert own == Finding("ok", "own")


@pytest.mark.parametrize(
    ("driver", "environment", "mend"),
    [
        ("580.65.06", {}, 'pip install "dser_jax[cuda13]"'),
        ("535.1", {}, 'pip install "dser_jax[cuda12]"'),
        ("580.65.06", {"JAX_PLATFORMS": "cpu"}, "unset JAX_PLATFORMS"),
        ("580.65.06", {"CUDA_VISIBLE_DEVICES": ""}, "unset CUDA_VISIBLE_DEVICES"),
    ],
)
def test_a_gpu_that_lies_idle(monkeypatch, driver, environment, mend):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    found = machine.devices(done(CPU), driver, environment)
    assert [each.state for each in found] == ["ok", "note", "ok", "ok"]
    assert f"driver {driver} is there, but JAX uses the CPU" in found[1].what
    assert mend in found[1].mend
    gpu = CPU | {"platform": "gpu", "kind": "NVIDIA H200"}
    found = machine.devices(done(gpu), driver, environment)
    assert "note" not in {each.state for each in found}
    assert "loops are launched" in found[1].what
    monkeypatch.setenv("DSER_LOOP_GRAPHS", "yes")
    wrong = machine.devices(done(gpu), driver, environment)[1]
    assert wrong.state == "broken"
    assert "DSER_LOOP_GRAPHS is 'yes'; expected 0 or 1" in wrong.what


def test_a_plugin_that_does_not_find_the_gpu(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: "12" in name)
    found = machine.devices(done(CPU), "570.1", {})[1]
    assert "though jax-cuda12-plugin is installed" in found.what
    assert "nvidia-smi" in found.mend


def test_a_device_that_does_not_compute_or_has_little_memory():
    (wrong,) = machine.devices(done(error="RuntimeError: no tpu"), None, {"JAX_PLATFORMS": "tpu"})
    assert (wrong.state, wrong.what) == ("broken", "JAX does not compute: RuntimeError: no tpu")
    assert "'tpu': unset it" in wrong.mend
    little = machine.devices(done(CPU | {"free": 1 << 30}), None, {})[1]
    assert (little.state, little.what) == ("note", "1.0 GiB of memory free for lanes")
    assert "--lanes" in little.mend
    unknown = machine.devices(done(CPU | {"free": None}), None, {})[1]
    assert unknown.mend == "give --lanes N"


def test_the_driver_is_read_from_its_own_line(tmp_path):
    file = tmp_path / "version"
    assert machine.nvidia_driver(file) is None
    file.write_text(
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build\n"
        "GCC version:  gcc version 12.3.0\n"
    )
    assert machine.nvidia_driver(file) == "580.95.05"


def test_disks(tmp_path, monkeypatch):
    usage = namedtuple("usage", "free")
    new = tmp_path / "not" / "yet"
    for free, state in ((9 << 30, "ok"), (1 << 30, "note"), (9 << 20, "broken")):
        monkeypatch.setattr(shutil, "disk_usage", lambda path, free=free: usage(free))
        (found,) = machine.disk(new, "results")
        assert found.state == state
    assert found.what == f"results: 9 MiB free in {new}"
    (tmp_path / "file").touch()
    (found,) = machine.disk(tmp_path / "file", "results")
    assert (found.state, "cannot be written" in found.what) == ("broken", True)


def test_a_cache_that_cannot_be_written_costs_time_alone(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.delenv("DSER_NO_COMPILE_CACHE", raising=False)
    monkeypatch.setattr(machine, "cache_root", lambda: tmp_path / "file")
    (found,) = machine.compile_cache()
    assert (found.state, "compiled again" in found.mend) == ("note", True)
    monkeypatch.setenv("DSER_NO_COMPILE_CACHE", "1")
    (found,) = machine.compile_cache()
    assert found == Finding("ok", "compiled programs: as DSER_NO_COMPILE_CACHE=1 has it")


def test_sound_and_voice(monkeypatch):
    (wrong,) = examination.sounds(done(error="OSError: libsndfile"), done())
    assert (wrong.state, "soundfile" in wrong.mend) == ("broken", True)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)
    good, mute = examination.sounds(done(["gemaps_lld"]), done(error="no sound"))
    assert (good.state, mute.state) == ("ok", "note")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert len(examination.sounds(done(["gemaps_lld"]), done(error="no sound"))) == 1


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("raise SystemExit('no')", "no"),
        ("import os; os.kill(os.getpid(), 9)", "it crashed with signal 9; no message"),
        ("import time; time.sleep(60)", "no answer in 2 s"),
        ("print('hm')", "an odd answer: 'hm\\n'"),
    ],
)
def test_what_is_tried_may_fail_in_any_way(code, error):
    if os.name == "nt" and "kill" in code:
        pytest.skip("no signals")
    assert probe(code, seconds=2) == Probed(error=error)


def test_a_python_that_is_not_there(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    assert "No such file" in probe("print(1)").error
