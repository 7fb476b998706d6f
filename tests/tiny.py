"""A data set small enough to train in a second, in which speech and text carry the labels."""

import dataclasses

import numpy as np

from dser_jax.config import Config
from dser_jax.corpora.utterances import Utterance
from dser_jax.data.dataset import Data, Dataset
from dser_jax.data.splits import Split

CONFIG = Config(
    features="toy_hsf",
    units=4,
    layers=1,
    embedding_dim=3,
    text_dense=4,
    fusion=(4, 3),
    max_tokens=5,
    batch_size=8,
    max_epochs=3,
)
DENSE = dataclasses.replace(CONFIG, acoustic="dense", text="mlp")
"""The same without a recurrence, which takes three times as long to compile."""
WORDS = 12


def make_utterances(count: int, random: np.random.Generator) -> tuple[Utterance, ...]:
    """Makes utterances of six speakers in three sessions, with a word or two and any labels."""
    return tuple(
        Utterance(
            f"u{i:02d}",
            speaker=f"s{i % 6}",
            session=f"S{i % 3}",
            transcript=f"word {i % 5}",
            valence=float(random.uniform(1, 5)),
            arousal=float(random.uniform(1, 5)),
            dominance=float(random.uniform(1, 5)),
        )
        for i in range(count)
    )


def make_dataset(utterances: int = 61, seed: int = 0, missing: bool = False) -> Dataset:
    """Makes labels, and features and words that follow them; `missing` takes labels away."""
    random = np.random.default_rng(seed)
    gold = random.uniform(-0.9, 0.9, (utterances, 3)).astype(np.float32)
    noise = random.normal(0, 0.2, (utterances, 4)).astype(np.float32)
    acoustic = np.concatenate([gold[:, 1:] + noise[:, :2], noise[:, 2:]], 1)[:, None]
    word = 1 + np.round((gold[:, :1] + 1) / 2 * (WORDS - 2)).astype(np.int32)
    tokens = np.concatenate([np.zeros((utterances, 3), np.int32), word, word], 1)
    known = np.ones((utterances, 3), bool)
    if missing:
        known[:, 2] = False
        known[::3, 0] = False
        gold = np.where(known, gold, np.float32(0))
    train, validation, test = np.split(
        np.arange(utterances), [utterances // 2, utterances * 3 // 4]
    )
    return Dataset(
        data=Data(
            acoustic,
            tokens,
            gold,
            known,
            train.astype(np.int32),
            validation.astype(np.int32),
            test.astype(np.int32),
            None,
        ),
        corpus="toy",
        split=Split("column", train, validation, test),
        ids=tuple(f"utt{i:03d}" for i in range(utterances)),
        attrs=("valence", "arousal") if missing else ("valence", "arousal", "dominance"),
        fingerprint="toy",
        truth="toy",
        words=WORDS,
        embedding_dim=CONFIG.embedding_dim,
    )
