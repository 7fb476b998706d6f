"""A prepared data set as arrays: labels scaled, features standardized, words numbered."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Int, Int32

from dser_jax.config import Config
from dser_jax.corpora import ATTRS
from dser_jax.data.dialogues.making import Context, make_context
from dser_jax.data.dialogues.order import Before, Grid
from dser_jax.data.dialogues.vectors import TurnVectors, Vectors
from dser_jax.data.inputs import (
    check_width,
    feature_name,
    folds_signs,
    need_transcripts,
    reads_features_of_text,
)
from dser_jax.data.parts.labels import check_labels, without_constants
from dser_jax.data.prepared import Prepared
from dser_jax.data.rows.features import speech_of, standardized
from dser_jax.data.rows.scaling import Scaler
from dser_jax.data.splits import Split, make_split
from dser_jax.features import Tokenizer


class Data(NamedTuple):
    """What goes to the device once and is shared by all runs; an absent half is None.

    Attributes:
      acoustic: Standardized features; functionals have one step, sequences are padded in front
        with zeros to the longest utterance.
      tokens: Word numbers, 0 for padding.
      gold: Labels on [-1, 1]; 0 where there is none.
      known: Whether there is a label.
      train, validation, test: Row numbers.
      word_vectors: First values of the word embedding, or None for random ones.
      frames: Steps of each utterance that are no padding; None for functionals.
      text: Standardized features of the words, in the place of tokens; like acoustic ones.
      text_frames: Steps of these that are no padding; None for one vector an utterance.
      turns: For a context, a vector of each utterance for those after it; NaN where it has none.
      dialogues: Rows by dialogue, or speaker of one, and turn: one for each kind of mean.
      before: For a recurrent context, the rows of the turns before each row.
      context: Means of the turns before; made in each epoch, as lanes may differ in them.
    """

    acoustic: Float32[np.ndarray, "utt step feat"] | None
    tokens: Int32[np.ndarray, "utt token"] | None
    gold: Float32[np.ndarray, "utt attr"]
    known: Bool[np.ndarray, "utt attr"]
    train: Int32[np.ndarray, " train"]
    validation: Int32[np.ndarray, " validation"]
    test: Int32[np.ndarray, " test"]
    word_vectors: Float32[np.ndarray, "word dim"] | None
    frames: Int32[np.ndarray, " utt"] | None = None
    text: Float32[np.ndarray, "utt text_step text_feat"] | None = None
    text_frames: Int32[np.ndarray, " utt"] | None = None
    turns: Vectors | None = None
    dialogues: tuple[Grid, ...] = ()
    before: Before | None = None
    context: Array | None = None


@dataclass(frozen=True)
class Dataset:
    """Arrays of one prepared data set under one configuration, and what they were made with.

    Attributes:
      data: The arrays.
      corpus: Name of the corpus.
      split: Its parts.
      ids: Utterance ids, row by row.
      attrs: Attributes that have labels.
      fingerprint: Hash of the utterance table, the features and the word vectors that were used.
      truth: Hash of which utterances are predicted, and of their labels.
      words: Size of the vocabulary, padding included; 0 where no words are read.
      embedding_dim: Width of the word embedding; 0 where no words are read.
      tokenizer, scaler: What was fitted; None for an absent half.
      inputs: Names of what a network reads, as tables show them.
      text_scaler: What was fitted to features of text; None where those are not read.
      layers: Layers side by side in the features of speech, and in those of text.
      turn_vectors: What makes vectors of turns; None without a context.
    """

    data: Data
    corpus: str
    split: Split
    ids: tuple[str, ...]
    attrs: tuple[str, ...]
    fingerprint: str
    truth: str
    words: int = 0
    embedding_dim: int = 0
    tokenizer: Tokenizer | None = None
    scaler: Scaler | None = None
    inputs: str = ""
    text_scaler: Scaler | None = None
    layers: tuple[int, int] = (1, 1)
    turn_vectors: TurnVectors | None = None

    def gold(self, part: str) -> Float[np.ndarray, "utt attr"]:
        """Labels of a part on [-1, 1], NaN where there is none."""
        rows = getattr(self.split, part)
        return np.where(self.data.known[rows], self.data.gold[rows].astype(float), np.nan)

    def part_ids(self, part: str) -> list[str]:
        """Ids of a part's utterances, in the order of its rows."""
        return [self.ids[i] for i in getattr(self.split, part)]


def load_dataset(prepared: Prepared, config: Config, *, inputs: bool = True) -> Dataset:
    """Makes the arrays that a configuration needs from a prepared data set.

    What is learned from data (scaler, vocabulary) is fitted on the training rows under protocol
    "strict" and on all rows, test included, under "paper", as the authors did. An attribute whose
    labels are all alike in training counts as without labels; in another part, there.

    Args:
      prepared: The data set.
      config: What to make of it.
      inputs: Whether speech and text are loaded, or the split and the labels alone.

    Raises:
      DserError: The data set lacks the features, vectors or transcripts that are asked for, the
        vectors are of another width than the embedding, or it cannot be split as asked.
    """
    utterances = prepared.utterances
    split = make_split(utterances, config.split, config.protocol)
    check_labels(prepared.labels, split)
    gold = without_constants(prepared.labels, split)
    known = np.isfinite(gold)
    fit_rows = rows_to_fit(split, len(utterances), config.protocol)
    acoustic = frames = scaler = tokens = tokenizer = word_vectors = None
    text = text_frames = text_scaler = None
    words, embedding_dim, layers = 0, 0, [1, 1]
    if inputs and config.acoustic is not None:
        name = feature_name(prepared, config)
        acoustic, frames, scaler = standardized(*speech_of(prepared, config), name, fit_rows)
        layers[0] = prepared.layers_of(name)
    of_text = reads_features_of_text(prepared, config)
    if inputs and of_text:
        opened = prepared.feature(config.vectors)
        text, text_frames, text_scaler = standardized(*opened, config.vectors, fit_rows)
        layers[1] = prepared.layers_of(config.vectors)
    elif inputs and config.text is not None:
        tokenizer = _fit_tokenizer(prepared, fit_rows, folds_signs(prepared, config))
        tokens = tokenizer.encode([u.transcript or "" for u in utterances], config.max_tokens)
        words = len(tokenizer.index) + 1
        embedding_dim = config.embedding_dim
        if config.vectors != "we":
            word_vectors = _word_vectors(prepared, config.vectors, tokenizer)
            check_width(prepared, config, word_vectors.shape[1])

    context = Context()
    if inputs and config.context:
        of_text = None if text is None else (text, text_frames, layers[1])
        context = make_context(prepared, config, fit_rows, acoustic, frames, of_text)
    data = Data(
        acoustic=acoustic,
        tokens=tokens,
        gold=np.where(known, gold, 0.0).astype(np.float32),
        known=known,
        train=split.train.astype(np.int32),
        validation=split.validation.astype(np.int32),
        test=split.test.astype(np.int32),
        word_vectors=word_vectors,
        frames=frames,
        text=text,
        text_frames=text_frames,
        turns=context.turns,
        dialogues=context.dialogues,
        before=context.before,
    )
    ids = tuple(u.id for u in utterances)
    return Dataset(
        data=data,
        corpus=prepared.manifest["corpus"],
        split=split,
        ids=ids,
        attrs=tuple(a for i, a in enumerate(ATTRS) if known[:, i].any()),
        fingerprint=prepared.fingerprint_of(config.prepared_inputs),
        truth=_truth_key(ids, gold, split),
        words=words,
        embedding_dim=embedding_dim,
        tokenizer=tokenizer,
        scaler=scaler,
        inputs=config.inputs_with(prepared.shown(config.features)),
        text_scaler=text_scaler,
        layers=(layers[0], layers[1]),
        turn_vectors=context.make,
    )


def rows_to_fit(split: Split, utterances: int, protocol: str) -> Int[np.ndarray, " rows"]:
    """Returns the rows that scalers and vocabulary are learned from."""
    # Paper: the authors fitted scalers and tokenizer on all rows, test included.
    return np.arange(utterances) if protocol == "paper" else split.train


def _fit_tokenizer(prepared: Prepared, fit_rows: np.ndarray, folds: bool) -> Tokenizer:
    need_transcripts(prepared)
    texts = [prepared.utterances[i].transcript or "" for i in fit_rows]
    return Tokenizer.fit(texts, folds=folds)


def _word_vectors(prepared: Prepared, name: str, tokenizer: Tokenizer) -> np.ndarray:
    # Paper: words without a vector, and the padding, start at zero and are trained like the rest.
    known, vectors = prepared.vectors(name)
    row = {word: i for i, word in enumerate(known)}
    table = np.zeros((len(tokenizer.index) + 1, vectors.shape[1]), np.float32)
    for word, number in tokenizer.index.items():
        if word in row:
            table[number] = vectors[row[word]]
    return table


def _truth_key(ids: tuple[str, ...], gold: np.ndarray, split: Split) -> str:
    """Hashes which utterances validation and test predict, and the labels they are held against."""
    digest = hashlib.sha256()
    for part in ("validation", "test"):
        rows: Int[np.ndarray, "part"] = getattr(split, part)
        digest.update("\n".join(ids[i] for i in rows).encode() + b"\0")
        digest.update(np.ascontiguousarray(gold[rows], "<f8").tobytes())
    return digest.hexdigest()[:16]
