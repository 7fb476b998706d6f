"""`dser prepare`: a corpus on disk to a folder to train from."""

from __future__ import annotations

import argparse
from pathlib import Path

from dser_jax.commands.base import Commands, add_command, add_dialect, dialect_of, pairs
from dser_jax.commands.prepare.features import add_features, encodings
from dser_jax.commands.prepare.loading import CORPORA, load_corpus
from dser_jax.system import BadInput, DserError, plural, settle, tell

RULES = ("refuse", "skip", "keep")

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
  dser prepare --encode speech=wav2vec2-base text=all-MiniLM-L6-v2 \\
      --encode-layers speech=all text=last --out runs/demo
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
    add_features(parser)


def run(args: argparse.Namespace) -> None:
    """Carries out `dser prepare`."""
    from dser_jax.data import MANIFEST, indivisible, prepare

    acoustic, columns = pairs("--acoustic", args.acoustic), pairs("--column", args.column)
    vectors = {name: path for name in ("glove", "fasttext") if (path := getattr(args, name))}
    text, encode = pairs("--text", args.text), encodings(args)
    rules = (args.missing_transcripts, args.missing_speech)
    asked = (args.features, acoustic, text, encode, vectors, *rules)
    if args.corpus is None and not any(asked):
        raise DserError("nothing to do: give --corpus, or features to add to the folder --out")
    bad = BadInput(skip=args.skip_bad)
    corpus = None if args.corpus is None else load_corpus(args, columns, bad)
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
        text=text,
        encode=encode,
        float16=args.float16,
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

    encoded = [each.feature for each in encode]
    names = [*dict.fromkeys(args.features), *acoustic, *text, *encoded, *vectors]
    for line in summary(prepared, names):
        tell(line)
