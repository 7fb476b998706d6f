"""`dser predict`: a model on new recordings."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dser_jax.commands.base import Commands, add_command, add_dialect, dialect_of, pairs
from dser_jax.experiment import positive
from dser_jax.system import DserError

if TYPE_CHECKING:
    from dser_jax.predict import Prediction, Predictor

EXIT_SOME_FAILED = 3
"""What `dser predict` ends with where it could not predict some, or any, of the recordings."""
FILED = ("csv", "json")
"""Formats that have what is wrong with an utterance beside it."""
LISTED = 10
"""Of so many different problems each is said where a file has all."""
SHOWN = 40
"""Utterances on the terminal where a file has all."""

_HELP = """\
Predicts valence, arousal and dominance of recordings (16 kHz, mono): files,
folders, or the rows of a CSV, whose columns are kept. A model that also reads
words takes them from --text, from the CSV (transcript), from NAME.txt beside
NAME.wav, or recognizes them (--asr). Recordings of more than 30 s are cut into
utterances where they are silent.

Ends with 0; with 3 where recordings could not be predicted, some or all, which
are listed while the others are done; with 2, and no prediction, where
arguments, model, table or --out are not usable as they are.

examples:
  dser predict model hello.wav --text "how nice to see you"
  dser predict model recordings/ --asr pocketsphinx --out predictions.csv
  dser predict model calls.csv --column file=path --out - > with-predictions.csv
"""


def add(commands: Commands) -> None:
    """Adds the subcommand to the command line."""
    parser = add_command(
        commands,
        "predict",
        run,
        "predict recordings with a model of `dser export`",
        description=_HELP,
        usage="dser predict MODEL [RECORDING ...] [options]",
    )
    parser.add_argument("model", metavar="MODEL", help="a folder of `dser export`, or of a sweep")
    parser.add_argument(
        "recordings", nargs="*", type=Path, metavar="RECORDING", help="files, folders, or one CSV"
    )
    parser.add_argument(
        "--text", action="append", default=[], metavar="TEXT", help="what is said; again for each"
    )
    parser.add_argument(
        "--asr", metavar="NAME", help="recognize words: pocketsphinx, or MODULE:FUNCTION"
    )
    parser.add_argument(
        "--cut",
        choices=("auto", "always", "never"),
        default="auto",
        help="cut into utterances: recordings of more than 30 s (auto), all or none",
    )
    parser.add_argument(
        "--column",
        nargs="+",
        action="extend",
        default=[],
        metavar="FIELD=COLUMN",
        help="name of a column of the CSV that is not called file, start, end, transcript, "
        "speaker, dialogue or turn",
    )
    parser.add_argument(
        "--audio-root", type=Path, metavar="DIR", help="where the CSV's recordings are"
    )
    for half, lack in (("transcripts", "words"), ("speech", "a recording")):
        parser.add_argument(
            f"--missing-{half}",
            choices=("skip", "keep"),
            default="skip",
            help=f"what a model that reads both does without {lack}: not predict (skip), or "
            "predict from the other half (keep)",
        )
    add_dialect(parser)
    parser.add_argument(
        "--convert",
        action="store_true",
        help="take recordings that are not 16 kHz mono: average channels, resample",
    )
    parser.add_argument(
        "--out", metavar="FILE", help=".csv, .json, a folder (audformat), or - for CSV on stdout"
    )
    parser.add_argument(
        "--format", choices=("csv", "json", "audformat"), help="of --out, if not by its name"
    )
    parser.add_argument(
        "--encoder",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=FOLDER",
        help="where the frozen encoder of these features is, if not where it was",
    )
    parser.add_argument("--jobs", type=positive, metavar="N", help="processes; one a core")


def run(args: argparse.Namespace) -> None:
    """Carries out `dser predict`."""
    from dser_jax.predict import check_out, find, format_of

    asked = find(
        args.recordings,
        args.text,
        columns=pairs("--column", args.column),
        audio_root=args.audio_root,
        dialect=dialect_of(args),
    )
    format = args.format
    if args.out is not None:
        format = format or format_of(args.out)
        check_out(args.out, format, args.recordings)
    elif format is not None:
        raise DserError("--format belongs to --out")

    from dser_jax.predict import check_columns, load, make_transcriber, predict, show, write
    from dser_jax.system import console_of, enable_compile_cache, plural, say, tell

    for notice in (*asked.said, *enable_compile_cache()):
        say(notice)
    model = load(args.model, pairs("--encoder", args.encoder))
    if asked.header is not None and format == "csv":
        check_columns(model, asked.header)
    transcriber = None if args.asr is None else make_transcriber(args.asr)
    rules = {"transcripts": args.missing_transcripts, "speech": args.missing_speech}
    keep = [half for half, rule in rules.items() if rule == "keep"]
    found = predict(
        model,
        asked,
        transcriber=transcriber,
        cutting=args.cut,
        convert=args.convert,
        keep=keep,
        jobs=args.jobs,
    )
    if args.out is not None and format is not None:
        write(args.out, format, model, found, asked.header)
    if args.out != "-" and any(each.estimate is not None for each in found):
        # A pipe has no width; a table that is cut off is of no use in it.
        console = console_of(highlight=False, width=None if sys.stdout.isatty() else 200)
        show(model, found, console, None if args.out is None else SHOWN)
    if args.out not in (None, "-"):
        rows = [each for each in found if format != "audformat" or each.estimate is not None]
        tell(f"{args.out}: {plural(len(rows), 'row')} written")
    for notice in [*model.notices, *_words(model, found), *_halves(model, found)]:
        say(notice)
    failed = [each.piece for each in found if each.estimate is None]
    for line in _problems(
        [each.problem for each in failed], f" (`problem` in {args.out})" if format in FILED else ""
    ):
        say(f"dser: {line}")
    if failed:
        done = len(found) - len(failed)
        say(f"dser: {len(failed)} not predicted, {done} done")
        sys.stdout.flush()
        sys.exit(EXIT_SOME_FAILED)


def _problems(failed: Sequence[str | None], filed: str) -> Iterator[str]:
    """Says what was wrong, each thing once; of many only the first, where a file has all."""
    counts = Counter(" ".join((problem or "").split()) for problem in failed)
    shown = list(counts.items())[: LISTED if filed else None]
    for problem, count in shown:
        yield problem + (f" ({count} of them)" if count > 1 else "")
    if more := len(failed) - sum(count for _, count in shown):
        yield f"and {more} more{filed}"


def _halves(model: Predictor, found: Sequence[Prediction]) -> Iterator[str]:
    """Says how many were predicted from one half of what the model reads."""
    if not (model.reads_speech and model.reads_text):
        return
    done = [each.piece for each in found if each.estimate is not None]
    for lack, count in (
        ("words, from speech alone", sum(not piece.text for piece in done)),
        ("a recording, from words alone", sum(piece.file is None for piece in done)),
    ):
        if count:
            yield f"{count} predicted without {lack}"


def _words(model: Predictor, found: Sequence[Prediction]) -> list[str]:
    """Says how many words the model knows, of those that it was given."""
    from dser_jax.features import Tokenizer

    if model.bundle.text_features is not None:
        return []
    texts = [each.piece.text or "" for each in found if each.estimate is not None]
    tokenizer = model.bundle.tokenizer or Tokenizer(())
    total = sum(len(tokenizer.split(text)) for text in texts)
    if not model.reads_text:
        given = "; it reads speech alone" if total else ""
        return [f"the model does not read the words{given}"] if given else []
    known = sum(model.known_words(text) for text in texts)
    return [f"words: the model knows {known} of {total}"] if known < total else []
