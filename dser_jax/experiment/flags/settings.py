"""Settings of a run as command-line flags, the same for every experiment and for `dser sweep`.

The flags of a search, which `dser sweep` has besides, are in `search.py`.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dser_jax.config import PADDINGS, PROTOCOLS, Config
from dser_jax.system import DserError

if TYPE_CHECKING:
    from dser_jax.training import HParams

LEAVE_ONE_OUT = "leave_one_session_out"
"""The split that tests on each session in turn."""

SEEDS = 20
"""Runs a row, unless an experiment or a flag has others."""

_SIZES = {
    "units": "width of each layer of the two networks",
    "layers": "number of those layers",
    "embedding_dim": "width of the word embedding, and of prepared word vectors",
    "text_dense": "width of the dense layer that ends the text network",
    "max_tokens": "length of a token sequence",
    "batch_size": "utterances an optimizer step",
    "max_epochs": "epochs at most",
}
_NAMED = {
    "loss": "of each attribute: ccc, mse",
    "weighting": "of the losses of the three: fixed",
    "optimizer": "rmsprop, adam, sgd",
}
_RATES = {
    "acoustic_dropout": (0.1, "dropout of the acoustic network"),
    "text_dropout": (0.4, "dropout of the text network"),
    "fusion_dropout": (0.4, "dropout after the fusion"),
    "learning_rate": (1e-3, "step size of the optimizer"),
    "patience": (10, "epochs without a better validation loss before a run stops"),
}


def add_arguments(parser: argparse.ArgumentParser, **own: int | float | str) -> None:
    """Adds the flags of an experiment: data, folder, seeds, lanes, sizes, rates and protocol.

    Args:
      parser: Gets the flags.
      **own: Defaults of this experiment, by the names of `Config` and `HParams`, and `seeds`.
    """
    defaults = Config()
    seeds = own.get("seeds", SEEDS)
    parser.add_argument("--data", required=True, metavar="DIR", help="a prepared data set")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the results")
    parser.add_argument(
        "--seeds", type=positive, default=seeds, metavar="N", help=f"runs a row ({seeds})"
    )
    _add_engine_arguments(parser)
    parser.add_argument(
        "--features", metavar="NAME", help="acoustic features (the prepared ones, if only one)"
    )
    parser.add_argument(
        "--vectors", metavar="NAME", default="we", help="word vectors: we, or prepared ones (we)"
    )
    parser.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        default=defaults.protocol,
        help=f"nothing is learned from test rows, or as the authors did ({defaults.protocol})",
    )
    parser.add_argument(
        "--split",
        default=defaults.split,
        metavar="NAME",
        help=f"last_session, session:NAME, {LEAVE_ONE_OUT}, column, or column:NAME for one of "
        f"several test sets ({defaults.split})",
    )
    parser.add_argument(
        "--padding",
        choices=PADDINGS,
        default="",
        help="what LSTM networks make of padding: skip it, or take it like words, as the authors "
        "did (masked under strict, keras under paper)",
    )
    parser.add_argument(
        "--half-recurrence",
        action="store_true",
        help="recurrent products in bfloat16: quicker on some devices, and not the same",
    )
    parser.add_argument(
        "--keep-weights", action="store_true", help="save the weights of each run's best epoch"
    )
    parser.add_argument(
        "--no-baselines",
        action="store_false",
        dest="baselines",
        help="leave out the mean, ridge and SVR, which the networks are held against",
    )
    for name, text in _SIZES.items():
        default = own.get(name, getattr(defaults, name))
        parser.add_argument(
            _flag(name), type=int, default=default, metavar="N", help=f"{text} ({default})"
        )
    for name, text in _NAMED.items():
        default = own.get(name, getattr(defaults, name))
        parser.add_argument(
            _flag(name), default=default, metavar="NAME", help=f"{text} ({default})"
        )
    parser.add_argument(
        "--fusion",
        type=int,
        nargs=2,
        default=defaults.fusion,
        metavar=("N", "N"),
        help="widths after the fusion (64 32)",
    )
    for name, (usual, text) in _RATES.items():
        default = own.get(name, usual)
        parser.add_argument(
            _flag(name),
            type=type(usual),
            default=default,
            metavar="N" if isinstance(usual, int) else "RATE",
            help=f"{text} ({default:g})",
        )


def _add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that say how to go about it, and change no result."""
    parser.add_argument(
        "--lanes", type=positive, metavar="N", help="runs trained at a time (what memory holds)"
    )
    parser.add_argument(
        "--extend", action="store_true", help="add runs to a folder that was made for fewer"
    )
    parser.add_argument(
        "--retry-failed", action="store_true", help="train again what failed with an error"
    )
    parser.add_argument(
        "--part",
        type=_part,
        metavar="I/N",
        help="train the I-th of N parts, in OUT/part-I-of-N; `dser merge OUT` joins them",
    )
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="train on a Ray cluster: auto, HOST:PORT, or local for one of this machine",
    )
    parser.add_argument(
        "--save-every",
        type=float,
        default=5.0,
        metavar="MIN",
        help="minutes between two saves of the runs under way (5)",
    )


def make_parser(docstring: str, **own: int | float | str) -> argparse.ArgumentParser:
    """Makes the parser of an experiment file, whose docstring is its help, with its defaults."""
    parser = argparse.ArgumentParser(
        description=docstring, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser, **own)
    return parser


def make_config(args: argparse.Namespace, **fixed: Any) -> Config:
    """Builds the static settings from flags; `fixed` names what the experiment itself decides."""
    values = {f.name: getattr(args, f.name) for f in dataclasses.fields(Config) if f.name in args}
    values = values | {"fusion": tuple(args.fusion)} | fixed
    if values["split"] == LEAVE_ONE_OUT:
        values["split"] = "last_session"  # `conduct` makes a configuration for each session
    if values.get("features") is None:
        values["features"] = _only_features(args.data, values.get("acoustic", "lstm"))
    return Config(**values)


def make_hparams(
    args: argparse.Namespace, loss_weights: Sequence[float], **varied: float
) -> HParams:
    """Builds the traced settings from the three loss weights and flags, or what takes their place.

    Raises:
      DserError: A rate is out of its range.
    """
    import numpy as np

    from dser_jax.training import HParams

    values = {name: varied.get(name, getattr(args, name)) for name in _RATES}
    for name in ("acoustic_dropout", "text_dropout", "fusion_dropout"):
        if not 0 <= (rate := values[name]) < 1:
            raise DserError(f"{_flag(name)} is {rate}; expected 0 or more and below 1")
    if values["learning_rate"] < 0:
        raise DserError(f"--learning-rate is {values['learning_rate']}; expected 0 or more")
    patience = values.pop("patience")
    if not patience >= 1 or patience % 1:
        raise DserError(f"--patience is {patience:g}; expected a whole number, 1 or more")
    rates = {name: np.float32(value) for name, value in values.items()}
    return HParams(np.asarray(loss_weights, np.float32), patience=np.int32(patience), **rates)


def positive(text: str) -> int:
    """Reads a whole number from 1 on, as the type of a flag."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _part(text: str) -> tuple[int, int]:
    """Reads I/N, as the type of a flag."""
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise argparse.ArgumentTypeError(f"{text}: expected I/N with I from 1 to N, as in 2/8")
    return int(part), int(parts)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _only_features(data: str, acoustic: str | None) -> str:
    """Names the prepared features where there is no choice."""
    if acoustic is None:
        return Config.features
    from dser_jax.data import load_prepared
    from dser_jax.features import NONZERO

    names = [n for n in load_prepared(data).manifest["features"] if not n.endswith(NONZERO)]
    if not names:
        raise DserError(
            f"{data} has no acoustic features; `dser prepare --features` adds some, and "
            "`dser sweep --acoustic none` trains on text alone"
        )
    if len(names) > 1:
        raise DserError(
            f"{data} has several acoustic features: {', '.join(names)}; name one with --features"
        )
    return names[0]
