"""Dimensional speech emotion recognition, with many training runs as lanes of one program.

The data flow, and the order in which its rooms may import each other, after `system` and `config`::

    corpora    a corpus on disk            -> utterances with labels
    features   utterances                  -> acoustic features, tokens, word vectors
    data       both                        -> one prepared folder; arrays, splits, scalers
    models     arrays                      -> predictions of valence, arousal, dominance
    loss       gold, predictions           -> the multitask CCC loss
    training   one run                     -> three pure functions: init, epoch, result
    plan       settings, grids, seeds      -> which runs
    engine     a queue of runs             -> outcomes; lanes refilled as runs end
    journal    finished runs               -> rows and arrays on disk
    search     what runs gave              -> which run is next
    stats      rows                        -> means, intervals, paired tests; baselines
    report     statistics                  -> tables, figures, a page
    experiment flags                       -> all of it, from a folder to a report
    share      the best of a journal       -> a folder with a model
    predict    that folder, recordings     -> valence, arousal, dominance
"""

from typing import TYPE_CHECKING

from dser_jax.system.names import exports, keep_former_names

if TYPE_CHECKING:
    from dser_jax.config import Config
    from dser_jax.experiment import sweep
    from dser_jax.journal import results
    from dser_jax.plan import RunSpec, product
    from dser_jax.predict import load
    from dser_jax.search import Choice, Range, Space, halving, optuna_search, random_search
    from dser_jax.training import HParams
else:
    __getattr__, __dir__, __all__ = exports(__name__)

__version__ = "0.1.0"

keep_former_names()
