r"""Fig. 6: dropout of the acoustic and of the text network before they are concatenated.

The paper (one run a point) picks .1 for speech and .4 for text, with a mean CCC of .51, on the
test session itself; in the authors' grid of the same figure that point has .40, so a single run
tells little. Here the full grid from 0 to .9 is trained, each of its lines with it; the authors'
scripts have no loss weights and text .3 along the line for speech, and so has the grid.

Of the figure's two lines only that for speech is among the authors' result files, beside the grid.
The published scores along the text line are not, so ours along it are held against the grid's.

Command, for a prepared IEMOCAP (100 runs a seed, one program):

    python experiments/fig6.py --data DIR --out runs/fig6 --features paa_hsf --vectors glove \
        --protocol paper --size paper --seeds 5
"""

from dser_jax.cli import guarded
from dser_jax.experiment import conduct, make_config, make_hparams, make_parser
from dser_jax.plan import Group, no_weights, paired_runs

TENTHS = [i / 10 for i in range(10)]


def main() -> None:
    """Trains the grid as one program."""
    parser = make_parser(__doc__, batch_size=8, seeds=1)
    parser.add_argument("--points", type=float, nargs="+", default=TENTHS, metavar="RATE")
    args = parser.parse_args()
    named, paper = {}, {}
    for speech in args.points:
        for text in args.points:
            name = f"speech={speech:g} text={text:g}"
            rates = {"acoustic_dropout": speech, "text_dropout": text}
            named[name] = make_hparams(args, no_weights(), **rates)
            row = {"acoustic_rate": speech, "text_rate": text}
            paper[name] = {"table": "fig6_dropout_grid", "row": row}
    config = make_config(args, acoustic="lstm", text="lstm")
    conduct(args, [Group(config, paired_runs(named, range(args.seeds), paper))])


if __name__ == "__main__":
    guarded(main)
