"""`sweep.toml`: the flags of a sweep as a file."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from sweeping import TINY, draw_nothing, fails, planned, prepare_sentences, sweep_arguments

from dser_jax.cli import main
from dser_jax.data.prepared import load_prepared
from dser_jax.experiment.flags.arguments import make_parser
from dser_jax.experiment.flags.settings import make_config, make_hparams
from dser_jax.experiment.flags.sweep_file import flags_text, write_flags
from dser_jax.journal.reading import read_journal
from dser_jax.plan.groups import plan_runs
from dser_jax.system.errors import DataError


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return prepare_sentences(tmp_path_factory.mktemp("data"))


def runs_of(groups, folder: Path) -> list[str]:
    prepared = load_prepared(folder)
    return [run for plan in plan_runs(groups, prepared) for run in plan]


def test_a_sweep_keeps_its_flags_and_they_plan_the_same_runs(data, tmp_path, monkeypatch):
    grid = ("--grid", "learning_rate=0.1,0.2", "--grid", "patience=3:5:1")
    given = ("--weights", "none", 'quoted "name"=0.7,0.2', "--seeds", "1", "--lanes", "12", *grid)
    draw_nothing(monkeypatch)
    main(sweep_arguments(data, tmp_path / "first", *given))
    file = tmp_path / "first" / "sweep.toml"
    kept = tomllib.loads(file.read_text("utf-8"))
    assert kept["weights"] == ["none", 'quoted "name"=0.7,0.2']
    assert kept["grid"] == ["learning_rate=0.1,0.2", "patience=3:5:1"]
    assert kept["no-baselines"] is True
    assert (kept["size"], kept["units"], kept["seeds"]) == ("paper", 3, 1)
    usual = kept["usual"]
    assert (usual["vectors"], usual["optimizer"]) == ("we", "rmsprop")
    assert not {"out", "fusion", "learning-rate", "extend", "mix-layers"} & {*kept, *usual}
    assert "\n# fusion = [64, 32]\n" in file.read_text("utf-8")
    again = planned(monkeypatch, ["sweep", "--config", str(file), "--out", str(tmp_path / "next")])
    journal = read_journal(tmp_path / "first").manifest
    assert runs_of(again, data / "text") == journal["planned"]
    assert len(journal["planned"]) == 12


@pytest.mark.parametrize(
    "given",
    [
        ("--features", "one,two", "--split", "leave_one_session_out"),
        ("--acoustic", "dense", "--features", "two", "--padding", "keras", "--fusion", "7", "5"),
        ("--features", "one", "--size", "small", "--text-dropout", "1e-05", "--half-recurrence"),
    ],
)
def test_any_flags_come_back_from_the_file(data, tmp_path, monkeypatch, given):
    where = ["--data", str(data / "both"), "--out", str(tmp_path), "--yes"]
    written = []
    monkeypatch.setattr(
        "dser_jax.experiment.conducting.run_experiment",
        lambda data, out, groups, opened, **_: (opened(), written.extend(groups)),
    )
    monkeypatch.setattr("dser_jax.experiment.conducting.write_report", lambda out: None)
    main(["sweep", *where, "--seeds", "2", *given])
    again = planned(monkeypatch, ["sweep", "--config", str(tmp_path / "sweep.toml"), *where[2:]])
    assert runs_of(again, data / "both") == runs_of(written, data / "both") != []


def test_flags_of_the_command_line_win_over_the_file(data, tmp_path, monkeypatch):
    (tmp_path / "mine.toml").write_text(
        'data = "nowhere"\nseeds = 7\nfusion = [7, 5]\nlearning_rate = 0.5\nacoustic = "none"\n'
        'text = "dense"\ngrid = ["patience=3,4"]\nno-baselines = true\nweights = "valence"\n'
    )
    where = ["--data", str(data / "text"), "--out", str(tmp_path / "out"), "--size", "small"]
    config = ("--config", str(tmp_path / "mine.toml"))
    (group,) = planned(monkeypatch, ["sweep", *where, *config])
    assert group.config.fusion == (7, 5)
    assert {run.name for run in group.runs} == {
        "valence only patience=3",
        "valence only patience=4",
    }
    assert len(group.runs) == 14
    more = ("--seeds", "20", "--grid", "patience=9", "--learning-rate", "0.25", "--weights", "none")
    (group,) = planned(monkeypatch, ["sweep", *where, *config, *more])
    assert {run.name for run in group.runs} == {"no weights patience=9"}
    assert len(group.runs) == 20
    assert group.runs[0].hparams.learning_rate == 0.25


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("sedes = 5", ":2: there is no flag --sedes; did you mean seeds?"),
        ('config = "x"', ":2: there is no flag --config"),
        ("[grid]\nalpha = 1", ":2: [grid]: a table; expected flags alone, each on a line as NAME"),
        ("[sweep]\nseeds = 1", ":2: [sweep]: a table; expected flags alone"),
        ("seeds = 1\nseeds = 2", ":3: seeds is there twice: line 2 has it, too"),
        ("batch_size = 1\nbatch-size = 2", ":3: --batch-size is there twice: line 2 has it, too"),
        ("seeds = -1", ":2: --seeds: -1 is less than 0"),
        ('units = "many"', ":2: --units: 'many': expected a whole number"),
        ("units = [1, 2]", ":2: --units: found [1, 2]; expected one value"),
        ("fusion = [1, 2, 3]", ":2: --fusion: found [1, 2, 3]; expected 2 values"),
        ('no-baselines = "yes"', ":2: --no-baselines: found 'yes'; expected true or false"),
        ("extend = 1", ":2: --extend: found 1; expected true or false"),
        (
            'protocol = "strickt"',
            ":2: --protocol: found 'strickt'; expected one of strict, paper; did",
        ),
        ("seeds = = 5", ":2: not a TOML file: Invalid value"),
        ('seeds = "5', ":2: not a TOML file: "),
    ],
)
def test_a_file_that_is_wrong_is_said_with_its_line(tmp_path, capsys, line, message):
    file = tmp_path / "mine.toml"
    file.write_text(f"# A comment, and seeds.\n{line}\n")
    said = fails(capsys, ["sweep", "--config", str(file), "--data", "d", "--out", "o"])
    assert said.startswith(f"dser: {file}")
    assert message in said


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('weights = ["none",\n  "0.7,0.x"]', ":3: --weights 0.7,0.x: expected none, two numbers"),
        ('weights = "nan,0.2"', ":2: --weights nan,0.2: expected none, two numbers"),
        ('grid = ["alpha=0:1:0.1",\n\n"beta=0:1:3"]', ":4: --grid beta=0:1:3: expected beta=LOW"),
        ('grid = "units=1,2"', ":2: --grid units=1,2: expected one of alpha"),
        ("text-dropout = 1.5", ":2: --text-dropout is 1.5; expected 0 or more and below 1"),
        ("learning_rate = nan", ":2: --learning-rate is nan; expected 0 or more"),
        ("patience = 0", ":2: --patience is 0; expected a whole number"),
        ('range = "alpha=0:1"', ":2: --range belongs to a search"),
        ('random = 3\nrange = ["alpha=1:0"]', ":3: --range alpha=1:0: expected the lower end"),
        ("random = 3\noptuna = 3", ":2: --random and --optuna are two searches; expected one"),
        ('split = "folds:two"', ":2: split is 'folds:two'; expected last_session"),
        ('optimizer = "adamm"', ":2: no optimizer is called 'adamm'"),
        ('text = "lstmm"', ":2: no text network is called 'lstmm'"),
        ('features = "a,a"', ":2: --features a,a: expected names with commas"),
        ("best = 3", ":2: --best belongs to --best-of"),
    ],
)
def test_what_is_wrong_with_a_value_is_said_with_its_line(data, tmp_path, capsys, line, message):
    """However late it turns out."""
    file = tmp_path / "mine.toml"
    file.write_text(f"# A comment.\n{line}\n")
    where = ["--data", str(data / "text"), "--out", str(tmp_path / "out"), "--size", "paper"]
    given = ["sweep", *where, "--config", str(file)]
    given += ["--batch-size", "4", *([] if "features" in line else ["--acoustic", "none"])]
    said = fails(capsys, given)
    assert said.startswith(f"dser: {file}{message}")
    assert said.count(str(file)) == 1


def test_what_is_wrong_on_the_command_line_is_not_laid_to_the_file(data, tmp_path, capsys):
    file = tmp_path / "mine.toml"
    file.write_text('weights = "0.7,0.2"\nlearning-rate = 0.1\n')
    where = ["--data", str(data / "text"), "--out", str(tmp_path / "out"), "--size", "paper"]
    given = ["sweep", *where, "--config", str(file), "--acoustic", "none"]
    assert fails(capsys, [*given, "--weights", "x"]).startswith("dser: --weights x: expected none")
    assert fails(capsys, [*given, "--grid", "x"]).startswith("dser: --grid x: expected one of")


def test_an_experiment_says_the_line_too(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("units = 3\ntext-dropout = 2\n")
    args = make_parser("").parse_args(["--data", "d", "--out", "o", "--config", str(file)])
    args.size = "paper"
    with pytest.raises(DataError, match=r"mine\.toml:2: --text-dropout is 2"):
        make_hparams(args, (1.0, 1.0, 1.0))


def test_yes_is_kept(tmp_path):
    """What looked wrong, and was meant, is not asked about again."""
    where = ["--data", "d", "--out", str(tmp_path), "--size", "paper"]
    args = make_parser("").parse_args([*where, "--yes"])
    make_config(args, features="f")
    assert tomllib.loads(flags_text(args))["yes"] is True


def test_a_file_that_is_not_there_is_said(tmp_path, capsys):
    said = fails(capsys, ["sweep", "--config", str(tmp_path / "x"), "--data", "d", "--out", "o"])
    assert said.startswith(f"dser: {tmp_path / 'x'}: no such file; expected a file of flags, such")
    assert "--config: expected one argument" in fails(capsys, ["sweep", "--config"])


def test_what_neither_has_is_still_demanded(tmp_path, capsys):
    (tmp_path / "mine.toml").write_text('data = "d"\n')
    said = fails(capsys, ["sweep", "--config", str(tmp_path / "mine.toml")])
    assert "the following arguments are required: --out; `dser sweep --help`" in said


def test_the_file_of_an_experiment_names_its_command_and_an_older_one_is_kept(tmp_path):
    parser = make_parser("An experiment.", batch_size=8)
    for seeds in ("20", "3", "3"):
        where = ["--data", "d", "--out", str(tmp_path), "--size", "paper", "--seeds", seeds]
        args = parser.parse_args(where)
        make_config(args, features="f")
        write_flags(args)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sweep-1.toml", "sweep.toml"]
    text = flags_text(args)
    assert f"#   {parser.prog} --config sweep.toml --out DIR\n" in text
    kept = tomllib.loads(text)
    assert kept.pop("usual")["max-epochs"] == 50
    assert kept == {"data": "d", "size": "paper", "seeds": 3}
    assert "\n# batch-size = 8\n" in text
    older = tomllib.loads((tmp_path / "sweep-1.toml").read_text("utf-8"))
    assert older["seeds"] == 20


def test_a_file_gives_the_same_where_defaults_have_become_others(tmp_path):
    def experiment(trials, *given, **own):
        parser = make_parser("An experiment.", **own)
        parser.add_argument("--trials", type=int, default=trials)
        args = parser.parse_args([*given, "--out", str(tmp_path)])
        return args, make_config(args, features="f")

    first, was = experiment(48, "--data", "d", "--size", "paper", layers=1)
    write_flags(first)
    config = ("--config", str(tmp_path / "sweep.toml"))
    later = {"layers": 2, "head_scale": 0.1, "optimizer": "adamw"}
    again, now = experiment(96, *config, **later)
    assert (again.trials, now) == (48, was)
    _, other = experiment(96, *config, "--layers", "4", "--size", "small", **later)
    assert (other.layers, other.units, other.optimizer) == (4, 16, "rmsprop")
    text = (tmp_path / "sweep.toml").read_text("utf-8")
    assert flags_text(again) == text  # Nobody has asked for more.
    # What is no flag any more, or of this command, asked for nothing then.
    (tmp_path / "sweep.toml").write_text(text.replace("[usual]", "[usual]\npoints = 11"))
    assert experiment(96, *config, **later)[1] == was


def test_what_was_usual_is_read_as_any_flag(tmp_path, capsys):
    file = tmp_path / "mine.toml"
    given = ["sweep", "--config", str(file), "--data", "d", "--out", "o"]
    for line, message in (
        ("[usual]\nlayers = 'many'", ":2: --layers: 'many': expected a whole number"),
        ("[usual]\n[usual.layers]\na = 1", "[layers]: a table; expected flags alone"),
        ("usual = 3", ": usual = 3; expected a table, [usual]"),
    ):
        file.write_text(line)
        assert message in fails(capsys, given)


def test_a_flag_that_is_off_is_off_whatever_an_experiment_has_by_default(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("skip-missing = false\n")
    parser = make_parser("An experiment.")
    parser.set_defaults(skip_missing=True)
    where = ["--data", "d", "--out", "o", "--size", "paper"]
    assert parser.parse_args(where).skip_missing is True
    args = parser.parse_args([*where, "--config", str(file), "--patience", "10"])
    assert args.skip_missing is False
    make_config(args, features="f")
    kept = tomllib.loads(flags_text(args))
    assert (kept["skip-missing"], kept["patience"]) == (False, 10)  # They were asked for.
    assert not {"skip-missing", "patience"} & kept["usual"].keys()


def test_one_value_of_several_may_begin_with_a_sign(tmp_path):
    file = tmp_path / "mine.toml"
    parser = make_parser("An experiment.")
    parser.add_argument("--numbers", nargs="+")
    file.write_text('numbers = ["-0.1,0.5"]\n')
    where = ["--data", "d", "--out", "o", "--size", "paper", "--config", str(file)]
    assert parser.parse_args(where).numbers == ["-0.1,0.5"]


def test_a_folder_keeps_the_size_of_its_file(data, tmp_path, monkeypatch, capsys):
    (tmp_path / "sweep.toml").write_text('size = "small"\n')
    monkeypatch.setattr("jax.default_backend", lambda: "gpu")
    (group,) = planned(monkeypatch, sweep_arguments(data, tmp_path)[: -len(TINY)])
    assert group.config.units == 16
    assert f"size small, as {tmp_path} was started with it: units 16," in capsys.readouterr().err
