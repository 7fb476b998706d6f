r"""Networks tuned on validation: a search over their settings as lanes, then new seeds of the best.

For each width, `--trials` settings are drawn at random (learning rate, weight
decay, dropout of every kind, and the half-life of a context). Weak ones end
early (successive halving). The best of all widths, by their CCC on validation,
are trained again with `--seeds` new seeds; no test score has a part in any
choice. The searches lie in OUT/search-WIDTH, with reports of their own.

    python experiments/tuned.py --data DIR --out runs/tuned --context all
"""

from dser_jax.cli import guarded
from dser_jax.data import load_prepared, reads_features_of_text
from dser_jax.experiment import conduct, make_config, make_parser, positive, tune
from dser_jax.plan import Group, paired_runs
from dser_jax.search import hparams_of
from dser_jax.system import tell

WIDTHS = {"small": (16, 32), "paper": (128, 256)}


def main() -> None:
    """Searches, one program a width; then trains the best settings with new seeds."""
    parser = make_parser(__doc__ or "", optimizer="adamw", layers=1, head_scale=0.1)
    own = parser.add_argument_group("the search")
    for half in ("acoustic", "text"):
        about = "network of this half, or none (mlp)"
        own.add_argument(f"--{half}", default="mlp", metavar="NAME", help=about)
    for name, usual, about in (("trials", 48, "a width"), ("best", 3, "trained anew")):
        own.add_argument(
            f"--{name}", type=positive, default=usual, metavar="N", help=f"{about} ({usual})"
        )
    about = "of all layers (small 16 32, paper 128 256)"
    own.add_argument("--widths", type=positive, nargs="+", metavar="N", help=about)
    args = parser.parse_args()

    halves = {half: getattr(args, half) for half in ("acoustic", "text")}
    config = make_config(args, **{h: None if n == "none" else n for h, n in halves.items()})
    words = not reads_features_of_text(load_prepared(args.data), config)
    widths = args.widths or WIDTHS[args.size or "paper"]
    groups = []
    for trial in tune(args, config, widths, args.trials, words=words)[: args.best]:
        tell(f"{trial.name}: mean validation CCC {trial.value:.3f}")
        runs = paired_runs({trial.name: hparams_of(trial.row)}, range(args.seeds))
        groups.append(Group(trial.config, runs))
    conduct(args, groups)


if __name__ == "__main__":
    guarded(main)
