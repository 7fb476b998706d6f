"""A network of your own: python examples/new_encoder.py demo/prepared runs/new-encoder."""

import sys

import jax.numpy as jnp
from flax import linen as nn

from dser_jax import Config, product, sweep
from dser_jax.cli import guarded
from dser_jax.models import MODELS, Embedding


class AttentionPooling(nn.Module):
    """Word vectors, averaged by an attention that leaves out padding (Bahdanau et al. 2015)."""

    words: int
    dim: int

    @nn.compact
    def __call__(self, tokens):
        """Takes word numbers [utt, token] to codes [utt, dim]."""
        vectors = Embedding(self.words, self.dim, name="embedding")(tokens)
        score = nn.Dense(1)(nn.tanh(nn.Dense(self.dim)(vectors)))[..., 0]
        share = nn.softmax(jnp.where(tokens > 0, score, -1e9))[..., None]
        return (share * vectors).sum(1)


MODELS["text"]["attention pooling"] = lambda config, words, dim: AttentionPooling(words, dim)


def main(data: str = "demo/prepared", out: str = "runs/new-encoder") -> None:
    """Trains it on text alone."""
    config = Config(acoustic=None, text="attention pooling", embedding_dim=16, batch_size=16)
    for row in sweep(data, config, product(learning_rate=[0.01]), out, baselines=False):
        print(row["network"], {k: round(v, 3) for k, v in row["test"]["ccc"].items()})


if __name__ == "__main__":
    guarded(lambda: main(*sys.argv[1:]))
