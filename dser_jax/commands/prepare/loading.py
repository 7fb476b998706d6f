"""The corpus that `dser prepare --corpus` names, loaded with the options that are its own."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from dser_jax.commands.base import dialect_of, pairs
from dser_jax.corpora import ATTRS, RECOGNISED, Corpus, Scale
from dser_jax.system import BadInput, DserError

TABLES = ("msp_podcast", "emobank", "table")
"""Corpora that come as a table."""
CORPORA = ("iemocap", "msp_improv", "msp_podcast", "audformat", "emobank", "table", "demo")


def load_corpus(args: argparse.Namespace, columns: dict[str, str], bad: BadInput) -> Corpus:
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
    if (
        args.corpus not in TABLES
        and not (args.acoustic or args.text)
        and dialect_of(args) != RECOGNISED
    ):
        raise DserError(
            f"--separator, --quoting, --decimal, --encoding and --missing are for tables: --corpus "
            f"{', '.join(TABLES)}, and --acoustic or --text; {args.corpus} is none"
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
