r"""Fig. 5: three loss weights, each searched alone from 0 to 1 while the other two are 1.

The paper (one run a point) reads .9, .9 and .2 off the test session. Here each weight is picked on
validation, by its mean over seeds, and the test score is stated.

Command, for a prepared IEMOCAP (31 runs a seed, one program; the point 1/1/1 is in all three):

    python experiments/fig5.py --data DIR --out runs/fig5 --features paa_hsf --vectors glove \
        --protocol paper --size paper --seeds 5
"""

from dser_jax.cli import guarded
from dser_jax.experiment import conduct, make_config, make_hparams, make_parser
from dser_jax.plan import Group, no_weights, paired_runs, three_weights

WEIGHTS = ("alpha", "beta", "gamma")
TENTHS = [i / 10 for i in range(10)]


def main() -> None:
    """Trains the three lines as one program."""
    parser = make_parser(__doc__, batch_size=256, units=32, seeds=1)
    parser.add_argument("--points", type=float, nargs="+", default=TENTHS, metavar="WEIGHT")
    args = parser.parse_args()
    named, paper = {"all 1": make_hparams(args, no_weights())}, {}
    ends = [{"weight": weight, "value": 1.0} for weight in WEIGHTS]
    paper["all 1"] = {"table": "fig5", "row": ends}
    for place, weight in enumerate(WEIGHTS):
        for value in args.points:
            name = f"{weight}={value:g}"
            weights = [1.0, 1.0, 1.0]
            weights[place] = value
            named[name] = make_hparams(args, three_weights(*weights))
            paper[name] = {"table": "fig5", "row": {"weight": weight, "value": value}}
    config = make_config(args, acoustic="lstm", text="lstm")
    conduct(args, [Group(config, paired_runs(named, range(args.seeds), paper))])


if __name__ == "__main__":
    guarded(main)
