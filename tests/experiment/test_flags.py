"""The flags of an experiment, and what is made of them."""

import argparse
import ast
import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

from dser_jax.config import Config
from dser_jax.experiment.flags.arguments import add_arguments, make_parser
from dser_jax.experiment.flags.parser import fitted
from dser_jax.experiment.flags.settings import make_config, make_hparams
from dser_jax.system.errors import DserError
from dser_jax.training.hparams import HParams


def arguments(*given: str, size: str = "paper", out: str = "o") -> argparse.Namespace:
    where = ["--data", "d", "--out", out, *(["--size", size] if size else [])]
    return make_parser("An experiment.").parse_args([*where, *given])


def test_the_size_paper_is_what_the_python_api_has():
    args = arguments()
    assert make_config(args, features="paa_hsf") == Config()
    found = make_hparams(args, (1.0, 1.0, 1.0))
    for field, value, default in zip(HParams._fields, found, HParams(), strict=True):
        np.testing.assert_array_equal(value, default, err_msg=field)
        assert np.asarray(value).dtype == np.asarray(default).dtype
    assert args.seeds == 20


def test_help_names_every_weighting():
    from dser_jax.loss import METHODS, WEIGHTINGS

    (action,) = (
        each
        for each in make_parser("An experiment.")._actions
        if "--weighting" in each.option_strings
    )
    assert set(re.findall(r"\w+", action.help)) >= set(WEIGHTINGS) - set(METHODS)
    for family in METHODS:
        with pytest.raises(DserError, match=f"{family} is a family"):
            make_config(arguments("--weighting", family), features="f")


def test_the_size_small_is_the_same_in_seven_flags():
    args = arguments(size="small")
    flags = "--units 16 --embedding-dim 16 --text-dense 16 --fusion 16 16 --max-tokens 12"
    rest = "--batch-size 32 --learning-rate 0.004"
    spelled = arguments(*flags.split(), *rest.split(), size="")
    assert make_config(args, features="f") == make_config(spelled, features="f")
    small, given = (make_hparams(each, (1.0, 1.0, 1.0)) for each in (args, spelled))
    np.testing.assert_array_equal(np.hstack(small), np.hstack(given))
    assert spelled.size is None  # It has decided nothing.


def test_a_flag_wins_over_the_size_and_over_the_experiment():
    parser = make_parser("An experiment.", batch_size=8)
    where = ["--data", "d", "--out", "o"]
    sizes = {}
    for size in ("small", "paper"):
        args = parser.parse_args([*where, "--size", size, "--units", "5", "--fusion", "7", "3"])
        config = make_config(args, features="f")
        assert (config.units, config.fusion) == (5, (7, 3))
        sizes[size] = (config.batch_size, config.max_tokens, float(args.learning_rate))
    assert sizes == {"small": (32, 12, 0.004), "paper": (8, 100, 0.001)}


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ("cpu", "size small, as no accelerator is found: units 16, embedding-dim 16, "),
        ("gpu", "size paper, as there is an accelerator (cpu): units 256, embedding-dim 300, "),
    ],
)
def test_the_device_chooses_the_size_and_that_is_said_once(monkeypatch, capsys, backend, said):
    monkeypatch.setattr("jax.default_backend", lambda: backend)
    args = arguments(size="")
    make_hparams(args, (1.0, 1.0, 1.0))
    config = make_config(args, features="f")
    assert f"{said}text-dense" in capsys.readouterr().err
    assert config.units == {"cpu": 16, "gpu": 256}[backend]
    make_config(args, features="f")
    assert capsys.readouterr().err == ""


def test_a_folder_keeps_its_size(tmp_path, capsys):
    """Folders of versions without sizes have the paper's, as had whatever was left out."""
    (tmp_path / "manifest.json").write_text("{}")
    args = arguments("--units", "9", size="", out=str(tmp_path))
    config = make_config(args, features="f")
    assert (config.units, config.max_tokens) == (9, 100)
    said = f"size paper, as {tmp_path} was started with it: embedding-dim 300, text-dense 64, "
    assert said in capsys.readouterr().err


def test_a_cluster_is_not_asked(capsys):
    assert make_config(arguments("--ray", "auto", size=""), features="paa_hsf") == Config()
    assert "size paper, as a cluster trains: " in capsys.readouterr().err


@pytest.mark.parametrize(("given", "width"), [((), 3), (("--embedding-dim", "5"), 5)])
def test_prepared_word_vectors_have_their_own_width(tmp_path, given, width):
    (tmp_path / "glove.txt").write_text("well 1 2 3\n")
    folder = folder_of(tmp_path, "f", vectors={"glove": tmp_path / "glove.txt"})
    where = ["--data", folder, "--out", "o", "--size", "small"]
    for vectors, expected in {"glove": width, "we": 5 if given else 16}.items():
        args = make_parser("").parse_args([*where, "--vectors", vectors, *given])
        assert make_config(args).embedding_dim == expected


def test_every_setting_has_a_flag_or_is_the_experiments_own():
    args = arguments()
    own = {"acoustic", "text", "taps"}
    assert {f.name for f in dataclasses.fields(Config)} - own <= set(vars(args))
    assert set(HParams._fields) - {"loss_weights", "method"} <= set(vars(args))


def test_flags_become_settings():
    args = arguments("--units", "8", "--fusion", "6", "4", "--protocol", "paper", "--patience", "3")
    config = make_config(args, acoustic=None, text="lstm")
    assert (config.units, config.fusion, config.protocol) == (8, (6, 4), "paper")
    assert config.acoustic is None
    assert make_hparams(args, (0.7, 0.2, 0.1)).patience == 3


def test_what_varies_goes_before_the_flag():
    args = arguments("--learning-rate", "0.5", "--text-dropout", "0.25")
    found = make_hparams(args, (0.7, 0.2, 0.1), learning_rate=0.125)
    assert found.learning_rate == np.float32(0.125)
    assert found.text_dropout == np.float32(0.25)
    np.testing.assert_array_equal(found.loss_weights, np.array([0.7, 0.2, 0.1], np.float32))


@pytest.mark.parametrize(
    ("varied", "message"),
    [
        ({"acoustic_dropout": 1.0}, "--acoustic-dropout is 1.0; expected 0 or more and below 1"),
        ({"text_dropout": -0.1}, "--text-dropout is -0.1"),
        ({"fusion_dropout": float("nan")}, "--fusion-dropout is nan"),
        ({"learning_rate": -1.0}, "--learning-rate is -1.0; expected 0 or more"),
        ({"patience": 0}, "--patience is 0; expected a whole number, 1 or more"),
        ({"patience": 2.5}, "--patience is 2.5; expected a whole number"),
        ({"patience": float("inf")}, "--patience is inf"),
        ({"patience": float("nan")}, "--patience is nan"),
    ],
)
def test_rates_out_of_range_are_refused(varied, message):
    with pytest.raises(DserError, match=message):
        make_hparams(arguments(), (1.0, 1.0, 1.0), **varied)


@pytest.mark.parametrize(("flag", "least"), [("--seeds", 0), ("--lanes", 1)])
def test_no_runs_are_refused(flag, least, capsys):
    with pytest.raises(SystemExit):
        arguments(flag, f"{least - 1}")
    assert f"argument {flag}: {least - 1} is less than {least}" in capsys.readouterr().err


EXPERIMENTS = sorted((Path(__file__).parents[2] / "experiments").glob("*.py"))


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_the_help_of_an_experiment_is_as_wide_as_a_terminal(path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8")), clean=False) or ""
    text = make_parser(docstring).format_help()
    assert max(map(len, text.splitlines())) <= 80
    assert " ".join(text.split()).count("python experiments/") == docstring.count("python exp")
    words = set(re.findall(r"\w+", docstring))
    assert words <= set(re.findall(r"\w+", text))


def test_tables_in_a_description_stay_and_commands_go_on():
    table = "    " + "x" * 90 + "\n    y"
    assert fitted(f"{table}\n\nz") == f"{table}\n\nz"
    command = "    python some/file.py --flag " + "value " * 20 + "\\\n        --last"
    lines = fitted(command).splitlines()
    assert all(line.endswith(" \\") for line in lines[:-1])
    assert " ".join(line.removesuffix("\\").strip() for line in lines) == (
        "python some/file.py --flag " + "value " * 20 + "--last"
    )


def test_a_prepared_folder_is_refused_before_the_size_is_said(tmp_path, capsys):
    data = folder_of(tmp_path, "mine_hsf")
    capsys.readouterr()
    args = make_parser("").parse_args(["--data", data, "--out", data])
    with pytest.raises(DserError, match="is a prepared data set, which gets no runs"):
        make_config(args)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "often"])
def test_no_minutes_are_refused(value, capsys):
    with pytest.raises(SystemExit):
        arguments("--save-every", value)
    message = f"argument --save-every: '{value}': expected a number of minutes, 0 or more"
    assert message in capsys.readouterr().err
    assert arguments("--save-every", "0.5").save_every == 0.5


@pytest.mark.parametrize(
    ("flag", "meant"),
    [
        ("--seed", "--seeds"),
        ("--prot", "--protocol"),
        ("--keep", "--keep-weights"),
        ("--y", "--yes"),
    ],
)
def test_a_flag_is_not_taken_for_one_that_it_begins(flag, meant, capsys):
    for given in ([flag, "3"], [f"{flag}=3"]):
        with pytest.raises(SystemExit):
            arguments(*given)
        assert f"there is no {flag}; did you mean {meant}?" in capsys.readouterr().err


def folder_of(tmp_path, *features: str, **more) -> str:
    """Makes as much of a prepared folder as names its features."""
    from dser_jax.corpora.utterances import Corpus, Utterance
    from dser_jax.data.preparing import prepare

    utterance = Utterance("u", transcript="well", valence=0.5, arousal=0.5, dominance=0.5)
    np.save(tmp_path / "x.npy", np.ones((1, 2), np.float32))
    given = dict.fromkeys(features, tmp_path / "x.npy")
    prepare(Corpus("toy", (utterance,), (0.0, 1.0)), tmp_path / "prepared", acoustic=given, **more)
    assert list(json.loads((tmp_path / "prepared/manifest.json").read_text())["features"]) == [
        *features
    ]
    return str(tmp_path / "prepared")


def test_the_only_features_need_no_name(tmp_path):
    data = folder_of(tmp_path, "mine_hsf")
    args = make_parser("").parse_args(["--data", data, "--out", "o", "--size", "paper"])
    assert make_config(args).features == "mine_hsf"
    assert make_config(args, acoustic=None).features == Config.features


def test_one_of_several_features_must_be_named(tmp_path):
    args = make_parser("").parse_args(["--data", folder_of(tmp_path, "a", "b"), "--out", "o"])
    with pytest.raises(DserError, match="several acoustic features: a, b; name one with"):
        make_config(args)


def test_missing_features_are_said_with_the_way_out(tmp_path):
    args = make_parser("").parse_args(["--data", folder_of(tmp_path), "--out", "o"])
    with pytest.raises(DserError, match=r"no acoustic features; `dser prepare --features` adds"):
        make_config(args)


def test_the_help_tells_every_default():
    parser = argparse.ArgumentParser()
    add_arguments(parser, seeds=7)
    text = " ".join(parser.format_help().split())
    for default in (
        "(7)",
        "(small 16, paper 256)",
        "(0.1)",
        "(small 0.004, paper 0.001)",
        "(10)",
        "(last_session)",
    ):
        assert default in text
