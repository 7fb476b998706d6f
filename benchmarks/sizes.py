"""The command line of a benchmark: a size, which gives the defaults, and a flag for each one."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common import FRAMES

SIZES = ("small", "cpu", "gpu")
"""To see that all of it runs; what suits two cores; all of it."""

WIDTHS = {"units": (4, 256, 256), "layers": (1, 3, 3), "tokens": (6, 100, 100)}
"""Of networks that only show that all of it runs, and the paper's."""

MANY = 64
"""Utterances of a batch beyond which lanes need much memory, and on a processor seconds a step."""
WIDE = {"small": 2, "cpu": 2, "gpu": 60}
"""Lanes of such batches at most."""

STEPS = {"batch": ([4], [8, 256], [8, 256]), "steps": ([2], [8, 2], [16, 4])}
TURNS = {"repeats": (1, 3, 5)}
ONE, BOTH = ["keras"], ["keras", "masked"]
RULE = ["rule"]

SETTINGS: dict[str, dict[str, tuple[Any, Any, Any]]] = {
    "lanes": {
        **STEPS,
        "lanes": ([2], [1, 2, 8], [1, 20, 256]),
        "plain_lanes": ([2], [1, 8], [1, 20, 256]),
        "half_lanes": ([0], [0], [20, 256]),
        "schedules": (RULE, RULE, RULE),
        "graphs": (RULE, RULE, RULE),
        "frames": (0, FRAMES, FRAMES),
        "frame_lanes": ([1], [1], [20]),
        "frame_steps": (1, 2, 4),
        **WIDTHS,
        **TURNS,
        "padding": (ONE, BOTH, BOTH),
    },
    "versus_torch": {
        **STEPS,
        "lanes": ([2], [1, 8], [20, 256]),
        **WIDTHS,
        "padding": (ONE, BOTH, BOTH),
        **TURNS,
    },
    "versus_keras": {
        **STEPS,
        "lanes": ([2], [1, 8], [20, 256]),
        **WIDTHS,
        "layers": (3, 3, 3),
        **TURNS,
    },
    "versus_nkululeko": {
        "python": ("", "", ""),
        "data": ("", "", ""),
        "features": ("gemaps_hsf", "gemaps_hsf", "gemaps_hsf"),
        "rows": (80, 1000, 1000),
        "seeds": (2, 20, 20),
        "theirs": (1, 1, 1),
        "workers": (0, 0, 0),
        "units": (4, 64, 64),
        "layers": (1, 2, 2),
        "batch": (32, 32, 32),
        "epochs": (2, 50, 50),
        "rate": (0.001, 0.001, 0.001),
        "patience": (10, 10, 10),
    },
    "table6": {
        "experiment": ("table6", "table6", "table6"),
        "seeds": (1, 2, 20),
        "alone": (2, 2, 2),
        "lanes": (1, 0, 0),
        "rows": (24, 384, 10039),
        "epochs": (2, 2, 10),
        "padding": ("", "", ""),
        "batch": (0, 0, 0),
        "predict": (0.0, 0.0, 0.0),
        **WIDTHS,
        "units": (4, 0, 0),
    },
    "roofline": {
        **STEPS,
        "lanes": ([2], [8, 2], [256, 60]),
        "padding": (["masked"], BOTH, BOTH),
        **WIDTHS,
        **TURNS,
        "square": (64, 2048, 8192),
        "megabytes": (1, 256, 4096),
    },
    "kernels": {
        "batch": STEPS["batch"],
        "lanes": (2, 20, 20),
        "schedules": (["lean", "rows"], ["packed", "lean", "rows"], ["packed", "lean", "rows"]),
        "padding": (ONE, BOTH, BOTH),
        "longest": (6, 65, 65),
        "target": ("here", "here", "here"),
        **WIDTHS,
    },
    "compile": {
        "batch": STEPS["batch"],
        "lanes": ([2], [20], [20]),
        "padding": (ONE, ONE, ["masked"]),
        **WIDTHS,
        "repeats": (1, 1, 1),
    },
    "features": {
        "recordings": ([""], [""], [""]),
        "signals": (2, 10, 10),
        "files": (2, 128, 512),
        "repeats": (1, 3, 3),
    },
    "opening": {"megabytes": (2, 1024, 4096), "repeats": (1, 5, 5)},
    "weightings": {
        **STEPS,
        "lanes": ([2], [8], [20, 256]),
        "networks": (["mlp"], ["lstm", "mlp"], ["lstm", "mlp"]),
        **WIDTHS,
        **TURNS,
    },
    "refill": {
        "runs": (3, 200, 2000),
        "lanes": (2, 16, 256),
        "units": (4, 32, 256),
        "batch": (100, 8, 8),
        "epochs": (3, 50, 50),
    },
    "pending": {
        "runs": ([2], [10, 100, 1000], [10, 100, 1000, 10000]),
        "lanes": (2, 10, 10),
    },
}
"""Benchmark -> setting -> its default at each size."""

HELP = {
    "batch": "utterances an optimizer step",
    "epochs": "epochs of each run",
    "lanes": f"runs at a time; in batches above {MANY} at most {WIDE['gpu']}, on a processor 2",
    "layers": "LSTM layers of each half; the paper has 3",
    "padding": "what is done with padding: keras (fed to the network), masked (skipped), or both",
    "repeats": "turns; the median counts",
    "rows": "utterances; two thirds are for training",
    "runs": "how many runs",
    "seeds": "runs of each setting",
    "steps": "optimizer steps an epoch, one for each batch size",
    "tokens": "words of the longest utterance, to which all are padded",
    "units": "width of the networks' layers; the paper's is 256",
}


def parse(
    doc: str | None,
    benchmark: str,
    text: Mapping[str, str] | None = None,
    cache: bool = True,
) -> argparse.Namespace:
    """Reads the command line.

    Args:
      doc: The benchmark's docstring.
      benchmark: Whose settings there are.
      text: Help for flags of this benchmark alone.
      cache: Whether programs may come from the compilation cache.
    """
    args = _parser(doc, benchmark, text).parse_args()
    from dser_jax.system import use_all_cores

    use_all_cores()
    if cache:
        from dser_jax.system import enable_compile_cache

        enable_compile_cache()
    if args.size is None:
        import jax

        args.size = "cpu" if jax.default_backend() == "cpu" else "gpu"
    return _filled(args, benchmark)


def settings(benchmark: str, size: str, flags: Sequence[str] = ()) -> argparse.Namespace:
    """Returns what `parse` would, called with a size and so many flags."""
    parser = _parser(None, benchmark, None)
    return _filled(parser.parse_args(["--size", size, *flags]), benchmark)


def _parser(
    doc: str | None, benchmark: str, text: Mapping[str, str] | None
) -> argparse.ArgumentParser:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=doc, formatter_class=formatter)
    parser.add_argument(
        "--size", choices=SIZES, help='by default "gpu" where JAX has one, or else "cpu"'
    )
    parser.add_argument("--out", type=Path, help="write the result there, as JSON, as it is found")
    parser.add_argument(
        "--resume", action="store_true", help="go on with what lies there, if it is of the same"
    )
    for name, values in SETTINGS[benchmark].items():
        several = isinstance(values[0], list)
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=type(values[0][0] if several else values[0]),
            nargs="+" if several else None,
            help={**HELP, **(text or {})}.get(name),
        )
    return parser


def _filled(args: argparse.Namespace, benchmark: str) -> argparse.Namespace:
    for name, values in SETTINGS[benchmark].items():
        if getattr(args, name) is None:
            setattr(args, name, values[SIZES.index(args.size)])
    return args


def fitting(lanes: Sequence[int], batch: int, size: str) -> list[int]:
    """Returns the numbers of lanes to try at a batch size: at most `WIDE` where it is large."""
    most = WIDE[size] if batch > MANY else max(lanes)
    return list(dict.fromkeys(min(count, most) for count in lanes))
