from __future__ import annotations

import errno
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dser_jax.system.errors import DserError
from dser_jax.system.files import holder, lock
from dser_jax.system.files.lock import FolderLock, held


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Heartbeats of a twentieth of a second; and no thread may be left."""
    monkeypatch.setattr(holder, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(holder, "STALE_SECONDS", 0.4)
    yield
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("beat")]


@pytest.fixture
def elsewhere(monkeypatch):
    """Makes this process another host, as often as asked; there, the kernel's locks are unknown."""

    def move(host):
        monkeypatch.setattr(holder, "machine", lambda: {"host": host})
        monkeypatch.setattr(lock, "kernel_lock", lambda handle: None)

    return move


def sign(folder, name="lock", *, age=0.0, **owner):
    """Leaves a lock as a holder on another host would, whose last heartbeat was `age` ago."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps({"pid": 1, "host": "far", "token": "t", **owner}))
    now = (folder / name).stat().st_mtime
    os.utime(folder / name, (now - age, now - age))


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def files(folder):
    return sorted(os.listdir(folder))


def test_holds_signs_and_lets_go(tmp_path):
    folder = tmp_path / "new" / "folder"
    with FolderLock(folder) as held:
        assert held.notice is None
        assert not held.closed
        held.check()
        assert files(folder) == ["lock"]
        owner = json.loads((folder / "lock").read_text())
        assert (owner["pid"], owner["host"]) == (os.getpid(), socket.gethostname())
    assert held.closed
    held.close()
    assert files(folder) == []
    with pytest.raises(DserError, match="was let go of"):
        held.check()
    with FolderLock(folder) as held:
        assert held.notice is None


ENDED = """
import os, sys, time
from pathlib import Path
from dser_jax.system import interrupt
from dser_jax.system.files.lock import FolderLock

held = FolderLock(Path(sys.argv[1]))
if sys.argv[2] == "copy" and os.fork() != 0:  # The copy is ended, and the folder not its own.
    os.wait()
    print(os.listdir(sys.argv[1]))
    held.close()
    sys.exit(3)
if sys.argv[2] == "stuck":
    interrupt.LAST_SECONDS = 0.1
    interrupt.LAST.append(lambda: time.sleep(60))
interrupt.end_at_once(3, "ended")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize(("how", "left"), [("alone", []), ("stuck", ["lock"]), ("copy", [])])
def test_what_is_ended_at_once_lets_go(tmp_path, how, left):
    """Unless the disk does not answer; a copy of the process lets go of nothing."""
    start = time.monotonic()
    given = [sys.executable, "-c", ENDED, str(tmp_path / "folder"), how]
    done = subprocess.run(given, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (3, "ended\n")
    assert files(tmp_path / "folder") == left
    assert done.stdout == ("['lock']\n" if how == "copy" else "")
    assert time.monotonic() - start < 30


def test_a_heartbeat_is_seen_and_ends(tmp_path):
    with FolderLock(tmp_path) as held:
        os.utime(held.path, (1, 1))
        deadline = time.monotonic() + 5
        while held.path.stat().st_mtime == 1:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert not held._heart.is_alive()


@pytest.mark.parametrize("error", [OSError(errno.EPERM, "no"), TypeError("not by number")])
def test_a_heart_beats_on_where_files_cannot_be_touched(tmp_path, monkeypatch, error):
    def fail(*_):
        raise error

    with FolderLock(tmp_path) as held:
        monkeypatch.setattr(os, "utime", fail)
        before = held.path.stat().st_mtime_ns
        text = held.path.read_bytes()
        deadline = time.monotonic() + 5
        while held.path.stat().st_mtime_ns == before:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert held.path.read_bytes() == text
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            time.sleep(0.15)
        assert held._heart.is_alive()


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda handle, data: 3)
        with pytest.raises(DserError, match="lock: cannot write: No space left on device"):
            FolderLock(tmp_path)
    assert files(tmp_path) == []


def test_a_holder_that_died_is_followed_at_once(tmp_path):
    code = "import os; from pathlib import PosixPath; from dser_jax.system import FolderLock;"
    code += f"FolderLock({tmp_path!r}); os._exit(9)"
    env = {**os.environ, "PYTHONPATH": os.fspath(Path(lock.__file__).parents[2])}
    assert subprocess.run([sys.executable, "-c", code], env=env).returncode == 9
    assert files(tmp_path) == ["lock"]
    with FolderLock(tmp_path) as held:
        assert "ended without letting go of this folder; taken over" in held.notice
        assert files(tmp_path) == ["lock.1"]
        with pytest.raises(DserError, match=f"in use by process {os.getpid()}.*delete .*lock.1"):
            FolderLock(tmp_path)
    assert files(tmp_path) == []


def test_another_host_that_beats_is_respected(tmp_path, elsewhere):
    with FolderLock(tmp_path) as held:
        elsewhere("near")
        with pytest.raises(DserError, match=f"in use by process {os.getpid()} on "):
            FolderLock(tmp_path)
        held.check()


def test_another_host_that_stopped_is_taken_over(tmp_path, capsys):
    sign(tmp_path, age=3600)
    start = time.monotonic()
    with FolderLock(tmp_path) as held:
        assert time.monotonic() - start < 0.3
        assert "process 1 on far has shown no sign of life for 3600 s; taken over" in held.notice
    assert capsys.readouterr().err == ""


def test_one_that_may_be_dead_is_waited_for_and_that_is_said(tmp_path, capsys):
    sign(tmp_path, age=0.2)
    start = time.monotonic()
    with FolderLock(tmp_path) as held:
        assert 0.15 < time.monotonic() - start < 2
        assert "taken over" in held.notice
    assert "process 1 on far has shown no sign of life for 0 s; taken over" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("ahead", [100, 1e6])
def test_a_clock_that_is_ahead_takes_no_folder_away(tmp_path, ahead):
    sign(tmp_path, age=-ahead)
    start = time.monotonic()
    with FolderLock(tmp_path):
        assert time.monotonic() - start >= 0.4


def test_a_holder_of_an_earlier_version_is_respected(tmp_path):
    sign(tmp_path, age=3600)
    (tmp_path / "lock").write_text(json.dumps({"pid": 1, "host": "far", "since": "yesterday"}))
    os.utime(tmp_path / "lock", (1, 1))
    with pytest.raises(DserError, match=r"process 1 on far since yesterday.*delete .*lock"):
        FolderLock(tmp_path)


def test_a_machine_that_was_started_anew_is_another(tmp_path, monkeypatch):
    here = holder.machine()
    sign(tmp_path, host=here["host"], boot="before", pid=os.getpid(), age=3600)
    with FolderLock(tmp_path) as held:
        assert "no sign of life" in held.notice


def test_one_that_was_taken_over_is_told_so_and_removes_nothing(tmp_path, elsewhere, monkeypatch):
    first = FolderLock(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "utime", lambda *_: None)  # It is held up.
        elsewhere("near")
        second = FolderLock(tmp_path)
    assert files(tmp_path) == ["lock.1"]
    with pytest.raises(DserError, match=r"on near took this folder over at 2"):
        first.check()
    first.close()
    second.check()
    assert files(tmp_path) == ["lock.1"]
    elsewhere("far")
    with pytest.raises(DserError, match=r"in use by process .* on near"):
        FolderLock(tmp_path)
    second.close()
    assert files(tmp_path) == []


def test_a_lock_deleted_by_hand_is_lost(tmp_path):
    with FolderLock(tmp_path) as first:
        (tmp_path / "lock").unlink()
        with pytest.raises(DserError, match=r"its lock .*lock is gone"):
            first.check()
        with FolderLock(tmp_path) as second:
            with pytest.raises(DserError, match="took this folder over"):
                first.check()
            first.close()
            second.check()


def test_the_highest_number_holds(tmp_path):
    sign(tmp_path, age=3600)
    sign(tmp_path, "lock.9")
    sign(tmp_path, "lock.10", age=3600)
    sign(tmp_path, "lock.old")
    with FolderLock(tmp_path):
        assert files(tmp_path) == ["lock.11", "lock.old"]


def test_whoever_judged_a_lock_that_has_gone_gives_way(tmp_path, monkeypatch):
    """A slow process finds the folder taken, let go of and taken again under its hands."""
    sign(tmp_path, age=3600)
    make, others = FolderLock._make, []

    def slow(self):
        if not others:
            others.append(self)
            FolderLock(tmp_path).close()
            others.append(FolderLock(tmp_path))
            assert files(tmp_path) == ["lock"]
        return make(self)

    monkeypatch.setattr(FolderLock, "_make", slow)
    with pytest.raises(DserError, match="in use by process"):
        FolderLock(tmp_path)
    assert files(tmp_path) == ["lock"]
    others[1].check()
    others[1].close()


def test_whoever_starts_anew_gives_way_to_one_that_has_just_taken_over(tmp_path, monkeypatch):
    make, signed = FolderLock._make, []

    def slow(self):
        if not signed:
            signed.append(sign(tmp_path, "lock.3"))
        return make(self)

    monkeypatch.setattr(FolderLock, "_make", slow)
    with FolderLock(tmp_path) as held:
        assert "process 1 on far has shown no sign of life" in held.notice
        assert files(tmp_path) == ["lock.4"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_file_systems_without_hard_links(tmp_path, monkeypatch, number):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", fail)
    with FolderLock(tmp_path) as held:
        with pytest.raises(DserError, match="in use by process"):
            FolderLock(tmp_path)
        held.check()
    sign(tmp_path, age=3600)
    with FolderLock(tmp_path) as held:
        assert files(tmp_path) == ["lock.1"]
        held.check()
    assert files(tmp_path) == []


def test_without_kernel_locks_a_process_id_used_again_is_found_out(tmp_path, monkeypatch):
    monkeypatch.setattr(holder, "fcntl", None)
    sign(tmp_path, age=3600, **holder.machine() | {"pid": os.getpid()})
    with FolderLock(tmp_path) as held:
        assert "no sign of life" in held.notice
        with pytest.raises(DserError, match="in use by process"):
            FolderLock(tmp_path)


def contend(folder, number, kernel):
    """Takes the folder again and again; being alone in it is what is asked."""
    holder.BEAT_SECONDS, holder.STALE_SECONDS = 0.02, 1.0
    lock._SIGNING = 0.01
    if not kernel:
        lock.kernel_lock = lambda handle: None
        holder.machine = lambda: {"host": f"host{number}"}
    taken, alone = 0, os.path.join(folder, "alone")
    end = time.monotonic() + 1.2
    while time.monotonic() < end:
        try:
            with FolderLock(lock.Path(folder)) as held:
                handle = os.open(alone, os.O_CREAT | os.O_EXCL)
                held.check()
                taken += 1
                os.unlink(alone)
                os.close(handle)
        except DserError as error:
            if "in use by" not in str(error):
                raise
    os._exit(0 if taken else 7)


@pytest.mark.parametrize("kernel", [True, False])
def test_many_take_turns_and_never_meet(tmp_path, kernel):
    sign(tmp_path, age=3600)
    context = multiprocessing.get_context("spawn")
    crowd = [
        context.Process(target=contend, args=(os.fspath(tmp_path), number, kernel))
        for number in range(4)
    ]
    for process in crowd:
        process.start()
    for process in crowd:
        process.join(60)
    assert {process.exitcode for process in crowd} <= {0, 7}
    assert 0 in {process.exitcode for process in crowd}
    assert "alone" not in files(tmp_path)
    assert not [name for name in files(tmp_path) if name.startswith("lock")]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 4000,
        "[]",
        "3",
        '{"pid": "1", "host": "a"}',
        '{"pid": -1, "host": "a"}',
        '{"pid": 1e99, "host": ["a"]}',
        '{"pid": 1, "host": "a", "token": {}}',
    ],
    ids=lambda text: text[:30],
)
def test_a_lock_that_nobody_signed_holds_nobody_up(tmp_path, text):
    (tmp_path / "lock").write_text(text)
    assert not held(tmp_path)
    with FolderLock(tmp_path) as lock:
        assert lock.notice is None
        assert held(tmp_path)
