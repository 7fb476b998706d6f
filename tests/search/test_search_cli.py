"""`dser sweep` with a search, end to end on a few dozen sentences, and what it refuses."""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import json
import re
import shlex
from pathlib import Path

import pytest
from sweeping import draw_nothing, fails, planned, prepare_sentences, rows_of, sweep_arguments

from dser_jax.cli import main, make_parser
from dser_jax.config import Config
from dser_jax.experiment.running import sweep
from dser_jax.search.asha import halving
from dser_jax.search.decisions import FILE
from dser_jax.search.random import random_search
from dser_jax.search.space import Range, Space
from dser_jax.search.trials import best_settings
from dser_jax.system.signals import Interrupted

RANGES = (
    *("--range", "alpha=0:1", "--range", "beta=0:1"),
    *("--range", "learning_rate=1e-3:1e-1:log"),
)
HALVING = ("--max-epochs", "9", "--halving", "--first-rung", "2", "--eta", "2", "--lanes", "3")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return prepare_sentences(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def searched(data):
    """A search of eight trials, and its command."""
    command = sweep_arguments(data, data / "search", "--random", "8", *RANGES, *HALVING)
    with pytest.MonkeyPatch.context() as patch:
        draw_nothing(patch)
        main(command)
        yield data / "search", command


def test_every_trial_has_its_row_and_its_decisions(searched):
    folder, _ = searched
    rows = rows_of(folder)
    assert sorted(row["name"] for row in rows) == [f"trial {trial}" for trial in range(8)]
    for row in rows:
        alpha, beta, gamma = row["hparams"]["loss_weights"]
        assert min(alpha, beta, gamma) >= 0
        assert alpha + beta + gamma == pytest.approx(1)
        assert 1e-3 <= row["hparams"]["learning_rate"] <= 1e-1
    assert {row["status"] for row in rows} >= {"ok", "pruned"}
    decided = [json.loads(line) for line in (folder / FILE).read_text().splitlines()]
    assert sum("ask" in line for line in decided) == 8
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["planned"] == 8
    about = manifest["search"]
    assert about["kind"] == "random"
    assert about["ranges"]["learning_rate"] == "0.001:0.1:log"
    assert about["halving"] == {"first": 2, "eta": 2}


def test_the_best_settings_can_be_trained_again(searched):
    folder, _ = searched
    ok = [row for row in rows_of(folder) if row["status"] == "ok"]
    best = max(ok, key=lambda row: row["validation"]["ccc"]["mean"])
    (name,) = best_settings(folder, 1)
    assert name == best["name"]
    hparams = best_settings(folder, 1)[name]
    assert hparams.loss_weights.tolist() == pytest.approx(best["hparams"]["loss_weights"], abs=1e-6)
    assert hparams.patience == 10
    assert hparams.patience.dtype == "int32"


def test_the_same_command_again_trains_nothing(searched, capsys):
    folder, command = searched
    before = {name: (folder / name).read_bytes() for name in ("rows.jsonl", FILE)}
    main(command)
    assert "8 runs are finished already, nothing to do" in capsys.readouterr().err
    assert {name: (folder / name).read_bytes() for name in before} == before


def test_more_trials_are_added_where_that_is_asked(searched, capsys):
    folder, command = searched
    first = (folder / FILE).read_bytes()
    more = [*command, "--random", "9"]
    assert "planned with 8 trials, and this is 9; --extend adds 1" in fails(capsys, more)
    main([*more, "--extend"])
    assert (folder / FILE).read_bytes().startswith(first)
    assert len(rows_of(folder)) == 9
    assert "planned with 9 trials, and this is 8" in fails(capsys, command)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("--search-seed 1", "search.seed: 0 before, 1 now"),
        ("--eta 3", "search.halving.eta: 2 before, 3 now"),
        ("--text-dropout 0.3", "search.fixed.text_dropout: 0.4 before, 0.3 now"),
        ("--range patience=3:5", 'search.ranges.patience: null before, "3:5" now'),
        ("--units 4", "configs 1.units: 3 before, 4 now"),
    ],
)
def test_another_search_in_the_same_folder_is_refused(searched, capsys, more, message):
    _, command = searched
    said = fails(capsys, [*command, "--random", "9", "--extend", *more.split()])
    assert "was started with something else" in said
    assert message in said


def test_failed_trials_are_not_tried_again(searched, capsys):
    _, command = searched
    assert "a search goes without --retry-failed" in fails(capsys, [*command, "--retry-failed"])


def test_a_plain_sweep_in_the_folder_of_a_search_is_refused(searched, data, capsys):
    folder, _ = searched
    said = fails(capsys, sweep_arguments(data, folder, "--weights", "none"))
    assert "was started with something else" in said


def test_flags_become_a_search(data, tmp_path, monkeypatch):
    given = ["--optuna", "7", "--range", "text_dropout=.1,.2", "--weights", "valence"]
    (group,) = planned(monkeypatch, sweep_arguments(data, tmp_path, *given))
    assert group.runs == ()
    about = group.search.describe()
    assert (group.search.count, about["kind"], about["seed"]) == (7, "optuna", 0)
    assert about["ranges"] == {"text_dropout": "0.1,0.2"}
    assert about["fixed"]["loss_weights"] == [1.0, 0.0, 0.0]
    assert about["attributes"] == ["valence"]
    assert group.search.rungs == ()


def test_the_best_are_trained_with_new_seeds(searched, data, tmp_path, monkeypatch):
    folder, _ = searched
    given = ["sweep", "--data", str(data / "text"), "--out", str(tmp_path / "best")]
    best_of = ["--best-of", str(folder), "--best", "2", "--seeds", "4"]
    (group,) = planned(monkeypatch, [*given, *best_of])
    assert group.config.to_json() == rows_of(folder)[0]["config"]
    names = list(dict.fromkeys(run.name for run in group.runs))
    assert names == list(best_settings(folder, 2))
    assert [run.seed for run in group.runs] == [*range(4), *range(4)]
    assert not {run.seed for run in group.runs} & {row["seed"] for row in rows_of(folder)}


def test_the_best_of_nowhere_and_settings_beside_them_are_refused(data, tmp_path, capsys):
    given = ["sweep", "--data", str(data / "text"), "--out", str(tmp_path), "--best-of", "nowhere"]
    said = fails(capsys, [*given, "--weights", "none", "--size", "small", "--yes", "--lanes", "2"])
    assert said == "dser: --best-of has its settings from nowhere; leave out --size, --weights\n"
    said = fails(capsys, [*given, "--loss", "ccc"])  # As by default, but it is asked for.
    assert said.endswith("leave out --loss\n")
    assert "nowhere holds no journal" in fails(capsys, given)


def test_the_same_search_goes_on_after_a_signal_in_python(searched, data, tmp_path):
    folder, _ = searched
    config = Config.from_json(rows_of(folder)[0]["config"])
    ranges = {"alpha": Range(0, 1), "beta": Range(0, 1), "learning_rate": Range(1e-3, 1e-1, True)}
    search = halving(random_search(Space(ranges), 6), first=2, eta=2)
    common = {"lanes": 3, "baselines": False}
    where = (data / "text", config, search)
    whole = list(sweep(*where, tmp_path / "whole", **common))
    assert len(whole) == 6
    rounds = iter(range(4))

    def stop():
        return None if next(rounds, None) is not None else "SIGTERM"

    with pytest.raises(Interrupted):
        list(sweep(*where, tmp_path / "cut", **common, stop=stop))
    left = list(sweep(*where, tmp_path / "cut", **common))
    assert 0 < len(left) < 6
    assert rows_of(tmp_path / "cut") == rows_of(tmp_path / "whole")
    files = (tmp_path / "whole" / FILE, tmp_path / "cut" / FILE)
    assert files[0].read_bytes() == files[1].read_bytes()


PAGE = Path(__file__).parents[2] / "docs" / "searches.md"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def test_the_page_shows_commands_and_code_that_exist():
    commands = "".join(blocks("sh")).replace("\\\n", " ").splitlines()
    assert len(commands) == 2
    for command in commands:
        assert make_parser().parse_args(shlex.split(command)[1:]).run is not None
    flags = set(re.findall(r"`(--[a-z-]+)", PAGE.read_text("utf-8")))
    help_text = main_help("sweep")
    assert {flag for flag in flags if flag not in help_text} == set()
    for code in blocks("python"):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names)


def main_help(command: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit):
        main([command, "--help"])
    return out.getvalue()


A = "--range alpha=0:1 --range beta=0:1"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("--range alpha=0:1", "--range belongs to a search"),
        ("--halving", "--halving belongs to a search"),
        ("--eta 3", "--eta belongs to a search"),
        ("--random 5", "a search needs at least one range"),
        (f"--random 5 --optuna 5 {A}", "not allowed with argument --random"),
        ("--random 5 --range alpha=0:1", "needs ranges of alpha and beta"),
        (f"--random 5 {A} --grid patience=3", "a search goes without --grid"),
        (f"--random 5 {A} --seeds 3", "each trial has one seed"),
        (f"--random 5 {A} --part 1/2", "a search goes without --part"),
        (f"--random 5 {A} --weights none", "both set the loss weights"),
        (f"--random 5 {A} --eta 3", "--eta belongs to --halving"),
        (f"--random 5 {A} --range alpha=0:1", "--range names a field twice"),
        (f"--random 5 {A} --halving", "the first rung, 4 epochs, is not below --max-epochs"),
        ("--random 5 --range patience=1:3 --weights none valence", "one setting of --weights"),
        (f"--random 5 {A} --split leave_one_session_out", "a search is over one configuration"),
        (f"--random 5 {A} --vectors we,glove", "a search is over one configuration"),
        (f"--random 5 {A} --search-seed -1", "seed -1: expected"),
        ("--best 3", "--best belongs to --best-of"),
    ],
)
def test_what_does_not_go_together_is_refused(data, tmp_path, capsys, more, message):
    out = tmp_path / "out"
    assert message in fails(capsys, sweep_arguments(data, out, *more.split(), "--yes"))
    assert not out.exists()
