"""The options of `dser prepare` that say which features are extracted, imported or computed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from dser_jax.commands.base import pairs
from dser_jax.experiment import positive
from dser_jax.features import HALVES, POOLS, Encoding, make_encoding
from dser_jax.system import DserError


def add_features(parser: argparse.ArgumentParser) -> None:
    """Adds these options."""
    features = parser.add_argument_group("features")
    features.add_argument(
        "--features",
        type=lambda text: [name for name in text.split(",") if name],
        default=[],
        metavar="NAME,...",
        help="gemaps_hsf, gemaps_lld (eGeMAPS by openSMILE), paa_hsf, paa_lld (pyAudioAnalysis); "
        "hsf: mean and deviation over the frames lld; paa_package_hsf, paa_package_lld: by "
        "pyAudioAnalysis itself, slowly, and equal",
    )
    features.add_argument(
        "--acoustic",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=FILE",
        help="features of your own, by name or row by row: .npy, or CSV as openSMILE's",
    )
    features.add_argument(
        "--text",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=FILE",
        help="the same of features of the words, e.g. sentence embeddings",
    )
    features.add_argument("--no-header", action="store_true", help="these CSV files have no header")
    features.add_argument(
        "--allow-label-columns",
        action="store_true",
        help="take columns of theirs for features that are the labels; scores then say nothing",
    )
    features.add_argument("--glove", type=Path, metavar="FILE", help="word vectors (.txt, .gz)")
    features.add_argument("--fasttext", type=Path, metavar="FILE", help="word vectors (.vec, .gz)")
    features.add_argument(
        "--convert",
        action="store_true",
        help="take recordings that are not 16 kHz mono: channels averaged, resampled",
    )
    features.add_argument("--jobs", type=positive, metavar="N", help="processes; one a core")
    encoders = parser.add_argument_group("frozen encoders (pip install 'dser_jax[encoders]')")
    encoders.add_argument(
        "--encode",
        nargs="+",
        action="extend",
        default=[],
        metavar="HALF=MODEL",
        help="speech=FOLDER or text=FOLDER: hidden layers of a network in the format of "
        "transformers, or of one that is on the hub by this name",
    )
    encoders.add_argument(
        "--encode-layers",
        nargs="+",
        action="extend",
        default=[],
        metavar="LAYERS",
        help="numbers and spans, as in 4,6 or 2:6, last (the default) or all; speech=LAYERS or "
        "text=LAYERS where both are encoded",
    )
    encoders.add_argument(
        "--encode-pool",
        nargs="+",
        action="extend",
        default=[],
        metavar="POOL",
        help=f"{', '.join(POOLS)}: over the frames or words of an utterance (mean); none keeps "
        "them; HALF=POOL where both are encoded",
    )
    encoders.add_argument(
        "--encode-as",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="what the features are called (as the model); HALF=NAME where both are encoded",
    )
    encoders.add_argument(
        "--float16", action="store_true", help="keep these in half precision in the store"
    )


def encodings(args: argparse.Namespace) -> list[Encoding]:
    """Returns which encoders are asked for.

    Raises:
      DserError: An option cannot be read, or belongs to an encoder that is not asked for.
    """
    models = pairs("--encode", args.encode)
    for half in models:
        if half not in HALVES:
            raise DserError(
                f"--encode {half}={models[half]}: expected {' or '.join(HALVES)} before ="
            )
    given = {
        name: _by_half(f"--encode-{name}", getattr(args, f"encode_{name}"), [*models])
        for name in ("layers", "pool", "as")
    }
    if args.float16 and not models:
        raise DserError("--float16 belongs to --encode")
    return [
        make_encoding(
            half,
            model,
            given["layers"].get(half, "last"),
            given["pool"].get(half, "mean"),
            given["as"].get(half),
        )
        for half, model in models.items()
    ]


def _by_half(option: str, texts: Sequence[str], halves: Sequence[str]) -> dict[str, str]:
    """Reads an option that is given once for all encoders, or for each half."""
    if texts and not halves:
        raise DserError(f"{option} belongs to --encode")
    if not any("=" in text for text in texts):
        if len(texts) > 1:
            raise DserError(f"{option} {' '.join(texts)}: expected one, or HALF=... for each half")
        return dict.fromkeys(halves, texts[0]) if texts else {}
    found = pairs(option, texts)
    for half in found:
        if half not in halves:
            raise DserError(f"{option} {half}={found[half]}: no --encode {half}=... is given")
    return found
