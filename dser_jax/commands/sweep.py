"""`dser sweep`: many runs at once, from a grid, a search or the best of one."""

from __future__ import annotations

import argparse
import itertools

from dser_jax.commands.base import Commands, add_command
from dser_jax.experiment import (
    OWN,
    SEEDS,
    add_arguments,
    add_search_arguments,
    asked_flags,
    with_places,
)
from dser_jax.system import DserError

_HELP = """\
Trains many runs at once, as lanes of one compiled program: each setting of the
loss weights or of a grid with each seed. Finished runs are kept; the same
command goes on after an interruption. --features and --vectors take several
names with commas: each is a program of its own, all are in one table.

examples:
  dser sweep --data runs/demo --out runs/weights --weights none 0.7,0.2
  dser sweep --data runs/demo --out runs/text --acoustic none --weights valence
  dser sweep --data runs/demo --out runs/grid --seeds 5 \\
      --grid alpha=0:1:0.1 --grid beta=0:1:0.1
  dser sweep --data runs/demo --out runs/features --text none \\
      --features gemaps_hsf,paa_hsf
  dser sweep --data runs/demo --out runs/search --random 200 --halving \\
      --range alpha=0:1 --range beta=0:1 --range learning_rate=1e-4:1e-2:log
  dser sweep --data runs/demo --out runs/search-best --best-of runs/search
"""

_BESIDE_BEST = frozenset(
    ("data", "best-of", "best", "seeds", "lanes", "keep-weights", "no-baselines", "skip-missing")
)
"""What may be asked for when the best of a search are trained, beside how it is carried out."""


def add(commands: Commands) -> None:
    """Adds the subcommand to the command line."""
    parser = add_command(
        commands,
        "sweep",
        run,
        "train many runs at once",
        description=_HELP,
        usage="dser sweep --data DIR --out DIR [flags]",
    )
    halves = parser.add_argument_group("halves of the network")
    for half, of in (("acoustic", "acoustic features"), ("text", "words")):
        halves.add_argument(
            f"--{half}",
            default="lstm",
            metavar="NAME",
            help=f"network of the {of}: lstm, cnn, dense, or none (lstm)",
        )
    add_arguments(parser)
    parser.add_argument(
        "--weights",
        nargs="+",
        metavar="WEIGHTS",
        help="of the loss, [NAME=]none; alpha,beta; alpha,beta,gamma; or one attribute (none)",
    )
    parser.add_argument(
        "--grid", action="append", default=[], metavar="FIELD=LOW:HIGH:STEP", help="an axis"
    )
    add_search_arguments(parser)
    parser.set_defaults(seeds=None)  # So that a search can tell whether they were asked for.


@with_places
def run(args: argparse.Namespace) -> None:
    """Carries out `dser sweep`."""
    from dser_jax.experiment import make_config, make_hparams, make_search
    from dser_jax.plan import grid_points, parse_grid, parse_weightings, point_weights

    if args.best_of is not None:
        return _sweep_best(args)
    if args.best is not None:
        raise DserError("--best belongs to --best-of")
    weightings = parse_weightings(args.weights or ["none"])
    points = grid_points([parse_grid(text) for text in args.grid])
    if args.weights and any(map(point_weights, points.values())):
        raise DserError("--weights and a --grid over alpha and beta both set the loss weights")
    halves = {
        half: None if (name := getattr(args, half)) == "none" else name
        for half in ("acoustic", "text")
    }
    if args.normalize and halves["acoustic"] is None:
        raise DserError(f"--normalize {args.normalize}: --acoustic none has no use for it")
    search = make_search(args, list(weightings.values()))
    seeds = SEEDS if args.seeds is None else args.seeds
    named = {}
    for point_name, point in points.items():
        rates = {field: v for field, v in point.items() if field not in ("alpha", "beta", "gamma")}
        given = point_weights(point)
        for name, weights in ({"": given} if given else weightings).items():
            whole = " ".join(part for part in (name, point_name) if part)
            named[whole] = make_hparams(args, weights, **rates)

    from dser_jax.experiment import conduct
    from dser_jax.plan import Group, paired_runs

    groups = []
    for inputs in _inputs(args):
        fixed = {field: name for field, name in inputs.items() if name is not None}
        mark = ", ".join(name for field, name in fixed.items() if "," in getattr(args, field))
        settings = {", ".join(filter(None, (mark, name))): h for name, h in named.items()}
        config = make_config(args, **halves, **inputs)
        runs = paired_runs(settings, range(seeds)) if search is None else ()
        groups.append(Group(config, runs, search))
    conduct(args, groups)


def _sweep_best(args: argparse.Namespace) -> None:
    """Trains the best trials of a search with several seeds each."""
    chosen = [f"--{flag}" for flag in asked_flags(args) if flag not in OWN | _BESIDE_BEST]
    if chosen:
        left = ", ".join(chosen)
        raise DserError(f"--best-of has its settings from {args.best_of}; leave out {left}")
    from dser_jax.config import Config
    from dser_jax.experiment import conduct
    from dser_jax.journal import read_journal
    from dser_jax.plan import Group, paired_runs
    from dser_jax.search import best_settings

    named = best_settings(args.best_of, args.best or 3)
    config = Config.from_json(read_journal(args.best_of).manifest["configs"][0])
    seeds = SEEDS if args.seeds is None else args.seeds
    conduct(args, [Group(config, paired_runs(named, range(seeds)))])


def _inputs(args: argparse.Namespace) -> list[dict[str, str | None]]:
    """Crosses the features and the word vectors that the arguments name, with commas or alone."""
    choices = []
    for field, half in (("features", "acoustic"), ("vectors", "text")):
        given = getattr(args, field)
        names = [None] if given is None else given.split(",")
        if "" in names or len(set(names)) != len(names):
            raise DserError(f"--{field} {given}: expected names with commas, each once")
        if len(names) > 1 and getattr(args, half) == "none":
            raise DserError(f"--{field} {given}: --{half} none has no use for several")
        choices.append(names)
    return [{"features": f, "vectors": v} for f, v in itertools.product(*choices)]
