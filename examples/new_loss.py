"""A loss of your own: half CCC, half mean squared error.

python examples/new_loss.py demo/prepared runs/new-loss
"""

import sys

from dser_jax import Config, product, sweep
from dser_jax.cli import guarded
from dser_jax.loss import LOSSES, ccc_loss, mse_loss


def half_and_half(gold, pred, weight):
    """Takes arrays [utt, attr], of which `weight` is 0 for missing labels, to losses [attr]."""
    return 0.5 * ccc_loss(gold, pred, weight) + 0.5 * mse_loss(gold, pred, weight)


LOSSES["half and half"] = half_and_half


def main(data: str = "demo/prepared", out: str = "runs/new-loss") -> None:
    """Trains with it, two seeds of each of two loss weights."""
    settings = {"features": "gemaps_hsf", "layers": 1, "batch_size": 16}
    config = Config(text=None, acoustic="dense", loss="half and half", **settings)
    runs = product(alpha=[0.4, 0.7], beta=[0.2], seed=range(2))
    for row in sweep(data, config, runs, out, baselines=False):
        print(row["name"], row["config"]["loss"], f"{row['test']['ccc']['mean']:.3f}")


if __name__ == "__main__":
    guarded(lambda: main(*sys.argv[1:]))
