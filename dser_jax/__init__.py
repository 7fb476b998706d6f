"""Dimensional speech emotion recognition, with many training runs as lanes of one program.

The data flow, and the order in which modules may import each other::

    corpora    a corpus on disk            -> utterances with labels
    features   utterances                  -> acoustic features, tokens, word vectors
    prepare    both                        -> one prepared folder
    dataset    prepared folder, config     -> arrays, splits, scalers
    models     arrays                      -> predictions of valence, arousal, dominance
    loss       gold, predictions           -> the multitask CCC loss
    train      one run                     -> three pure functions: init, epoch, result
    program    lanes of such runs          -> one compiled program
    lanes      a queue of runs             -> outcomes; lanes refilled as runs end
    journal    finished runs               -> rows and arrays on disk
    merge      journals of parts           -> one journal
    stats      rows                        -> means, intervals, paired tests
    report     statistics                  -> tables and figures
    share      the best of a journal       -> a folder with a model
    predict    that folder, recordings     -> valence, arousal, dominance
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dser_jax.config import Config
    from dser_jax.experiment import sweep
    from dser_jax.frame import results
    from dser_jax.plan import product
    from dser_jax.predict.predictor import load
    from dser_jax.runs import RunSpec
    from dser_jax.search import Choice, Range, Space, halving, optuna_search, random_search
    from dser_jax.train import HParams

__version__ = "0.1.0"
__all__ = [
    "Choice",
    "Config",
    "HParams",
    "Range",
    "RunSpec",
    "Space",
    "halving",
    "load",
    "optuna_search",
    "product",
    "random_search",
    "results",
    "sweep",
]

_HOMES = {
    "Choice": "search",
    "Config": "config",
    "HParams": "train",
    "Range": "search",
    "RunSpec": "runs",
    "Space": "search",
    "halving": "search",
    "load": "predict.predictor",
    "optuna_search": "search",
    "product": "plan",
    "random_search": "search",
    "results": "frame",
    "sweep": "experiment",
}


def __getattr__(name: str) -> object:
    """Loads what is asked for and what it needs, and no more: JAX takes a second."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
