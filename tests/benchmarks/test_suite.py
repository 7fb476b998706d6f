"""All benchmarks in a row: compiled first, each figure kept as it is found, taken up again."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def benchmarks_first(monkeypatch):
    """Lets the benchmarks' own modules be imported, as where one of them is run."""
    monkeypatch.syspath_prepend(BENCHMARKS)


def suite(folder, *flags, **environment) -> subprocess.CompletedProcess:
    """Runs the suite at its smallest size, with a cache of its own."""
    results = folder / "results"
    return subprocess.run(
        [sys.executable, BENCHMARKS / "all.py", "--size", "small", "--results", results, *flags],
        env={**os.environ, "XDG_CACHE_HOME": os.fspath(folder / "cache"), **environment},
        capture_output=True,
        text=True,
    )


def programs(folder) -> list[str]:
    """Returns the names of the larger programs in the cache."""
    kinds = ("advance", "fill", "harvest", "put", "epoch")
    return sorted(
        path.name for kind in kinds for path in (folder / "cache").rglob(f"jit_{kind}-*-cache")
    )


def test_what_is_compiled_first_is_found_and_what_is_measured_is_not_measured_again(tmp_path):
    done = suite(tmp_path, "--only", "lanes", "--minutes", "0")
    assert "not ended in time (the same command again takes what is missing): lanes" in done.stdout
    assert done.returncode == 0, done.stderr
    known = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    sizes = ["--size", "small", "--jobs", "1", "lanes"]
    ahead = subprocess.run(
        [sys.executable, BENCHMARKS / "ahead.py", *sizes],
        env={
            **os.environ,
            "XDG_CACHE_HOME": os.fspath(tmp_path / "cache"),
            "PYTHONPATH": os.fspath(BENCHMARKS.parent),
            **known,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert "2 programs, in 1 processes" in ahead.stdout
    before = programs(tmp_path)
    assert len(before) == 5  # four functions of ours, and the plain epoch
    done = suite(tmp_path, "--only", "lanes", "--minutes", "9", "--no-ahead", **known)
    assert done.returncode == 0, done.stderr
    assert "1 of 1 measured" in done.stdout
    assert programs(tmp_path) == before
    kept = (tmp_path / "results/lanes-small.json").read_bytes()
    done = suite(tmp_path, "--only", "lanes", "--minutes", "9")
    assert "measured before: lanes" in done.stdout
    assert (tmp_path / "results/lanes-small.json").read_bytes() == kept


def with_torch(torch: str, folder) -> subprocess.CompletedProcess:
    """Runs the suite's comparison with PyTorch where PyTorch is a file of a line."""
    (folder / "torch.py").write_text(torch)
    only = ("--no-ahead", "--only", "versus_torch")
    return suite(folder, *only, PYTHONPATH=os.fspath(folder))


def test_what_is_not_installed_is_left_out(tmp_path):
    done = with_torch("raise ImportError('no torch here')", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "PyTorch is not installed" in done.stdout
    assert "left out, as something is not installed: versus_torch" in done.stdout


def test_a_failure_is_told(tmp_path):
    done = with_torch("raise RuntimeError('broken')", tmp_path)
    assert done.returncode == 1
    assert "failed: versus_torch" in done.stdout


def record(out, **changed):
    from record import Record

    settings = {"size": "small", "out": out, "resume": True, "repeats": 2}
    return Record("lanes", argparse.Namespace(**(settings | changed)))


def rounds(*values, lost=False):
    """Yields what is known after each round; `lost`: the machine is taken away before the last."""
    for value in values:
        yield {"rate": value}
    if lost:
        raise KeyboardInterrupt


def test_each_round_is_kept_and_whole_parts_are_taken_up(tmp_path, capsys):
    out = tmp_path / "lanes.json"
    first = record(out)
    first.part({"batch": 8}, rounds(1.0, 2.0))
    with pytest.raises(KeyboardInterrupt):
        first.part({"batch": 256}, rounds(3.0, lost=True))
    kept = json.loads(out.read_text())
    assert not kept["complete"]
    assert kept["found"] == [
        {"batch": 8, "rate": 2.0},
        {"batch": 256, "rate": 3.0, "unfinished": True},
    ]
    again = record(out)
    assert again.part({"batch": 8}, rounds(9.0))["rate"] == 2.0
    assert again.part({"batch": 256}, rounds(4.0))["rate"] == 4.0
    again.finish()
    kept = json.loads(out.read_text())
    assert kept["complete"]
    assert [part["rate"] for part in kept["found"]] == [2.0, 4.0]
    assert "taken from" in capsys.readouterr().out


@pytest.mark.parametrize("changed", [{"repeats": 3}, {"resume": False}])
def test_parts_of_other_settings_are_measured_anew(tmp_path, changed):
    out = tmp_path / "lanes.json"
    record(out).part({"batch": 8}, rounds(1.0))
    assert record(out, **changed).part({"batch": 8}, rounds(9.0))["rate"] == 9.0


@pytest.mark.parametrize("what", ["source", "versions", "machine"])
def test_parts_of_another_source_or_machine_are_measured_anew(tmp_path, what):
    from record import measured_here

    out = tmp_path / "lanes.json"
    first = record(out)
    first.part({"batch": 8}, rounds(1.0))
    assert measured_here([out, tmp_path / "none.json"]) == []
    first.finish()
    assert measured_here([out]) == [out]
    kept = json.loads(out.read_text())
    kept |= {
        "source": {"source": "before"},
        "versions": {"versions": {**kept["versions"], "jax": "0.1"}},
        "machine": {"machine": {**kept["machine"], "device": "another"}},
    }[what]
    out.write_text(json.dumps(kept))
    assert measured_here([out]) == []
    assert record(out).part({"batch": 8}, rounds(9.0))["rate"] == 9.0


def test_where_things_lie_on_this_machine_is_not_told(tmp_path, monkeypatch):
    out = tmp_path / "lanes.json"
    flags = ["--out", f"{out}", "--repeats", "2", "--python", "there/python", "--resume"]
    monkeypatch.setattr(sys, "argv", ["somewhere/lanes.py", *flags])
    record(out, python="there/python").finish()
    assert json.loads(out.read_text())["command"] == "benchmarks/lanes.py --repeats 2"
    assert "there" not in out.read_text()
