"""`--size`: how large networks and batches are, at one word."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dser_jax.experiment.flags.sweep_file import read_size
from dser_jax.system import check_device, say, use_all_cores

SMALL: Mapping[str, Any] = {
    "units": 16,
    "embedding_dim": 16,
    "text_dense": 16,
    "fusion": (16, 16),
    "max_tokens": 12,
    "batch_size": 32,
    "learning_rate": 0.004,
}
"""For two cores and sentences as short as those of the demo corpus."""


def add_size(parser: argparse.ArgumentParser, paper: Mapping[str, Any]) -> None:
    """Adds `--size`; what it stands for are flags, too, which win over it.

    Args:
      parser: Gets the flag.
      paper: What the names of `SMALL` are in the paper's experiment.
    """
    parser.add_argument(
        "--size",
        choices=("small", "paper"),
        help="widths, batches and learning rate, where their flags do not say: small for two "
        "cores, paper as published (that of the folder, if there is one; else small without an "
        "accelerator, paper with one)",
    )
    parser.set_defaults(sizes={"small": SMALL, "paper": paper}, from_size={})


def shown(name: str, paper: Mapping[str, Any]) -> str:
    """Writes the two defaults of a flag that `--size` decides, for its help."""
    return f"small {text_of(SMALL[name])}, paper {text_of(paper[name])}"


def text_of(value: Any) -> str:
    """Writes a number or several as they are given on a command line."""
    return " ".join(map(str, value)) if isinstance(value, (tuple, list)) else f"{value:g}"


def settle_size(args: argparse.Namespace) -> None:
    """Fills in what `--size` stands for; says so where nobody has chosen it.

    Afterwards `from_size` has what was filled in. A second call changes nothing.

    Args:
      args: Flags of `add_arguments`.
    """
    missing = [name for name in SMALL if getattr(args, name) is None]
    if not missing:
        return
    why = ""
    if args.size is None:
        args.size, why = _own_size(args)
    args.from_size = {name: args.sizes[args.size][name] for name in missing}
    vars(args).update(args.from_size)
    if why:
        values = ", ".join(
            f"{name.replace('_', '-')} {text_of(value)}" for name, value in args.from_size.items()
        )
        other = "paper" if args.size == "small" else "small"
        say(f"size {args.size}, {why}: {values}; --size {other} takes the {_NAMES[other]}")


_NAMES = {"paper": "paper's", "small": "small ones"}


def _own_size(args: argparse.Namespace) -> tuple[str, str]:
    """Returns the size that a sweep has if none is asked for, and why."""
    from dser_jax.journal import refuse_prepared  # NumPy, which --help does without.

    out = Path(args.out)
    refuse_prepared(out)
    if (size := read_size(out)) is not None:
        return size, f"as {out} was started with it"
    if (out / "manifest.json").exists() or any(out.glob("part-*/manifest.json")):
        return "paper", f"as {out} was started with it"
    if args.ray is not None:
        return "paper", "as a cluster trains"
    use_all_cores()
    check_device()
    import jax

    if jax.default_backend() == "cpu":
        return "small", "as no accelerator is found"
    return "paper", f"as there is an accelerator ({jax.devices()[0].device_kind})"
