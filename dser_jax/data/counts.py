"""What there is to count in a prepared folder; how it is shown is `inspection.py`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from dser_jax.corpora import ATTRS, Utterance, in_order
from dser_jax.data.folder.entries import SPEECH
from dser_jax.data.leaks import normal
from dser_jax.data.prepared import Prepared
from dser_jax.data.splits import PARTS, make_split, named_parts
from dser_jax.features import HOP, RATE, is_imported
from dser_jax.system import DserError


class Counts(NamedTuple):
    """A table of what was counted.

    Attributes:
      title: Its heading.
      columns: Their names.
      rows: Cells.
      words: Which columns are of words; the others are of numbers.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: Sequence[int] = (0,)


def counted(prepared: Prepared) -> Iterator[Counts]:
    """Yields every table that a folder has something for."""
    utterances = prepared.utterances
    yield _sessions(utterances)
    if "dialogues" in prepared.manifest:
        yield _dialogues(utterances)
    yield _labels(utterances, prepared.manifest["attributes"])
    if len(prepared.manifest["attributes"]) > 1:
        yield _correlations(utterances, prepared.manifest["attributes"])
    lengths = list(_lengths(prepared))
    if lengths:
        yield Counts("Lengths", ["", "min", "median", "mean", "95%", "max", "sum"], lengths)
    if prepared.manifest["has_transcripts"]:
        yield _words(prepared)
    if prepared.manifest["features"]:
        yield _features(prepared)
    yield _splits(utterances)


def _sessions(utterances: Sequence[Utterance]) -> Counts:
    """Counts utterances by session, speaker and split."""
    splits = named_parts(utterances)
    if any(utt.split is None for utt in utterances) and splits:
        splits.append("no split")
    groups: dict[str, list[Utterance]] = {}
    for utt in utterances:
        groups.setdefault(utt.session or "no session", []).append(utt)
    rows = []
    for session in in_order(groups):
        group = groups[session]
        speakers = Counter(utt.speaker for utt in group)
        counts = Counter(utt.split or "no split" for utt in group)
        rows.append(
            [session, _speakers(speakers), *(str(counts[s]) for s in splits), str(len(group))]
        )
    if len(groups) > 1:
        speakers = Counter(utt.speaker for utt in utterances)
        counts = Counter(utt.split or "no split" for utt in utterances)
        totals = [*(str(counts[s]) for s in splits), str(len(utterances))]
        rows.append(["all", _speakers(speakers, named=0), *totals])
    columns = ["session", "speakers", *splits, "utterances"]
    if list(groups) == ["no session"]:
        return Counts("Speakers", columns[1:], [row[1:] for row in rows])
    return Counts("Sessions", columns, rows, words=(0, 1))


def _speakers(counts: Counter[str | None], named: int = 4) -> str:
    """Names the speakers where they are few; those who are unknown may be any number."""
    known = {speaker: count for speaker, count in counts.items() if speaker is not None}
    parts = [f"{speaker} {known[speaker]}" for speaker in in_order(known)]
    if len(parts) > named:
        parts = [f"{len(parts)} speakers"]
    if counts[None]:
        parts.append(f"unknown {counts[None]}")
    return ", ".join(parts)


def _dialogues(utterances: Sequence[Utterance]) -> Counts:
    """Counts dialogues and their turns."""
    turns = Counter(utt.dialogue for utt in utterances)
    alone = turns.pop(None, 0)
    speakers: dict[str | None, set[str | None]] = {}
    for utt in utterances:
        speakers.setdefault(utt.dialogue, set()).add(utt.speaker)
    several = sum(len(speakers[name] - {None}) > 1 for name in turns)
    counts = list(turns.values())
    row = [len(turns), several, min(counts), np.median(counts), max(counts), alone]
    columns = ["dialogues", "of several speakers", "min", "median", "max turns", "rows in none"]
    return Counts("Dialogues", columns, [[f"{number:g}" for number in row]], words=())


def _labels(utterances: Sequence[Utterance], attributes: Sequence[str]) -> Counts:
    """Shows the moments of the labels, and how many are missing."""
    rows = []
    for attr in ATTRS:
        values = np.array([getattr(utt, attr) for utt in utterances])
        missing = int(np.isnan(values).sum())
        if attr not in attributes:
            rows.append([attr, *["-"] * 5, str(missing)])
            continue
        values = values[~np.isnan(values)]
        numbers = [values.mean(), values.std(), values.min(), np.median(values), values.max()]
        rows.append([attr, *(f"{number:.2f}" for number in numbers), str(missing)])
    return Counts("Labels", ["", "mean", "std", "min", "median", "max", "missing"], rows)


def _correlations(utterances: Sequence[Utterance], attributes: Sequence[str]) -> Counts:
    rows = []
    for first in attributes:
        cells = []
        for second in attributes:
            pairs = [(getattr(utt, first), getattr(utt, second)) for utt in utterances]
            x, y = np.array([pair for pair in pairs if not any(map(math.isnan, pair))]).T
            varied = len(x) > 1 and x.std() > 0 and y.std() > 0
            cells.append(f"{np.corrcoef(x, y)[0, 1]:.2f}" if varied else "-")
        rows.append([first, *cells])
    return Counts("Correlations of the labels", ["", *attributes], rows)


def _lengths(prepared: Prepared) -> Iterator[list[str]]:
    """Yields rows of tokens, seconds and frames."""
    utterances = prepared.utterances
    if prepared.manifest["has_transcripts"]:
        tokens = [len(normal(utt.transcript).split()) for utt in utterances]
        yield ["tokens", *_spread(tokens, "{:.0f}", "{:.1f}")]
    for name, entry in prepared.manifest["features"].items():
        _, offsets = prepared.feature(name)
        if offsets is not None:
            frames = np.diff(offsets)
            steps = "frames" if prepared.half_of(name) == SPEECH else "tokens"
            yield [f"{steps} of {name}", *_spread(frames, "{:.0f}", "{:.1f}")]
            if not is_imported(entry["source"]) and "encoder" not in entry:
                yield [f"  in seconds, {HOP / RATE:g} each", *_spread(frames * (HOP / RATE))]


def _spread(values, format: str = "{:.2f}", format_mean: str = "{:.2f}") -> list[str]:
    values = np.asarray(values, float)
    last = np.percentile(values, 95)
    median, total = np.median(values), values.sum()
    return [
        format.format(values.min()),
        format.format(median),
        format_mean.format(values.mean()),
        format.format(last),
        format.format(values.max()),
        f"{total:,.0f}",
    ]


def _words(prepared: Prepared) -> Counts:
    """Shows the vocabulary, and what word vectors know of it."""
    counts = Counter(w for utt in prepared.utterances for w in normal(utt.transcript).split())
    once = sum(count == 1 for count in counts.values())
    rows = [["vocabulary", f"{len(counts):,}", f"{counts.total():,}", ""]]
    rows.append(["  that occur once", f"{once:,}", f"{once:,}", ""])
    for name, entry in prepared.manifest["vectors"].items():
        types = f"{entry['types_found']:,} ({percent(entry['types_found'], entry['types'])})"
        tokens = f"{entry['tokens_found']:,} ({percent(entry['tokens_found'], entry['tokens'])})"
        rows.append([f"  known to {name}", types, tokens, str(entry["dim"])])
    return Counts("Words", ["", "different", "in all", "dimension"], rows)


def percent(part: int, whole: int) -> str:
    """Writes a share, of nothing as of one."""
    return f"{100 * part / max(whole, 1):.1f}%"


def coverage(entry: dict) -> str:
    """Says how many of the words have a vector."""
    said = (
        f"{entry['dim']} dimensions, {entry['types_found']:,} of {entry['types']:,} words, "
        f"{percent(entry['tokens_found'], entry['tokens'])} of all that is said"
    )
    if "tokens_as_written" not in entry:
        return said
    share = percent(entry["tokens_found_as_written"], entry["tokens_as_written"])
    return f"{said} ({share} under the protocol paper, which takes typographic signs for letters)"


def _features(prepared: Prepared) -> Counts:
    entries = prepared.manifest["features"]
    rows = [
        [prepared.shown(name), prepared.half_of(name), shape(prepared, name), _made_by(entry)]
        for name, entry in entries.items()
    ]
    if all(prepared.half_of(name) == SPEECH for name in entries):  # As most folders have it.
        rows = [[name, *rest] for name, _, *rest in rows]
        return Counts("Features", ["", "shape", "made by"], rows, words=(0, 1, 2))
    return Counts("Features", ["", "of", "shape", "made by"], rows, words=(0, 1, 2, 3))


def _made_by(entry: dict) -> str:
    """Says what computed features: of an encoder all that there is to know."""
    return entry["source"] if "encoder" in entry else entry["source"].split(",")[0]


def shape(prepared: Prepared, name: str) -> str:
    """Says how large a feature is."""
    array, offsets = prepared.feature(name)
    frames = "frames" if prepared.half_of(name) == SPEECH else "tokens"
    what = "utterances" if offsets is None else frames
    missing = prepared.manifest["features"][name].get("missing", 0)
    less = f", {missing:,} of them without" if missing and offsets is None else ""
    less = f", none of {missing:,} utterances" if missing and offsets is not None else less
    layers = prepared.layers_of(name)
    width = f"{layers} layers x {array.shape[1] // layers}" if layers > 1 else f"{array.shape[1]}"
    return f"{len(array):,} {what} x {width}{less}"


def _splits(utterances: Sequence[Utterance]) -> Counts:
    """Counts the rows of each split, and says who chooses the epoch."""
    rows = []
    kinds = []
    parts = named_parts(utterances)
    sessions = [utt.session is not None for utt in utterances]
    if all(sessions) or (any(sessions) and not parts):
        kinds.append("last_session")
    if parts:
        tests = [part for part in parts if part not in PARTS[:2]]
        kinds += [f"column:{test}" for test in tests] if len(tests) > 1 else ["column"]
    for kind in kinds:
        for protocol in ("paper", "strict"):
            try:
                split = make_split(utterances, kind, protocol)
            except DserError:
                rows.append([kind.replace("_", " "), protocol, *"---", "not possible"])
                continue
            if not any(_labelled(utterances[row]) for row in split.test):
                rows.append([split.name, protocol, *"---", "no labels"])
                continue
            counts = [str(len(getattr(split, part))) for part in PARTS]
            by_column = kind != "last_session" and any(u.split == PARTS[1] for u in utterances)
            held = _validated_on(utterances, split.validation) or ("column" if by_column else "")
            rows.append([split.name, protocol, *counts, held])
    if not rows:
        rows.append(["none", *"----", "needs sessions or splits"])
    columns = ["test on", "protocol", *PARTS, "validation on"]
    return Counts("Splits", columns, rows, words=(0, 1, len(columns) - 1))


def _labelled(utterance: Utterance) -> bool:
    """Tells whether there is a label at all; some test sets come without."""
    return any(math.isfinite(getattr(utterance, attr)) for attr in ATTRS)


def _validated_on(utterances: Sequence[Utterance], rows: np.ndarray) -> str:
    """Says which sessions or speakers choose the epoch."""
    sessions = in_order(utterances[row].session for row in rows)
    speakers = in_order(utterances[row].speaker for row in rows)
    if sessions:
        return " ".join(sessions) if len(sessions) < 4 else f"{len(sessions)} sessions"
    if speakers:
        return " ".join(speakers) if len(speakers) < 4 else f"{len(speakers)} speakers"
    return ""
