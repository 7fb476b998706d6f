"""A weighting that learns: of each task how uncertain it is (Kendall, Gal & Cipolla 2018, eq. 7).

python examples/new_weighting.py demo/prepared runs/new-weighting
"""

import sys

import jax.numpy as jnp
import numpy as np

from dser_jax import Config, product, sweep
from dser_jax.cli import guarded
from dser_jax.experiment import load_weights
from dser_jax.loss import WEIGHTINGS, Weighting


def uncertain(log_variance, memory, losses, loss_weights):
    """Computes ``sum(w (exp(-s) L + s))``; s, one a task, is trained along with the network."""
    return (loss_weights * (jnp.exp(-log_variance) * losses + log_variance)).sum()


WEIGHTINGS["uncertain"] = Weighting(uncertain, learned=np.zeros(3, np.float32))


def main(data: str = "demo/prepared", out: str = "runs/new-weighting") -> None:
    """Trains with it, and shows what it has learned."""
    settings = {"features": "gemaps_hsf", "layers": 1, "batch_size": 16}
    config = Config(text=None, acoustic="dense", weighting="uncertain", **settings)
    for row in sweep(data, config, product(seed=range(2)), out, baselines=False, keep_weights=True):
        learned = np.exp(-load_weights(out, row["run"])["params"]["weighting"])
        print(f"{row['test']['ccc']['mean']:.3f}, weights of V, A, D: {np.round(learned, 3)}")


if __name__ == "__main__":
    guarded(lambda: main(*sys.argv[1:]))
