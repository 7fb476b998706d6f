"""A weighting that remembers from step to step: each loss over its own running mean.

python examples/step_weighting.py demo/prepared runs/step-weighting
"""

import sys

import jax.numpy as jnp
import numpy as np

from dser_jax import Config, product, sweep
from dser_jax.cli import guarded
from dser_jax.loss import WEIGHTINGS, Weighting


def relative(learned, memory, losses, loss_weights):
    """Computes ``sum(w L / M)``: M is the running mean, one a task."""
    return (loss_weights * losses / jnp.maximum(memory, 1e-3)).sum()


def move(memory, losses, loss_weights):
    """Moves the running means a little towards the losses of this step."""
    return 0.95 * memory + 0.05 * losses


WEIGHTINGS["relative"] = Weighting(relative, memory=np.ones(3, np.float32), update=move)


def main(data: str = "demo/prepared", out: str = "runs/step-weighting") -> None:
    """Trains with it."""
    settings = {"features": "gemaps_hsf", "layers": 1, "batch_size": 16}
    config = Config(text=None, acoustic="dense", weighting="relative", **settings)
    for row in sweep(data, config, product(seed=range(2)), out, baselines=False):
        print(row["config"]["weighting"], row["epochs"], f"{row['test']['ccc']['mean']:.3f}")


if __name__ == "__main__":
    guarded(lambda: main(*sys.argv[1:]))
