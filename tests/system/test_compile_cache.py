"""Fault 20: a compilation cache that is damaged or cannot be written costs time, and no more."""

import os
import subprocess
import sys
import zlib

import jax
import pytest

from dser_jax.system import compile_cache as module
from dser_jax.system.compile_cache import SUM, enable_compile_cache

CODE = """
import collections
from pathlib import Path
from dser_jax.system.compile_cache import enable_compile_cache
print(enable_compile_cache())
{meanwhile}
import jax
events = collections.Counter()
jax.monitoring.register_event_listener(lambda event, **_: events.update([event]))
x = jax.numpy.arange(64.0).reshape(8, 8) / 64
print(float(jax.jit(lambda x: jax.lax.scan(lambda c, a: (jax.numpy.tanh(c @ x + a), 0), x, x)[0])(x).sum()))
print(*(events["/jax/compilation_cache/cache_" + what] for what in ("hits", "misses")))
"""  # noqa: E501


class Process:
    """What a process with the cache in `home` said, computed, found and compiled."""

    def __init__(self, home, meanwhile="", **settings):
        done = subprocess.run(
            [sys.executable, "-c", CODE.format(meanwhile=meanwhile)],
            env={
                **{name: value for name, value in os.environ.items() if "CACHE" not in name},
                "XDG_CACHE_HOME": str(home),
                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
                **settings,
            },
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        notices, result, counts = done.stdout.splitlines()
        self.notices, self.result = notices, float(result)
        self.hits, self.misses = map(int, counts.split())
        self.err = done.stderr


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A process that found nothing and left its programs; and where."""
    home = tmp_path_factory.mktemp("home")
    return home, Process(home)


def entries(home):
    return sorted(home.glob("dser_jax/xla/*/*-cache"))


def test_a_second_process_compiles_nothing(first):
    home, compiled = first
    assert compiled.notices == "[]"
    assert compiled.misses == len(entries(home)) > 0
    assert all(path.with_name(path.name + SUM).exists() for path in entries(home))
    assert entries(home)[0].parent.stat().st_mode & 0o777 == 0o700
    loaded = Process(home)
    assert loaded.result == compiled.result
    assert (loaded.hits, loaded.misses) == (compiled.misses, 0)


def empty(data):
    return b""


def truncate(data):
    return data[: len(data) // 2]


def flip(data):
    return data[:100] + bytes([data[100] ^ 4]) + data[101:]


def flip_inside(data):
    """As where zstd has compressed, which notices nothing."""
    return zlib.compress(flip(zlib.decompress(data)))


@pytest.mark.parametrize("damage", [empty, truncate, flip, flip_inside])
def test_fault_20_damaged_programs_are_compiled_again(first, damage):
    home, compiled = first
    for path in entries(home):
        path.write_bytes(damage(path.read_bytes()))
    again = Process(home)
    assert f"{compiled.misses} damaged programs removed; they are compiled again" in again.notices
    assert again.result == compiled.result
    assert (again.hits, again.misses) == (0, compiled.misses)
    assert "Error" not in again.err
    assert Process(home).hits == compiled.misses


def test_fault_20_what_a_killed_process_left_unfinished_is_removed(first):
    home, _ = first
    path = entries(home)[0]
    path.write_bytes(truncate(path.read_bytes()))
    path.with_name(path.name + SUM).unlink()
    again = Process(home)
    assert "1 damaged programs removed" in again.notices
    assert again.misses == 1


def test_fault_20_damage_while_a_process_runs_is_warned_of(first):
    home, compiled = first
    meanwhile = f"[p.write_bytes(b'') for p in Path({str(home)!r}).rglob('*-cache')]"
    warned = Process(home, meanwhile)
    assert warned.result == compiled.result
    assert "Error reading persistent compilation cache entry" in warned.err
    assert Process(home).misses == compiled.misses


def test_fault_20_a_folder_that_goes_away_is_warned_of(tmp_path, first):
    meanwhile = f"import shutil; shutil.rmtree({str(tmp_path)!r})\nPath({str(tmp_path)!r}).touch()"
    warned = Process(tmp_path, meanwhile)
    assert warned.result == first[1].result
    assert "UserWarning: Error" in warned.err


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A cache for this process, which compiles nothing while it is on; off again afterwards."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("DSER_NO_COMPILE_CACHE", raising=False)
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    yield tmp_path
    jax.config.update("jax_compilation_cache_dir", before)


def test_fault_20_a_folder_that_cannot_be_made(here, monkeypatch):
    (here / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(here / "file"))
    (notice,) = enable_compile_cache()
    assert notice.startswith("programs are not kept for the next start, but compiled again: ")
    assert str(here / "file") in notice
    assert jax.config.jax_compilation_cache_dir is None


def test_fault_20_a_folder_that_cannot_be_written(here, monkeypatch):
    def refuse(dir):
        raise PermissionError(13, "Permission denied", str(dir))

    monkeypatch.setattr(module.tempfile, "TemporaryFile", refuse)
    (notice,) = enable_compile_cache()
    assert "Permission denied" in notice
    assert jax.config.jax_compilation_cache_dir is None


def test_a_folder_of_the_user_is_left_alone(here):
    jax.config.update("jax_compilation_cache_dir", str(here / "mine"))
    assert enable_compile_cache() == []
    assert jax.config.jax_compilation_cache_dir == str(here / "mine")
    assert list(here.iterdir()) == []


def test_it_can_be_turned_off(here, monkeypatch):
    monkeypatch.setenv("DSER_NO_COMPILE_CACHE", "1")
    assert enable_compile_cache() == []
    assert jax.config.jax_compilation_cache_dir is None


def test_another_kind_of_machine_has_a_folder_of_its_own(here, monkeypatch):
    assert enable_compile_cache() == enable_compile_cache() == []
    one = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    monkeypatch.setattr(module.platform, "machine", lambda: "sparc")
    enable_compile_cache()
    assert jax.config.jax_compilation_cache_dir != one


def test_the_oldest_programs_go_first(here, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 100)
    for second, name in enumerate(["old/a-cache", "old/b-cache", "new/c-cache", "new/d-cache"]):
        path = here / "dser_jax" / "xla" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for each in (path, path.with_name(path.name + SUM)):
            each.write_bytes(b"x" * 40)
            os.utime(each, (second, second))
    enable_compile_cache()
    kept = sorted(path.name for path in here.rglob("*-cache*"))
    assert kept == ["c-cache", f"c-cache{SUM}", "d-cache", f"d-cache{SUM}"]
