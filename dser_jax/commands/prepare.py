"""`dser prepare`: a corpus on disk to a folder to train from."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from dser_jax.commands.base import Commands, add_command, add_dialect, dialect_of, pairs
from dser_jax.corpora import ATTRS, RECOGNISED, Corpus, Scale
from dser_jax.experiment import positive
from dser_jax.system import BadInput, DserError, plural, settle, tell

TABLES = ("msp_podcast", "emobank", "table")
"""Corpora that come as a table."""
RULES = ("refuse", "skip", "keep")
CORPORA = ("iemocap", "msp_improv", "msp_podcast", "audformat", "emobank", "table", "demo")

_HELP = """\
Reads a corpus, extracts its features and writes everything into one folder,
from which training starts. Run it again to add features; what was extracted
is kept, and an interrupted extraction goes on.

examples:
  dser prepare --corpus demo data/demo --features gemaps_hsf --out runs/demo
  dser prepare --corpus iemocap IEMOCAP_full_release \\
      --features paa_hsf --glove glove.840B.300d.txt --out runs/iemocap
  dser prepare --corpus table labels.csv --scale 1 7 --column valence=EmoVal \\
      arousal=EmoAct dominance=EmoDom file=FileName --out runs/mine
  dser prepare --corpus audformat database --table emotion.test --out runs/mine
  dser prepare --acoustic wav2vec=embeddings.npy --out runs/demo
"""


def add(commands: Commands) -> None:
    """Adds the subcommand to the command line."""
    parser = add_command(
        commands,
        "prepare",
        run,
        "read a corpus, extract features, write a folder to train from",
        description=_HELP,
        usage="dser prepare [--corpus KIND ROOT] [options] --out DIR",
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="the folder")
    what = parser.add_argument_group("corpus (without one, --out names a folder to add to)")
    what.add_argument(
        "--corpus", choices=CORPORA, metavar="KIND", help=f"what ROOT is: {', '.join(CORPORA)}"
    )
    what.add_argument("root", nargs="?", type=Path, metavar="ROOT", help="its folder, or its CSV")
    what.add_argument("--skip-bad", action="store_true", help="leave out what is bad, and list it")
    what.add_argument("--yes", action="store_true", help="prepare what can be split no way")
    what.add_argument("--no-transcripts", action="store_true", help="read no words")
    for half, lack in (("transcripts", "words"), ("speech", "a recording or features")):
        what.add_argument(
            f"--missing-{half}",
            choices=RULES,
            help=f"what becomes of rows without {lack}, where others have some: an error (refuse), "
            "left out (skip), or kept with that half empty (keep)",
        )
    table = parser.add_argument_group("corpora table and audformat")
    table.add_argument(
        "--scale",
        nargs="+",
        action="extend",
        default=[],
        metavar="LO HI, ATTRIBUTE=LO:HI",
        help="of the labels, as in 1 5, or 1 5 arousal=5:1 where 5 is the least aroused; an "
        "audformat database may tell it",
    )
    table.add_argument(
        "--column",
        nargs="+",
        action="extend",
        default=[],
        metavar="FIELD=COLUMN",
        help="name of a column that is not called as its field",
    )
    table.add_argument(
        "--audio-root", type=Path, metavar="DIR", help="where a table's recordings are"
    )
    table.add_argument(
        "--table",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="tables of an audformat database to read labels and splits from (all)",
    )
    table.add_argument(
        "--name", metavar="NAME", help="what a table's corpus is called (as its file)"
    )
    add_dialect(parser)
    demo = parser.add_argument_group("corpus demo (made in ROOT if it is not there)")
    demo.add_argument("--utterances", type=int, metavar="N", help="how many")
    demo.add_argument("--seed", type=int, metavar="N", help="another one, another corpus")
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


def run(args: argparse.Namespace) -> None:
    """Carries out `dser prepare`."""
    from dser_jax.data import MANIFEST, indivisible, prepare

    acoustic, columns = pairs("--acoustic", args.acoustic), pairs("--column", args.column)
    vectors = {name: path for name in ("glove", "fasttext") if (path := getattr(args, name))}
    rules = (args.missing_transcripts, args.missing_speech)
    if args.corpus is None and not (args.features or acoustic or vectors or any(rules)):
        raise DserError("nothing to do: give --corpus, or features to add to the folder --out")
    bad = BadInput(skip=args.skip_bad)
    corpus = None if args.corpus is None else _load_corpus(args, columns, bad)
    if corpus is None and not (args.out / MANIFEST).exists():
        raise DserError(f"{args.out}: not a prepared folder yet; --corpus says what to prepare")
    if corpus is not None:
        tell(f"{corpus.name} in {args.root}: {plural(len(corpus.utterances), 'utterance')}")
        for line in corpus.found:
            tell(f"  {line}")
        settle(indivisible(corpus.utterances), args.yes)
    prepared = prepare(
        corpus,
        args.out,
        features=args.features,
        acoustic=acoustic,
        vectors=vectors,
        convert=args.convert,
        jobs=args.jobs,
        bad=bad,
        dialect=dialect_of(args),
        header=not args.no_header,
        label_columns=args.allow_label_columns,
        missing_transcripts=args.missing_transcripts,
        missing_speech=args.missing_speech,
        command=args.command,
    )
    from dser_jax.data import summary

    for line in summary(prepared, [*dict.fromkeys(args.features), *acoustic, *vectors]):
        tell(line)


def _load_corpus(args: argparse.Namespace, columns: dict[str, str], bad: BadInput) -> Corpus:
    """Reads the corpus that the arguments name."""
    if args.root is None and len(args.scale) > 2 and "=" not in args.scale[-1]:
        args.root = Path(args.scale.pop())  # argparse gives --scale all that follows it.
    if args.root is None:
        raise DserError(f"--corpus {args.corpus}: its folder is missing, as in --corpus demo ROOT")
    theirs: dict[str, tuple[object, tuple[str, ...]]] = {
        "--scale": (args.scale, ("table", "audformat")),
        "--column": (columns, ("table", "audformat")),
        "--audio-root": (args.audio_root, ("table",)),
        "--name": (args.name, ("table",)),
        "--table": (args.table, ("audformat",)),
        "--utterances": (args.utterances, ("demo",)),
        "--seed": (args.seed, ("demo",)),
    }
    for option, (value, corpora) in theirs.items():
        if args.corpus not in corpora and value not in (None, False, {}, []):
            belongs = " or ".join(corpora)
            raise DserError(f"{option} belongs to --corpus {belongs}, not to {args.corpus}")
    if args.corpus not in TABLES and not args.acoustic and dialect_of(args) != RECOGNISED:
        raise DserError(
            f"--separator, --quoting, --decimal, --encoding and --missing are for tables: --corpus "
            f"{', '.join(TABLES)}, and --acoustic; {args.corpus} is none"
        )
    corpus = _LOADERS[args.corpus](args, columns, bad)
    if not args.no_transcripts:
        return corpus
    silent = tuple(dataclasses.replace(utt, transcript=None) for utt in corpus.utterances)
    found = (*corpus.found, "no words of it are read")
    return dataclasses.replace(corpus, utterances=silent, found=found)


def _iemocap(args: argparse.Namespace, _columns: dict[str, str], bad: BadInput) -> Corpus:
    from dser_jax.corpora import load_iemocap

    return load_iemocap(args.root, bad)


def _msp_improv(args: argparse.Namespace, _columns: dict[str, str], bad: BadInput) -> Corpus:
    from dser_jax.corpora import load_msp_improv

    return load_msp_improv(args.root, transcripts=not args.no_transcripts, bad=bad)


def _msp_podcast(args: argparse.Namespace, _columns: dict[str, str], bad: BadInput) -> Corpus:
    from dser_jax.corpora import load_msp_podcast

    spoken = not args.no_transcripts
    return load_msp_podcast(args.root, transcripts=spoken, bad=bad, dialect=dialect_of(args))


def _audformat(args: argparse.Namespace, columns: dict[str, str], bad: BadInput) -> Corpus:
    from dser_jax.corpora import load_audformat

    scale = _scale(args.scale) if args.scale else None
    return load_audformat(args.root, tables=args.table, columns=columns, scale=scale, bad=bad)


def _emobank(args: argparse.Namespace, _columns: dict[str, str], bad: BadInput) -> Corpus:
    from dser_jax.corpora import load_emobank

    return load_emobank(args.root, bad, dialect_of(args))


def _scale(texts: Sequence[str]) -> Scale:
    """Reads `LO HI`, `ATTRIBUTE=LO:HI` for each attribute, or the first with some of the second."""
    whole = [text for text in texts if "=" not in text]
    named = pairs("--scale", [text for text in texts if "=" in text])
    parts = {name: text.split(":") for name, text in named.items()}
    try:
        ends = [float(text) for text in whole]
        scales = {name: (float(low), float(high)) for name, (low, high) in parts.items()}
        if len(ends) not in (0, 2) or not scales.keys() <= {*ATTRS}:
            raise ValueError
    except ValueError:
        raise DserError(
            f"--scale {' '.join(texts)}: expected the lowest and the highest label, as in "
            "--scale 1 5, and those of attributes that differ, as in --scale 1 5 arousal=5:1"
        ) from None
    if not scales:
        return ends[0], ends[1]
    others = dict.fromkeys(ATTRS, (ends[0], ends[1])) if ends else {}
    return others | scales


def _table(args: argparse.Namespace, columns: dict[str, str], bad: BadInput) -> Corpus:
    from dser_jax.corpora import load_table

    if not args.scale:
        raise DserError("--corpus table: which scale are the labels on? as in --scale 1 7")
    return load_table(
        args.root,
        scale=_scale(args.scale),
        columns=columns,
        audio_root=args.audio_root,
        name=args.name,
        bad=bad,
        dialect=dialect_of(args),
    )


def _demo(args: argparse.Namespace, _columns: dict[str, str], bad: BadInput) -> Corpus:
    from dser_jax.corpora import load_demo
    from dser_jax.system import Progress

    with ExitStack() as stack:
        progress: Progress | None = None

        def spoken(done: int, total: int) -> None:
            nonlocal progress
            if progress is None:
                progress = stack.enter_context(Progress("speaking", total))
            progress.advance()

        given = {"utterances": args.utterances, "seed": args.seed}
        return load_demo(args.root, **given, bad=bad, progress=spoken)


_LOADERS = {
    "iemocap": _iemocap,
    "msp_improv": _msp_improv,
    "msp_podcast": _msp_podcast,
    "audformat": _audformat,
    "emobank": _emobank,
    "table": _table,
    "demo": _demo,
}
