"""Searches: they choose the settings of runs from what earlier runs gave on validation.

In: a space and a journal. Out: the next trial, and who goes on. Open `base.py` first, then
`random.py`; `decisions.py` keeps what was decided.
"""

from typing import TYPE_CHECKING

from dser_jax.system.names import exports

if TYPE_CHECKING:
    from dser_jax.search.asha import Halving, halving
    from dser_jax.search.base import Search
    from dser_jax.search.decisions import Decisions, check_count
    from dser_jax.search.optuna import OptunaSearch, optuna_search
    from dser_jax.search.random import RandomSearch, random_search
    from dser_jax.search.space import Choice, Range, Space, parse_range
    from dser_jax.search.trials import (
        about,
        best_settings,
        chosen,
        hparams_of,
        ranked,
        setting,
        value_of,
    )
else:
    __getattr__, __dir__, __all__ = exports(__name__)
