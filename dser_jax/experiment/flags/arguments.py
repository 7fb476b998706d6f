"""The flags that all experiments and `dser sweep` share, in the groups of their help."""

from __future__ import annotations

import argparse
import math

from dser_jax.config import (
    A_SCALE,
    CONTEXTS,
    LEAVE_ONE_OUT,
    NORMALIZED,
    PADDINGS,
    PROTOCOLS,
    SCALES,
    Config,
)
from dser_jax.experiment.flags.numbers import MEASURES, NAMED, NETWORK, RATES, TRAINING
from dser_jax.experiment.flags.parser import Parser
from dser_jax.experiment.flags.sizes import SMALL, add_size, shown
from dser_jax.experiment.flags.sweep_file import add_config

SEEDS = 20
"""Runs a row, unless an experiment or a flag has others."""

Adder = argparse._ArgumentGroup | argparse.ArgumentParser
"""What flags are added to."""


def make_parser(docstring: str, **own: int | float | str) -> argparse.ArgumentParser:
    """Makes the parser of an experiment file, whose docstring is its help, with its defaults.

    What the data set lacks inputs for is left out and said: nobody has asked for it by name.
    """
    parser = Parser(
        description=docstring,
        usage="%(prog)s --data DIR --out DIR [flags]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser, **own)
    parser.set_defaults(skip_missing=True)
    return parser


def add_arguments(parser: argparse.ArgumentParser, **own: int | float | str) -> None:
    """Adds the flags of an experiment: data, folder, seeds, lanes, sizes, rates and protocol.

    Args:
      parser: Gets the flags; those that people use first stand before all groups.
      **own: Defaults of this experiment, by the names of `Config` and `HParams`, and `seeds`.
    """
    usual = Config().to_json() | {name: value for name, (value, _) in RATES.items()} | own
    seeds = own.get("seeds", SEEDS)
    parser.add_argument("--data", required=True, metavar="DIR", help="a prepared data set")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the results")
    parser.add_argument(
        "--seeds",
        type=_count,
        default=seeds,
        metavar="N",
        help=f"runs a row; 0 for the baselines alone ({seeds})",
    )
    parser.add_argument(
        "--features",
        metavar="NAME",
        help="acoustic features (the prepared ones, if only one); A+B for two sets side by side",
    )
    parser.add_argument(
        "--vectors",
        metavar="NAME",
        default="we",
        help="word vectors: we, or prepared ones; or features of text (we)",
    )
    add_size(parser, {name: usual[name] for name in SMALL})
    _add_test(parser.add_argument_group("what is tested, and against what"), usual)
    _add_network(parser.add_argument_group("networks"), usual)
    _add_training(parser.add_argument_group("training"), usual)
    _add_engine(parser.add_argument_group("how it is carried out, which changes no result"))
    parser.set_defaults(parser=parser)


def _add_test(group: Adder, usual: dict) -> None:
    group.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        default=usual["protocol"],
        help=f"nothing is learned from test rows, or as the authors did ({usual['protocol']})",
    )
    group.add_argument(
        "--split",
        default=usual["split"],
        metavar="NAME",
        help=f"last_session, session:NAME, {LEAVE_ONE_OUT}, speakers:SHARE, folds:N (of speakers), "
        f"column, or column:NAME for one of several test sets ({usual['split']})",
    )
    group.add_argument(
        "--skip-missing",
        action="store_true",
        help="leave out what the data set lacks features or word vectors for, and train the rest",
    )
    group.add_argument(
        "--no-baselines",
        action="store_false",
        dest="baselines",
        help="leave out the mean, ridge, SVR and kernel ridge, which the networks are held against",
    )


def _add_network(group: Adder, usual: dict) -> None:
    for name, text in NETWORK.items():
        _add_number(group, name, text, usual, type=positive, metavar="N")
    _add_number(
        group,
        "fusion",
        "widths after the fusion",
        usual,
        type=positive,
        nargs=2,
        metavar=("N", "N"),
    )
    group.add_argument(
        "--padding",
        choices=PADDINGS,
        default="",
        help="what LSTM networks make of padding: skip it, or take it like words, as the authors "
        "did (masked under strict, keras under paper)",
    )
    group.add_argument(
        "--context",
        choices=[kind for kind in CONTEXTS if kind],
        default="",
        help="see the turns before in the dialogue: a fading mean of all speakers' (all), of the "
        "same speaker's (same), both, or an LSTM over the last ones (recurrent)",
    )
    group.add_argument(
        "--context-turns",
        type=positive,
        default=Config.context_turns,
        metavar="N",
        help=f"turns that a recurrent context goes back ({Config.context_turns})",
    )
    group.add_argument(
        "--normalize",
        choices=[kind for kind in NORMALIZED if kind],
        default="",
        help="measure acoustic features by each speaker's own mean and deviation",
    )
    group.add_argument(
        "--mix-layers",
        action="store_true",
        help="take a learned mean of an encoder's layers, instead of all side by side",
    )
    scale = usual.get("head_scale", Config.head_scale)
    group.add_argument(
        "--head-scale",
        type=_scale,
        default=scale,
        metavar="FACTOR",
        help="of the heads' first weights: with a tenth the layers below learn more, and seeds "
        f"differ less ({scale:g})",
    )
    group.add_argument(
        "--half-recurrence",
        action="store_true",
        help="recurrent products in bfloat16: quicker on some devices, and not the same",
    )
    group.add_argument(
        "--watch-gradients",
        action="store_true",
        help="tell epoch by epoch whether the gradients of the three tasks conflict",
    )


def _add_training(group: Adder, usual: dict) -> None:
    for name, text in TRAINING.items():
        _add_number(group, name, text, usual, type=positive, metavar="N")
    for name, (value, text) in RATES.items():
        metavar = "N" if isinstance(value, int) else MEASURES.get(name, "RATE")
        _add_number(group, name, text, usual, type=type(value), metavar=metavar)
    for name, text in NAMED.items():
        default = usual[name]
        group.add_argument(
            flag_of(name), default=default, metavar="NAME", help=f"{text} ({default})"
        )


def _add_number(group: Adder, name: str, text: str, usual: dict, **options) -> None:
    """Adds a flag whose default is the experiment's, or one of two that `--size` decides."""
    if name in SMALL:
        group.add_argument(flag_of(name), **options, help=f"{text} ({shown(name, usual)})")
    else:
        default = usual[name]
        group.add_argument(flag_of(name), **options, default=default, help=f"{text} ({default:g})")


def _add_engine(group: Adder) -> None:
    add_config(group)
    group.add_argument(
        "--yes", action="store_true", help="go on with what looks wrong, without being asked"
    )
    group.add_argument(
        "--lanes", type=positive, metavar="N", help="runs trained at a time (what memory holds)"
    )
    group.add_argument(
        "--extend", action="store_true", help="add runs to a folder that was made for fewer"
    )
    group.add_argument(
        "--retry-failed",
        action="store_true",
        help="train again what failed with an error, and what was lost or damaged on disk",
    )
    group.add_argument(
        "--part",
        type=_part,
        metavar="I/N",
        help="train the I-th of N parts, in OUT/part-I-of-N; `dser merge OUT` joins them",
    )
    group.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="train on a Ray cluster: auto, HOST:PORT, or local for one of this machine",
    )
    group.add_argument(
        "--save-every",
        type=_minutes,
        default=5.0,
        metavar="MIN",
        help="minutes between two saves of the runs under way (5)",
    )
    group.add_argument(
        "--keep-weights", action="store_true", help="save the weights of each run's best epoch"
    )


def _count(text: str) -> int:
    """Reads a whole number from 0 on, as the type of a flag."""
    return _whole(text, 0)


def positive(text: str) -> int:
    """Reads a whole number from 1 on, as the type of a flag."""
    return _whole(text, 1)


def _whole(text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number") from None
    if number < least:
        raise argparse.ArgumentTypeError(f"{text} is less than {least}")
    return number


def _minutes(text: str) -> float:
    """Reads a number from 0 on, as the type of a flag."""
    return _number(text, 0, math.inf, "a number of minutes, 0 or more")


def _scale(text: str) -> float:
    """Reads what the heads' first weights are multiplied by, as the type of a flag."""
    return _number(text, *SCALES, A_SCALE)


def _number(text: str, least: float, most: float, expected: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and least <= number <= most):
        raise argparse.ArgumentTypeError(f"{text!r}: expected {expected}")
    return number


def _part(text: str) -> tuple[int, int]:
    """Reads I/N, as the type of a flag."""
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise argparse.ArgumentTypeError(f"{text}: expected I/N with I from 1 to N, as in 2/8")
    return int(part), int(parts)


def flag_of(name: str) -> str:
    """Writes a setting's name as its flag."""
    return "--" + name.replace("_", "-")
