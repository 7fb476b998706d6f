r"""Speech alone, text alone, and both: the paper's claim of Sections VI.B and VI.C.1.

The paper finds speech ahead on arousal and dominance, text on valence, and both together ahead of
either: mean CCC .400 (speech, Table 3), .392 (text, Table 4), .508 (both, Table 6), with the loss
weights .1/.5/.4, .7/.2/.1 and .7/.2/.1, all as means over 32-row batches of the test set.

Command, for a prepared IEMOCAP:

    python experiments/modalities.py --data DIR --out runs/modalities --features paa_hsf \
        --vectors glove --protocol paper --size paper
"""

from dser_jax.cli import guarded
from dser_jax.experiment import conduct, make_config, make_hparams, make_parser
from dser_jax.plan import Group, paired_runs, two_weights

HALVES = {
    "speech": ("lstm", None, two_weights(0.1, 0.5)),
    "text": (None, "lstm", two_weights(0.7, 0.2)),
    "speech + text": ("lstm", "lstm", two_weights(0.7, 0.2)),
}


def main() -> None:
    """Trains three programs, one after the other, and prints their table."""
    args = make_parser(__doc__).parse_args()
    groups = [
        Group(
            make_config(args, acoustic=acoustic, text=text),
            paired_runs({name: make_hparams(args, weights)}, range(args.seeds)),
        )
        for name, (acoustic, text, weights) in HALVES.items()
    ]
    conduct(args, groups)


if __name__ == "__main__":
    guarded(main)
