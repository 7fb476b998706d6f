"""The flags of an experiment, and what is made of them."""

import argparse
import dataclasses
import json

import numpy as np
import pytest

from dser_jax.config import Config
from dser_jax.experiment.flags.settings import add_arguments, make_config, make_hparams, make_parser
from dser_jax.system.errors import DserError
from dser_jax.training.hparams import HParams


def arguments(*given: str) -> argparse.Namespace:
    return make_parser("An experiment.").parse_args(["--data", "d", "--out", "o", *given])


def test_the_defaults_are_those_of_the_paper():
    args = arguments()
    assert make_config(args, features="paa_hsf") == Config()
    found = make_hparams(args, (1.0, 1.0, 1.0))
    for field, value, default in zip(HParams._fields, found, HParams(), strict=True):
        np.testing.assert_array_equal(value, default, err_msg=field)
        assert np.asarray(value).dtype == np.asarray(default).dtype
    assert args.seeds == 20


def test_every_setting_has_a_flag_or_is_the_experiments_own():
    args = arguments()
    own = {"acoustic", "text", "taps"}
    assert {f.name for f in dataclasses.fields(Config)} - own <= set(vars(args))
    assert set(HParams._fields) - {"loss_weights"} <= set(vars(args))


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


@pytest.mark.parametrize("flag", ["--seeds", "--lanes"])
def test_no_runs_are_refused(flag, capsys):
    with pytest.raises(SystemExit):
        arguments(flag, "0")
    assert f"argument {flag}: 0 is less than 1" in capsys.readouterr().err


def folder_of(tmp_path, *features: str) -> str:
    """Makes as much of a prepared folder as names its features."""
    from dser_jax.corpora.utterances import Corpus, Utterance
    from dser_jax.data.preparing import prepare

    utterance = Utterance("u", transcript="well", valence=0.5, arousal=0.5, dominance=0.5)
    np.save(tmp_path / "x.npy", np.ones((1, 2), np.float32))
    given = dict.fromkeys(features, tmp_path / "x.npy")
    prepare(Corpus("toy", (utterance,), (0.0, 1.0)), tmp_path / "prepared", acoustic=given)
    assert list(json.loads((tmp_path / "prepared/manifest.json").read_text())["features"]) == [
        *features
    ]
    return str(tmp_path / "prepared")


def test_the_only_features_need_no_name(tmp_path):
    data = folder_of(tmp_path, "mine_hsf")
    args = make_parser("").parse_args(["--data", data, "--out", "o"])
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
    for default in ("(7)", "(256)", "(0.1)", "(0.4)", "(0.001)", "(10)", "(last_session)"):
        assert default in text
