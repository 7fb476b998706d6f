r"""Fig. 4: the mean CCC over two loss weights, alpha and beta from 0 to 1 in steps of 0.1.

The paper (one run a point, the authors' code with 32-unit LSTM layers at batch 8) picks alpha .7
and beta .2, with a mean CCC of .51, on the test session itself. Here the pick is the best mean
over seeds on validation, and its test score is stated. Points whose third weight, 1 - alpha -
beta, is negative are computed, drawn hatched, and never picked.

Command, for a prepared IEMOCAP (121 runs a seed, one program):

    python experiments/fig4.py --data DIR --out runs/fig4 --features paa_hsf --vectors glove \
        --protocol paper --size paper --seeds 5
"""

from dser_jax.cli import guarded
from dser_jax.experiment import conduct, make_config, make_hparams, make_parser
from dser_jax.plan import Group, paired_runs, two_weights

TENTHS = [i / 10 for i in range(11)]


def main() -> None:
    """Trains the grid as one program."""
    parser = make_parser(__doc__, batch_size=8, units=32, seeds=1)
    parser.add_argument("--points", type=float, nargs="+", default=TENTHS, metavar="WEIGHT")
    args = parser.parse_args()
    named, paper = {}, {}
    for alpha in args.points:
        for beta in args.points:
            name = f"alpha={alpha:g} beta={beta:g}"
            named[name] = make_hparams(args, two_weights(alpha, beta))
            paper[name] = {"table": "fig4", "row": {"alpha": alpha, "beta": beta}}
    config = make_config(args, acoustic="lstm", text="lstm")
    conduct(args, [Group(config, paired_runs(named, range(args.seeds), paper))])


if __name__ == "__main__":
    guarded(main)
