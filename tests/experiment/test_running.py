"""Experiments end to end on a small prepared folder: rows, resuming, Ctrl-C, refusals."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from rewritten import rewrite_rows
from sixty import prepare_sixty
from tiny import DENSE, make_dataset

from dser_jax.data.leaks import MARKS
from dser_jax.experiment import running as experiment
from dser_jax.experiment.saved_weights import load_weights
from dser_jax.journal.intervals import read_intervals
from dser_jax.journal.reading import read_journal
from dser_jax.journal.rows import make_row
from dser_jax.plan import Group, hparams_json, paired_runs
from dser_jax.plan.runs import Outcome, RunSpec
from dser_jax.system.errors import DserError
from dser_jax.training.hparams import HParams
from dser_jax.training.metrics import ccc
from dser_jax.training.run import Result
from dser_jax.training.state import History

run_experiment = partial(experiment.run_experiment, baselines=False)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return prepare_sixty(tmp_path_factory.mktemp("data"))


def hparams(alpha=1.0, **rates):
    weights = np.array([alpha, 1, 1], np.float32)
    return HParams(loss_weights=weights)._replace(**{k: np.float32(v) for k, v in rates.items()})


PAPER = {"table": "table6", "row": "two"}
NAMED = {"one": hparams(), "two": hparams(0.5), "wild": hparams(learning_rate=1e30)}


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("finished")
    group = Group(DENSE, paired_runs(NAMED, range(3), {"two": PAPER}))
    return run_experiment(data, out, [group], lanes=4, keep_weights=True)


def test_every_run_has_its_row(finished):
    assert [(r["name"], r["seed"]) for r in finished.rows] == [
        (name, seed) for name in NAMED for seed in range(3)
    ]
    for row in finished.rows:
        assert (row["corpus"], row["protocol"]) == ("toy", "strict")
        assert row["split"] == "last session (Ses04)"
        assert (row["network"], row["features"]) == ("dense + mlp", "toy_hsf + we")
        assert row["status"] == ("diverged" if row["name"] == "wild" else "ok")
        assert row["config"] == DENSE.to_json()
        assert row.get("paper") == (PAPER if row["name"] == "two" else None)
    two = next(r for r in finished.rows if r["name"] == "two")
    assert two["hparams"]["loss_weights"] == [0.5, 1, 1]
    assert two["hparams"]["acoustic_dropout"] == 0.1


def test_scores_are_those_of_the_predictions(finished):
    row = finished.rows[0]
    arrays, truth = finished.arrays(row["run"]), finished.truth(row["truth"])
    for part, count in (("validation", 15), ("test", 15)):
        pred, gold = arrays[f"{part}_pred"], truth[f"{part}_gold"]
        assert pred.shape == gold.shape == (count, 3)
        for i, attr in enumerate(("valence", "arousal", "dominance")):
            assert row[part]["ccc"][attr] == pytest.approx(ccc(gold[:, i], pred[:, i]), abs=1e-9)
            assert attr in row[part]["ccc_batch32"]
    assert truth["test_ids"][0] == "Ses04_045"
    assert len(arrays["train_loss"]) == row["epochs"] == DENSE.max_epochs
    best = row["best_epoch"] - 1
    assert arrays["validation_loss"][best] == arrays["validation_loss"].min()


def test_an_attribute_without_labels_has_no_curve():
    dataset = make_dataset(missing=True)
    parts = (dataset.split.validation, dataset.split.test)
    preds = (np.zeros((len(rows), 3), np.float32) for rows in parts)
    history = History(*np.ones((2, 3), np.float32), np.ones((3, 3), np.float32))
    result = Result(*preds, history, np.int32(2), np.int32(1), np.bool_(False))
    _, arrays = make_row("r", DENSE, dataset, Outcome(RunSpec("a", hparams(), 0), result, None))
    assert arrays["validation_ccc"].shape == (2, 3)
    assert np.isnan(arrays["validation_ccc"]).all(0).tolist() == [False, False, True]


def test_the_journal_tells_what_training_has_met(finished):
    marks = finished.truth(f"{finished.rows[0]['truth']}.{MARKS}")
    assert marks["test_seen_transcript"].all()  # Sixty utterances, of seven words.
    assert not marks["test_seen_speaker"].any()
    assert set(marks["test_speaker"].tolist()) == {"Ses04F", "Ses04M"}


def test_manifest_says_what_it_was_made_with(finished):
    manifest = finished.manifest
    assert len(manifest["planned"]) == 9
    assert {"jax", "numpy", "python"} <= set(manifest["versions"])
    assert "cpu" in manifest["device"] or "gpu" in manifest["device"].lower()
    assert len(manifest["data_fingerprint"]) == 64


def test_names_have_intervals_over_the_test_utterances(finished):
    found = {entry.name: entry for entry in read_intervals(finished.folder).values()}
    made = ("", ", stretched", ", ensemble of 3", ", ensemble of 3, stretched")
    assert set(found) == {f"{name}{more}" for name in ("one", "two") for more in made}
    for name in ("one", "two"):
        entry, rows = found[name], [row for row in finished.rows if row["name"] == name]
        low, high = entry.scores["mean"]
        assert (entry.unit, entry.count) == ("utterance", 15)
        assert low < np.mean([row["test"]["ccc"]["mean"] for row in rows]) < high


def test_weights_are_kept_on_request(finished):
    from orbax.checkpoint import v1 as ocp

    run = finished.rows[0]["run"]
    weights = ocp.load(finished.folder / "params" / run)
    assert weights["params"]["valence"]["kernel"].shape == (DENSE.fusion[-1], 1)


def test_the_same_call_again_trains_nothing(data, finished, capsys):
    before = (finished.folder / "rows.jsonl").read_bytes()
    group = Group(DENSE, paired_runs(NAMED, range(3)))
    again = run_experiment(data, finished.folder, [group], lanes=4)
    assert (finished.folder / "rows.jsonl").read_bytes() == before
    assert again.rows == finished.rows
    assert "9 runs are finished already, nothing to do" in capsys.readouterr().err


def test_rows_without_their_inputs_are_left_out_and_said(data, tmp_path, capsys):
    lacking = dataclasses.replace(DENSE, vectors="glove")
    groups = [
        Group(DENSE, paired_runs({"one": hparams(patience=1)}, range(3))),
        Group(lacking, paired_runs({f"{n} glove": hparams(n / 10) for n in range(1, 6)}, range(3))),
    ]
    with pytest.raises(DserError, match=r"'glove'.*; --skip-missing trains the others alone"):
        run_experiment(data, tmp_path, groups)
    assert not list(tmp_path.iterdir())
    view = run_experiment(data, tmp_path, groups, lanes=4, skip_missing=True)
    said = capsys.readouterr().out
    assert "1 glove, 2 glove, 3 glove, and 2 more: not trained" in said
    assert "dser prepare --glove FILE" in said
    assert "glove.840B.300d.txt" in said
    assert len(view.manifest["planned"]) == 3
    assert view.manifest["skipped"][0].startswith("1 glove, 2 glove")
    with pytest.raises(DserError, match="no word vectors 'glove'"):
        run_experiment(data, tmp_path, groups[1:])


def test_a_name_with_other_settings_is_refused(data, finished):
    changed = NAMED | {"one": hparams(learning_rate=0.5)}
    for extend in (False, True):
        with pytest.raises(DserError, match=r"'one'.*learning_rate.*0\.001.*0\.5"):
            run_experiment(
                data,
                finished.folder,
                [Group(DENSE, paired_runs(changed, range(3)))],
                extend=extend,
            )
    wider = dataclasses.replace(DENSE, units=5)
    with pytest.raises(DserError, match=r"units.*4.*5"):
        run_experiment(data, finished.folder, [Group(wider, paired_runs(NAMED, range(3)))])


def test_more_seeds_are_added_where_that_is_asked(data, finished, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(finished.folder, out)
    more = [Group(DENSE, paired_runs(NAMED, range(4)))]
    with pytest.raises(DserError, match="--extend"):
        run_experiment(data, out, more, lanes=4)
    view = run_experiment(data, out, more, lanes=4, extend=True)
    assert len(view.rows) == 12
    old = {row["run"]: row for row in finished.rows}
    assert [row for row in view.rows if row["run"] in old] == list(old.values())
    assert run_experiment(data, out, more, lanes=4).rows == view.rows


def test_lost_labels_and_intervals_are_made_again(data, finished, tmp_path, capsys):
    out = tmp_path / "out"
    shutil.copytree(finished.folder, out)
    lost = [*(out / "truth").iterdir(), out / "bootstrap.json"]
    assert len(lost) == 3
    whole = {path: path.read_bytes() for path in lost}
    for path in lost:
        path.write_bytes(path.read_bytes()[:-30] + bytes(30))
    view = run_experiment(data, out, [Group(DENSE, paired_runs(NAMED, range(3)))], lanes=4)
    assert {path: path.read_bytes() for path in lost} == whole
    said = capsys.readouterr().out
    for path in lost:
        assert f"{path}: damaged" in said
    assert view.rows == finished.rows


def test_failed_runs_are_trained_again_where_that_is_asked(data, finished, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(finished.folder, out)
    first = finished.rows[0]["run"]
    failed = {"status": "failed", "traceback": "no room"}
    rewrite_rows(out / "rows.jsonl", lambda row: row | (failed if row["run"] == first else {}))
    groups = [Group(DENSE, paired_runs(NAMED, range(3)))]
    kept = run_experiment(data, out, groups, lanes=4)
    assert [row["status"] for row in kept.rows].count("failed") == 1
    again = run_experiment(data, out, groups, lanes=4, retry_failed=True, keep_weights=True)
    assert again.rows == finished.rows


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"loss": "ccl"}, "no loss is called 'ccl'; there are ccc, mse"),
        ({"weighting": "free"}, "no weighting is called 'free'; there are fixed"),
        ({"optimizer": "adan"}, "no optimizer is called 'adan'; there are rmsprop, adam, adamw"),
    ],
)
def test_an_unknown_name_is_refused_before_anything_is_written(data, tmp_path, setting, message):
    config = dataclasses.replace(DENSE, **setting)
    with pytest.raises(DserError, match=message):
        run_experiment(data, tmp_path / "out", [Group(config, paired_runs(NAMED, range(2)))])
    assert not (tmp_path / "out").exists()


def test_kept_weights_can_be_loaded(finished):
    run = finished.rows[0]["run"]
    loaded = load_weights(finished.folder, run)
    assert loaded.keys() == {"params", "stats"}
    assert {"acoustic", "text", "valence"} <= loaded["params"].keys()
    with pytest.raises(DserError, match="the weights of this run were not kept"):
        load_weights(finished.folder, "0" * 16)


def test_one_run_under_two_names_is_refused(data, tmp_path):
    named = {"one": hparams(), "same": hparams()}
    with pytest.raises(DserError, match="'one' and 'same' are the same run"):
        run_experiment(data, tmp_path, [Group(DENSE, paired_runs(named, range(2)))])
    groups = [Group(DENSE, paired_runs({name: hparams()}, range(2))) for name in named]
    with pytest.raises(DserError, match="'one' and 'same' are the same run"):
        run_experiment(data, tmp_path, groups)
    assert not list(tmp_path.iterdir())


def test_an_unknown_network_is_refused_before_anything_is_written(data, tmp_path):
    config = dataclasses.replace(DENSE, text="transformer")
    with pytest.raises(DserError, match="no text network is called 'transformer'"):
        run_experiment(data, tmp_path / "out", [Group(config, paired_runs(NAMED, range(2)))])
    assert not (tmp_path / "out").exists()


def test_fault_21_a_run_given_twice_is_one_run(data, tmp_path):
    runs = (RunSpec("one", hparams(), 0), RunSpec("one", hparams(), 0))
    view = run_experiment(data, tmp_path, [Group(DENSE, runs), Group(DENSE, runs)], lanes=4)
    assert len(view.manifest["planned"]) == len(view.rows) == 1


def test_settings_that_are_no_numbers_are_refused(data, tmp_path):
    named = {"nan": hparams(text_dropout=np.nan)}
    with pytest.raises(DserError, match="text_dropout is nan; expected a finite number"):
        run_experiment(data, tmp_path, [Group(DENSE, paired_runs(named, range(2)))])


def test_hparams_are_plain_numbers():
    assert hparams_json(HParams()) == {
        "loss_weights": [1.0, 1.0, 1.0],
        "acoustic_dropout": 0.1,
        "text_dropout": 0.4,
        "fusion_dropout": 0.4,
        "learning_rate": 0.001,
        "patience": 10,
    }


TESTS = os.fspath(Path(__file__).parents[1])
SCRIPT = """
import sys
sys.path.insert(0, sys.argv[3])
import numpy as np
from tiny import DENSE
import dataclasses
from dser_jax.cli import guarded
from dser_jax.experiment import run_experiment
from dser_jax.plan import Group, paired_runs
from dser_jax.system.signals import Signals
from dser_jax.training.hparams import HParams

config = dataclasses.replace(DENSE, acoustic="dense", text=None, max_epochs=500, batch_size=4)
hparams = HParams(patience=np.int32(500))
group = Group(config, paired_runs({"long": hparams}, range(8)))

def sweep():
    with Signals() as signals:
        options = {"lanes": 2, "baselines": False, "stop": lambda: signals.caught}
        run_experiment(sys.argv[1], sys.argv[2], [group], **options)

guarded(sweep)
"""


def start(data, out):
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            SCRIPT,
            str(data),
            str(out),
            TESTS,
        ],
        stderr=subprocess.PIPE,
        text=True,
    )


def test_ctrl_c_keeps_what_is_finished_and_the_same_command_goes_on(data, tmp_path):
    process = start(data, tmp_path)
    rows = tmp_path / "rows.jsonl"
    deadline = time.monotonic() + 120
    while not (rows.exists() and rows.read_bytes().count(b"\n") >= 2):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 75, said
    kept = read_journal(tmp_path).rows
    assert 2 <= len(kept) < 8
    assert f"{len(kept)} runs are finished and kept; the same command goes on" in said

    process = start(data, tmp_path)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert f"{len(kept)} runs are finished already, {8 - len(kept)} to go" in said
    view = read_journal(tmp_path)
    assert [row["seed"] for row in view.rows] == list(range(8))
    assert set(map(str, kept)) <= set(map(str, view.rows))
