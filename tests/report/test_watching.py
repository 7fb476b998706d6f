"""The page of a sweep that runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fabricated import NAMES, fabricate

from dser_jax.cli import main
from dser_jax.journal.journal import Journal
from dser_jax.report import watching as watch
from dser_jax.system.errors import DserError
from dser_jax.system.files import holder
from dser_jax.system.files.lock import FolderLock, held

ROOT = Path(__file__).parents[2]


def _row(number):
    row = {"run": f"r{number}", "name": "n", "network": "lstm", "features": "f", "seed": number}
    row |= {"corpus": "demo", "protocol": "strict", "split": "s", "truth": "k", "status": "ok"}
    return row | {part: {"ccc": {"mean": 0.5}} for part in ("validation", "test")}


PLANNED = [f"r{number}" for number in range(3)]


def test_it_follows_a_sweep_to_its_end(tmp_path, capsys):
    """Every look the sweep does something: a run, a torn row, a run, its end."""
    journal = Journal.open(tmp_path, {"planned": PLANNED})
    journal.commit(_row(0), {})
    page = tmp_path / "report" / "report.html"
    seen = []

    def tear():
        with open(tmp_path / "rows.jsonl", "ab") as file:
            file.write(b'{"run": "r2", "na')

    steps = iter([lambda: journal.commit(_row(1), {}), tear, lambda: None, journal.close])

    def sleep(seconds):
        assert seconds == 7
        seen.append(page.read_text("utf-8"))
        next(steps)()

    assert watch.watch(tmp_path, seconds=7, sleep=sleep) == page
    assert ["1 of 3 runs finished" in text for text in seen] == [True, False, False, False]
    assert ["2 of 3 runs finished" in text for text in seen] == [False, True, True, True]
    assert all('<body data-refresh="7">' in text for text in seen)
    assert all("this page reads itself again every 7 s" in text for text in seen)
    last = page.read_text("utf-8")
    assert "data-refresh" not in last[: last.index("<header>")]
    assert "cut off" in last
    said = capsys.readouterr().err
    assert "open it in a browser" in said
    assert said.splitlines()[-1].startswith(f"{tmp_path}: 2 of 3 runs finished")


def test_a_page_is_written_only_when_runs_have_finished(tmp_path, monkeypatch):
    journal = Journal.open(tmp_path, {"planned": PLANNED})
    written = []

    def write_page(*_, refresh, **__):
        written.append(refresh)
        return tmp_path / "page.html"

    monkeypatch.setattr(watch, "write_page", write_page)
    steps = iter([*[lambda: None] * 3, lambda: journal.commit(_row(0), {}), journal.close])
    watch.watch(tmp_path, seconds=1, sleep=lambda _: next(steps)())
    assert written == [1, 1, None]


def test_ctrl_c_leaves_a_page_that_no_longer_refreshes(tmp_path):
    with Journal.open(tmp_path, {"planned": PLANNED}) as journal:

        def sleep(_):
            journal.commit(_row(0), {})
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt, match="the sweep goes on"):
            watch.watch(tmp_path, tmp_path / "page.html", sleep=sleep)
    text = (tmp_path / "page.html").read_text("utf-8")
    assert "1 of 3 runs finished" in text
    assert "data-refresh" not in text[: text.index("<header>")]


def test_without_a_sweep_it_writes_the_page_once(tmp_path, capsys):
    fabricate(tmp_path, dict([*NAMES.items()][:1]), 2)
    main(["watch", str(tmp_path)])
    assert "no process writes to it" in capsys.readouterr().err
    assert (tmp_path / "report" / "report.html").exists()


def test_without_a_journal_it_says_so(tmp_path):
    with pytest.raises(DserError, match="holds no journal"):
        watch.watch(tmp_path)


@pytest.mark.parametrize("seconds", ["0", "-3", "x", "nan", "1e9"])
def test_a_time_that_makes_no_sense_is_refused(tmp_path, seconds, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["watch", str(tmp_path), "--every", seconds])
    assert ended.value.code == 2
    assert "--every" in capsys.readouterr().err


SLEEPER = """
import sys, time
from dser_jax.system.files.lock import FolderLock
from pathlib import Path
lock = FolderLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_who_has_a_folder_is_told_without_touching_it(tmp_path, monkeypatch):
    assert not held(tmp_path)
    assert not held(tmp_path / "nowhere")
    with FolderLock(tmp_path) as mine:
        assert held(tmp_path)
        mine.check()
    assert not held(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", SLEEPER, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    try:
        assert held(tmp_path)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    assert not held(tmp_path)  # Its lock is still there, but nobody holds it.
    assert (tmp_path / "lock").exists()
    monkeypatch.setattr(holder, "machine", lambda: {"host": "near"})
    assert held(tmp_path)  # On another host only the heartbeat tells.
    old = time.time() - 2 * holder.STALE_SECONDS
    os.utime(tmp_path / "lock", (old, old))
    assert not held(tmp_path)
