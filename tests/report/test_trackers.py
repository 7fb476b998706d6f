"""Runs handed to TensorBoard and to W&B."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from fabricated import fabricate

from dser_jax.cli import main
from dser_jax.journal.journal import Journal
from dser_jax.journal.reading import read_journal
from dser_jax.report.trackers import to_tensorboard, to_wandb, tracked
from dser_jax.system.errors import DserError


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracked") / "j"
    weights = {"text LSTM": [0.5, 0.5, 0.0]}
    lost = {"diverged": [("speech LSTM", 1)], "failed": [("text LSTM", 1)]}
    fabricate(folder, seeds=2, weights=weights, **lost)
    base = {"run": "base", "name": "ridge", "kind": "baseline", "network": "ridge", "seed": 0}
    base |= {"hparams": {"alpha": [0.1, 1.0]}, "status": "ok", "truth": "k"}
    with Journal.open(folder, {"data_fingerprint": "aa"}) as opened:
        opened.commit(base | {"test": {"ccc": {"mean": 0.4}}}, {})
    return folder


def by_name(journal):
    return {(run.name, run.seed): run for run in tracked(read_journal(journal))}


def test_a_run_is_told_with_settings_scores_and_curves(journal):
    rows = {(row["name"], row["seed"]): row for row in read_journal(journal).rows}
    runs = by_name(journal)
    assert runs.keys() == rows.keys()
    at = ("speech LSTM", 0)
    run, row = runs[at], rows[at]
    assert run.settings["alpha"] == 0.7
    assert run.settings["batch_size"] == 8
    assert run.settings["protocol"] == "strict"
    assert run.scores["test/rmse/arousal"] == row["test"]["rmse"]["arousal"]
    assert len(run.scores) == 2 * 3 * 4
    assert {len(curve) for curve in run.curves.values()} == {row["epochs"]}
    arrays = read_journal(journal).arrays(row["run"])
    np.testing.assert_allclose(
        run.curves["epoch/validation_valence"], arrays["validation_ccc"][:, 0]
    )
    assert run.best_epoch == row["best_epoch"]


def test_what_is_not_learned_or_not_whole_has_no_scores(journal):
    runs = by_name(journal)
    text = runs["text LSTM", 0]
    assert not [tag for tag in text.scores if "dominance" in tag or "mean" in tag]
    assert "epoch/validation_dominance" not in text.curves
    assert runs["speech LSTM", 1].scores == {}
    assert runs["speech LSTM", 1].settings["status"] == "diverged"
    assert runs["text LSTM", 1].curves == {}
    base = runs["ridge", 0]
    assert base.settings["kind"] == "baseline"
    assert "alpha" not in base.settings
    assert base.scores == {"test/ccc/mean": 0.4}


def test_tensorboard_reads_what_was_written(journal, tmp_path, capsys):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed (extra tensorboard)")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata

    logs = tmp_path / "logs"
    main(["report", str(journal), "--tensorboard", str(logs)])
    assert f"TensorBoard: 7 runs in {logs}\n" in capsys.readouterr().out
    for run in tracked(read_journal(journal)):
        found = EventAccumulator(str(logs / run.run))
        found.Reload()
        tags = set(found.Tags()["scalars"])
        assert tags == {*run.scores, *run.curves}
        for tag, value in run.scores.items():
            (event,) = found.Scalars(tag)
            assert event.value == pytest.approx(value)
            assert event.step == (run.best_epoch or 0)
        for tag, curve in run.curves.items():
            points = {event.step: event.value for event in found.Scalars(tag)}
            finite = {at + 1: value for at, value in enumerate(curve) if math.isfinite(value)}
            assert points == pytest.approx(finite)
        held = found.summary_metadata[metadata.SESSION_START_INFO_TAG].plugin_data.content
        info = metadata.parse_session_start_info_plugin_data(held)
        assert info.group_name == run.run
        kinds = {"string": "string_value", "number": "number_value"}
        for name, value in run.settings.items():
            kind = kinds["string" if isinstance(value, str) else "number"]
            assert getattr(info.hparams[name], kind) == value
        held = found.summary_metadata[metadata.SESSION_END_INFO_TAG].plugin_data.content
        status = metadata.parse_session_end_info_plugin_data(held).status
        assert status == (1 if run.scores else 2)
    main(["report", str(journal), "--tensorboard", str(logs)])
    assert "0 runs in" in (said := capsys.readouterr().out)
    assert "7 were there already" in said
    assert len(list(logs.glob("*/events.out.*"))) == 7


def test_tensorboard_shows_every_setting_and_score(journal, tmp_path):
    """Its own plugin finds the columns of its table; a baseline, without settings, hides none."""
    pytest.importorskip("tensorboard", reason="tensorboard is not installed (extra tensorboard)")
    from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
    from tensorboard.context import RequestContext
    from tensorboard.plugins.base_plugin import TBContext
    from tensorboard.plugins.hparams.backend_context import Context

    runs = list(tracked(read_journal(journal)))
    to_tensorboard(runs, tmp_path)
    multiplexer = plugin_event_multiplexer.EventMultiplexer()
    multiplexer.AddRunsFromDirectory(str(tmp_path))
    multiplexer.Reload()
    provider = data_provider.MultiplexerDataProvider(multiplexer, str(tmp_path))
    context = Context(TBContext(data_provider=provider))
    asked = (RequestContext(), "")
    held = context.hparams_metadata(*asked)
    found = context.experiment_from_metadata(*asked, True, held, None)
    assert {info.name for info in found.hparam_infos} == {
        key for run in runs for key in run.settings
    }
    tags = {f"{info.name.group}/{info.name.tag}".strip("/") for info in found.metric_infos}
    assert {tag for run in runs for tag in run.scores} <= tags


class Refused(Exception):
    """What W&B's own errors are."""


class Pretended:
    """W&B's module, as far as it is used, which keeps what it was told."""

    Error = Refused

    def __init__(self, refuse_after=None):
        self.runs, self.refuse_after = [], refuse_after

    def init(self, **given):
        if len(self.runs) == self.refuse_after:
            raise Refused("api_key not configured")
        run = types.SimpleNamespace(given=given, metrics={}, logged=[], summary={}, ended=None)
        run.define_metric = lambda tag, step_metric=None: run.metrics.update({tag: step_metric})
        run.log = run.logged.append
        run.finish = lambda exit_code: setattr(run, "ended", exit_code)
        self.runs.append(run)
        return run


def test_wandb_is_told_of_every_run(journal, monkeypatch, capsys):
    told = Pretended()
    monkeypatch.setitem(sys.modules, "wandb", told)
    main(["report", str(journal), "--wandb", "emotions"])
    assert "W&B: 7 runs to the project emotions" in capsys.readouterr().out
    given = {run.run: run for run in tracked(read_journal(journal))}
    assert [run.given["id"] for run in told.runs] == list(given)
    for run in told.runs:
        ours = given[run.given["id"]]
        assert run.given["project"] == "emotions"
        assert run.given["group"] == "j"
        assert run.given["resume"] == "allow"
        assert run.given["config"] == ours.settings
        assert run.summary == {**ours.scores, "best_epoch": ours.best_epoch}
        assert run.ended == (0 if ours.scores else 1)
        assert run.metrics == {"epoch": None, **dict.fromkeys(ours.curves, "epoch")}
        for tag, curve in ours.curves.items():
            points = {each["epoch"]: each[tag] for each in run.logged if tag in each}
            finite = {at + 1: value for at, value in enumerate(curve) if math.isfinite(value)}
            assert points == finite


def test_what_wandb_refuses_is_said(journal, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "wandb", Pretended(refuse_after=2))
    with pytest.raises(SystemExit) as ended:
        main(["report", str(journal), "--wandb", "emotions"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "after 2 runs: api_key not configured" in said
    assert "WANDB_MODE=offline" in said


OFFLINE = """
import sys
from dser_jax.journal import read_journal
from dser_jax.report.trackers import to_wandb, tracked
print(to_wandb(list(tracked(read_journal(sys.argv[1])))[:2], "p"))
"""


def test_wandb_itself_takes_runs_offline(journal, tmp_path):
    pytest.importorskip("wandb", reason="wandb is not installed (extra wandb)")
    quiet = {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "WANDB_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, str(journal)],
        env={**os.environ, **quiet, "PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    written = {path.stem.removeprefix("run-") for path in tmp_path.rglob("run-*.wandb")}
    assert written == {run.run for run in list(tracked(read_journal(journal)))[:2]}


@pytest.mark.parametrize("tracker", ["tensorboard", "wandb"])
def test_what_is_not_installed_is_named_with_its_extra(tracker, journal, tmp_path, monkeypatch):
    hidden = [name for name in sys.modules if name.split(".")[0] == tracker]
    for name in [tracker, *hidden]:
        monkeypatch.setitem(sys.modules, name, None)
    runs = tracked(read_journal(journal))
    with pytest.raises(DserError, match=rf"pip install 'dser_jax\[{tracker}\]'"):
        to_tensorboard(runs, tmp_path) if tracker == "tensorboard" else to_wandb(runs, "p")
