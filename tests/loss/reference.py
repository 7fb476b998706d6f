"""Writes `torchjd.json`: what TorchJD says of random gradients and losses.

python tests/loss/reference.py      # where torchjd[full] is installed

The tests hold our weightings against the file, so that they need no PyTorch.
"""

import itertools
import json
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
import torchjd
from torchjd import scalarization
from torchjd.aggregation import IMTLG, MGDA, AlignedMTL, CAGrad, NashMTL, PCGrad, UPGrad
from torchjd.linalg import QuadprogProjector

FILE = Path(__file__).with_name("torchjd.json")


def gradients(random: np.random.Generator) -> np.ndarray:
    """Draws three gradients of unlike length; every third time they lie in a plane."""
    found = random.standard_normal((3, 6)) * np.exp(random.standard_normal((3, 1)))
    if random.random() < 1 / 3:
        found[2] = found[:2].T @ random.standard_normal(2)
    return np.round(found, 4)


def aggregated(jacobian: np.ndarray) -> dict:
    """Returns what each method makes of the gradients: a vector, of PCGrad one for each order."""
    given = torch.tensor(jacobian, dtype=torch.float64)
    exact = QuadprogProjector(norm_eps=1e-12, reg_eps=1e-13)
    found = {
        "cagrad": CAGrad(c=0.5)(given),
        "mgda": MGDA(epsilon=1e-12, max_iters=2_000)(given),
        "aligned": AlignedMTL()(given),
        "imtl_g": IMTLG()(given),
        "upgrad": UPGrad(projector=exact)(given),
        "nash": NashMTL(n_tasks=3, max_norm=1.0, update_weights_every=1, optim_niter=20)(given),
    }
    orders = [list(order) for order in itertools.permutations(range(3))]
    every = {}
    for three in itertools.product(orders, repeat=3):
        with patch("torch.randperm", side_effect=[torch.tensor(order) for order in three]):
            every[tuple(np.round(PCGrad()(given).tolist(), 9))] = None
    return {name: vector.tolist() for name, vector in found.items()} | {"pcgrad": list(every)}


def scalarized(losses: np.ndarray) -> dict:
    """Returns what methods by losses make of a batch: the number, and its derivatives."""
    found = {}
    for name, method in {
        "uncertainty": scalarization.UW(3),
        "imtl_l": scalarization.IMTLL(3),
        "geometric": scalarization.GeometricMean(),
        "stch": scalarization.STCH(mu=0.3),
    }.items():
        given = torch.tensor(losses, dtype=torch.float64, requires_grad=True)
        own = list(getattr(method, "parameters", list)())
        for parameter in own:
            parameter.data = torch.tensor([0.3, -0.2, 0.1], dtype=torch.float64)
        value = method(given)
        value.backward()
        found[name] = {"value": value.item(), "by_losses": given.grad.tolist()}
        if own:
            found[name]["by_scales"] = own[0].grad.tolist()
    return found


def sequences(losses: np.ndarray) -> dict:
    """Returns how DWA and FAMO weigh, step by step, over losses [step, before or after, attr]."""
    dwa, famo = scalarization.DWA(), scalarization.FAMO(3, lr=0.025, weight_decay=1e-3)
    found: dict = {"dwa": [], "famo": []}
    for before, after in losses:
        for name, method in (("dwa", dwa), ("famo", famo)):
            given = torch.tensor(before, dtype=torch.float32, requires_grad=True)
            method(given).backward()
            found[name].append(given.grad.tolist())
        dwa.step()
        famo.update(torch.tensor(after, dtype=torch.float32))
    return found


def main() -> None:
    """Writes the file."""
    random = np.random.default_rng(0)
    jacobians = [gradients(random) for _ in range(24)]
    batches = np.round(random.uniform(0.05, 1.8, (8, 3)), 4)
    steps = np.round(random.uniform(0.2, 1.5, (6, 2, 3)), 4)
    found = {
        "torchjd": getattr(torchjd, "__version__", "0.18.0"),
        "gradients": [{"rows": j.tolist(), **aggregated(j)} for j in jacobians],
        "losses": [{"losses": b.tolist(), **scalarized(b)} for b in batches],
        "steps": {"losses": steps.tolist(), **sequences(steps)},
    }
    FILE.write_text(json.dumps(found, indent=None, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
