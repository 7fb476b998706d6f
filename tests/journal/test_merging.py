from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from rewritten import rewrite, rewrite_rows

import dser_jax
from dser_jax.journal import merging as module
from dser_jax.journal.journal import Journal
from dser_jax.journal.merging import merge, part_of
from dser_jax.journal.reading import read_journal
from dser_jax.plan import run_id
from dser_jax.system.errors import DataError, DserError

ROOT = Path(dser_jax.__file__).parents[1]
WHOLE = [run_id({"name": name, "seed": seed}) for name in "abc" for seed in range(4)]
MORE = "f" * 16
PLAN = {name: {"runs": 4, "seeds": [0, 1, 2, 3], "settings": {"units": 8}} for name in "abc"}


def row(run):
    if run == MORE:
        return {"run": run, "name": "d", "seed": 0}
    place = WHOLE.index(run)
    scores = {"ccc": {"mean": place / 7}}
    return {"run": run, "name": "abc"[place // 4], "seed": place % 4, "truth": "k", "test": scores}


def baseline(value=0.25):
    return {"run": "beef", "name": "mean", "seed": 0, "kind": "baseline", "truth": "k", "v": value}


def arrays(run):
    return {"test_pred": np.full((5, 3), run_id({"of": run})[:2] == "0", np.float32)}


def make(folder, number, parts=3, *, finish=99, extra=(), planned=WHOLE, **manifest):
    """Writes the journal of one part, with so many of its runs finished."""
    mine = [run for run in planned if part_of(run, parts) == number - 1]
    manifest = {
        "data_fingerprint": "aa",
        "device": "cpu",
        "versions": {"jax": "1"},
        "command": f"dser sweep --part {number}/{parts}",
        "part": [number, parts],
        "planned_whole": planned,
        "planned": mine,
        "plan": PLAN,
        **manifest,
    }
    with Journal.open(folder, manifest, extend=True) as journal:
        journal.write_truth("k", test_gold=np.ones((5, 3)), ids=list("abcde"))
        for each in extra:
            journal.commit(each, {"test_pred": np.zeros(3)})
        for run in mine[:finish]:
            journal.commit(row(run), arrays(run))
            (folder / "params" / run).mkdir(exist_ok=True)
            (folder / "params" / run / "weights").write_text(run)
    return folder


@pytest.fixture
def parts(tmp_path):
    return [make(tmp_path / f"p{number}", number) for number in (1, 2, 3)]


def sizes():
    return [sum(part_of(run, 3) == number for run in WHOLE) for number in range(3)]


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_part_of_is_stable_and_even():
    assert [part_of(run, 1) for run in WHOLE] == [0] * 12
    # Parts are made on machines that cannot ask each other: these numbers must not change.
    assert [part_of(run, 3) for run in ("0" * 16, "582a3a3d7312ffea", "f" * 16)] == [0, 1, 0]
    counts = np.bincount([part_of(run_id({"n": n}), 8) for n in range(4000)], minlength=8)
    assert counts.min() > 400


def test_the_whole_is_as_if_one_process_had_made_it(parts, tmp_path):
    view = merge([parts[2], parts[0], parts[1]], tmp_path / "out")
    assert view.notices == ()
    assert view.rows == tuple(row(run) for run in WHOLE)
    for run in WHOLE:
        np.testing.assert_array_equal(view.arrays(run)["test_pred"], arrays(run)["test_pred"])
        assert (tmp_path / "out" / "params" / run / "weights").read_text() == run
    assert view.truth("k")["ids"].tolist() == list("abcde")
    manifest = view.manifest
    assert manifest["planned"] == WHOLE
    assert manifest["plan"] == PLAN
    assert not {"part", "planned_whole", "resumed"} & set(manifest)
    assert [entry["part"] for entry in manifest["parts"]] == [[1, 3], [2, 3], [3, 3]]
    assert [entry["rows"] for entry in manifest["parts"]] == sizes()
    assert read_journal(tmp_path / "out").rows == view.rows
    # The same sweep, not in parts, may go on in it.
    whole = {"data_fingerprint": "aa", "planned": WHOLE, "plan": PLAN}
    with Journal.open(tmp_path / "out", whole) as journal:
        assert journal.finished == set(WHOLE)
        assert journal.notices == []


def test_again_it_changes_nothing(parts, tmp_path):
    merge(parts, tmp_path / "out")
    before = content(tmp_path / "out")
    assert merge([*parts, parts[0]], tmp_path / "out").notices == ()
    assert content(tmp_path / "out") == before
    assert merge(parts[:1], tmp_path / "out").notices == ()
    assert content(tmp_path / "out") == before


def test_what_is_missing_and_unfinished_is_said_and_added_later(tmp_path):
    first = make(tmp_path / "p1", 1)
    second = make(tmp_path / "p2", 2, finish=1)
    one, two, three = sizes()
    view = merge([first, second], tmp_path / "out")
    left = two - 1
    assert view.notices == (
        f"part 2: {left} of {two} runs {'is' if left == 1 else 'are'} unfinished",
        f"part 3 of 3 is missing: {three} runs",
    )
    assert len(view.rows) == one + 1
    make(second, 2)
    view = merge([second, make(tmp_path / "p3", 3)], tmp_path / "out")
    assert view.notices == ()
    assert view.rows == tuple(row(run) for run in WHOLE)
    assert len(view.manifest["parts"]) == 3


def test_a_run_that_failed_is_replaced_once_it_was_tried_again(parts, tmp_path):
    first = read_journal(parts[0]).rows[0]
    failed = {**first, "status": "failed"}
    path = parts[0] / "rows.jsonl"
    good = path.read_bytes()
    path.write_bytes(json.dumps(failed).encode() + b"\n" + good.split(b"\n", 1)[1])
    view = merge(parts, tmp_path / "out")
    assert [r for r in view.rows if r["run"] == first["run"]] == [failed]
    merge(parts[1:], tmp_path / "out")
    assert read_journal(tmp_path / "out").rows == view.rows
    path.write_bytes(good)
    view = merge(parts[:1], tmp_path / "out")
    assert [r for r in view.rows if r["run"] == first["run"]] == [first]
    assert len(view.rows) == len(WHOLE)


def test_baselines_are_there_once(tmp_path):
    first = make(tmp_path / "p1", 1, extra=[baseline()], baselines=["beef"])
    second = make(tmp_path / "p2", 2, extra=[baseline(0.25 + 1e-9)])
    view = merge([second, first], tmp_path / "out")
    assert [entry for entry in view.rows if "kind" in entry] == [baseline()]
    assert view.manifest["baselines"] == ["beef"]
    assert "baselines" not in merge([second], tmp_path / "late").manifest
    assert merge([first], tmp_path / "late").manifest["baselines"] == ["beef"]
    third = make(tmp_path / "p3", 3, extra=[baseline(0.26)])
    with pytest.raises(DserError, match=r"p1/rows\.jsonl and .*p3/rows\.jsonl have different rows"):
        merge([first, second, third], tmp_path / "out")


def test_an_equal_row_in_two_parts_counts_once_and_another_is_refused(parts, tmp_path):
    mine = next(run for run in WHOLE if part_of(run, 3) == 0)
    with Journal.open(parts[1], read_journal(parts[1]).manifest) as journal:
        journal.commit(row(mine), arrays(mine))
    assert len(merge(parts, tmp_path / "out").rows) == 12
    rewrite_rows(
        parts[1] / "rows.jsonl", lambda row: row | ({"name": "z"} if row["run"] == mine else {})
    )
    with pytest.raises(DserError) as caught:
        merge(parts, tmp_path / "other")
    assert f"different rows of the run {mine} (" in str(caught.value)
    assert 'name: "' in str(caught.value)
    assert not (tmp_path / "other").exists()
    with pytest.raises(DserError, match=r"out/rows\.jsonl and .*p2/rows\.jsonl have different"):
        merge(parts[1:], tmp_path / "out")


def test_a_part_writes_nowhere_but_in_the_whole(parts, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x").write_text("theirs")
    out = tmp_path / "a" / "b" / "out"
    first = read_journal(parts[0]).rows[0]["run"]
    outside = "../../outside"
    rewrite_rows(
        parts[0] / "rows.jsonl", lambda row: row | {"run": outside} if row["run"] == first else row
    )
    rewrite(parts[0] / "manifest.json", planned_whole=[*WHOLE, outside])
    with pytest.raises(DserError, match=r"p1/rows\.jsonl:1: .*'\.\./\.\./outside' is the id of no"):
        merge(parts, out)
    assert not out.exists()


def test_other_versions_and_devices_are_kept_and_said(tmp_path):
    first = make(tmp_path / "p1", 1)
    second = make(tmp_path / "p2", 2, device="gpu", versions={"jax": "2"})
    view = merge([first, second, make(tmp_path / "p3", 3)], tmp_path / "out")
    assert view.notices == (
        'part 1 and part 2 differ in versions.jax: "1", "2"',
        'part 1 and part 2 differ in device: "cpu", "gpu"',
    )
    assert [entry["device"] for entry in view.manifest["parts"]] == ["cpu", "gpu", "cpu"]
    assert view.manifest["device"] == "cpu"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"data_fingerprint": "bb"},
            r"p2 do not belong together: part 2 is of other data .*\"bb\"",
        ),
        ({"planned": WHOLE[:7]}, r"another sweep \(12 runs in all, against 7, 7 in common\)"),
        ({"parts": 4}, r"p1 is part 1 of 3, and .*p2 is part 2 of 4"),
        ({"part": None}, r"p2 is the journal of a whole sweep, not of a part"),
        ({"schema": 9}, "found 9; expected schema 1"),
    ],
)
def test_what_does_not_belong_together_is_refused(tmp_path, changes, message):
    first, second = make(tmp_path / "p1", 1), tmp_path / "p2"
    make(second, 2, **{key: value for key, value in changes.items() if key != "schema"})
    if "schema" in changes:
        rewrite(second / "manifest.json", schema=9)
    with pytest.raises(DserError, match=message):
        merge([first, second], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_where_it_cannot_be_merged_to(parts, tmp_path):
    with pytest.raises(DserError, match="is one of the parts"):
        merge(parts, parts[1])
    with pytest.raises(DserError, match="no parts"):
        merge([], tmp_path / "out")
    other = tmp_path / "other"
    Journal.open(other, {"data_fingerprint": "aa", "planned": ["x", "y"]}).close()
    with pytest.raises(DserError, match=r"holds another sweep \(2 runs planned before, 12 now"):
        merge(parts, other)
    copy = make(tmp_path / "copy", 1)
    with pytest.raises(DserError, match="copy holds part 1 of 3, and this is a whole sweep"):
        merge(parts, copy)


def test_parts_that_were_extended_extend_the_whole(parts, tmp_path):
    merge(parts, tmp_path / "out")
    for number in (1, 2, 3):
        plan = PLAN | {"d": {"runs": 1, "seeds": [0], "settings": {}}}
        make(parts[number - 1], number, planned=[*WHOLE, MORE], plan=plan)
    view = merge(parts, tmp_path / "out")
    assert view.manifest["planned"] == [*WHOLE, MORE]
    assert view.rows == tuple(row(run) for run in [*WHOLE, MORE])
    assert "extended: new: 'd', 1 run" in view.notices


def test_a_damaged_file_of_a_part_is_named(parts, tmp_path):
    run = read_journal(parts[1]).rows[0]["run"]
    (parts[1] / "arrays" / f"{run}.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match=rf"p2/arrays/{run}\.npz: damaged"):
        merge(parts, tmp_path / "out")
    make(parts[1], 2)
    with Journal.open(parts[1], read_journal(parts[1]).manifest):
        pass


def test_a_torn_line_of_a_part_is_said(parts, tmp_path):
    data = (parts[0] / "rows.jsonl").read_bytes()
    (parts[0] / "rows.jsonl").write_bytes(data[:-5])
    view = merge(parts, tmp_path / "out")
    assert len(view.rows) == 11
    assert view.notices[0].startswith("part 1: ")
    assert "dropped the last line" in view.notices[0]
    assert view.notices[1] == f"part 1: 1 of {sizes()[0]} runs is unfinished"


WORKER = """
import sys
from pathlib import Path
from dser_jax.journal.merging import merge
merge([Path(p) for p in sys.argv[2:]], Path(sys.argv[1]))
"""


def test_killed_at_any_moment_it_is_done_again(parts, tmp_path):
    merge(parts, tmp_path / "whole")
    env = {**os.environ, "PYTHONPATH": os.fspath(ROOT)}
    command = [sys.executable, "-c", WORKER, tmp_path / "out", *parts]
    for kill in range(4):
        process = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)
        want, rows = 3 * kill, tmp_path / "out" / "rows.jsonl"
        while process.poll() is None:
            if rows.exists() and rows.read_bytes().count(b"\n") >= want:
                process.send_signal(signal.SIGKILL)
            time.sleep(0.001)
        process.wait()
    (tmp_path / "out" / "params" / ".x.1.part").mkdir(parents=True)
    view = merge(parts, tmp_path / "out")
    assert view.rows == read_journal(tmp_path / "whole").rows
    assert {path.name for path in (tmp_path / "out").rglob(".*")} == set()
    assert set(content(tmp_path / "out")) == set(content(tmp_path / "whole"))


def test_it_imports_no_jax():
    code = f"import sys, {module.__name__}; print('jax' in sys.modules)"
    env = {**os.environ, "PYTHONPATH": os.fspath(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
