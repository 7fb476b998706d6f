"""Settings tuned on validation: a search for each width, and the best of all of them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from dser_jax.config import Config
from dser_jax.experiment.conducting import part_folder, train_beside
from dser_jax.experiment.flags.settings import make_hparams
from dser_jax.journal import Row, read_journal
from dser_jax.plan import Group, no_weights
from dser_jax.search import Space, halving, parse_range, random_search, ranked
from dser_jax.system import DserError

ALWAYS = ("learning_rate=5e-4:2e-2:log", "weight_decay=1e-3:1:log")
SPEECH, TEXT = "acoustic_dropout=0:0.7", "text_dropout=0:0.7"
WORDS = "embedding_dropout=0:0.5"
FUSED, BOTH = "fusion_dropout=0:0.7", "modality_dropout=0:0.4"
CONTEXT = "half_life=2:32:log"
FIRST_RUNG, ETA = 4, 3


class Tuned(NamedTuple):
    """A trial of a search.

    Attributes:
      value: Its mean CCC on validation.
      name: Its width, and what the search called it.
      config: Of its network.
      row: Of the search's journal.
    """

    value: float
    name: str
    config: Config
    row: Row


def tune(
    args: argparse.Namespace,
    config: Config,
    widths: Sequence[int],
    trials: int,
    *,
    words: bool = True,
) -> list[Tuned]:
    """Searches settings for networks of several widths, and ranks all trials on validation.

    A search that is there goes on, and one that has ended is only read. Each lies in
    `OUT/search-WIDTH`, or in the folder of the part, with a report of its own.

    Args:
      args: Flags of an experiment: `--data`, `--out`, and how it is carried out.
      config: Of the networks, but for their widths.
      widths: Of all dense and recurrent layers, a search each.
      trials: Of each search, drawn at random; weak ones end early (ASHA, Li et al. 2020).
      words: Whether the text half reads words, not features of them.

    Raises:
      DserError: No trial has ended well, the folder holds another sweep, or the data set cannot be
        used.
    """
    out = part_folder(args.out, args.part)
    if (out / "rows.jsonl").exists() and not any(out.glob("search-*")):
        raise DserError(f"{out}: holds another sweep; choose another --out")
    found: list[Tuned] = []
    for width in widths:
        wide = replace(config, units=width, fusion=(width, width), text_dense=width)
        folder = out / f"search-{width}"
        _search(args, wide, tuple(ranges_of(config, words=words)), trials, folder)
        rows = ranked(read_journal(folder).rows)
        found += [Tuned(value, f"{width} wide, {row['name']}", wide, row) for value, row in rows]
    if not found:
        raise DserError(f"{args.out}: no trial has ended well")
    return sorted(found, key=lambda each: -each.value)


def ranges_of(config: Config, *, words: bool) -> Iterator[str]:
    """Yields the ranges of what these networks have a use for, as `--range` takes them."""
    yield from ALWAYS
    if config.acoustic:
        yield SPEECH
    if config.text:
        yield TEXT
    if config.text and words:
        yield WORDS
    if config.context or (config.acoustic and config.text):
        yield FUSED
    if config.acoustic and config.text:
        yield BOTH
    if config.context and config.context != "recurrent":
        yield CONTEXT


def _search(
    args: argparse.Namespace, config: Config, ranges: Sequence[str], trials: int, folder: Path
) -> None:
    space = Space(dict(map(parse_range, ranges)), make_hparams(args, no_weights()))
    first = min(FIRST_RUNG, max(1, config.max_epochs - 1))
    search = halving(random_search(space, trials), first, ETA)
    train_beside(args, [Group(config, search=search)], folder, report=True)
