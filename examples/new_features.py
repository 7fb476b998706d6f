"""Features of your own: a row an utterance, or several frames, in an `.npy`.

python examples/new_features.py demo/prepared runs/new-features
"""

import string
import sys
from pathlib import Path

import numpy as np

from dser_jax import Config, product, sweep
from dser_jax.cli import guarded
from dser_jax.data import load_prepared, prepare


def embed(utterance) -> np.ndarray:
    """Counts letters. Yours would open `utterance.file` and ask a pretrained network."""
    words = (utterance.transcript or "").lower()
    return np.array([words.count(letter) for letter in string.ascii_lowercase], np.float32)


def main(data: str = "demo/prepared", out: str = "runs/new-features") -> None:
    """Adds them to a prepared data set, and trains on them."""
    utterances = load_prepared(data).utterances  # Row i belongs to utterance i.
    file = Path(data) / "letters.npy"
    np.save(file, np.stack([embed(utterance) for utterance in utterances]))
    prepare(None, data, acoustic={"letters": file})
    config = Config(text=None, acoustic="dense", features="letters", layers=1, batch_size=16)
    for row in sweep(data, config, product(seed=range(2)), out, baselines=False):
        print(row["features"], f"{row['test']['ccc']['valence']:.3f}")


if __name__ == "__main__":
    guarded(lambda: main(*sys.argv[1:]))
