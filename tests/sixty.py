"""Sixty sentences, prepared: the words tell the valence, the features the other two."""

from pathlib import Path

import numpy as np

from dser_jax.corpora import Corpus, Utterance
from dser_jax.data import prepare

WORDS = ["awful", "bad", "poor", "plain", "fair", "good", "great"]


def prepare_sixty(folder: Path) -> Path:
    """Writes them to a folder below the given one; returns it."""
    random = np.random.default_rng(0)
    gold = random.uniform(1, 5, (60, 3))
    utterances = tuple(
        Utterance(
            f"Ses{1 + i // 15:02d}_{i:03d}",
            speaker=f"Ses{1 + i // 15:02d}{'FM'[i % 2]}",
            session=f"Ses{1 + i // 15:02d}",
            transcript=f"it was {WORDS[int((v - 1) / 4 * len(WORDS))]}",
            valence=v,
            arousal=a,
            dominance=d,
        )
        for i, (v, a, d) in enumerate(gold.tolist())
    )
    features = np.concatenate([gold[:, 1:], random.normal(size=(60, 2))], 1).astype(np.float32)
    np.save(folder / "toy.npy", features)
    corpus = Corpus("toy", utterances, (1.0, 5.0))
    acoustic = {"toy_hsf": folder / "toy.npy"}
    prepare(corpus, folder / "prepared", acoustic=acoustic, label_columns=True)
    return folder / "prepared"
