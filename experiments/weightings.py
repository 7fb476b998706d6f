r"""Which weighting? Every way to weigh three losses, at equal cost, over paired seeds.

Arms: each task alone, equal weights, the paper's two and three weights, tuned
fixed weights, and every method of `--weighting`. First each arm tries
`--settings` settings (learning rate and its own), `--tries` seeds each; its
best on validation goes on. Then all arms train with `--seeds` new seeds, the
same in all of them, all epochs of `--max-epochs`. The report holds each arm
against the fixed weights that validation picked: differences with intervals,
and a test of equivalence within `--margin`. The grid of the simplex in steps of
0.1 shows what fixed weights can reach at all (`--grid-seeds 0` leaves it out).

    python experiments/weightings.py --data DIR --out runs/weightings
"""

from dser_jax.cli import guarded
from dser_jax.experiment import chosen_arms, conduct, make_config, make_parser, positive


def main() -> None:
    """Tries, chooses, trains anew."""
    parser = make_parser(__doc__ or "")
    own = parser.add_argument_group("the arms")
    for half in ("acoustic", "text"):
        about = "network of this half, or none (lstm)"
        own.add_argument(f"--{half}", default="lstm", metavar="NAME", help=about)
    own.add_argument("--arms", nargs="+", default=[], metavar="NAME", help="only these (all)")
    for name, usual, about in (("settings", 8, "that each tries"), ("tries", 2, "seeds of each")):
        own.add_argument(
            f"--{name}", type=positive, default=usual, metavar="N", help=f"{about} ({usual})"
        )
    about = "of each point of the grid; 0 for no grid (3)"
    own.add_argument("--grid-seeds", type=int, default=3, metavar="N", help=about)
    about = "of equivalence, in mean CCC (0.01)"
    own.add_argument("--margin", type=float, default=0.01, metavar="CCC", help=about)
    args = parser.parse_args()
    halves = {half: getattr(args, half) for half in ("acoustic", "text")}
    config = make_config(args, **{h: None if n == "none" else n for h, n in halves.items()})
    groups, told = chosen_arms(args, config)
    conduct(args, groups, arms=told)


if __name__ == "__main__":
    guarded(main)
