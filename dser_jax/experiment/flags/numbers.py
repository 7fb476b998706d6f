"""What each number and name of a run is, as its flag says it, and the paper's rates."""

from __future__ import annotations

from dser_jax.config import HALF_LIFE

NETWORK = {
    "units": "width of each layer of the two networks",
    "layers": "number of those layers",
    "embedding_dim": "width of the word embedding; of prepared word vectors it is theirs",
    "text_dense": "width of the dense layer that ends the text network",
    "max_tokens": "length of a token sequence",
}
TRAINING = {
    "batch_size": "utterances an optimizer step",
    "max_epochs": "epochs at most",
}
NAMED = {
    "loss": "of each attribute: ccc, mse",
    "weighting": "of the losses of the three: fixed; random, uncertainty, dwa, geometric, imtl_l, "
    "stch (by losses); famo; pcgrad, cagrad, mgda, nash, aligned, imtl_g, upgrad, gradnorm "
    "(by gradients)",
    "optimizer": "rmsprop, adam, adamw, sgd",
}
RATES: dict[str, tuple[float | int, str]] = {
    "acoustic_dropout": (0.1, "dropout of the acoustic network"),
    "text_dropout": (0.4, "dropout of the text network"),
    "fusion_dropout": (0.4, "dropout after the fusion"),
    "learning_rate": (1e-3, "step size of the optimizer"),
    "patience": (10, "epochs without a better validation loss before a run stops"),
    "weight_decay": (0.0, "of the optimizer adamw"),
    "modality_dropout": (0.0, "utterances that lose one half, speech or words, in training"),
    "embedding_dropout": (0.0, "words of the vocabulary that are left out, batch by batch"),
    "half_life": (
        HALF_LIFE,
        "of --context: so many turns further back a turn weighs half",
    ),
    "weighting_setting": (
        0.0,
        "of --weighting: a temperature of dwa, a smoothing of stch, a radius of cagrad, a force of "
        "gradnorm, a step size of famo; 0 for what its authors have",
    ),
}
"""The traced settings that are one number: the paper's value, and what it is."""

MEASURES = {"half_life": "TURNS", "weighting_setting": "VALUE"}
