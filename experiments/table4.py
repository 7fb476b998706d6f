"""Table 4: word embeddings that start at random, from GloVe or from FastText, in LSTM and CNN.

The paper (one run each, loss weights .7/.2/.1) finds GloVe ahead, and LSTM ahead of CNN. Its mean
CCC, as means over 32-row batches of the test set:

              we   glove   fasttext
    lstm    .361    .392       .384
    cnn     .339    .380       .353

Command, for a prepared IEMOCAP with the vectors of GloVe 840B and FastText crawl, 300 dimensions:

    python experiments/table4.py --data DIR --out runs/table4 --protocol paper --size paper
"""

from dser_jax.cli import guarded
from dser_jax.experiment import conduct, make_config, make_hparams, make_parser
from dser_jax.plan import Group, paired_runs, two_weights

VECTORS = ("we", "glove", "fasttext")


def main() -> None:
    """Trains six programs, one after the other; vectors that are not prepared are left out."""
    parser = make_parser(__doc__, batch_size=8, text_dropout=0.3)
    parser.add_argument("--only", nargs="+", default=VECTORS, metavar="VECTORS")
    args = parser.parse_args()
    groups = []
    for network in ("lstm", "cnn"):
        for vectors in args.only:
            config = make_config(args, acoustic=None, text=network, vectors=vectors)
            name = f"{network} {vectors}"
            runs = paired_runs(
                {name: make_hparams(args, two_weights(0.7, 0.2))},
                range(args.seeds),
                {name: {"table": "table4", "row": name}},
            )
            groups.append(Group(config, runs))
    conduct(args, groups)


if __name__ == "__main__":
    guarded(main)
