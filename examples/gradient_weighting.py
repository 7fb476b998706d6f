"""A weighting by gradients: each task pulls the shared layers as hard (as in Chen et al. 2018).

python examples/gradient_weighting.py demo/prepared runs/gradient-weighting
"""

import sys

import jax.numpy as jnp

from dser_jax import Config, product, sweep
from dser_jax.cli import guarded
from dser_jax.loss import WEIGHTINGS, Weighting


def as_hard(learned, memory, losses, loss_weights, *, gram):
    """Computes ``sum(w L m / |g|)``: m is the mean length of the gradients g of the tasks."""
    lengths = jnp.sqrt(jnp.diagonal(gram))
    share = lengths.mean() / jnp.maximum(lengths, 1e-12)
    return (share * loss_weights * losses).sum()


WEIGHTINGS["as hard"] = Weighting(as_hard, needs=("gram",))


def main(data: str = "demo/prepared", out: str = "runs/gradient-weighting") -> None:
    """Trains with it."""
    settings = {"features": "gemaps_hsf", "layers": 1, "batch_size": 16}
    config = Config(text=None, acoustic="dense", weighting="as hard", **settings)
    for row in sweep(data, config, product(seed=range(2)), out, baselines=False):
        print(row["config"]["weighting"], row["epochs"], f"{row['test']['ccc']['mean']:.3f}")


if __name__ == "__main__":
    guarded(lambda: main(*sys.argv[1:]))
