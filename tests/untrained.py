"""Models with weights at random, for tests of what is done with a model."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from dser_jax.config import Config
from dser_jax.data.dialogues.vectors import TurnVectors, Words
from dser_jax.data.rows.scaling import Scaler
from dser_jax.features.sets import FEATURES
from dser_jax.features.tokenizer import Tokenizer
from dser_jax.models.network import Batch, Rates
from dser_jax.models.table import make_network
from dser_jax.predict.predictor import Predictor
from dser_jax.share.bundle import Bundle, Features, Member
from dser_jax.share.forward import flat

WORDS = ("the", "weather", "is", "awful", "wonderful")
CONFIG = Config(
    acoustic="dense",
    text="dense",
    features="paa_hsf",
    units=3,
    layers=1,
    embedding_dim=2,
    text_dense=3,
    fusion=(3, 2),
    max_tokens=5,
)


def make_model(
    acoustic: str | None = "dense",
    text: str | None = "dense",
    features: str = "paa_hsf",
    steps: int = 1,
    members: int = 3,
    padding: str = "masked",
    context: str = "",
    **changes,
) -> Predictor:
    """Makes a model; `changes` are fields of its `Bundle`."""
    config = dataclasses.replace(
        CONFIG,
        acoustic=acoustic,
        text=text,
        features=features,
        padding=padding,
        context=context,
    )
    about = scaler = tokenizer = None
    x = tokens = None
    if acoustic is not None:
        feature = FEATURES[features]
        source = feature.extractor.source
        about = Features(features, feature.kind, feature.columns, source, steps)
        random = np.random.default_rng(0)
        width = len(feature.columns)
        scaler = Scaler(random.normal(size=width), random.uniform(0.5, 2, width))
        x = jnp.zeros((1, steps, width))
    if text is not None:
        tokenizer = Tokenizer(WORDS)
        tokens = jnp.zeros((1, config.max_tokens), jnp.int32)
    network = make_network(config, len(WORDS) + 1, config.embedding_dim)
    turns = None
    batch, rates = Batch(x, tokens, jnp.ones(1, bool)), Rates(*[jnp.float32(0)] * 3)
    if context:  # A mean of all turns or of the same speaker's.
        words = None if text is None else Words(WORDS, np.ones(5, "f4"), np.eye(5, dtype="f4"))
        turns = TurnVectors(None if acoustic is None else 1.0, words=words)
        width = (0 if x is None else x.shape[-1]) + (0 if text is None else 5)
        batch = batch._replace(context=jnp.zeros((1, width)))
    networks, init = [], jax.jit(network.init, static_argnums=3)
    for seed in range(members):
        variables = init(jax.random.key(seed), batch, rates, False)
        random = np.random.default_rng(seed)  # Biases start at zero, and trained ones are not.
        weights = {
            name: (array + random.normal(0, 0.1, array.shape)).astype(np.float32)
            for name, array in flat(dict(variables)).items()
        }
        networks.append(Member(f"run{seed}", seed, weights))
    bundle = Bundle(
        name="untrained",
        corpus="none",
        scale=(1.0, 5.0),
        attrs=("valence", "arousal", "dominance"),
        config=config,
        hparams={},
        features=about,
        scaler=scaler,
        tokenizer=tokenizer,
        members=tuple(networks),
        scores={},
        made_with={},
        turns=turns,
    )
    return Predictor(dataclasses.replace(bundle, **changes))
