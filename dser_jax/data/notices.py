"""What of a corpus one should know before a network learns from it, in words."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from dser_jax.config import Config
from dser_jax.corpora import ATTRS, Utterance, ends_of, in_order, scale_in_words
from dser_jax.data.counts import percent
from dser_jax.data.leaks import known_sounds, mark, normal
from dser_jax.data.parts.labels import constant_parts, told_constants
from dser_jax.data.prepared import Prepared
from dser_jax.data.splits import Split, known_speakers, make_split
from dser_jax.features import NONZERO
from dser_jax.system import DserError, plural

ENOUGH = 20
"""With fewer transcripts than this, that most words occur once says nothing; nor with fewer labels
that they use little of the scale."""

SMALL = 0.4
"""Labels within less of their scale than this are said to use a small part of it."""


def of_words(utterances: Sequence[Utterance]) -> Iterator[str]:
    """Tells of transcripts of which a network reads nothing, not all, or nothing it knows."""
    texts = [normal(utt.transcript).split() for utt in utterances if utt.transcript is not None]
    if empty := sum(not words for words in texts):
        yield f"{empty:,} of {plural(len(texts), 'transcript')} have no word in them"
    limit = Config.max_tokens
    if longer := sum(len(words) > limit for words in texts):
        yield (
            f"{longer:,} of {plural(len(texts), 'transcript')} have more than {limit} words, the "
            f"longest {max(map(len, texts))}: the last {limit} are read, unless --max-tokens is "
            "higher"
        )
    counts = Counter(word for words in texts for word in words)
    once = sum(count == 1 for count in counts.values())
    if len(texts) >= ENOUGH and once > 0.9 * counts.total():
        yield (
            f"{once:,} of {counts.total():,} words occur only once, so hardly any is met again in "
            "a test: in a language that is written without spaces, part the words first"
        )


def of_labels(prepared: Prepared) -> Iterator[str]:
    """Tells of attributes of which all labels are alike, or all of a part of the usual splits."""
    rows = np.arange(len(prepared.utterances))
    alike = constant_parts(prepared.labels, Split("", rows, rows, rows))
    for attr in alike:
        yield f"all labels of {attr} are alike: it is neither trained nor scored"
    some = prepared.labels.copy()
    some[:, [ATTRS.index(attr) for attr in alike]] = np.nan
    for split in _usual_splits(prepared.utterances):
        yield from told_constants(some, split)


def of_scale(prepared: Prepared) -> Iterator[str]:
    """Tells of labels that use a small part of their scale, which may then be another's."""
    used = {}
    for attr, labels in zip(ATTRS, prepared.labels.T, strict=True):
        known = labels[np.isfinite(labels)]
        if len(known) >= ENOUGH and 0 < np.ptp(known) < 2 * SMALL:
            low, high = ends_of(prepared.scale, attr)
            ends = (low + (known.min() + 1) / 2 * (high - low), known.max())
            used[attr] = f"{attr} {ends[0]:.3g} to {low + (ends[1] + 1) / 2 * (high - low):.3g}"
    if used:
        yield (
            f"labels use a small part of the scale {scale_in_words(prepared.scale)}: "
            f"{', '.join(used.values())}. If it is not theirs, say the right one (--scale LOW HIGH)"
        )


def of_speakers(utterances: Sequence[Utterance]) -> Iterator[str]:
    """Tells of speakers on both sides of the splits that the protocol "strict" makes."""
    for split in _usual_splits(utterances):
        yield from known_speakers(utterances, split)


def of_names(utterances: Sequence[Utterance]) -> Iterator[str]:
    """Tells of speakers, sessions and dialogues who may be one under two names, as Anna and anna.

    Where a column of numbers has gaps, other programs write 1 as 1.0.
    """
    for what in ("speaker", "session", "dialogue"):
        alike: dict[str, list[str]] = {}
        for name in in_order(getattr(utterance, what) for utterance in utterances):
            alike.setdefault(name.strip().removesuffix(".0").casefold(), []).append(name)
        if several := [" and ".join(map(repr, names)) for names in alike.values() if names[1:]]:
            more = f", and {len(several) - 3} more" if len(several) > 3 else ""
            yield (
                f"names of {what}s that differ in no more than case, blanks or a last .0 are taken "
                f"for different ones: {', '.join(several[:3])}{more}; if they are not, write them "
                "alike"
            )


def of_sounds(prepared: Prepared) -> Iterator[str]:
    """Tells of recordings that are on both sides of the usual splits, whatever they are called."""
    for split in _usual_splits(prepared.utterances):
        yield from known_sounds(prepared, split)


def _usual_splits(utterances: Sequence[Utterance]) -> Iterator[Split]:
    """Makes those of the usual splits that the utterances allow, under "strict"."""
    for kind in ("last_session", "column"):
        with contextlib.suppress(DserError):
            yield make_split(utterances, kind, "strict")


def lacking(prepared: Prepared) -> Iterator[str]:
    """Says of what rows have no words, speech or dialogue, and what networks get in their place."""
    count, missing = len(prepared.utterances), sum(not u.transcript for u in prepared.utterances)
    if missing and prepared.manifest["has_transcripts"]:
        yield (
            f"kept without a transcript: {missing:,} of {plural(count, 'utterance')}; what reads "
            "words gets none of them"
        )
    elif 0 < missing < count:
        folder = prepared.folder
        yield (
            f"without a transcript: {missing:,} of {plural(count, 'utterance')}, so what reads "
            f"text does not take this folder: `dser prepare --missing-transcripts keep --out "
            f"{folder}` keeps them without words, `skip` leaves them out"
        )
    for name, entry in prepared.manifest["features"].items():
        if entry.get("missing") and not name.endswith(NONZERO):
            given = {"hsf": "the mean of the training rows", "lld": "no frame"}[entry["kind"]]
            yield (
                f"kept without {name}: {entry['missing']:,} of {plural(count, 'utterance')}; what "
                f"reads {prepared.half_of(name)} gets {given} in their place"
            )
    alone = sum(utterance.dialogue is None for utterance in prepared.utterances)
    if alone and "dialogues" in prepared.manifest:
        yield (
            f"in no dialogue: {alone:,} of {plural(count, 'utterance')}; what has a context gets "
            "an empty one for them"
        )


def repeated(utterances: Sequence[Utterance]) -> Iterator[str]:
    """Tells of transcripts that several sessions share: a test on one is no test of the words."""
    sessions: dict[str, set[str]] = {}
    texts = [normal(utt.transcript) for utt in utterances]
    for text, utt in zip(texts, utterances, strict=True):
        if text and utt.session:
            sessions.setdefault(text, set()).add(utt.session)
    shared = {text for text, names in sessions.items() if len(names) > 1}
    if len({utt.session for utt in utterances}) < 2 or not sessions:
        return
    count = sum(text in shared for text in texts)
    yield (
        f"{len(shared):,} transcripts occur word for word in more than one session; "
        f"{count:,} utterances ({percent(count, len(utterances))}) have one of them"
    )
    try:
        split = make_split(utterances, "last_session", "paper")
    except DserError:
        return
    words = {word for row in (*split.train, *split.validation) for word in texts[row].split(" ")}
    new = {word for row in split.test for word in texts[row].split(" ")} - words - {""}
    again = int(mark(utterances, split)["test_seen_transcript"].sum())
    yield (
        f"with the test on the last session, {again:,} of its {len(split.test):,} transcripts "
        f"occur in the other rows, and {len(new):,} of its words do not"
    )
