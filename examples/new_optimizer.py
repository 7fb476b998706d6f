"""An optimizer of your own: Lion (Chen et al. 2023) with clipped gradients, from optax.

python examples/new_optimizer.py demo/prepared runs/new-optimizer
"""

import sys

import optax

from dser_jax import Config, product, sweep
from dser_jax.cli import guarded
from dser_jax.training import OPTIMIZERS


def clipped_lion(learning_rate):
    """Makes it of a step size, in which the lanes of one program may differ."""
    return optax.chain(optax.clip_by_global_norm(1.0), optax.lion(learning_rate))


OPTIMIZERS["clipped lion"] = clipped_lion


def main(data: str = "demo/prepared", out: str = "runs/new-optimizer") -> None:
    """Trains with it at three step sizes."""
    settings = {"features": "gemaps_hsf", "layers": 1, "batch_size": 16}
    config = Config(text=None, acoustic="dense", optimizer="clipped lion", **settings)
    for row in sweep(data, config, product(learning_rate=[3e-4, 1e-3, 3e-3]), out, baselines=False):
        print(row["name"], row["config"]["optimizer"], f"{row['test']['ccc']['mean']:.3f}")


if __name__ == "__main__":
    guarded(lambda: main(*sys.argv[1:]))
