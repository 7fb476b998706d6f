"""A prepared data set of dialogues, in which the words of a turn tell the valence of the next."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dser_jax.config import Config
from dser_jax.corpora.utterances import Corpus, Utterance
from dser_jax.data.prepared import Prepared
from dser_jax.data.preparing import prepare

COUNT, TURNS = 96, 8
CONFIG = Config(
    acoustic="dense",
    text="dense",
    features="toy_hsf",
    units=4,
    layers=1,
    embedding_dim=3,
    text_dense=4,
    fusion=(4, 3),
    max_tokens=5,
    batch_size=16,
    max_epochs=3,
)


def make_talk(order: np.ndarray | None = None) -> Corpus:
    """Makes four sessions of three dialogues by two speakers; labels may be taken in `order`."""
    random = np.random.default_rng(0)
    said = random.integers(0, 5, COUNT + 1)
    labels = random.uniform(1, 5, (COUNT, 3))
    labels[:, 0] = 1 + said[:COUNT]  # What the turn before said; of a first one it says nothing.
    labels = labels[np.arange(COUNT) if order is None else order]
    utterances = tuple(
        Utterance(
            f"Ses{1 + at // 24:02d}_{at:03d}",
            speaker=f"s{at // 24}{'ab'[at % 2]}",
            session=f"Ses{1 + at // 24:02d}",
            transcript=f"word{said[at + 1]} again",
            valence=float(min(5.0, labels[at, 0])),
            arousal=float(labels[at, 1]),
            dominance=float(labels[at, 2]),
            dialogue=f"d{at // TURNS}",
            turn=float(at % TURNS),
        )
        for at in range(COUNT)
    )
    return Corpus("talk", utterances, (1.0, 5.0))


def features() -> np.ndarray:
    """Returns features of each row, [utt, feat], of which those of speakers differ."""
    x = np.random.default_rng(1).normal(size=(COUNT, 4))
    return (x + np.arange(COUNT)[:, None] // 24 * 3.0).astype(np.float32)


def prepare_talk(folder: Path, corpus: Corpus | None = None) -> Prepared:
    """Prepares it with the features `toy_hsf`."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "toy.npy", features())
    given = {"toy_hsf": folder / "toy.npy"}
    return prepare(corpus or make_talk(), folder / "prepared", acoustic=given)
