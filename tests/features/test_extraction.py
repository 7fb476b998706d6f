from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dser_jax.corpora.utterances import Utterance
from dser_jax.features import workers
from dser_jax.features.audio import RATE
from dser_jax.features.extraction import extract
from dser_jax.features.extractors.extractor import Extractor
from dser_jax.features.store import Store
from dser_jax.system.errors import BadInput, DataError, DserError

ROOT = Path(__file__).parents[2]


def make_first(calls: list | None = None):
    """Starts an extractor that gives the first two samples of every window, as two frames."""

    def work(samples):
        if calls is not None:
            calls.append(len(samples))
        return samples[:4].reshape(2, 2).copy()

    return work


FIRST = Extractor("first_lld", ("x", "y"), "numpy", "first samples", 0.03, make_first)


def record(folder: Path, count: int = 3, seconds: float = 0.05) -> list[Utterance]:
    utterances = []
    for i in range(count):
        file = folder / f"{i}.wav"
        samples = np.random.default_rng(i).uniform(-0.5, 0.5, round(seconds * RATE))
        soundfile.write(file, samples, RATE)
        utterances.append(Utterance(f"u{i}", file=file, source=f"labels.csv:{i + 2}"))
    return utterances


def test_extracts_once(tmp_path):
    utterances, calls = record(tmp_path), []
    extractor = FIRST._replace(make=lambda: make_first(calls))
    keys = extract(extractor, utterances, tmp_path / "s", bad=BadInput())
    store = Store(tmp_path / "s", 2)
    for key, utt in zip(keys, utterances, strict=True):
        want = soundfile.read(utt.file, dtype="float32")[0][:4].reshape(2, 2)
        np.testing.assert_array_equal(store[key], want)
    assert len(calls) == 3
    assert extract(extractor, utterances, tmp_path / "s", bad=BadInput()) == keys
    assert len(calls) == 3


def test_the_key_is_the_sound_the_part_and_the_settings(tmp_path):
    (utt,) = record(tmp_path, 1)
    copy = tmp_path / "copy.wav"
    copy.write_bytes(utt.file.read_bytes())

    def key(extractor=FIRST, **changes):
        (found,) = extract(
            extractor,
            [Utterance(**{"id": "u", "file": utt.file, **changes})],
            tmp_path / "s",
            bad=BadInput(),
        )
        return found

    assert key() == key(file=copy, id="v")
    different = {key(), key(start=0.01), key(end=0.04), key(FIRST._replace(settings="others"))}
    assert len(different) == 4


def test_stops_at_a_bad_recording_and_keeps_the_others(tmp_path):
    utterances = record(tmp_path)
    soundfile.write(utterances[2].file, np.zeros(900), 8000)
    with pytest.raises(DataError, match=r"2\.wav: not a 16 kHz recording \(of labels\.csv:4\)"):
        extract(FIRST, utterances, tmp_path / "s", bad=BadInput())
    assert len(Store(tmp_path / "s", 2)) == 2


def test_leaves_out_bad_recordings_in_the_order_of_the_table(tmp_path):
    utterances = record(tmp_path, 5)
    utterances[0].file.unlink()
    soundfile.write(utterances[1].file, np.zeros(350), RATE)
    utterances[3].file.write_bytes(utterances[1].file.read_bytes())
    bad = BadInput(skip=True)
    keys = extract(FIRST, utterances, tmp_path / "s", bad=bad)
    assert [key is None for key in keys] == [True, True, False, True, False]
    assert [Path(error.file).name for error in bad.left_out] == ["0.wav", "1.wav", "3.wav"]
    assert "the same sound as" in str(bad.left_out[2])


def test_too_short_for_the_extractor(tmp_path):
    utterances = record(tmp_path, 1, seconds=0.028)
    with pytest.raises(DataError, match=r"too short for first_lld, found '0\.028 s'; expected"):
        extract(FIRST, utterances, tmp_path / "s", bad=BadInput())


def test_features_that_are_no_numbers(tmp_path):
    def make():
        return lambda samples: np.array([[0, 1], [2, np.nan]], np.float32)

    with pytest.raises(DataError, match=r"0\.wav: first_lld gave .*'nan as y of frame 1'"):
        extract(FIRST._replace(make=make), record(tmp_path, 1), tmp_path / "s", bad=BadInput())


def test_ctrl_c_between_two_recordings(tmp_path):
    utterances = record(tmp_path, 4)

    def make():
        calls = []

        def work(samples):
            calls.append(0)
            if len(calls) == 2:
                os.kill(os.getpid(), signal.SIGINT)
            return make_first()(samples)

        return work

    with pytest.raises(KeyboardInterrupt, match="first_lld of 2 of 4 recordings is done and kept"):
        extract(FIRST._replace(make=make), utterances, tmp_path / "s", bad=BadInput())
    assert len(Store(tmp_path / "s", 2)) == 2
    calls = []
    again = FIRST._replace(make=lambda: make_first(calls))
    extract(again, utterances, tmp_path / "s", bad=BadInput())
    assert len(calls) == 2


def install_in_workers(name: str) -> None:
    """Stands in for `_start_worker` with an extractor that some recordings kill."""

    def work(task):
        if task.source == "kills":
            os._exit(3)
        heard = workers.hear(task.file)
        return workers.Extracted(make_first()(heard.signal), heard.peak)

    workers._work = work


def test_a_recording_that_kills_its_process(tmp_path, monkeypatch):
    utterances = record(tmp_path, 6)
    deadly = Utterance("u3", file=utterances[3].file, source="kills")
    utterances[3] = deadly
    monkeypatch.setattr(workers, "A_WORKER", 3)
    monkeypatch.setattr(workers, "_start_worker", install_in_workers)
    bad = BadInput(skip=True)
    keys = extract(FIRST, utterances, tmp_path / "s", jobs=2, bad=bad)
    assert [key is None for key in keys] == [False, False, False, True, False, False]
    assert str(bad.left_out[0]).endswith("3.wav: numpy crashes on this recording")


class Dying(ProcessPoolExecutor):
    """A pool that notices that it is broken while it starts a process."""

    submitted = 0

    def submit(self, function, /, *args):
        Dying.submitted += 1
        if Dying.submitted == 4:
            raise OSError("handle is closed")
        return super().submit(function, *args)


def test_a_pool_that_breaks_while_it_starts_a_process(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "A_WORKER", 3)
    monkeypatch.setattr(workers, "_start_worker", install_in_workers)
    monkeypatch.setattr(workers, "ProcessPoolExecutor", Dying)
    keys = extract(FIRST, record(tmp_path, 6), tmp_path / "s", jobs=2, bad=BadInput())
    assert None not in keys
    assert Dying.submitted > 4


def fail_to_start(name: str) -> None:
    raise ImportError("no such library")


def test_processes_that_cannot_start(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(workers, "A_WORKER", 1)
    monkeypatch.setattr(workers, "_start_worker", fail_to_start)
    with pytest.raises(DserError, match=r"cannot start.*`--jobs 1` does without processes"):
        extract(FIRST, record(tmp_path, 2), tmp_path / "s", jobs=2, bad=BadInput())


SCRIPT = """
import sys
from pathlib import Path
from dser_jax.corpora.utterances import Utterance
from dser_jax.system.errors import BadInput
from dser_jax.features import EXTRACTORS
from dser_jax.features.extraction import extract

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    files = sorted(folder.glob("*.wav"))
    utterances = [Utterance(file.stem, file=file) for file in files]
    try:
        extract(EXTRACTORS["gemaps_lld"], utterances, folder / "s", jobs=2, bad=BadInput())
    except KeyboardInterrupt as error:
        print(error)
        sys.exit(130)
"""


def index(folder: Path) -> list[str]:
    path = folder / "s" / "index.jsonl"
    text = path.read_text() if path.exists() else ""
    return [json.loads(line)["key"] for line in text.splitlines(keepends=True) if line[-1] == "\n"]


def test_ctrl_c_with_processes_then_the_rest(tmp_path):
    """Ctrl-C reaches the whole group: it ends cleanly, and the next start does only the rest."""
    record(tmp_path, 60, seconds=1)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, script, tmp_path]
    run = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while len(index(tmp_path)) < 3 and run.poll() is None:
        time.sleep(0.02)
    os.killpg(run.pid, signal.SIGINT)
    # The pipes end when the last process that holds them has: no worker outlives this line.
    out, err = run.communicate(timeout=60)
    first = index(tmp_path)
    assert run.returncode == 130, err
    assert f"gemaps_lld of {len(first)} of 60 recordings is done and kept" in out
    assert "Traceback" not in err
    assert 3 <= len(first) < 60
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    again = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert again.returncode == 0, again.stderr
    assert f"gemaps_lld: {60 - len(first)} in" in again.stderr
    keys = index(tmp_path)
    assert keys[: len(first)] == first
    assert len(set(keys)) == len(keys) == 60
