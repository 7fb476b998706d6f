"""The flags of a search, which chooses settings in the place of a grid, and what they mean."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dser_jax.experiment.flags.arguments import positive
from dser_jax.experiment.flags.places import with_places
from dser_jax.experiment.flags.settings import make_hparams
from dser_jax.system import DserError

if TYPE_CHECKING:
    from dser_jax.search import Search


def add_search_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of a search, which chooses settings in the place of a grid."""
    group = parser.add_argument_group(
        "search",
        "Chooses settings by the CCC on validation; each trial has a seed of its own.\n"
        "See docs/searches.md.",
    )
    kind = group.add_mutually_exclusive_group()
    kind.add_argument("--random", type=positive, metavar="N", help="N trials, drawn at random")
    kind.add_argument(
        "--optuna", type=positive, metavar="N", help="N trials, chosen by Optuna's TPE"
    )
    group.add_argument(
        "--range",
        action="append",
        default=[],
        dest="ranges",
        metavar="FIELD=LOW:HIGH[:log]",
        help="what a setting is chosen from; or FIELD=VALUE,VALUE,...",
    )
    group.add_argument("--search-seed", type=int, metavar="N", help="another one, others (0)")
    group.add_argument("--halving", action="store_true", help="end weak trials early (ASHA)")
    group.add_argument(
        "--first-rung", type=positive, metavar="N", help="epochs before the first decision (4)"
    )
    group.add_argument("--eta", type=positive, metavar="N", help="one in N goes on (3)")
    group.add_argument(
        "--best-of",
        metavar="DIR",
        help="train the best trials of a search with --seeds seeds; sizes, features and split are "
        "as they were there",
    )
    group.add_argument("--best", type=positive, metavar="N", help="how many of them (3)")


@with_places
def make_search(args: argparse.Namespace, weights: Sequence[Sequence[float]]) -> Search | None:
    """Builds the search that flags ask for; None where they ask for none.

    Args:
      args: Flags.
      weights: The loss weights that were given, which hold where none are searched.

    Raises:
      DserError: The flags do not go together, or a range makes no sense.
    """
    from dser_jax.search import Space, halving, optuna_search, parse_range, random_search

    halved = {"--first-rung": args.first_rung, "--eta": args.eta}
    asked = {"--range": args.ranges or None, "--search-seed": args.search_seed}
    asked |= {"--halving": args.halving or None}
    if args.random is None and args.optuna is None:
        for flag, value in (asked | halved).items():
            if value is not None:
                raise DserError(f"{flag} belongs to a search: --random N or --optuna N starts one")
        return None
    if args.random is not None and args.optuna is not None:  # A file has no group of flags.
        raise DserError("--random and --optuna are two searches; expected one of them")
    others = {"--grid": args.grid, "--seeds": args.seeds, "--part": args.part}
    for flag, value in others.items():
        if value not in (None, []):
            reason = {
                "--grid": "it chooses the settings itself, from each --range",
                "--seeds": "each trial has one seed; train the best with several afterwards",
                "--part": "it is one whole, as each choice depends on others",
            }[flag]
            raise DserError(f"a search goes without {flag}: {reason}")
    for flag, value in halved.items():
        if value is not None and not args.halving:
            raise DserError(f"{flag} belongs to --halving")
    ranges = dict(map(parse_range, args.ranges))
    if len(ranges) != len(args.ranges):
        raise DserError("--range names a field twice")
    if "alpha" in ranges and args.weights:
        raise DserError("--weights and a --range of alpha and beta both set the loss weights")
    if len(weights) > 1:
        raise DserError("a search is over one setting of --weights, or over a --range of them")
    space = Space(ranges, make_hparams(args, weights[0]))
    seed = args.search_seed or 0
    if args.random is not None:
        search: Search = random_search(space, args.random, seed)
    else:
        search = optuna_search(space, args.optuna, seed)
    if not args.halving:
        return search
    first = args.first_rung or 4
    if first >= args.max_epochs:
        raise DserError(f"the first rung, {first} epochs, is not below --max-epochs")
    return halving(search, first, args.eta or 3)
