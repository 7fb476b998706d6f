"""What a sweep survives, row by row of the table of faults: those that strike files and folders."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import soundfile
from rewritten import rewrite

import dser_jax
from dser_jax.corpora.table import load_table
from dser_jax.data.preparing import load_prepared, prepare
from dser_jax.experiment.saved_weights import load_weights, save_weights
from dser_jax.features.extraction import extract
from dser_jax.features.extractors.extractor import Extractor
from dser_jax.features.sets import FEATURES, Feature
from dser_jax.features.store import Store, writing
from dser_jax.journal.journal import Journal
from dser_jax.journal.reading import read_journal
from dser_jax.loss.losses import multitask_loss
from dser_jax.plan import run_id
from dser_jax.system.errors import BadInput, DataError, DserError
from dser_jax.system.files import holder
from dser_jax.training import Weights

ROOT = Path(dser_jax.__file__).parents[1]
RUNS = [run_id({"seed": seed}) for seed in range(4)]
MANIFEST = {
    "data_fingerprint": "aa",
    "versions": {"jax": "1"},
    "planned": RUNS,
    "plan": {"a": {"runs": 4, "seeds": [0, 1, 2, 3], "settings": {"units": 8}}},
}


def row(seed, **more):
    return {"run": RUNS[seed], "name": "a", "seed": seed, "status": "ok", **more}


def arrays(seed):
    return {"test_pred": np.full((3, 3), seed, np.float32)}


def fill(folder, seeds=range(4)):
    """Does what a sweep does: commits the runs that the journal does not have yet."""
    with Journal.open(folder, MANIFEST) as journal:
        return [seed for seed in seeds if journal.commit(row(seed), arrays(seed))]


def assert_undisturbed(folder):
    """Every run is there exactly once, as in a sweep that nothing has disturbed."""
    view = read_journal(folder)
    assert view.rows == tuple(row(seed) for seed in range(4))
    assert view.notices == ()
    assert (folder / "rows.jsonl").read_bytes().count(b"\n") == 4
    for seed in range(4):
        assert (view.arrays(RUNS[seed])["test_pred"] == seed).all()
    assert not list(folder.rglob(".*"))
    assert not list(folder.glob("lock*"))


CHILD = f"""
import os, signal, sys, time
from pathlib import Path
import numpy as np
from dser_jax.system.files import holder
from dser_jax.system.errors import DserError
from dser_jax.journal import Journal
from dser_jax.plan import run_id
holder.BEAT_SECONDS, holder.STALE_SECONDS = 0.05, 0.5
folder, MANIFEST = Path(sys.argv[1]), {MANIFEST!r}
RUNS = MANIFEST["planned"]

def commit(journal, seed):
    row = dict(run=RUNS[seed], name="a", seed=seed, status="ok")
    return journal.commit(row, dict(test_pred=np.full((3, 3), seed, np.float32)))
"""


def start(folder, code):
    """Starts a process of its own that has `commit`, and waits for its first line."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD + code, os.fspath(folder)],
        env={**os.environ, "PYTHONPATH": os.fspath(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_fault_03_a_kill_right_after_a_row_loses_and_repeats_nothing(tmp_path):
    code = """
with Journal.open(folder, MANIFEST) as journal:
    for seed in range(4):
        if commit(journal, seed):
            os.kill(os.getpid(), signal.SIGKILL)
"""
    for done in range(1, 3):
        process, _ = start(tmp_path / "j", code)
        assert process.wait(60) == -signal.SIGKILL, process.communicate()[1]
        process.communicate()
        view = read_journal(tmp_path / "j")
        assert [entry["seed"] for entry in view.rows] == list(range(done))
    with Journal.open(tmp_path / "j", MANIFEST) as journal:
        assert "ended without letting go" in journal.notices[0]
    assert fill(tmp_path / "j") == [2, 3]
    assert_undisturbed(tmp_path / "j")


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 128 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=128k", "none", disk]
    try:
        mounted = subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("a disk cannot be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_fault_04_a_disk_that_is_full_is_said_and_emptied_goes_on(small_disk):
    folder = small_disk / "j"
    assert fill(folder, [0]) == [0]
    ballast = small_disk / "ballast"
    with Journal.open(folder, MANIFEST) as journal:
        with ballast.open("wb") as file, contextlib.suppress(OSError):
            while True:
                os.write(file.fileno(), bytes(512))
        with pytest.raises(DserError, match=r"cannot write: No space left on device.*is intact"):
            journal.commit(row(1), {"test_pred": np.zeros(8192)})
        journal.check()
        assert journal.rows() == [row(0)]
    with pytest.raises(DserError, match="No space left on device"):
        Journal.open(folder, MANIFEST)
    assert read_journal(folder).rows == (row(0),)
    assert not list(folder.rglob(".*.part"))
    ballast.unlink()
    assert fill(folder) == [1, 2, 3]
    assert_undisturbed(folder)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("call", ["write", "fsync", "replace", "open"])
def test_fault_04_a_disk_that_fails_anywhere_leaves_what_was_there(
    tmp_path, monkeypatch, call, number
):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    fill(tmp_path / "j", [0])
    with Journal.open(tmp_path / "j", MANIFEST) as journal:
        with monkeypatch.context() as patch:
            patch.setattr(os, call, fail)
            with pytest.raises(DserError, match=os.strerror(number)):
                journal.commit(row(1), arrays(1))
        assert journal.rows() == [row(0)]
        assert read_journal(tmp_path / "j").rows == (row(0),)
        assert not list(tmp_path.rglob(".*.part"))
    assert fill(tmp_path / "j") == [1, 2, 3]
    assert_undisturbed(tmp_path / "j")


def test_fault_04_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file" / "j", Path("/proc/no/j")):
        with pytest.raises(DserError, match=f"{folder}.*cannot write"):
            Journal.open(folder, MANIFEST)


def test_fault_06_a_torn_last_line_is_dropped_alone_and_said(tmp_path):
    fill(tmp_path / "j")
    path = tmp_path / "j" / "rows.jsonl"
    whole = path.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for end in range(last + 1, len(whole), 7):
        path.write_bytes(whole[:end])
        view = read_journal(tmp_path / "j")
        assert len(view.rows) == 3
        assert "rows.jsonl:4: dropped the last line" in view.notices[0]
        with Journal.open(tmp_path / "j", MANIFEST) as journal:
            assert "rows.jsonl:4: dropped the last line" in journal.notices[0]
        assert fill(tmp_path / "j") == [3]
        assert_undisturbed(tmp_path / "j")


def test_fault_06_a_damaged_row_is_named_and_done_again_where_that_is_asked(tmp_path):
    fill(tmp_path / "j")
    path = tmp_path / "j" / "rows.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"seed": 1', b'"seed": 3'))
    for act in (lambda: read_journal(tmp_path / "j"), lambda: fill(tmp_path / "j")):
        with pytest.raises(DataError, match=r"rows\.jsonl:2: .*checksum is wrong.*--retry-failed"):
            act()
    with Journal.open(tmp_path / "j", MANIFEST, mend=True) as journal:
        assert "rows.jsonl:2: dropped, damaged" in journal.notices[0]
    assert fill(tmp_path / "j") == [1]
    assert len(read_journal(tmp_path / "j").rows) == 4


def test_fault_06_a_run_that_was_not_planned_is_refused(tmp_path):
    fill(tmp_path / "j")
    path = tmp_path / "j" / "rows.jsonl"
    foreign = run_id({"seed": 9})
    line = json.dumps(row(0, run=foreign)).encode() + b"\n"  # As an older version wrote it.
    path.write_bytes(line + path.read_bytes())
    with pytest.raises(DataError, match=f"rows.jsonl:1: .*the run {foreign} was not planned"):
        read_journal(tmp_path / "j")
    path.write_bytes(path.read_bytes().replace(b'"seed": 0,', b'"seed": 0, "kind": "baseline",', 1))
    assert len(read_journal(tmp_path / "j").rows) == 5


def test_fault_06_lost_arrays_are_said_and_made_again_where_that_is_asked(tmp_path):
    fill(tmp_path / "j")
    missing, damaged = (tmp_path / f"j/arrays/{RUNS[seed]}.npz" for seed in (1, 2))
    missing.unlink()
    damaged.write_bytes(damaged.read_bytes()[:-7])
    with Journal.open(tmp_path / "j", MANIFEST) as journal:
        assert journal.notices == [
            f"{missing} is missing; the arrays of 1 run are lost; a sweep with --retry-failed has "
            "them done again"
        ]
    assert fill(tmp_path / "j") == []
    with Journal.open(tmp_path / "j", MANIFEST, mend=True) as journal:
        assert f"{missing}: missing" in journal.notices[0]
        assert f"{damaged}: damaged" in journal.notices[1]
    assert fill(tmp_path / "j") == [1, 2]
    assert_undisturbed(tmp_path / "j")


def test_fault_06_lost_weights_are_said_and_made_again_where_that_is_asked(tmp_path):
    folder = tmp_path / "j"

    def commit(journal, seed):
        weights = Weights({"kernel": np.full(3, seed, np.float32)}, {"mean": np.zeros(2)})
        save_weights(folder, RUNS[seed], weights)
        return journal.commit(row(seed, weights=True), arrays(seed))

    with Journal.open(folder, MANIFEST) as journal:
        assert [commit(journal, seed) for seed in range(4)] == [True] * 4
    assert (load_weights(folder, RUNS[3])["params"]["kernel"] == 3).all()
    shutil.rmtree(folder / "params" / RUNS[0])
    path = next((folder / "params" / RUNS[1]).rglob("d/*"))
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    (folder / "params" / RUNS[2] / "checksums.json").write_text("{")
    assert read_journal(folder).notices == (
        f"{folder / 'params' / RUNS[0]} is missing; the weights of 1 run are lost; a sweep with "
        "--retry-failed has them done again",
    )
    with pytest.raises(DserError, match="were not kept"):
        load_weights(folder, RUNS[0])
    for seed in (1, 2):
        with pytest.raises(DataError, match="damaged"):
            load_weights(folder, RUNS[seed])
    with Journal.open(folder, MANIFEST, mend=True) as journal:
        assert [commit(journal, seed) for seed in range(4)] == [True, True, True, False]
    for seed in range(4):
        assert (load_weights(folder, RUNS[seed])["params"]["kernel"] == seed).all()
    assert not list(folder.rglob(".*"))


def test_fault_04_a_full_disk_leaves_no_half_of_the_weights(tmp_path, monkeypatch):
    def full(folder, _):
        (folder.parent / f"{folder.name}.orbax-checkpoint-tmp").mkdir()
        raise ValueError("INTERNAL: Error writing: No space left on device [os_error='28']")

    (tmp_path / "params").mkdir()
    monkeypatch.setattr("dser_jax.experiment.saved_weights.save_tree", full)
    with pytest.raises(DserError, match=r"cannot write the weights: INTERNAL: .*No space"):
        save_weights(tmp_path, RUNS[0], Weights({}, {}))
    assert list((tmp_path / "params").iterdir()) == []


def test_fault_04_a_folder_that_somebody_deleted_is_said(tmp_path):
    with Journal.open(tmp_path / "j", MANIFEST) as journal:
        shutil.rmtree(tmp_path / "j")
        with pytest.raises(DserError, match="its folder is not there") as error:
            journal.commit(row(0), arrays(0))
        assert "intact" not in str(error.value)
    assert not (tmp_path / "j").exists()


def test_fault_06_a_lost_manifest_is_written_anew_if_all_runs_are_of_this_sweep(tmp_path):
    fill(tmp_path / "j", range(3))
    manifest = tmp_path / "j" / "manifest.json"
    before = read_journal(tmp_path / "j").manifest
    manifest.write_bytes(manifest.read_bytes().replace(b'"aa"', b'"ab"'))
    for act in (lambda: read_journal(tmp_path / "j"), lambda: fill(tmp_path / "j")):
        with pytest.raises(DataError, match=r"manifest\.json: damaged .*remove it, and repeat"):
            act()
    manifest.unlink()
    with pytest.raises(DserError, match=r"manifest\.json is missing, and there are rows; the comm"):
        read_journal(tmp_path / "j")
    with pytest.raises(DserError, match="whose rows they are is not known; choose another --out"):
        Journal.open(tmp_path / "j", MANIFEST | {"planned": 4})
    other = MANIFEST | {"planned": [RUNS[0]]}
    for mend in (False, True):
        with pytest.raises(DserError, match=r"was not planned.*has no manifest\.json"):
            Journal.open(tmp_path / "j", other, mend=mend)
    assert not manifest.exists()
    with Journal.open(tmp_path / "j", MANIFEST) as journal:
        assert "is missing; written anew" in journal.notices[0]
    assert fill(tmp_path / "j") == [3]
    assert read_journal(tmp_path / "j").manifest == before | {
        "created": read_journal(tmp_path / "j").manifest["created"]
    }
    assert_undisturbed(tmp_path / "j")


def test_fault_11_of_two_processes_the_second_is_refused(tmp_path):
    code = """
with Journal.open(folder, MANIFEST) as journal:
    commit(journal, 0)
    print("open", flush=True)
    sys.stdin.readline()
    commit(journal, 1)
"""
    process, said = start(tmp_path / "j", code)
    assert said == "open", process.communicate()[1]
    for _ in range(3):
        with pytest.raises(DserError, match=f"is in use by process {process.pid} on "):
            Journal.open(tmp_path / "j", MANIFEST)
    assert read_journal(tmp_path / "j").rows == (row(0),)
    out = process.communicate("\n", timeout=60)
    assert process.returncode == 0, out
    assert fill(tmp_path / "j") == [2, 3]
    assert_undisturbed(tmp_path / "j")


LATE = """
import socket
socket.gethostname = lambda: "elsewhere"
journal = Journal.open(folder, MANIFEST)
commit(journal, 0)
append = journal._row_file.append
def late(line):
    print("about to write", flush=True)  # It has looked, the folder is its own.
    sys.stdin.readline()
    append(line)
journal._row_file.append = late
try:
    commit(journal, 1)
    print("committed", flush=True)
except DserError as error:
    print(error, flush=True)
try:
    commit(journal, 2)
except DserError as error:
    print(error, flush=True)
journal.close()
"""


def test_fault_12_a_late_write_of_one_that_was_taken_over_is_rejected(tmp_path, monkeypatch):
    """It is stopped between its look at the lock and its write: a look alone would not do."""
    monkeypatch.setattr(holder, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(holder, "STALE_SECONDS", 0.5)
    folder = tmp_path / "j"
    process, said = start(folder, LATE)
    assert said == "about to write", process.communicate()[1]
    with pytest.raises(DserError, match=f"in use by process {process.pid} on elsewhere"):
        Journal.open(folder, MANIFEST)  # Its heart beats.
    process.send_signal(signal.SIGSTOP)
    with Journal.open(folder, MANIFEST) as journal:
        assert f"process {process.pid} on elsewhere has shown no sign of life" in journal.notices[0]
        assert "taken over" in journal.notices[0]
        assert journal.commit(row(1), arrays(1))
        assert journal.commit(row(2), arrays(2))
        process.send_signal(signal.SIGCONT)
        out, _ = process.communicate("\n", timeout=60)
        first, second = out.splitlines()
        for line in (first, second):
            assert f"process {os.getpid()} on " in line
            assert "took this folder over at 2" in line
            assert "does not count" in line
        assert read_journal(folder).rows == (row(0), row(1), row(2))
        assert journal.commit(row(3), arrays(3))
    assert_undisturbed(folder)


def test_fault_12_a_lock_left_by_a_dead_host_is_taken_over_after_missed_heartbeats(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(holder, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(holder, "STALE_SECONDS", 0.5)
    code = """
import socket
socket.gethostname = lambda: "elsewhere"
journal = Journal.open(folder, MANIFEST)
commit(journal, 0)
print("open", flush=True)
sys.stdin.readline()
"""
    process, said = start(tmp_path / "j", code)
    assert said == "open", process.communicate()[1]
    process.kill()
    process.communicate()
    killed = time.monotonic()
    assert fill(tmp_path / "j") == [1, 2, 3]
    assert 0.3 < time.monotonic() - killed < 20
    assert_undisturbed(tmp_path / "j")


def test_fault_13_another_sweep_is_refused_in_words_or_extends(tmp_path):
    fill(tmp_path / "j", [0])
    more = run_id({"seed": 4})
    wider = {
        **MANIFEST,
        "planned": [*RUNS, more, "b0"],
        "plan": {
            "a": {"runs": 5, "seeds": [0, 1, 2, 3, 4], "settings": {"units": 8}},
            "b": {"runs": 1, "seeds": [0], "settings": {"units": 4}},
        },
    }
    with pytest.raises(DserError) as caught:
        Journal.open(tmp_path / "j", wider)
    for part in ("new: 'b', 1 run", "'a': more seeds: 4", "4 runs planned before, 6 now"):
        assert part in str(caught.value)
    assert "--extend" in str(caught.value)
    with Journal.open(tmp_path / "j", wider, extend=True) as journal:
        assert journal.finished == {RUNS[0]}
        assert len(journal.manifest["planned"]) == 6
        assert any("more seeds: 4" in notice for notice in journal.notices)
    with pytest.raises(DserError, match="gone: 'b', 1 run"):
        Journal.open(tmp_path / "j", MANIFEST)
    other = {
        "planned": ["x"],
        "plan": {"a": {"runs": 1, "seeds": [0], "settings": {"units": 9}}},
    }
    for extend in (False, True):
        with pytest.raises(DserError, match="'a': other settings: units 8 -> 9"):
            Journal.open(tmp_path / "j", {**MANIFEST, **other}, extend=extend)


def write_corpus(folder):
    """Writes four recordings and their table; returns the table's path."""
    folder.mkdir()
    text = "file,transcript,speaker,valence,arousal\n"
    for i in range(4):
        noise = np.random.default_rng(i).uniform(-0.5, 0.5, 1600)
        soundfile.write(folder / f"{i}.wav", noise, 16000)
        text += f"{i}.wav,words {i},s{i % 2},{1 + i},3\n"
    (folder / "labels.csv").write_text(text)
    return folder / "labels.csv"


def make_pairs():
    """Starts an extractor of two features that takes no time."""
    return lambda signal: signal.reshape(-1, 160)[:, :2].copy()


PAIRS = Extractor("pairs_lld", ("x", "y"), "numpy", "every 10 ms", 0.03, make_pairs)


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.setitem(FEATURES, "pairs_lld", Feature(PAIRS, "lld", PAIRS.columns))
    return write_corpus(tmp_path / "corpus")


def prepare_table(table, out, bad=None, **more):
    corpus = load_table(table, scale=(1, 5), bad=bad, **more)
    return prepare(corpus, out, features=["pairs_lld"], bad=bad)


@pytest.mark.parametrize("changed", ["labels", "words", "recording"])
def test_fault_14_other_data_are_refused(table, tmp_path, changed):
    first = prepare_table(table, tmp_path / "one")
    manifest = {**MANIFEST, "data_fingerprint": first.fingerprint_of(["pairs_lld"])}
    Journal.open(tmp_path / "j", manifest).close()
    if changed == "labels":
        table.write_text(table.read_text().replace("s1,4,3", "s1,4,2"))
    elif changed == "words":
        table.write_text(table.read_text().replace("words 3", "words four"))
    else:
        soundfile.write(table.parent / "3.wav", NOISE, 16000)
    if changed != "recording":
        with pytest.raises(DserError, match=r"holds another corpus.*row 4 \(3\) differs first"):
            prepare_table(table, tmp_path / "one")
    second = prepare_table(table, tmp_path / "two")
    with pytest.raises(DserError, match=r"data_fingerprint: .* before, .* now"):
        Journal.open(
            tmp_path / "j", {**manifest, "data_fingerprint": second.fingerprint_of(["pairs_lld"])}
        )


def test_fault_15_another_schema_is_refused_and_other_versions_are_said(tmp_path):
    fill(tmp_path / "j", [0])
    newer = {**MANIFEST, "versions": {"jax": "2"}}
    with Journal.open(tmp_path / "j", newer) as journal:
        assert journal.notices == ['resumed with another versions.jax: "1" before, "2" now']
    assert read_journal(tmp_path / "j").manifest["resumed"][0]["rows_before"] == 1
    rewrite(tmp_path / "j" / "manifest.json", schema=2)
    for act in (lambda: Journal.open(tmp_path / "j", newer), lambda: read_journal(tmp_path / "j")):
        with pytest.raises(DataError, match=r"manifest\.json: .*another version of dser_jax"):
            act()


NOISE = np.random.default_rng(9).uniform(-0.5, 0.5, 1600)


def spoil(path: Path, how: str) -> None:
    """Makes a recording unfit."""
    if how == "corrupt":
        path.write_bytes(b"RIFF" + bytes(range(256)))
    elif how == "truncated":
        path.write_bytes(path.read_bytes()[:-1000])
    elif how == "empty":
        soundfile.write(path, [], 16000)
    elif how == "zero-length":
        path.write_bytes(b"")
    elif how == "stereo":
        soundfile.write(path, np.stack([NOISE, NOISE], 1), 16000)
    elif how == "8 kHz":
        soundfile.write(path, NOISE, 8000)
    elif how == "NaN":
        soundfile.write(path, np.where(np.arange(1600) == 160, np.nan, NOISE), 16000, "FLOAT")
    elif how == "missing":
        path.unlink()


RECORDINGS = {
    "corrupt": "not a readable audio file",
    "truncated": "a truncated recording",
    "empty": "a recording without a sample",
    "zero-length": "an empty file",
    "stereo": "a stereo recording",
    "8 kHz": "not a 16 kHz recording",
    "NaN": "a sample that is no number",
    "missing": "no such recording",
}


@pytest.mark.parametrize("how", RECORDINGS)
def test_fault_16_a_bad_recording_names_file_and_line_or_is_left_out(table, tmp_path, how):
    spoil(table.parent / "2.wav", how)
    message = rf"2\.wav: {RECORDINGS[how]}.*labels\.csv:4"
    with pytest.raises(DataError, match=message):
        prepare_table(table, tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()
    bad = BadInput(skip=True)
    prepared = prepare_table(table, tmp_path / "out", bad)
    assert [utt.id for utt in prepared.utterances] == ["0", "1", "3"]
    assert len(prepared.manifest["left_out"]) == 1
    assert RECORDINGS[how] in prepared.manifest["left_out"][0]


ROWS = {
    "out of range": ("2.wav,words 2,s0,3,3", "2.wav,words 2,s0,30,3", "the valence is off the"),
    "no number": ("2.wav,words 2,s0,3,3", "2.wav,words 2,s0,high,3", "the valence is not a number"),
    "duplicate id": ("2.wav,words 2", "0.wav,words 2", "this id came before"),
    "a cell too few": (
        "2.wav,words 2,s0,3,3",
        "2.wav,words 2,s0,3",
        "a row with the wrong number of cells",
    ),
}


@pytest.mark.parametrize("what", ROWS)
def test_fault_16_a_bad_row_names_file_and_line_or_is_left_out(table, tmp_path, what):
    was, now, message = ROWS[what]
    assert was in table.read_text()
    table.write_text(table.read_text().replace(was, now))
    with pytest.raises(DataError, match=rf"labels\.csv:4: {message}") as caught:
        prepare_table(table, tmp_path / "out")
    assert caught.value.line == 4
    assert not (tmp_path / "out").exists()
    bad = BadInput(skip=True)
    prepared = prepare_table(table, tmp_path / "out", bad)
    assert len(prepared.utterances) == 3
    assert [message in line for line in prepared.manifest["left_out"]] == [True]


def test_fault_16_a_missing_label_is_counted_and_one_for_all_is_refused(table, tmp_path):
    text = table.read_text()
    table.write_text(text.replace("s0,3,3", "s0,,3"))
    corpus = load_table(table, scale=(1, 5))
    assert np.isnan(corpus.utterances[2].valence)
    assert "labels: valence 3, arousal 4, dominance 0" in corpus.found
    table.write_text("file,valence\n0.wav,\n")
    with pytest.raises(DataError, match=r"labels\.csv:?.*no labels"):
        prepare_table(table, tmp_path / "out")


BATCHES = {
    "constant predictions": (np.arange(6).reshape(2, 3) / 6, np.full((2, 3), 0.2)),
    "constant labels": (np.full((2, 3), 0.2), np.arange(6).reshape(2, 3) / 6),
    "all constant": (np.full((4, 3), 0.2), np.full((4, 3), 0.2)),
    "one utterance": (np.full((1, 3), 0.3), np.full((1, 3), -0.1)),
    "one utterance, hit": (np.full((1, 3), 0.3), np.full((1, 3), 0.3)),
}


@pytest.mark.parametrize("labels", [1.0, 0.0])
@pytest.mark.parametrize("case", BATCHES)
def test_fault_17_loss_and_gradient_of_a_degenerate_batch_are_finite(case, labels):
    gold, pred = (jnp.asarray(x, jnp.float32) for x in BATCHES[case])
    weight = jnp.full(gold.shape, labels, jnp.float32)
    loss_weights = jnp.asarray([0.7, 0.2, 0.1], jnp.float32)
    value, gradient = jax.value_and_grad(multitask_loss, 1)(gold, pred, weight, loss_weights)
    assert float(value) == pytest.approx(labels, abs=1e-6)
    assert np.isfinite(gradient).all()


def test_fault_21_a_run_given_twice_is_one_and_a_finished_sweep_is_left_alone(tmp_path):
    twice = {**MANIFEST, "planned": [*RUNS, *RUNS]}
    with Journal.open(tmp_path / "j", twice) as journal:
        assert journal.manifest["planned"] == RUNS
        assert [journal.commit(row(s), arrays(s)) for s in (0, 1, 0, 2, 3, 3)].count(True) == 4
    assert_undisturbed(tmp_path / "j")

    def content():
        return {p: p.read_bytes() for p in (tmp_path / "j").rglob("*") if p.is_file()}

    before = content()
    for manifest in (MANIFEST, twice, {**MANIFEST, "planned": RUNS[::-1]}):
        with Journal.open(tmp_path / "j", manifest) as journal:
            assert journal.finished == set(RUNS)
            assert journal.notices == []
        assert content() == before


KILLED = """
from dser_jax.features.extraction import extract
from dser_jax.features.extractors.extractor import Extractor
from dser_jax.corpora.table import load_table
from dser_jax.system.errors import BadInput

def make():
    calls = []
    def work(signal):
        calls.append(0)
        if len(calls) == 3:
            os.kill(os.getpid(), signal_number)
        return signal.reshape(-1, 160)[:, :2].copy()
    return work

signal_number = signal.SIGKILL
pairs = Extractor("pairs_lld", ("x", "y"), "numpy", "every 10 ms", 0.03, make)
utterances = load_table(folder / "labels.csv", scale=(1, 5)).utterances
extract(pairs, utterances, folder / "s", bad=BadInput())
"""


def test_fault_22_an_interrupted_extraction_goes_on_and_half_a_file_is_never_read(table, tmp_path):
    folder = table.parent / "s"
    process, _ = start(table.parent, KILLED)
    error = process.communicate(timeout=60)[1]
    assert process.returncode == -signal.SIGKILL, error
    kept = len(Store(folder, 2))
    assert kept == 2
    calls: list[int] = []

    def make():
        work = make_pairs()
        return lambda signal: calls.append(0) or work(signal)

    utterances = load_table(table, scale=(1, 5)).utterances
    keys = extract(PAIRS._replace(make=make), utterances, folder, bad=BadInput())
    assert len(calls) == 2
    frames, index = ((folder / name) for name in ("frames.f32", "index.jsonl"))
    whole = frames.read_bytes(), index.read_bytes()
    want = [Store(folder, 2)[key].tolist() for key in keys]
    for cut_frames in range(0, len(whole[0]), 37):
        frames.write_bytes(whole[0][:cut_frames])
        store = Store(folder, 2)
        assert [store[k].tolist() for k in keys if k in store] == want[: len(store)]
    frames.write_bytes(whole[0])
    for cut_index in range(0, len(whole[1]), 11):
        index.write_bytes(whole[1][:cut_index])
        store = Store(folder, 2)
        assert [store[k].tolist() for k in keys if k in store] == want[: len(store)]
    with writing(folder, 2):
        pass
    assert extract(PAIRS, utterances, folder, bad=BadInput()) == keys
    assert [Store(folder, 2)[key].tolist() for key in keys] == want


def test_fault_22_prepared_files_appear_all_together(table, tmp_path, monkeypatch):
    prepare_table(table, tmp_path / "out")
    before = load_prepared(tmp_path / "out").manifest

    def fail(*_):
        raise KeyboardInterrupt

    feature = Feature(PAIRS, "hsf", ("x_mean", "y_mean", "x_std", "y_std"))
    monkeypatch.setitem(FEATURES, "pairs_hsf", feature)
    with monkeypatch.context() as patch:
        patch.setattr("dser_jax.data.staging.write_table", fail)
        with pytest.raises(KeyboardInterrupt):
            prepare(None, tmp_path / "out", features=["pairs_hsf"])
    assert load_prepared(tmp_path / "out").manifest == before
    assert not (tmp_path / "out" / "features" / "pairs_hsf.npy").exists()
    after = prepare(None, tmp_path / "out", features=["pairs_hsf"])
    assert len(after.feature("pairs_hsf")[0]) == 4
