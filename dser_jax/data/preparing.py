"""A corpus and its features, written as one prepared folder that training reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from dser_jax.corpora import RECOGNISED, Corpus, Dialect, Utterance
from dser_jax.data.folder.manifest import MANIFEST
from dser_jax.data.prepared import Prepared, load_prepared
from dser_jax.data.rows.encoding import Encoded
from dser_jax.data.rows.importing import Reading, add_imported, check_taken, import_features
from dser_jax.data.rows.missing import Half, Rule, has_words, rule_of, settle
from dser_jax.data.rows.table import Table, check_on_scale, make_table
from dser_jax.data.staging import Staging
from dser_jax.features import (
    FEATURES,
    FORMATS,
    NONZERO,
    Encoding,
    Feature,
    Imported,
    Store,
    extract,
    find_loud,
    hsf,
    load_vectors,
    nonzero_hsf,
    open_encoder,
    say_converted,
)
from dser_jax.system import BadInput, DataError, DserError, FolderLock, remove_stale

__all__ = ["Prepared", "load_prepared", "prepare"]


def prepare(
    corpus: Corpus | None,
    out: str | Path,
    *,
    features: Sequence[str] = (),
    acoustic: Mapping[str, str | Path] | None = None,
    text: Mapping[str, str | Path] | None = None,
    encode: Sequence[Encoding] = (),
    float16: bool = False,
    vectors: Mapping[str, str | Path] | None = None,
    convert: bool = False,
    jobs: int | None = None,
    bad: BadInput | None = None,
    dialect: Dialect = RECOGNISED,
    header: bool = True,
    label_columns: bool = False,
    missing_transcripts: str | None = None,
    missing_speech: str | None = None,
    store: str | Path | None = None,
    command: str | None = None,
) -> Prepared:
    """Writes the prepared folder of a corpus, or adds to one; what it has already stays.

    Frames are extracted once: they lie in the store by the content of the recordings.

    Args:
      corpus: What to prepare; None adds to the folder's own table.
      out: The folder.
      features: Names in `FEATURES`, to be extracted from the recordings.
      acoustic: Files with features of one's own, by the name that they shall have.
      text: The same of features of the words.
      encode: Features of frozen encoders, of speech or of text; see `make_encoding`.
      float16: Whether the store keeps these in half precision.
      vectors: Files of word vectors, by their format: "glove" or "fasttext".
      convert: Whether recordings that are not 16 kHz mono are converted, or refused.
      jobs: Processes for the extraction; by default one for each core.
      bad: Decides about what cannot be used; what a loader left out may be in it already.
      dialect: What is known of how the files in `acoustic` and `text` are written that are tables.
      header: Whether these tables begin with the names of their columns.
      label_columns: Whether columns of these files that are labels, by their names or by what is in
        them, are taken for features; by default they are refused.
      missing_transcripts: What becomes of rows without words, where others have some: "refuse",
        "skip" (they are left out), or "keep" (a network that reads text gets no words of them). By
        default as the folder has it; else they stay, but what reads text refuses the folder.
      missing_speech: The same of rows without a recording, or without features in `acoustic`;
        of those that are kept a network gets the mean of the training rows, or no frames. By
        default as the folder has it; else they are refused, if features are asked for.
      store: Where frames are kept; by default the folder's `store`.
      command: The command line, for the manifest.

    Returns:
      The folder, opened.

    Raises:
      DataError: Something cannot be used, and `bad` does not skip it.
      DserError: The folder belongs to another corpus, or cannot be written.
      KeyboardInterrupt: Ctrl-C; what was extracted stays in the store.
    """
    out, bad = Path(out), bad or BadInput()
    halves: dict[Half, Mapping[str, str | Path]]
    halves = {"speech": acoustic or {}, "transcripts": text or {}}
    own = {name: (Path(path), half) for half, each in halves.items() for name, path in each.items()}
    pretrained = {name: Path(path) for name, path in (vectors or {}).items()}
    _check_names(features, [*halves["speech"], *halves["transcripts"]], encode, pretrained)
    if corpus is None:
        load_prepared(out)
    encoders = [open_encoder(each) for each in encode]
    reads = {encoder.half for encoder in encoders} | ({"speech"} if features else set())
    with FolderLock(out):
        remove_stale(out)
        old = load_prepared(out) if (out / MANIFEST).exists() else None
        table = make_table(corpus, old, out)
        check_taken(features, own, old)
        if corpus is not None:
            check_on_scale(table, corpus.tolerated, bad)
        said = list(table.said)
        missing = {"transcripts": missing_transcripts, "speech": missing_speech}
        rules = {half: rule_of(half, missing[half], old) for half in halves}
        wanted = "word vectors" if pretrained else "an encoder of text" if "text" in reads else None
        _settle_words(table, wanted, rules["transcripts"], bad)
        imports: dict[str, Imported] = {}
        for name, (path, half) in own.items():
            reading = Reading(dialect, header, label_columns, half)
            imports[name] = import_features(path, name, table, bad, said, reading, rules[half])
        if "speech" in reads:
            _settle_recordings(table, rules["speech"], bad)
        folder = Path(store) if store else out / "store"
        keys = _extract(features, table, folder, jobs, bad, said, convert)
        encoded = [
            Encoded(encoder, table, folder, bad, said, convert, float16) for encoder in encoders
        ]
        if "speech" in reads and convert:
            said += say_converted(utt.file for utt in table.kept() if utt.file is not None)
        _leave_out_empty(table, imports.values(), bad)
        if not any(table.keep):
            raise DataError("no utterance is left", file=out, expected="one that can be used")
        words = {
            name: load_vectors(path, _texts(table), FORMATS[name])
            for name, path in pretrained.items()
        }
        staging = Staging(out, table, old)
        for name in features:
            feature = FEATURES[name]
            frames = Store(folder / feature.extractor.name, len(feature.extractor.columns))
            _add_feature(staging, name, feature, frames, keys[feature.extractor.name])
        for name, found in imports.items():
            add_imported(staging, name, found, *own[name])
        for each in encoded:
            each.add(staging)
        for name, found in words.items():
            staging.add_vectors(name, found)
            said.append(found.said)
        staging.commit(bad, said, command)
    return load_prepared(out)


def _check_names(
    features: Sequence[str],
    own: Sequence[str],
    encode: Sequence[Encoding],
    vectors: Mapping[str, Path],
) -> None:
    """Refuses names that are unknown, taken, or no names of files."""
    for name in features:
        if name not in FEATURES:
            raise DserError(f"no features {name!r}; there are {', '.join(FEATURES)}")
    encoded = [each.feature for each in encode]
    for name in (*own, *encoded):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
            raise DserError(
                f"{name!r} cannot name features of your own: letters, digits, _ and - are fine"
            )
        if name in FORMATS or (name in FEATURES and name in encoded):
            raise DserError(f"{name!r} names other features already: choose another name")
        if (*own, *encoded).count(name) > 1:
            raise DserError(f"two features are called {name!r}: choose another name for one")
    for name in vectors:
        if name not in FORMATS:
            raise DserError(f"no word vectors {name!r}; there are {', '.join(FORMATS)}")


def _without(
    table: Table, what: str, has: Callable[[Utterance], bool]
) -> list[tuple[int, DataError]]:
    """Finds kept rows that have none of something, and what to say of each."""
    utterances = [(row, table.utterances[row]) for row in table.rows()]
    return [
        (row, DataError(f"no {what} of utterance {utt.id}", file=utt.source or None))
        for row, utt in utterances
        if not has(utt)
    ]


def _settle_words(table: Table, wanted: str | None, rule: Rule | None, bad: BadInput) -> None:
    """Deals with rows that have no transcript, where others have one.

    Without a rule they may stay until words are asked for, which is when networks read them.
    """
    lacking = _without(table, "transcript", has_words)
    if len(lacking) < sum(table.keep):
        if wanted or rule is not None or bad.skip:
            settle("transcripts", rule, lacking, table, bad)
    elif lacking and wanted:
        what = "audio without a transcript: no utterance has words"
        verb = "are" if wanted.endswith("s") else "is"
        raise DataError(what, expected=f"transcripts, as {wanted} {verb} asked for")


def _settle_recordings(table: Table, rule: Rule | None, bad: BadInput) -> None:
    """Deals with rows that have no recording, where features are asked for."""
    lacking = _without(table, "recording", lambda utt: utt.file is not None)
    if len(lacking) < sum(table.keep):
        settle("speech", rule, lacking, table, bad)
    elif lacking:
        what = "a transcript without audio: no utterance has a recording"
        raise DataError(what, expected="recordings, as acoustic features are asked for")


def _leave_out_empty(table: Table, imports: Collection[Imported], bad: BadInput) -> None:
    """Leaves out utterances from which nothing could be predicted."""
    for row in table.rows():
        utt = table.utterances[row]
        spoken = utt.file is not None or any(row not in each.missing for each in imports)
        if not spoken and not has_words(utt):
            what = f"neither speech nor words of utterance {utt.id}"
            bad(DataError(what, file=utt.source or None, expected="one of them"))
            table.keep[row] = False


def _texts(table: Table) -> list[str]:
    return [utt.transcript or "" for utt in table.kept()]


def _extract(
    features: Sequence[str],
    table: Table,
    folder: Path,
    jobs: int | None,
    bad: BadInput,
    said: list[str],
    convert: bool,
) -> dict[str, list[str | None]]:
    """Sees to it that the store has the frames; returns their keys by extractor and utterance."""
    keys: dict[str, list[str | None]] = {}
    extractors = dict.fromkeys(FEATURES[name].extractor for name in features)
    for extractor in extractors:
        rows = [row for row in table.rows() if table.utterances[row].file is not None]
        utterances = [table.utterances[row] for row in rows]
        place = folder / extractor.name
        found = extract(extractor, utterances, place, jobs=jobs, bad=bad, convert=convert)
        said += find_loud(Store(place, len(extractor.columns)), utterances, found)
        keys[extractor.name] = [None] * len(table.utterances)
        for row, key in zip(rows, found, strict=True):
            keys[extractor.name][row] = key
            table.keep[row] = key is not None
    return keys


def _add_feature(
    staging: Staging, name: str, feature: Feature, store: Store, keys: Sequence[str | None]
) -> None:
    """Adds features from the frames in the store; of an utterance without any there is nothing."""
    kept = [keys[row] for row in staging.rows]
    source = feature.extractor.source
    lengths = [0 if key is None else store.rows(key) for key in kept]
    if feature.kind == "lld":
        parts = (None if key is None else store[key] for key in kept)
        staging.write_parts(name, "lld", feature.columns, source, parts, lengths)
        return
    zeros = ", zeros taken for missing (protocol paper)"
    for end, function, how in (("", hsf, ""), (NONZERO, nonzero_hsf, zeros)):
        parts = (None if key is None else function(store[key])[None] for key in kept)
        staging.write_parts(name + end, "hsf", feature.columns, source + how, parts, lengths)
