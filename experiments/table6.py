r"""Table 6: no weights against two and three weights in the multitask loss.

The paper (LSTM + LSTM on pyAudioAnalysis functionals and GloVe, batch 256, 20 repeats) finds two
weights ahead on the mean: CCC, V / A / D / mean, as means over 32-row batches of the test set:

    no weights      .409 ± .015   .585 ± .011   .486 ± .016   .493 ± .010
    two weights     .446 ± .002   .594 ± .003   .485 ± .003   .508 ± .002
    three weights   .419 ± .012   .589 ± .012   .483 ± .011   .497 ± .008

Command, for a prepared IEMOCAP with these features (60 runs, one compiled program):

    python experiments/table6.py --data DIR --out runs/table6 --features paa_hsf --vectors glove \
        --protocol paper --size paper --lanes 60
"""

from dser_jax.cli import guarded
from dser_jax.experiment import conduct, make_config, make_hparams, make_parser
from dser_jax.plan import Group, no_weights, paired_runs, three_weights, two_weights

WEIGHTINGS = {
    "no weights": ("none", no_weights()),
    "two weights": ("two", two_weights(0.7, 0.2)),
    "three weights": ("three", three_weights(0.9, 0.9, 0.2)),
}


def main() -> None:
    """Trains the 60 runs and prints the table."""
    args = make_parser(__doc__).parse_args()
    config = make_config(args, acoustic="lstm", text="lstm")
    settings = {name: make_hparams(args, weights) for name, (_, weights) in WEIGHTINGS.items()}
    paper = {name: {"table": "table6", "row": row} for name, (row, _) in WEIGHTINGS.items()}
    group = Group(config, paired_runs(settings, range(args.seeds), paper))
    conduct(args, [group])


if __name__ == "__main__":
    guarded(main)
