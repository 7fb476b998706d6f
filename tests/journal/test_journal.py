from __future__ import annotations

import errno
import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rewritten import rewrite, rewrite_rows

import dser_jax
from dser_jax.journal import journal as journal_module
from dser_jax.journal.journal import Journal
from dser_jax.journal.provenance import environment
from dser_jax.journal.reading import SCHEMA, read_journal
from dser_jax.journal.row_file import RowFile
from dser_jax.plan import run_id
from dser_jax.system.errors import DataError, DserError
from dser_jax.system.files import atomic, holder

ROOT = Path(dser_jax.__file__).parents[1]
MANIFEST = {"data_fingerprint": "aa", "versions": {"jax": "1"}, "git_commit": "c0", "planned": 4}


def row(run="r0", **more):
    return {"run": run, "name": "equal weights", "seed": 0, "status": "ok", **more}


def arrays(value=0.5):
    return {"train_loss": np.full(3, value, np.float32), "test_pred": np.zeros((4, 3))}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "journal"


@pytest.fixture
def journal(folder):
    with Journal.open(folder, MANIFEST) as journal:
        yield journal


def lines(folder):
    return (folder / "rows.jsonl").read_bytes().splitlines()


def leftovers(folder):
    return [path.name for path in folder.rglob(".*")]


def test_a_committed_run_can_be_read_back(journal, folder):
    assert journal.commit(row(best_epoch=1), arrays())
    journal.write_truth("k", test_ids=["a", "b"], test_gold=np.array([[1.0, math.nan, 0]]))
    view = read_journal(folder)
    assert view.rows == (row(best_epoch=1),)
    assert view.manifest["schema"] == SCHEMA
    assert view.manifest["data_fingerprint"] == "aa"
    np.testing.assert_array_equal(view.arrays("r0")["train_loss"], np.full(3, 0.5, np.float32))
    assert view.truth("k")["test_ids"].tolist() == ["a", "b"]
    np.testing.assert_array_equal(view.truth("k")["test_gold"], [[1, math.nan, 0]])
    assert journal.rows() == [row(best_epoch=1)]
    assert journal.finished == {"r0"}
    assert not journal.notices
    assert not view.notices
    assert {path.name for path in folder.iterdir()} == {
        *("manifest.json", "rows.jsonl", "arrays", "truth", "params", "lock")
    }


def test_what_is_not_finite_becomes_null(journal, folder):
    scores = {"valence": math.nan, "arousal": np.float32(np.inf), "dominance": np.float64(0.25)}
    journal.commit(row(test={"ccc": scores}, seeds=np.arange(2), pair=(1, True)), {})
    written = json.loads(lines(folder)[0], parse_constant=pytest.fail)
    assert len(written.pop("checksum")) == 16
    assert written == row(
        test={"ccc": {"valence": None, "arousal": None, "dominance": 0.25}},
        seeds=[0, 1],
        pair=[1, True],
    )


def test_a_run_is_written_once(journal, folder):
    assert journal.commit(row(seed=1), arrays(1))
    assert not journal.commit(row(seed=2), arrays(2))
    assert len(lines(folder)) == 1
    assert journal.arrays("r0")["train_loss"][0] == 1


@pytest.mark.parametrize("name", ["../up", "", ".hidden", "a/b", "ü", None, 3, "-x"])
def test_names_that_are_no_file_names_are_refused(journal, name):
    with pytest.raises(DserError, match="cannot name a file"):
        journal.commit(row(name), {})
    with pytest.raises(DserError, match="cannot name a file"):
        journal.write_truth(name, test_gold=[1])


def test_odd_values_are_refused_before_anything_is_written(journal, folder):
    with pytest.raises(TypeError, match="plain values"):
        journal.commit(row(odd=object()), arrays())
    with pytest.raises(TypeError, match="numbers or of strings"):
        journal.commit(row(), {"odd": np.array([None, 1], dtype=object)})
    assert not (folder / "rows.jsonl").exists()
    assert not leftovers(folder)


def test_truth_is_written_once_and_never_changed(journal, folder):
    journal.write_truth("k", test_gold=[1.0, math.nan])
    journal.write_truth("k", test_gold=[1.0, math.nan])
    with pytest.raises(DserError, match="other labels"):
        journal.write_truth("k", test_gold=[1.0, 2.0])
    with pytest.raises(DserError, match="other labels"):
        journal.write_truth("k", test_gold=[1.0, math.nan], more=[1])
    (folder / "truth/k.npz").write_bytes(b"PK damaged")
    journal.write_truth("k", test_gold=[3.0])
    assert read_journal(folder).truth("k")["test_gold"].tolist() == [3.0]


def test_missing_and_damaged_arrays_are_named(journal, folder):
    journal.commit(row(), arrays())
    path = folder / "arrays/r0.npz"
    data = bytearray(path.read_bytes())
    for broken in (data[: len(data) // 2], b"", data.replace(b"\x00\x00\x00?", b"\x00\x00\x01?")):
        path.write_bytes(broken)
        with pytest.raises(DataError, match=r"r0\.npz: damaged"):
            read_journal(folder).arrays("r0")
    path.unlink()
    with pytest.raises(DataError, match=r"r0\.npz: missing"):
        read_journal(folder).arrays("r0")


def test_a_flipped_bit_is_found_or_harmless(journal, folder):
    journal.commit(row(), arrays())
    path = folder / "arrays/r0.npz"
    sound = path.read_bytes()
    for place in range(0, len(sound), 3):
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 4]) + sound[place + 1 :])
        try:
            found = read_journal(folder).arrays("r0")
        except DataError:
            continue
        for array in found.values():
            assert array.tolist() in (arrays()["train_loss"].tolist(), np.zeros((4, 3)).tolist())


def test_a_closed_journal_takes_nothing(folder):
    with Journal.open(folder, MANIFEST) as journal:
        pass
    journal.close()
    assert not (folder / "lock").exists()
    with pytest.raises(DserError, match="closed"):
        journal.commit(row(), {})


# Reopening


def test_reopening_knows_what_is_finished(folder):
    with Journal.open(folder, MANIFEST) as journal:
        journal.commit(row(), arrays())
    before = (folder / "manifest.json").read_bytes()
    with Journal.open(folder, MANIFEST) as journal:
        assert journal.finished == {"r0"}
        assert not journal.commit(row(), arrays())
        assert journal.commit(row("r1"), arrays())
        assert not journal.notices
    assert (folder / "manifest.json").read_bytes() == before
    assert [entry["run"] for entry in read_journal(folder).rows] == ["r0", "r1"]


def test_other_data_are_refused_and_shown(folder):
    Journal.open(folder, {**MANIFEST, "data_fingerprint": {"labels": "a", "audio": "b"}}).close()
    Journal.open(folder, {**MANIFEST, "data_fingerprint": {"audio": "b", "words": "c"}}).close()
    view = read_journal(folder)
    assert view.manifest["data_fingerprint"] == {"labels": "a", "audio": "b", "words": "c"}
    with pytest.raises(DserError) as caught:
        Journal.open(folder, {**MANIFEST, "data_fingerprint": {"labels": "z", "audio": "b"}})
    assert 'data_fingerprint.labels: "a" before, "z" now' in str(caught.value)
    assert "audio" not in str(caught.value)
    assert not (folder / "lock").exists()


def test_the_caller_says_what_else_must_match(folder):
    Journal.open(folder, {**MANIFEST, "configurations": [1, 2]}).close()
    with pytest.raises(DserError, match=r"configurations: \[1, 2\] before, \[1, 3\] now"):
        Journal.open(
            folder,
            {**MANIFEST, "configurations": [1, 3]},
            must_match=("data_fingerprint", "configurations"),
        )


def test_another_schema_is_refused(folder):
    Journal.open(folder, MANIFEST).close()
    rewrite(folder / "manifest.json", schema=99)
    for act in (lambda: Journal.open(folder, MANIFEST), lambda: read_journal(folder)):
        with pytest.raises(DserError, match=f"99; expected schema {SCHEMA}"):
            act()


def test_other_versions_are_noted_and_said(folder):
    with Journal.open(folder, {**MANIFEST, "command": "dser sweep"}) as journal:
        journal.commit(row(), arrays())
    newer = {**MANIFEST, "versions": {"jax": "2"}, "git_commit": "c1", "command": "dser sweep -v"}
    with Journal.open(folder, newer) as journal:
        assert journal.notices == [
            'resumed with another versions.jax: "1" before, "2" now',
            'resumed with another git_commit: "c0" before, "c1" now',
        ]
    with Journal.open(folder, newer) as journal:
        assert journal.notices == []
        manifest = journal.manifest
    assert manifest == read_journal(folder).manifest
    assert manifest["versions"] == {"jax": "2"}
    (note,) = manifest["resumed"]
    assert note["rows_before"] == 1
    assert note["was"]["versions"] == {"jax": "1"}
    assert note["was"]["command"] == "dser sweep"


def plan_of(**seeds):
    """A manifest that plans rows with these seeds; the runs are called row and seed."""
    return {
        "data_fingerprint": "aa",
        "planned": [f"{name}{seed}" for name in seeds for seed in seeds[name]],
        "plan": {
            name: {"runs": len(each), "seeds": list(each), "settings": {"units": 8}}
            for name, each in seeds.items()
        },
    }


def test_another_plan_is_refused_and_shown(folder):
    Journal.open(folder, plan_of(a=[0, 1])).close()
    before = (folder / "manifest.json").read_bytes()
    with pytest.raises(DserError) as caught:
        Journal.open(folder, plan_of(a=[0, 1, 2], b=[0]))
    for part in ("new: 'b', 1 run", "'a': more seeds: 2", "2 runs planned before, 4 now: 2 new"):
        assert part in str(caught.value)
    assert (folder / "manifest.json").read_bytes() == before
    assert not (folder / "lock").exists()


def test_extending_adds_to_the_plan_and_keeps_it(folder):
    with Journal.open(folder, plan_of(a=[0, 1])) as journal:
        journal.commit(row("a0"), arrays())
    with Journal.open(folder, plan_of(b=[0], a=[1, 2]), extend=True) as journal:
        assert journal.finished == {"a0"}
        assert "extended: new: 'b', 1 run" in journal.notices
        assert (
            "1 of the runs that were planned before are not planned by this"
            in (journal.notices[-1])
        )
        manifest = journal.manifest
    assert manifest["planned"] == ["a0", "a1", "b0", "a2"]
    assert manifest["plan"]["a"] == {"runs": 3, "seeds": [0, 1, 2], "settings": {"units": 8}}
    assert manifest["extended"][0]["added"] == 2
    assert "resumed" not in manifest
    assert read_journal(folder).manifest == manifest
    with Journal.open(folder, plan_of(a=[0, 1, 2], b=[0])) as journal:
        assert journal.notices == []
        assert journal.manifest == manifest


def test_a_journal_without_a_plan_can_be_extended(folder):
    Journal.open(folder, {"data_fingerprint": "aa", "planned": ["a0", "a1"]}).close()
    with pytest.raises(DserError, match="2 runs planned before, 3 now: 1 new, 0 gone"):
        Journal.open(folder, plan_of(a=[0, 1, 2]))
    with Journal.open(folder, plan_of(a=[0, 1])) as journal:
        assert journal.notices == []
    with Journal.open(folder, plan_of(a=[0, 1, 2]), extend=True) as journal:
        assert journal.manifest["planned"] == ["a0", "a1", "a2"]


def test_other_settings_are_refused_even_when_extending(folder):
    Journal.open(folder, plan_of(a=[0])).close()
    other = plan_of(a=[0], b=[0])
    other["planned"][0], other["plan"]["a"]["settings"] = "x", {"units": 9}
    with pytest.raises(DserError, match="'a': other settings: units 8 -> 9"):
        Journal.open(folder, other, extend=True)


def test_a_run_planned_twice_is_one(folder):
    with Journal.open(folder, {**MANIFEST, "planned": ["a", "b", "a"]}) as journal:
        assert journal.manifest["planned"] == ["a", "b"]


def test_entries_of_the_manifest_can_be_noted(journal, folder):
    journal.note({"lanes": np.int64(4)})
    assert read_journal(folder).manifest == journal.manifest
    assert journal.manifest["lanes"] == 4
    before = (folder / "manifest.json").stat().st_mtime_ns
    journal.note({"lanes": 4})
    assert (folder / "manifest.json").stat().st_mtime_ns == before


def test_no_journal_is_said(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DserError, match=r"manifest\.json is missing"):
            read_journal(folder)


def test_a_prepared_folder_is_no_journal(tmp_path):
    (tmp_path / "manifest.json").write_text('{"schema": 1, "utterances_sha256": "aa"}')
    with pytest.raises(DserError, match="is a prepared data set; expected the journal of a sweep"):
        read_journal(tmp_path)
    with pytest.raises(DserError, match="is a prepared data set, which gets no runs; choose anoth"):
        Journal.open(tmp_path, MANIFEST)
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def test_rows_without_a_manifest_are_not_adopted(folder):
    Journal.open(folder, MANIFEST).close()
    (folder / "rows.jsonl").write_text("{}\n")
    (folder / "manifest.json").unlink()
    with pytest.raises(DserError, match="rows but no manifest"):
        Journal.open(folder, MANIFEST)


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00\x00"])
def test_a_damaged_manifest_is_named(folder, text):
    Journal.open(folder, MANIFEST).close()
    (folder / "manifest.json").write_text(text)
    with pytest.raises(DataError, match=r"manifest\.json: damaged .*; remove it, and repeat"):
        Journal.open(folder, MANIFEST)


# Strangers' journals


@pytest.mark.parametrize(
    "odd",
    [
        *({"run": "../up"}, {"run": "/etc/x"}, {"run": 3}, {"name": ["a"]}, {"seed": {}}),
        *({"status": "fine"}, {"truth": 1}, {"config": []}, {"hparams": {"loss_weights": ["x"]}}),
        *({"test": {"ccc": {"mean": "high"}}}, {"validation": {"ccc": 0.5}}, {"epochs": "3"}),
    ],
)
def test_rows_that_hold_something_else_are_refused(folder, odd):
    with Journal.open(folder, MANIFEST) as journal:
        journal.commit(row("r0"), arrays())
        journal.commit(row("r1"), arrays())
    rewrite_rows(folder / "rows.jsonl", lambda row: row | odd if row["run"] == "r0" else row)
    for act in (lambda: read_journal(folder), lambda: Journal.open(folder, MANIFEST)):
        with pytest.raises(DataError, match=r"rows\.jsonl:1: a damaged row"):
            act()


@pytest.mark.parametrize(
    "odd",
    [
        *(
            {"planned": [3]},
            {"planned": "4"},
            {"part": [1]},
            {"part": ["a", "b"]},
            {"resumed": ["x"]},
        ),
        *({"versions": []}, {"command": 3}, {"search": [1]}, {"skipped": {}}, {"parts": [1]}),
    ],
)
def test_manifests_that_hold_something_else_are_refused(folder, odd):
    Journal.open(folder, MANIFEST).close()
    rewrite(folder / "manifest.json", **odd)
    with pytest.raises(DataError, match=r"manifest\.json: nothing that a journal has"):
        read_journal(folder)


def test_arrays_that_would_fill_the_memory_are_refused(journal, folder):
    journal.commit(row(), arrays())
    np.savez_compressed(folder / "arrays/r0.npz", test_pred=np.zeros(10**7))
    with pytest.raises(DataError, match="compressed arrays"):
        read_journal(folder).arrays("r0")
    np.savez(folder / "arrays/r0.npz", test_pred=np.array([{}], object))
    with pytest.raises(DataError, match="not an array of plain values"):
        read_journal(folder).arrays("r0")


# Faults


@pytest.mark.parametrize("cut", [1, 2, 20])
def test_a_torn_last_line_is_dropped_and_said(folder, cut):
    with Journal.open(folder, MANIFEST) as journal:
        journal.commit(row("r0"), arrays())
        journal.commit(row("r1", text="naïve"), arrays())
    path = folder / "rows.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    view = read_journal(folder)
    assert [entry["run"] for entry in view.rows] == ["r0"]
    assert "rows.jsonl:2: dropped the last line" in view.notices[0]
    assert path.read_bytes() == whole[:-cut]
    with Journal.open(folder, MANIFEST) as journal:
        assert "rows.jsonl:2: dropped the last line" in journal.notices[0]
        assert journal.finished == {"r0"}
        assert journal.commit(row("r1", text="naïve"), arrays())
    assert path.read_bytes() == whole


def test_garbage_at_the_end_is_dropped(folder):
    with Journal.open(folder, MANIFEST) as journal:
        journal.commit(row(), arrays())
    path = folder / "rows.jsonl"
    for garbage in (b"\x00" * 100, b'{"run": "r1", "na\n', b"\xff\xfe\n", b"null\n", b'{"a": 1}\n'):
        path.write_bytes(path.read_bytes() + garbage)
        with Journal.open(folder, MANIFEST) as journal:
            assert len(journal.notices) == 1
            assert journal.finished == {"r0"}
        assert len(lines(folder)) == 1


def test_a_torn_line_in_the_middle_names_file_and_line(folder):
    with Journal.open(folder, MANIFEST) as journal:
        for run in ("r0", "r1", "r2"):
            journal.commit(row(run), arrays())
    path = folder / "rows.jsonl"
    first, second, third = lines(folder)
    path.write_bytes(b"\n".join([first, second[:9], third, b""]))
    for act in (lambda: Journal.open(folder, MANIFEST), lambda: read_journal(folder)):
        with pytest.raises(DataError, match=r"rows\.jsonl:2: a damaged row") as caught:
            act()
        assert caught.value.line == 2
    assert not (folder / "lock").exists()


def test_failed_runs_can_be_tried_again(folder):
    with Journal.open(folder, MANIFEST) as journal:
        for number, status in enumerate(("ok", "failed", "diverged", "failed")):
            journal.commit(row(f"r{number}", status=status, word="ü"), arrays())
    before = lines(folder)
    with Journal.open(folder, MANIFEST, retry=lambda run: run == "r3") as journal:
        assert journal.finished == {"r0", "r1", "r2"}
        assert lines(folder) == before[:3]
        assert "dropped the rows of 1 run that failed" in journal.notices
        assert journal.commit(row("r3", epochs=3), arrays(0.25))
    with Journal.open(folder, MANIFEST, retry=lambda run: True) as journal:
        assert journal.finished == {"r0", "r2", "r3"}
    view = read_journal(folder)
    assert [r["run"] for r in view.rows] == ["r0", "r2", "r3"]
    assert view.arrays("r3")["train_loss"][0] == 0.25


def test_a_run_written_twice_by_hand_counts_once(folder):
    with Journal.open(folder, MANIFEST) as journal:
        journal.commit(row(seed=1), arrays())
    path = folder / "rows.jsonl"
    path.write_bytes(path.read_bytes() * 2)
    view = read_journal(folder)
    assert len(view.rows) == 1
    assert "rows.jsonl:2: run r0 is there already" in view.notices[0]


def interrupted(*_):
    raise KeyboardInterrupt


def test_a_kill_between_arrays_and_row_costs_that_run_only(folder, monkeypatch):
    with Journal.open(folder, MANIFEST) as journal:
        journal.commit(row("r0"), arrays())
        with monkeypatch.context() as patch:
            patch.setattr(RowFile, "append", interrupted)
            with pytest.raises(KeyboardInterrupt):
                journal.commit(row("r1"), arrays(1))
    assert (folder / "arrays/r1.npz").exists()
    with Journal.open(folder, MANIFEST) as journal:
        assert journal.finished == {"r0"}
        assert journal.commit(row("r1"), arrays(2))
        assert journal.arrays("r1")["train_loss"][0] == 2


def test_half_written_files_are_removed_and_said(folder):
    Journal.open(folder, MANIFEST).close()
    for name in ("arrays/.r0.npz.123.part", ".manifest.json.123.part", "truth/.k.npz.123.part"):
        (folder / name).write_bytes(b"half")
    with Journal.open(folder, MANIFEST) as journal:
        assert len(journal.notices) == 3
        assert all("half-written" in notice for notice in journal.notices)
    assert not leftovers(folder)


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("call", ["replace", "fsync", "write"])
def test_a_full_disk_is_said_and_leaves_the_journal_as_it_was(journal, folder, monkeypatch, call):
    journal.commit(row("r0"), arrays())
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(DserError, match="No space left on device"):
            journal.commit(row("r1"), arrays())
    (folder / "arrays/r1.npz").unlink(missing_ok=True)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert journal.finished == {"r0"}
    assert journal.commit(row("r1"), arrays())
    assert len(read_journal(folder).rows) == 2


def test_a_row_that_fits_in_part_is_taken_back(journal, folder, monkeypatch):
    journal.commit(row("r0"), arrays())
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda handle, data: write(handle, data[:7]))
        with pytest.raises(DserError, match="7 of"):
            journal.commit(row("r1"), arrays())
        assert len(lines(folder)) == 1
        patch.setattr(os, "ftruncate", full)
        with pytest.raises(DserError, match="7 of"):
            journal.commit(row("r1"), arrays())
        assert len(lines(folder)) == 2
    assert journal.commit(row("r1"), arrays())
    assert len(read_journal(folder).rows) == 2


def test_a_manifest_survives_a_full_disk(folder, monkeypatch):
    Journal.open(folder, MANIFEST).close()
    before = (folder / "manifest.json").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, "replace", full)
        with pytest.raises(DserError, match=r"manifest\.json: cannot write: No space"):
            Journal.open(folder, {**MANIFEST, "git_commit": "c9"})
    assert (folder / "manifest.json").read_bytes() == before
    assert not leftovers(folder)
    assert not (folder / "lock").exists()


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DserError, match="cannot write"):
        Journal.open(tmp_path / "file" / "journal", MANIFEST)


WORKER = """
import sys, numpy as np
from dser_jax.journal import Journal
with Journal.open(sys.argv[1], {"data_fingerprint": "aa"}) as journal:
    print("open", len(journal.finished), flush=True)
    for number in range(10**6):
        run = f"r{number}"
        if journal.commit({"run": run, "name": "a", "text": "x" * 99}, {"x": np.full(500, number)}):
            print("committed", flush=True)
"""


def start(folder):
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, os.fspath(folder)],
        env={**os.environ, "PYTHONPATH": os.fspath(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return process, process.stdout.readline()


def stop(process):
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_kills_in_the_middle_of_commits_lose_and_repeat_nothing(folder):
    known = 0
    for round_ in range(6):
        process, said = start(folder)
        assert said.startswith("open"), process.communicate()[1]
        if round_ % 2:
            assert process.stdout.readline() == "committed\n"
        time.sleep(0.02 + 0.017 * round_)
        stop(process)
        view = read_journal(folder)
        runs = [entry["run"] for entry in view.rows]
        assert runs == [f"r{number}" for number in range(len(runs))]
        assert len(runs) >= known
        known = len(runs)
        for number, run in enumerate(runs):
            assert (view.arrays(run)["x"] == number).all()
    assert known >= 3
    with Journal.open(folder, MANIFEST) as journal:
        assert len(journal.finished) == known
        assert "ended without letting go" in journal.notices[0]
    assert not leftovers(folder)


def test_a_second_process_is_refused_until_the_first_is_gone(folder):
    process, said = start(folder)
    assert said.startswith("open"), process.communicate()[1]
    with pytest.raises(DserError, match=f"in use by process {process.pid} on") as caught:
        Journal.open(folder, {"data_fingerprint": "aa"})
    assert socket.gethostname() in str(caught.value)
    assert read_journal(folder).manifest["data_fingerprint"] == "aa"
    stop(process)
    with Journal.open(folder, {"data_fingerprint": "aa"}) as journal:
        assert f"process {process.pid} on" in journal.notices[0]
        assert "taken over" in journal.notices[0]


def test_the_same_process_is_refused_too(journal, folder):
    with pytest.raises(DserError, match=f"in use by process {os.getpid()}"):
        Journal.open(folder, MANIFEST)
    assert journal.commit(row(), arrays())


def sign(folder, **owner):
    folder.mkdir(exist_ok=True)
    (folder / "lock").write_text(json.dumps(owner))


def test_another_host_is_respected(folder):
    sign(folder, pid=1, host="elsewhere", since="yesterday")
    with pytest.raises(DserError, match=r"process 1 on elsewhere since yesterday.*delete .*lock"):
        Journal.open(folder, MANIFEST)
    assert (folder / "lock").exists()


def test_without_kernel_locks_the_process_id_decides(folder, monkeypatch):
    monkeypatch.setattr(holder, "fcntl", None)
    monkeypatch.setattr(holder, "BEAT_SECONDS", 0.05)
    sign(folder, pid=os.getpid(), host=socket.gethostname())
    with pytest.raises(DserError, match="in use by process"):
        Journal.open(folder, MANIFEST)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    sign(folder, pid=dead.pid, host=socket.gethostname())
    with Journal.open(folder, MANIFEST) as journal:
        assert "taken over" in journal.notices[0]
        with pytest.raises(DserError, match="in use by process"):
            Journal.open(folder, MANIFEST)


def test_whoever_opens_leaves_a_former_holder_a_file_of_its_own(folder):
    """What the former one writes, at any moment whatsoever, reaches no reader."""
    first = Journal.open(folder, MANIFEST)
    first.commit(row("r0"), arrays())
    (folder / "lock").unlink()  # As if it had been taken for dead.
    with Journal.open(folder, MANIFEST) as second:
        assert second.finished == {"r0"}
        with pytest.raises(DserError, match="took this folder over"):
            first.commit(row("r1"), arrays(1))
        assert second.commit(row("r1"), arrays())
        first._lock.check = lambda: None  # It had looked before it was stopped.
        assert first.commit(row("r1", name="late"), arrays(1))
        first._row_file._end -= 40
        assert first.commit(row("r2", name="late"), arrays(1))  # Cuts what it takes for torn.
        assert read_journal(folder).rows == (row("r0"), row("r1"))
        del first._lock.check
        with pytest.raises(DserError, match="took this folder over"):
            first.note({"planned": 9})
        first.close()
        assert second.commit(row("r2"), arrays())
    assert read_journal(folder).rows == (row("r0"), row("r1"), row("r2"))
    assert read_journal(folder).notices == ()
    assert read_journal(folder).manifest["planned"] == 4


def test_a_row_that_was_written_while_the_folder_was_lost_is_said(folder):
    with Journal.open(folder, MANIFEST) as journal:
        journal.commit(row("r0"), arrays())
        append = journal._row_file.append

        def late(line):
            (folder / "lock").unlink()
            append(line)

        journal._row_file.append = late
        with pytest.raises(DserError, match=r"its lock .* is gone"):
            journal.commit(row("r1"), arrays())
        assert journal.finished == {"r0"}


def test_a_new_journal_that_is_lost_before_its_first_row_writes_none(folder, monkeypatch):
    first = Journal.open(folder, MANIFEST)
    save = journal_module.save_arrays

    def held_up(path, arrays):
        save(path, arrays)
        (folder / "lock").unlink()
        with Journal.open(folder, MANIFEST) as second:
            monkeypatch.setattr(journal_module, "save_arrays", save)
            second.commit(row("r1"), arrays)

    monkeypatch.setattr(journal_module, "save_arrays", held_up)
    with pytest.raises(DserError, match=r"its lock .* is gone"):
        first.commit(row("r0"), arrays())
    first.close()
    assert read_journal(folder).rows == (row("r1"),)


@pytest.mark.parametrize("text", ["", "{", "[1]", "{}", "3"])
def test_an_unsigned_lock_is_nobodys(folder, text):
    folder.mkdir()
    (folder / "lock").write_text(text)
    with Journal.open(folder, MANIFEST) as journal:
        assert journal.notices == []


# Names of runs, and origins

plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, derandomize=True)
@given(st.dictionaries(st.text(), plain_values, max_size=4))
def test_equal_identities_have_equal_names(identity):
    name = run_id(identity)
    assert name == run_id(dict(reversed(identity.items())))
    assert len(name) == 16
    assert set(name) <= set("0123456789abcdef")
    assert name != run_id({**identity, "one more key": 1})


def test_run_names_are_those_of_before():
    # Canonical JSON: {"hparams":[1,0.5],"seed":0}. The names are in journals: they must not change.
    want = "582a3a3d7312ffea"
    assert run_id({"seed": 0, "hparams": (1.0, 0.5)}) == want
    assert run_id({"hparams": [1, np.float64(0.5)], "seed": np.int32(0)}) == want
    assert run_id({"hparams": [1, 0.25], "seed": 0}) != want


def test_environment_tells_versions_and_commit():
    found = environment()
    assert found["versions"]["numpy"] == np.__version__
    assert found["versions"]["dser_jax"] == dser_jax.__version__
    assert found["git_commit"] is None or len(found["git_commit"]) == 40
    json.dumps(found, allow_nan=False)


def test_environment_survives_a_machine_without_git(monkeypatch):
    monkeypatch.setenv("PATH", "")
    found = environment()
    assert found["git_commit"] is None
    assert found["git_dirty"] is None


def test_journal_imports_neither_jax_nor_matplotlib():
    code = (
        "import sys, dser_jax.journal as j; j.environment();"
        "print([m for m in ('jax', 'matplotlib', 'scipy', 'rich') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.fspath(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
