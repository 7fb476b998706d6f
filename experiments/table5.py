r"""Table 5: eight pairs of an acoustic and a text network.

The paper (20 repeats, no loss weights, batch 8) finds LSTM + LSTM ahead of every other pair, with
p < .005. Its mean CCC, as means over 32-row batches of the test set:

    lstm + lstm    .496 ± .010      lstm + dense   .437 ± .018
    lstm + cnn     .412 ± .030      cnn + dense    .407 ± .040
    cnn + lstm     .476 ± .012      dense + lstm   .470 ± .043
    cnn + cnn      .472 ± .012      dense + cnn    .485 ± .013

The two rows with a dense text network kept the worst weights, not the best (mode='max' in the
authors' code), so they do not compare.

Command, for a prepared IEMOCAP (160 runs, eight programs):

    python experiments/table5.py --data DIR --out runs/table5 --features paa_hsf --vectors glove \
        --protocol paper --size paper
"""

from dser_jax.cli import guarded
from dser_jax.experiment import conduct, make_config, make_hparams, make_parser
from dser_jax.plan import Group, no_weights, paired_runs

PAIRS = (
    *("lstm + lstm", "lstm + cnn", "cnn + lstm", "cnn + cnn"),
    *("lstm + dense", "cnn + dense", "dense + lstm", "dense + cnn"),
)


def main() -> None:
    """Trains eight programs, one after the other."""
    args = make_parser(__doc__, batch_size=8, acoustic_dropout=0.3, text_dropout=0.3).parse_args()
    groups = []
    for pair in PAIRS:
        acoustic, text = pair.split(" + ")
        hparams = make_hparams(args, no_weights())
        paper = {pair: {"table": "table5", "row": pair}}
        runs = paired_runs({pair: hparams}, range(args.seeds), paper)
        groups.append(Group(make_config(args, acoustic=acoustic, text=text), runs))
    conduct(args, groups)


if __name__ == "__main__":
    guarded(main)
