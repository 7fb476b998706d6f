"""What flags become: the static settings of a run, and the traced ones.

`arguments.py` has the flags, `search.py` those of a search, which `dser sweep` has besides.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dser_jax.config import FOLDS, LEAVE_ONE_OUT, Config
from dser_jax.experiment.flags.arguments import flag_of
from dser_jax.experiment.flags.numbers import RATES
from dser_jax.experiment.flags.places import with_places
from dser_jax.experiment.flags.sizes import settle_size
from dser_jax.system import DserError

if TYPE_CHECKING:
    from dser_jax.data import Prepared
    from dser_jax.training import HParams


FAMILIES = ("losses", "gradients")
"""Weightings whose method is a number that no flag has (`dser_jax.loss.METHODS`)."""


@with_places
def make_config(args: argparse.Namespace, **fixed: Any) -> Config:
    """Builds the static settings from flags; `fixed` names what the experiment itself decides."""
    settle_size(args)
    values = {f.name: getattr(args, f.name) for f in dataclasses.fields(Config) if f.name in args}
    values = values | {"fusion": tuple(args.fusion)} | fixed
    if values["split"] == LEAVE_ONE_OUT or FOLDS.fullmatch(values["split"]):
        values["split"] = "last_session"  # `conduct` makes a configuration for each fold
    if values.get("features") is None:
        values["features"] = _only_features(args, values.get("acoustic", "lstm"))
    if values["weighting"] in FAMILIES:
        raise DserError(
            f"--weighting {values['weighting']} is a family, of which an experiment chooses; "
            "name a method"
        )
    config = Config(**values)
    if config.text and config.vectors != "we" and "embedding_dim" in args.from_size:
        width = _width(args, config.vectors)
        config = dataclasses.replace(config, embedding_dim=width or config.embedding_dim)
    return config


@with_places
def make_hparams(
    args: argparse.Namespace, loss_weights: Sequence[float], **varied: float
) -> HParams:
    """Builds the traced settings from the three loss weights and flags, or what takes their place.

    Raises:
      DserError: A rate is out of its range.
    """
    import numpy as np

    from dser_jax.training import HParams

    settle_size(args)
    values = {name: varied.get(name, getattr(args, name)) for name in RATES}
    for name in (name for name in RATES if name.endswith("_dropout")):
        if not 0 <= (rate := values[name]) < 1:
            raise DserError(f"{flag_of(name)} is {rate}; expected 0 or more and below 1")
    for name in ("learning_rate", "weight_decay", "weighting_setting"):
        if not 0 <= (rate := values[name]) < math.inf:
            raise DserError(f"{flag_of(name)} is {rate}; expected 0 or more")
    if not 0 < (turns := values["half_life"]) < math.inf:
        raise DserError(f"--half-life is {turns}; expected turns, more than 0")
    patience = values.pop("patience")
    if not patience >= 1 or patience % 1:
        raise DserError(f"--patience is {patience:g}; expected a whole number, 1 or more")
    rates = {name: np.float32(value) for name, value in values.items()}
    return HParams(np.asarray(loss_weights, np.float32), patience=np.int32(patience), **rates)


def prepared_of(args: argparse.Namespace) -> Prepared:
    """Opens the prepared data set that `--data` names, once for all that flags become."""
    from dser_jax.data import load_prepared

    if getattr(args, "opened", (None,))[0] != args.data:
        args.opened = args.data, load_prepared(args.data)
    return args.opened[1]


def _only_features(args: argparse.Namespace, acoustic: str | None) -> str:
    """Names the prepared features where there is no choice."""
    if acoustic is None:
        return Config.features
    from dser_jax.features import NONZERO

    data, prepared = args.data, prepared_of(args)
    known = [n for n in prepared.manifest["features"] if not n.endswith(NONZERO)]
    names = [n for n in known if prepared.half_of(n) == "speech"]
    if not names:
        raise DserError(
            f"{data} has no acoustic features; `dser prepare --features` adds some, and "
            "`dser sweep --acoustic none` trains on text alone"
        )
    if len(names) > 1:
        raise DserError(
            f"{data} has several acoustic features: {', '.join(names)}; name one with --features, "
            "or several side by side, as in A+B"
        )
    return names[0]


def _width(args: argparse.Namespace, vectors: str) -> int | None:
    """Returns how wide prepared word vectors are; None where they are not prepared."""
    entry = prepared_of(args).manifest["vectors"].get(vectors)
    return None if entry is None else entry["dim"]
