"""Searches: they choose the settings of runs from what earlier runs gave on validation."""

from dser_jax.search.base import Search
from dser_jax.search.halving import Halving, halving
from dser_jax.search.optuna import OptunaSearch, optuna_search
from dser_jax.search.random import RandomSearch, random_search
from dser_jax.search.space import Choice, Point, Range, Space, parse_range
from dser_jax.search.trials import best_settings

__all__ = [
    "Choice",
    "Halving",
    "OptunaSearch",
    "Point",
    "RandomSearch",
    "Range",
    "Search",
    "Space",
    "best_settings",
    "halving",
    "optuna_search",
    "parse_range",
    "random_search",
]
