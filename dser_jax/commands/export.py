"""`dser export`: trained networks of a journal, as a folder to share."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from dser_jax.commands.base import Commands, add_command

if TYPE_CHECKING:
    from dser_jax.share import Bundle

_HELP = """\
Writes a folder from which `dser predict` and `dser_jax.load` predict: weights
(safetensors), settings, scaler, vocabulary, what it reached and on what, a
model card, and each network as StableHLO, for use without this package.

The choice is made by the scores on validation, never by those on test.

examples:
  dser export runs/weights --best --out model
  dser export runs/weights --ensemble --out model   # all seeds of the best row
  dser export runs/weights --ensemble --stretch --out model
  dser export runs/weights --ensemble --row 0.7/0.2/0.1 --retrain --out model
"""


def add(commands: Commands) -> None:
    """Adds the subcommand to the command line."""
    parser = add_command(
        commands, "export", run, "write trained networks into a folder to share", description=_HELP
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the --out of a sweep")
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER", help="a new folder")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--best", action="store_true", help="the best run")
    which.add_argument(
        "--ensemble", action="store_true", help="all seeds of the best row: their mean, and spread"
    )
    which.add_argument("--run", dest="run_id", metavar="ID", help="this run")
    parser.add_argument("--row", metavar="NAME", help="choose within this row of the table")
    parser.add_argument(
        "--stretch",
        action="store_true",
        help="map its predictions to the labels' mean and deviation on validation, as in the "
        "stretched rows of a report",
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="where the prepared data set is now"
    )
    parser.add_argument(
        "--retrain",
        action="store_true",
        help="train the chosen runs again, where the sweep did not --keep-weights",
    )
    parser.add_argument(
        "--licence",
        "--license",
        metavar="ID",
        help="for the model card, as the Hugging Face hub calls it, e.g. apache-2.0",
    )
    parser.add_argument(
        "--no-stablehlo",
        action="store_false",
        dest="stablehlo",
        help="leave out the networks as StableHLO",
    )


def run(args: argparse.Namespace) -> None:
    """Carries out `dser export`."""
    from dser_jax.share import (
        Choice,
        baseline_in_words,
        check_out,
        export,
        fold_in_words,
        gather,
    )
    from dser_jax.system import enable_compile_cache, plural, say, tell

    check_out(args.out)
    for notice in enable_compile_cache():
        say(notice)
    choice = Choice(args.run_id, args.ensemble, args.row, args.stretch)
    bundle = gather(args.folder, choice, data=args.data, retrain=args.retrain)
    export(bundle, args.out, licence=args.licence, stablehlo=args.stablehlo)
    tell(f"{args.out}: {bundle.row}, {plural(len(bundle.members), 'network')}")
    tell(f"  {bundle.config.network}, {bundle.inputs}; chosen: {bundle.scores['chosen']}")
    for part in ("validation", "test"):
        ccc = bundle.scores[part]["ccc"]
        shown = (f"{name} {value:.3f}" for name, value in ccc.items() if value is not None)
        tell(f"  {part} CCC: {', '.join(shown)}")
    tell(f"  {baseline_in_words(bundle.scores)}")
    if fold := fold_in_words(bundle.scores):
        tell(f"  {fold}")
    tell(f"  read {args.out / 'README.md'} before you share it")
    if command := _next(bundle, args.out):
        tell(f"Next, to predict with it: {command}")


def _next(bundle: Bundle, out: Path) -> str:
    """Returns the command that predicts; nothing where the model cannot read recordings."""
    from dser_jax.features import is_imported

    command = f"dser predict {shlex.quote(str(out))}"
    both = (bundle.features, bundle.text_features)
    if any(each is not None and is_imported(each.source) for each in both):
        return ""
    if bundle.features is None:
        return f'{command} --text "what was said"'
    return f"{command} recordings/{' --asr pocketsphinx' if bundle.reads_text else ''}"
