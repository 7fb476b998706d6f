"""Whether a prepared data set has what a configuration reads, and under which names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from dser_jax.config import Config, side_by_side
from dser_jax.data.dialogues.order import Turn
from dser_jax.data.leaks import known_sounds
from dser_jax.data.parts.labels import check_labels, told_constants
from dser_jax.data.prepared import Prepared, has_features
from dser_jax.data.rows.speakers import check_speakers
from dser_jax.data.splits import Split, known_speakers, make_split
from dser_jax.features import FEATURES, NONZERO, is_imported
from dser_jax.system import DataError, DserError, plural

_WHERE = {
    "glove": "glove.840B.300d.txt, from the Stanford NLP group's GloVe page",
    "fasttext": "crawl-300d-2M.vec, from fastText's page of English word vectors",
}
"""The files of the paper's word vectors (Table 2)."""


def check_inputs(prepared: Prepared, config: Config) -> list[str]:
    """Makes sure that a prepared data set has what a configuration needs, without loading it.

    Returns:
      What can be used, but should be known: attributes all whose labels of a part are alike, under
      "paper" what is unlike the paper's, under "strict" speakers on both sides of the split; and
      sounds that are.

    Raises:
      DserError: Features, word vectors or transcripts are missing, the vectors are of another width
        than the embedding, or it cannot be split as asked.
    """
    split = make_split(prepared.utterances, config.split, config.protocol)
    check_labels(prepared.labels, split)
    notes = told_constants(prepared.labels, split)
    notes += known_speakers(prepared.utterances, split) if config.protocol == "strict" else []
    notes += known_sounds(prepared, split)
    if config.context:
        need_dialogues(prepared)
        notes += [*without_context(config, prepared.utterances), *_divided(prepared, split)]
    if config.acoustic is not None:
        notes += _check_speech(prepared, config)
        values, offsets = prepared.feature(feature_name(prepared, config))
        if config.normalize == "speaker":
            speakers = [utterance.speaker for utterance in prepared.utterances]
            check_speakers(speakers, has_features(values, offsets))
    if config.text is None:
        return notes
    if reads_features_of_text(prepared, config):
        _check_half(prepared, config.vectors, "text", "--vectors")
        prepared.feature(config.vectors)
        return notes
    need_transcripts(prepared)
    notes += _signs(prepared, config)
    if config.vectors == "we":
        return notes
    where = _WHERE.get(config.vectors)
    if config.vectors not in prepared.manifest["vectors"]:
        command = f"--{config.vectors} FILE --out {prepared.folder}` with {where}"
        if not where:
            command = f"--text {config.vectors}=FILE --out {prepared.folder}`"
        raise DataError(
            f"the data set has no word vectors {config.vectors!r}",
            file=prepared.folder,
            expected=f"one of those it has ({', '.join(_of_text(prepared)) or 'none'}), or "
            f"`dser prepare {command}",
        )
    width = prepared.vectors(config.vectors)[1].shape[1]
    check_width(prepared, config, width)
    if not where or config.protocol != "paper" or width == Config.embedding_dim:
        return notes
    have = f"the word vectors {config.vectors!r} have {width} dimensions"
    return [*notes, f"{have}, the paper's {Config.embedding_dim} ({where})"]


def reads_features_of_text(prepared: Prepared, config: Config) -> bool:
    """Tells whether the text half reads features of the words, and not the words themselves."""
    named = config.vectors in prepared.manifest["features"]
    return config.text is not None and named and config.vectors not in prepared.manifest["vectors"]


def _of_text(prepared: Prepared) -> list[str]:
    """Names what `vectors` can be: word vectors, and features of text."""
    features = [n for n in prepared.manifest["features"] if prepared.half_of(n) == "text"]
    return [*prepared.manifest["vectors"], *features]


def _check_speech(prepared: Prepared, config: Config) -> Iterator[str]:
    """Refuses features of text, and tells how many utterances lack one of several sets."""
    sets = side_by_side(config.features)
    for name in sets:
        _check_half(prepared, name, "speech", "--features")
    if len(sets) > 1:
        lacking = ~has_features(*prepared.feature(config.features))
        some = [has_features(*prepared.feature(name)) for name in sets]
        if count := int((lacking & np.any(some, axis=0)).sum()):
            yield (
                f"{plural(count, 'utterance')} with some of {' and '.join(sets)}, but not all, "
                f"{'counts' if count == 1 else 'count'} as without speech"
            )


def _check_half(prepared: Prepared, name: str, half: str, flag: str) -> None:
    """Refuses features of the other half."""
    if name not in prepared.manifest["features"] or prepared.half_of(name) == half:
        return
    other = {"--features": "--vectors", "--vectors": "--features"}[flag]
    raise DataError(
        f"the features {name!r} are of {prepared.half_of(name)}",
        file=prepared.folder,
        expected=f"{flag} with features of {half}; or {other} {name}",
    )


def _signs(prepared: Prepared, config: Config) -> Iterator[str]:
    """Tells what becomes of typographic signs, if they are not read as ASCII's."""
    if config.protocol == "strict" and not prepared.folds:
        yield (
            "typographic signs in the transcripts are letters here, as this data set was prepared "
            "before they were read as ASCII's: prepare it anew in another folder"
        )
    entry = prepared.manifest["vectors"].get(config.vectors, {})
    if config.protocol == "paper" and "tokens_as_written" in entry:
        shares = (
            entry[f"tokens_found{how}"] / max(entry[f"tokens{how}"], 1)
            for how in ("_as_written", "")
        )
        yield (
            f"the protocol paper takes typographic signs for letters: {config.vectors} knows "
            "{:.1%} of all that is said, {:.1%} if they were read as ASCII's".format(*shares)
        )


def folds_signs(prepared: Prepared, config: Config) -> bool:
    """Tells whether typographic signs are read as those that ASCII has for them."""
    # Paper: Keras' tokenizer takes them for letters.
    return config.protocol == "strict" and prepared.folds


def feature_name(prepared: Prepared, config: Config) -> str:
    """Names the features to read: under "paper", functionals that take zeros for missing."""
    # Paper: the authors turned zeros into missing values before taking means and deviations.
    names = []
    for name in side_by_side(config.features):
        entry = prepared.manifest["features"].get(name, {})
        functionals = name in FEATURES and entry.get("kind") == "hsf"
        extracted = functionals and not is_imported(entry["source"])
        names.append(name + NONZERO if config.protocol == "paper" and extracted else name)
    return "+".join(names)


def need_transcripts(prepared: Prepared) -> None:
    """Refuses a data set of which an utterance has no words, unless it was kept so."""
    if prepared.manifest["has_transcripts"]:
        return
    missing = next(u for u in prepared.utterances if not u.transcript)
    text = f"a text network needs a transcript for every utterance; {missing.id} has none"
    if any(u.transcript for u in prepared.utterances):
        text += (
            f"; `dser prepare --missing-transcripts keep --out {prepared.folder}` keeps such rows "
            "without words, `skip` leaves them out"
        )
    raise DserError(f"{text} ({missing.source})" if missing.source else text)


def without_context(config: Config, utterances: Sequence[Turn]) -> Iterator[str]:
    """Tells of rows that can have no context, whatever was said before them."""
    alone = sum(utterance.dialogue is None for utterance in utterances)
    if alone:
        yield f"{alone:,} of {plural(len(utterances), 'utterance')} are in no dialogue: no context"
    nameless = sum(utt.dialogue is not None and utt.speaker is None for utt in utterances)
    if nameless and config.context in ("same", "both"):
        yield (
            f"{nameless:,} of {plural(len(utterances) - alone, 'turn')} have no speaker: no "
            "context of the same speaker's"
        )


def _divided(prepared: Prepared, split: Split) -> Iterator[str]:
    """Tells of dialogues of which one part of a split sees the turns of another."""
    parts = [
        {prepared.utterances[row].dialogue for row in rows} - {None}
        for rows in (np.concatenate([split.train, split.validation]), split.test)
    ]
    if shared := len(parts[0] & parts[1]):
        yield (
            f"{plural(shared, 'dialogue')} of {len(parts[0] | parts[1])} have turns in training or "
            "validation and turns in the test: each sees what was said before in the other, "
            "without labels"
        )


def need_dialogues(prepared: Prepared) -> None:
    """Refuses a data set that does not tell which rows are turns of which dialogue."""
    if "dialogues" not in prepared.manifest:
        raise DataError(
            "the data set has no dialogues, so there is no context",
            file=prepared.folder,
            expected="rows that are turns of dialogues: a table tells by the columns dialogue and "
            "turn, and IEMOCAP by its files, once it is prepared in a new folder; or leave "
            "--context out",
        )


def check_width(prepared: Prepared, config: Config, width: int) -> None:
    """Refuses word vectors that are not as wide as the embedding; says what to do about it."""
    if width == config.embedding_dim:
        return
    expected = f"{config.embedding_dim}"
    if (where := _WHERE.get(config.vectors)) and config.embedding_dim == Config.embedding_dim:
        add = f"dser prepare --{config.vectors} FILE --out {prepared.folder}"
        expected += f", as in {where} (`{add}`)"
    raise DataError(
        f"the word vectors {config.vectors!r} have {width} dimensions",
        file=prepared.folder,
        expected=f"{expected}; --embedding-dim {width} uses these as they are",
    )
