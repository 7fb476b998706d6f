"""A search's decisions on disk, and what a resume makes of them, on the real engine."""

from __future__ import annotations

import dataclasses
import json
from contextlib import closing

import jax
import numpy as np
import pytest
from tiny import CONFIG, make_dataset

from dser_jax.engine.checkpoint import Checkpoints
from dser_jax.engine.lanes import train_runs
from dser_jax.engine.program import compile_program, send
from dser_jax.engine.terms import Hooks
from dser_jax.journal.journal import Journal
from dser_jax.journal.reading import read_journal
from dser_jax.journal.rows import make_row
from dser_jax.search.asha import halving
from dser_jax.search.decisions import FILE, FIRST_SEED, Decisions
from dser_jax.search.optuna import optuna_search
from dser_jax.search.random import random_search
from dser_jax.search.space import Range, Space
from dser_jax.system.errors import DataError, DserError
from dser_jax.system.signals import Interrupted
from dser_jax.training.hparams import HParams
from dser_jax.training.run import make_run

DATASET = make_dataset(missing=True)
LABELLED = np.array([True, True, False])
LONG = dataclasses.replace(CONFIG, acoustic="dense", text="dense", max_epochs=20)
SPACE = Space(
    {"alpha": Range(0, 1), "beta": Range(0, 1), "learning_rate": Range(3e-4, 3e-2, log=True)},
    HParams(patience=np.int32(3)),
)
COUNT = 14


def random(count=COUNT, seed=0):
    return halving(random_search(SPACE, count, seed), first=2, eta=2)


def tpe(count=COUNT):
    return halving(optuna_search(SPACE, count), first=2, eta=2)


def compiled(lanes):
    run = make_run(LONG, DATASET.words, DATASET.embedding_dim)
    devices = jax.local_devices()[:1]
    return compile_program(run, send(DATASET.data, devices), lanes, devices)


@pytest.fixture(autouse=True)
def rounds_of_epochs(monkeypatch):
    """Has rounds end by their epochs, however slow the machine is."""
    monkeypatch.setattr("dser_jax.engine.lanes.ROUND_SECONDS", 1e9)


@pytest.fixture(scope="module")
def four():
    return compiled(4)


@pytest.fixture(scope="module")
def one():
    return compiled(1)


class Killed(BaseException):
    """Stands for a kill: nothing is saved on the way out."""


def go(search, folder, program, rounds=10**6, said=None, ticks=None):
    """Carries a search on for so many rounds, as `experiment` does it."""
    left = iter(range(rounds))
    hooks = Hooks(
        progress=(lambda tick: None) if ticks is None else ticks.append,
        stop=lambda: None if next(left, None) is not None else "SIGTERM",
    )
    said = [] if said is None else said
    manifest = {"data_fingerprint": "x", "planned": search.count, "search": search.describe()}
    same = ("data_fingerprint", "search")
    with Journal.open(folder, manifest, must_match=same) as journal:
        decisions = Decisions(search, journal, LONG, "x", said.append)
        outcomes = train_runs(
            DATASET,
            LONG,
            decisions.runs(),
            count=len(decisions),
            program=program,
            judge=decisions.judge(LABELLED),
            hooks=hooks,
            checkpoints=Checkpoints(folder / "lanes", print),
        )
        with closing(decisions), closing(outcomes):
            for run, outcome in outcomes:
                row, arrays = make_row(run, LONG, DATASET, outcome)
                journal.commit(row, arrays)
                decisions.tell(row)


def decided(folder):
    return [json.loads(line) for line in (folder / FILE).read_text().splitlines()]


def rows_of(folder):
    return {row["name"]: row for row in read_journal(folder).rows}


@pytest.fixture(scope="module")
def undisturbed(four, tmp_path_factory):
    folders = {}
    for make in (random, tpe):
        folders[make] = tmp_path_factory.mktemp(make.__name__)
        go(make(), folders[make], four)
    return folders


def test_every_call_is_written_down_in_its_order(undisturbed):
    lines, rows = decided(undisturbed[random]), rows_of(undisturbed[random])
    assert len(rows) == COUNT
    assert [line["ask"] for line in lines if "ask" in line] == list(range(COUNT))
    assert [line["ask"] for line in lines[:4]] == [0, 1, 2, 3]  # One a lane, before any end.
    for line in lines:
        if "ask" in line:
            row = rows[f"trial {line['ask']}"]
            assert (row["run"], row["seed"]) == (line["run"], FIRST_SEED + line["ask"])
            assert line["settings"] == random().ask(line["ask"])
            rate = line["settings"]["learning_rate"]
            assert row["hparams"]["learning_rate"] == pytest.approx(rate, rel=1e-6)
            assert row["hparams"]["patience"] == 3
        if "tell" in line:
            row = rows[f"trial {line['tell']}"]
            assert line["status"] == row["status"]
            ccc = row["validation"]["ccc"]
            assert line["value"] == pytest.approx((ccc["valence"] + ccc["arousal"]) / 2, abs=1e-6)
    assert sorted(line["tell"] for line in lines if "tell" in line) == list(range(COUNT))


def test_what_is_kept_and_pruned_follows_from_the_values(undisturbed):
    folder = undisturbed[random]
    view = read_journal(folder)
    referee, rows = random(), rows_of(folder)
    pruned = set()
    for line in decided(folder):
        if "keep" not in line:
            continue
        assert line["kept"] == referee.keep(line["keep"], line["epoch"], line["value"])
        row = rows[f"trial {line['keep']}"]
        arrays = view.arrays(row["run"])
        best = int(np.nanargmin(arrays["validation_loss"][: line["epoch"]]))
        assert line["value"] == pytest.approx(arrays["validation_ccc"][best, :2].mean(), abs=1e-6)
        if not line["kept"]:
            pruned.add(row["name"])
            assert row["epochs"] == line["epoch"]
    assert {name for name, row in rows.items() if row["status"] == "pruned"} == pruned
    assert len(pruned) >= COUNT // 3
    assert any(row["epochs"] > 8 for row in rows.values())


def test_a_lane_that_is_free_is_filled_at_once(four, tmp_path):
    ticks = []
    go(random(), tmp_path, four, ticks=ticks)
    lines = decided(tmp_path)
    ends = [number for number, line in enumerate(lines) if "tell" in line]
    for end in ends[: COUNT - 4]:  # As long as trials are left, no other call comes between.
        after = next(line for line in lines[end:] if "tell" not in line)
        assert "ask" in after
    last_ask = max(number for number, line in enumerate(lines) if "ask" in line)
    ended = sum("tell" in line for line in lines[:last_ask])
    assert ended == COUNT - 4
    assert ticks[-1].epochs / ticks[-1].lane_epochs > 0.6


@pytest.mark.parametrize("make", [random, tpe])
@pytest.mark.parametrize("rounds", [(2,), (4, 1, 2), (8,)])
def test_a_signal_changes_no_decision_and_no_row(make, rounds, undisturbed, four, tmp_path):
    for count in rounds:
        with pytest.raises(Interrupted):
            go(make(), tmp_path, four, count)
    assert 0 < len(decided(tmp_path)) < len(decided(undisturbed[make]))
    go(make(), tmp_path, four)
    assert (tmp_path / FILE).read_bytes() == (undisturbed[make] / FILE).read_bytes()
    assert rows_of(tmp_path) == rows_of(undisturbed[make])


def kill_at(monkeypatch, writes):
    """Has the process die after so many lines are on disk, in the middle of the next."""
    real, done = Decisions._write, iter(range(writes))

    def write(self, line):
        if next(done, None) is None:
            import os

            os.write(self._file, b'{"tel')
            raise Killed
        real(self, line)

    monkeypatch.setattr(Decisions, "_write", write)
    monkeypatch.setattr("dser_jax.engine.parking.Parking.save_if_possible", lambda *_: None)


@pytest.mark.parametrize("make", [random, tpe])
def test_one_lane_gives_the_same_wherever_it_is_killed(make, one, tmp_path):
    whole = tmp_path / "whole"
    go(make(5), whole, one)
    lines = (whole / FILE).read_bytes()
    for writes in range(1 + (make is tpe), lines.count(b"\n"), 2):
        folder, said = tmp_path / str(writes), []
        with pytest.MonkeyPatch.context() as patch:
            kill_at(patch, writes)
            with pytest.raises(Killed):
                go(make(5), folder, one)
        go(make(5), folder, one, said=said)
        assert (folder / FILE).read_bytes() == lines
        assert rows_of(folder) == rows_of(whole)
        assert said == [
            f"{folder / FILE}:{writes + 1}: dropped the last line, which is cut off; it is made "
            "again"
        ]


@pytest.mark.parametrize("writes", [3, 12, 20, 25, 31])
def test_several_lanes_keep_what_was_decided_before_a_kill(writes, four, undisturbed, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, writes)
        with pytest.raises(Killed):
            go(random(), tmp_path, four)
    before = rows_of(tmp_path)
    go(random(), tmp_path, four)
    lines, was = decided(tmp_path), decided(undisturbed[random])
    assert lines[:writes] == was[:writes]
    assert before.items() <= rows_of(tmp_path).items()
    # Later decisions may be others, as lanes come to their rungs in another order; but they are of
    # the same trials, each decided once, by the same rule.
    asked = [line for line in lines if "ask" in line]
    assert asked == [line for line in was if "ask" in line]
    kept = [(line["keep"], line["epoch"]) for line in lines if "keep" in line]
    assert len(set(kept)) == len(kept)
    assert sorted(rows_of(tmp_path)) == sorted(f"trial {trial}" for trial in range(COUNT))
    for name, row in rows_of(tmp_path).items():
        other = rows_of(undisturbed[random])[name]
        if row["epochs"] == other["epochs"]:
            assert row == other


def test_a_search_goes_on_in_another_number_of_lanes(one, four, undisturbed, tmp_path):
    with pytest.raises(Interrupted):
        go(random(), tmp_path, four, 5)
    before = decided(tmp_path)
    go(random(), tmp_path, one)
    assert decided(tmp_path)[: len(before)] == before
    assert len(rows_of(tmp_path)) == COUNT


def test_a_finished_search_is_not_asked_again(undisturbed, four, tmp_path):
    before = (undisturbed[tpe] / FILE).read_bytes()
    go(tpe(), undisturbed[tpe], four)
    assert (undisturbed[tpe] / FILE).read_bytes() == before


@pytest.fixture
def stopped(one, tmp_path):
    with pytest.raises(Interrupted):
        go(random(), tmp_path, one, 12)
    return tmp_path


def test_another_search_is_refused_with_the_line(stopped, one):
    before = (stopped / FILE).read_bytes()
    with pytest.raises(DserError, match=r"search\.seed: 0 before, 1 now"):
        go(random(seed=1), stopped, one)
    sly = random(seed=1)
    sly.describe = random().describe
    with pytest.raises(DserError, match=rf"{FILE}:1: the search does not decide as it did"):
        go(sly, stopped, one)
    lazy = random()
    lazy.keep = lambda trial, epoch, value: lazy.search.count < 0
    with pytest.raises(DserError, match="does not decide as it did: kept False, where it was True"):
        go(lazy, stopped, one)
    assert (stopped / FILE).read_bytes() == before


def test_damaged_lines_are_named(stopped, one):
    path = stopped / FILE
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], b"{", *lines[2:]]))
    with pytest.raises(DataError, match=rf"{FILE}:2: a damaged line, found '{{'"):
        go(random(), stopped, one)
    path.write_bytes(b"\n".join([lines[0], b'{"tell": 7, "value": 1, "status": "ok"}', *lines[1:]]))
    with pytest.raises(DataError, match=rf"{FILE}:2: a decision that this search cannot have made"):
        go(random(), stopped, one)


def test_rows_whose_decisions_are_lost_are_not_trained_again(stopped, one):
    rows = rows_of(stopped)
    assert rows
    (stopped / FILE).unlink()
    go(random(), stopped, one)
    assert rows.items() <= rows_of(stopped).items()
    assert len(rows_of(stopped)) == COUNT


def test_nothing_of_the_test_set_reaches_a_search(one, tmp_path):
    """The same but for the labels of the test rows: every decision is the same."""
    seen = []
    for shift in (0.0, 0.5):
        gold = np.array(DATASET.data.gold)
        gold[DATASET.data.test] += np.float32(shift)
        dataset = dataclasses.replace(DATASET, data=DATASET.data._replace(gold=gold))
        folder = tmp_path / str(shift)
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(globals(), "DATASET", dataset)
            go(tpe(6), folder, one)
        seen.append((folder / FILE).read_bytes())
        rows = rows_of(folder)
    assert seen[0] == seen[1]
    assert rows["trial 0"]["test"] != rows_of(tmp_path / "0.0")["trial 0"]["test"]
