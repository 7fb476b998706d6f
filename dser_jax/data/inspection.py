"""What a prepared folder holds, as tables for people."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dser_jax.corpora import scale_in_words
from dser_jax.data.counts import Counts, counted, coverage, shape
from dser_jax.data.folder.entries import SPEECH
from dser_jax.data.inputs import need_transcripts
from dser_jax.data.notices import (
    lacking,
    of_labels,
    of_names,
    of_scale,
    of_sounds,
    of_speakers,
    of_words,
    repeated,
)
from dser_jax.data.prepared import Prepared
from dser_jax.data.splits import make_split
from dser_jax.features import NONZERO
from dser_jax.system import DserError, console_of, plural, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

SHOWN_LEFT_OUT = 10
"""Of more that was left out, the manifest has the rest."""

_SPLITS = ("last_session", "column", "speakers:0.2")
"""What to train with, the first of these that can be made; the first needs no flag."""


def summary(prepared: Prepared, names: Sequence[str]) -> Iterator[str]:
    """Yields the lines that `dser prepare` ends with."""
    manifest = prepared.manifest
    for name in names:
        if name in manifest["features"]:
            yield f"{prepared.shown(name)}: {shape(prepared, name)}"
        else:
            yield f"{name}: {coverage(manifest['vectors'][name])}"
    yield from lacking(prepared)
    yield from manifest.get("notes", [])
    yield from of_words(prepared.utterances)
    yield from of_labels(prepared)
    yield from of_scale(prepared)
    yield from of_names(prepared.utterances)
    yield from of_speakers(prepared.utterances)
    yield from of_sounds(prepared)
    yield from _left_out(prepared)
    count = len(prepared.utterances)
    counted = f"{plural(count, 'utterance')} {'is' if count == 1 else 'are'}"
    yield (f"{counted} prepared in {prepared.folder}; `dser inspect {prepared.folder}` shows them")


def inspect(prepared: Prepared, console: Console | None = None) -> None:
    """Prints everything about a prepared folder."""
    console = console or console_of(highlight=False)
    manifest, utterances = prepared.manifest, prepared.utterances
    console.print(
        f"[bold]{_escape(manifest['corpus'])}[/]: {len(utterances):,} utterances, labels from "
        f"{scale_in_words(prepared.scale)}, fingerprint {prepared.fingerprint[:12]}"
    )
    for line in _next(prepared):
        console.print(printable(line), markup=False, soft_wrap=True)
    told = (*repeated(utterances), *lacking(prepared), *of_words(utterances))
    told += (*of_labels(prepared), *of_scale(prepared), *of_speakers(utterances))
    told += (*of_names(utterances), *of_sounds(prepared))
    for line in (*told, *manifest.get("notes", [])):
        console.print(printable(line), markup=False)
    for counts in counted(prepared):
        console.print()
        console.print(_table(counts))
    for line in _left_out(prepared):
        console.print(printable(line), markup=False, soft_wrap=True)


def _next(prepared: Prepared) -> Iterator[str]:
    """Yields what to do with a folder next, the command on a line of its own."""
    folder = shlex.quote(str(prepared.folder))
    names = [name for name in prepared.manifest["features"] if not name.endswith(NONZERO)]
    speech = [name for name in names if prepared.half_of(name) == SPEECH]
    words = False
    with contextlib.suppress(DserError):
        need_transcripts(prepared)
        words = True
    if not speech and not words:
        yield "Next, something to train on:"
        yield f"dser prepare --features gemaps_hsf --out {folder}"
        return
    split = next((kind for kind in _SPLITS if _can(prepared, kind)), None)
    if split is None:
        yield "It can be split no way, so that others can only be tested on it (`dser join`)."
        return
    parts = ["dser sweep --data", folder]
    parts += [] if split == _SPLITS[0] else ["--split", split]
    if not speech:
        parts += ["--acoustic none"]
    elif len(speech) > 1:
        parts += ["--features", shlex.quote(speech[0])]
    parts += [] if words else ["--text none"]
    yield "Next, to train on it:"
    yield " ".join([*parts, "--out", shlex.quote(f"{prepared.folder}-sweep")])


def _can(prepared: Prepared, split: str) -> bool:
    try:
        return bool(make_split(prepared.utterances, split, "strict"))
    except DserError:
        return False


def _table(counts: Counts) -> Table:
    """Lays out words on the left of their columns, and numbers on the right."""
    from rich import box
    from rich.table import Table

    table = Table(
        title=counts.title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        border_style="dim",
        header_style="",
    )
    for i, column in enumerate(counts.columns):
        side = "left" if i in counts.words else "right"
        table.add_column(_escape(column), justify=side, overflow="fold")
    for row in counts.rows:
        table.add_row(*(_escape(cell) for cell in row))
    return table


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(printable(text))


def _left_out(prepared: Prepared) -> Iterator[str]:
    """Yields what was left out, the first few in full."""
    left_out = prepared.manifest["left_out"]
    if not left_out:
        return
    yield f"left out, {len(left_out)} in all:"
    for text in left_out[:SHOWN_LEFT_OUT]:
        yield f"  {text}"
    if len(left_out) > SHOWN_LEFT_OUT:
        yield f"  and {len(left_out) - SHOWN_LEFT_OUT} more, in manifest.json"
