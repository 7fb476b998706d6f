"""A weighting that remembers: dynamic weight averaging (Liu, Johns & Davison 2019, eq. 6, 7).

python examples/remembering_weighting.py demo/prepared runs/remembering-weighting
"""

import sys

import jax
import numpy as np

from dser_jax import Config, product, sweep
from dser_jax.cli import guarded
from dser_jax.loss import WEIGHTINGS, Weighting


def by_progress(learned, memory, losses, loss_weights):
    """Gives more weight to the task whose loss falls more slowly: ``3 softmax(r / 2)``."""
    last, before = memory
    share = 3 * jax.nn.softmax(last / before / 2)
    return (loss_weights * share * losses).sum()


WEIGHTINGS["dynamic"] = Weighting(
    by_progress,
    memory=(np.ones(3, np.float32), np.ones(3, np.float32)),
    remember=lambda memory, losses: (losses, memory[0]),
)


def main(data: str = "demo/prepared", out: str = "runs/remembering-weighting") -> None:
    """Trains with it."""
    settings = {"features": "gemaps_hsf", "layers": 1, "batch_size": 16}
    config = Config(text=None, acoustic="dense", weighting="dynamic", **settings)
    for row in sweep(data, config, product(seed=range(2)), out, baselines=False):
        print(row["config"]["weighting"], row["epochs"], f"{row['test']['ccc']['mean']:.3f}")


if __name__ == "__main__":
    guarded(lambda: main(*sys.argv[1:]))
