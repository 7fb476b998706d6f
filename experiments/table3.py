"""Table 3: four sets of acoustic features, in LSTM and convolutional networks.

The paper (one run each, loss weights .1/.5/.4) finds functionals ahead of frames, pyAudioAnalysis
ahead of GeMAPS, and LSTM ahead of CNN. Its mean CCC, as means over 32-row batches of the test set:

            paa_lld   paa_hsf   gemaps_lld   gemaps_hsf
    lstm      .323      .400         .371         .382
    cnn       .258      .376         .318         .327

Command, for a prepared IEMOCAP (eight programs; frames are 3,400 steps long and want a GPU):

    python experiments/table3.py --data DIR --out runs/table3 --protocol paper --size paper
"""

from dser_jax.cli import guarded
from dser_jax.experiment import conduct, make_config, make_hparams, make_parser
from dser_jax.plan import Group, paired_runs, two_weights

FEATURES = ("paa_lld", "paa_hsf", "gemaps_lld", "gemaps_hsf")


def main() -> None:
    """Trains eight programs, one after the other; features that are not prepared are left out."""
    parser = make_parser(__doc__, batch_size=8, acoustic_dropout=0.3)
    parser.add_argument("--only", nargs="+", default=FEATURES, metavar="FEATURES")
    args = parser.parse_args()
    groups = []
    for network in ("lstm", "cnn"):
        for features in args.only:
            config = make_config(args, acoustic=network, text=None, features=features)
            name = f"{network} {features}"
            runs = paired_runs(
                {name: make_hparams(args, two_weights(0.1, 0.5))},
                range(args.seeds),
                {name: {"table": "table3", "row": name}},
            )
            groups.append(Group(config, runs))
    conduct(args, groups)


if __name__ == "__main__":
    guarded(main)
