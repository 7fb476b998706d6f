r"""From the paper's network to the best, a step a row, each held against the row above.

The first row is the paper's: two LSTM networks, RMSprop, the weights of Table 6.
Then, each on top of the others: dense networks with layer norm and AdamW, their
settings as a search found them on validation (`tuned.py`); heads that start with
a tenth of the usual weights; features measured by each speaker's own; the turns
before; a modality dropped now and then; a sentence encoder's vectors (`dser
prepare --encode text=...`) in the place of words. What the data set has no inputs
for is left out, and said. Ensembles of the seeds, and both stretched to the
labels, follow in the report.

    python experiments/beyond.py --data DIR --out runs/beyond
"""

from dser_jax.cli import guarded
from dser_jax.data import load_prepared
from dser_jax.experiment import conduct, make_config, make_hparams, make_parser
from dser_jax.plan import Group, no_weights, paired_runs, two_weights
from dser_jax.system import tell

WIDTH = {"small": 32, "paper": 256}
RATES = {
    "small": {"learning_rate": 0.0026, "acoustic_dropout": 0.3, "text_dropout": 0.25},
    "paper": {"learning_rate": 0.001, "acoustic_dropout": 0.5, "text_dropout": 0.5},
}
DECAY = {"small": {"weight_decay": 0.003}, "paper": {"weight_decay": 0.05}}


def main() -> None:
    """Trains a program a step."""
    args = make_parser(__doc__ or "").parse_args()
    paper, two = make_config(args), two_weights(0.7, 0.2)
    width, prepared = WIDTH[args.size or "paper"], load_prepared(args.data)
    size = {"units": width, "layers": 1, "fusion": (width, width), "embedding_dim": width}
    config = {"acoustic": "mlp", "text": "mlp", "optimizer": "adamw", **size}
    rates = {**RATES[args.size or "paper"], **DECAY[args.size or "paper"]}
    groups = [Group(paper, paired_runs({"paper": make_hparams(args, two)}, range(args.seeds)))]

    def step(name: str, settings: dict, **more: float) -> None:
        config.update(settings)
        rates.update(more)
        named = {name: make_hparams(args, no_weights(), **rates)}
        groups.append(Group(make_config(args, **config), paired_runs(named, range(args.seeds))))

    step("dense, tuned", {}, embedding_dropout=0.25)
    step("+ small heads", {"head_scale": 0.1})
    step("+ by speaker", {"normalize": "speaker"})
    step("+ context", {"context": "all"})
    step("+ modality dropout", {}, modality_dropout=0.3)
    of_text = [n for n in prepared.manifest["features"] if prepared.half_of(n) == "text"]
    if of_text:
        step(f"+ {of_text[0]}", {"vectors": of_text[0]}, embedding_dropout=0.0)
    else:
        tell("a sentence encoder: left out, no features of text (dser prepare --encode text=...)")
    conduct(args, groups, steps=True)


if __name__ == "__main__":
    guarded(main)
