"""From recordings to predictions, one utterance after the other; what is bad stops no other."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dser_jax.corpora import Utterance
from dser_jax.data import without_context
from dser_jax.features import RATE, read
from dser_jax.predict.estimate import Estimate
from dser_jax.predict.predictor import Predictor, Rows
from dser_jax.predict.recordings import Asked, Piece
from dser_jax.predict.segment import LONGEST, cut
from dser_jax.predict.speech.far import say_far
from dser_jax.predict.transcribe import Transcriber
from dser_jax.system import DataError, DserError, Progress, plural

CUTS = ("auto", "always", "never")

OFF_SCALE = 0.025
"""Beyond the scale by so much of its half is said."""


@dataclass(frozen=True)
class Prediction:
    """An utterance and what the model says of it.

    Attributes:
      piece: Which; with `problem`, if it could not be predicted.
      estimate: Of one utterance; None where there is a problem.
      far: How far its features lie from those of training: above 1, further than all but a few of
        the same corpus do. None where the model does not know, or there is no recording.
    """

    piece: Piece
    estimate: Estimate | None
    far: float | None = None


def predict(
    model: Predictor,
    asked: Asked,
    *,
    transcriber: Transcriber | None = None,
    cutting: str = "auto",
    convert: bool = False,
    keep: Collection[str] = (),
    jobs: int | None = None,
) -> list[Prediction]:
    """Predicts recordings.

    Args:
      model: Of `load`.
      asked: Of `recordings.find`.
      transcriber: Recognizes the words where none are given.
      cutting: "auto" cuts recordings of more than 30 s into utterances, or of more than a model of
        frames has steps for; "always" also those that are shorter; "never" none. The rows of a CSV
        are never cut.
      convert: Whether recordings that are not 16 kHz mono are converted, or cannot be predicted.
      keep: "transcripts", "speech": which half of a model that reads both an utterance may lack.
        Without words it reads none, without a recording the mean of the training data, or no frame,
        as in training on rows that were kept so. Else such an utterance cannot be predicted.
      jobs: Processes that extract features; by default one a core.

    Returns:
      In the order of what was asked; the utterances of a recording in the order of time.

    Raises:
      DserError: The model needs what nothing here has: recordings, or words.
    """
    _check(model, asked, transcriber, keep)
    if asked.header is not None:
        cutting = "never"
    pieces: list[Piece] = []
    with Progress("listening", len(asked.pieces) if transcriber else 0) as progress:
        for piece in asked.pieces:
            pieces += _listen(model, piece, transcriber, cutting, convert, keep)
            progress.advance()
    found = [Prediction(piece, None) for piece in pieces]
    usable = [i for i, piece in enumerate(pieces) if piece.problem is None]
    speech = None
    if model.reads_speech:
        frames = _speech(model, [pieces[i] for i in usable], convert, jobs)
        for i, each in zip(usable, frames, strict=True):
            if isinstance(each, DataError):
                found[i] = Prediction(pieces[i].failed(each), None)
        usable = [i for i in usable if found[i].piece.problem is None]
        speech = [each for each in frames if not isinstance(each, DataError)]
    if usable:
        texts = [pieces[i].text or "" for i in usable] if model.reads_text else None
        places = [pieces[i] for i in usable]
        if model.bundle.config.context:
            model.notices += without_context(model.bundle.config, places)
        estimate, far = model.predict_with_far(speech, texts, places)
        model.notices += _off_scale(estimate)
        for row, i in enumerate(usable):
            found[i] = Prediction(pieces[i], estimate[row], far[row])
        model.notices += say_far((p.piece.file, p.far) for p in found)
    return found


def _off_scale(estimate: Estimate) -> list[str]:
    """Says how many values lie clearly beyond the ends of the scale."""
    off = np.abs(estimate.pred) > 1 + OFF_SCALE
    if not off.any():
        return []
    return [
        f"{off.sum()} of {plural(off.size, 'value')} lie beyond the ends of the scale, as the "
        "outputs of networks may; they are left as they are"
    ]


def _check(
    model: Predictor, asked: Asked, transcriber: Transcriber | None, keep: Collection[str]
) -> None:
    """Makes sure that there is something that the model can read."""
    pieces = [piece for piece in asked.pieces if piece.problem is None]
    model.check()
    if model.reads_speech:
        optional = model.reads_text and "speech" in keep
        if pieces and not optional and all(piece.file is None for piece in pieces):
            raise DserError("this model reads speech: give recordings")
    silent = transcriber is None and all(piece.text is None for piece in pieces)
    optional = model.reads_speech and "transcripts" in keep
    # Where no recording is there, that is what is wrong, and is said of each.
    there = any(piece.file is None or os.path.exists(piece.file) for piece in pieces)
    if model.reads_text and there and silent and not optional:
        too, without = (
            (" too", "; --missing-transcripts keep does without")
            if model.reads_speech
            else ("", "")
        )
        raise DserError(
            f"this model reads words{too}, and none are given: --text TEXT, a column transcript in "
            "the CSV, a file NAME.txt beside each NAME.wav, or --asr pocketsphinx, which "
            f"recognizes them{without}"
        )


def _listen(
    model: Predictor,
    piece: Piece,
    transcriber: Transcriber | None,
    cutting: str,
    convert: bool,
    keep: Collection[str],
) -> list[Piece]:
    """Reads a recording, cuts it and recognizes its words, as far as that is wanted."""
    if piece.problem is not None:
        return [piece]
    try:
        optional = "speech" in keep and model.reads_text and piece.text is not None
        if piece.file is None and not optional and (model.reads_speech or piece.text is None):
            raise DataError("no recording" if model.reads_speech else "no words")
        if piece.file is None or (not model.reads_speech and piece.text is not None):
            return [piece]
        pieces = _cut(model, piece, transcriber, cutting, convert)
    except DataError as error:
        return [piece.failed(error)]
    no_words = "no words: give them, or --asr pocketsphinx"
    no_words += ", or --missing-transcripts keep" if model.reads_speech else ""
    need = model.reads_text and not (model.reads_speech and "transcripts" in keep)
    lacks = DataError(no_words, file=piece.file)
    return [p.failed(lacks) if need and p.text is None else p for p in pieces]


def _cut(
    model: Predictor, piece: Piece, transcriber: Transcriber | None, cutting: str, convert: bool
) -> list[Piece]:
    """Cuts a recording into utterances, with the words of each where a recognizer is given."""
    assert piece.file is not None
    signal = read(piece.file, piece.start, piece.end, convert=convert)
    seconds, begin = len(signal) / RATE, piece.start or 0.0
    longest = LONGEST
    if model.hearing is not None and (only := model.hearing.sets[0]).features.kind == "lld":
        longest = min(longest, only.features.steps * only.seconds_of_step)
    if cutting == "always" or (cutting == "auto" and seconds > longest):
        if piece.text is not None and model.reads_text:
            raise DataError(
                f"one text for {seconds:.0f} s, which would be cut into utterances",
                file=piece.file,
                expected="--cut never, which takes it for one utterance, or --asr, for the words "
                "of each",
            )
        spans = cut(signal, longest)
        if not spans:
            raise DataError("no sound in it", file=piece.file)
    else:
        spans = [(0.0, seconds)]
    pieces = []
    for first, last in spans:
        text = piece.text
        if text is None and transcriber is not None:
            text = transcriber(signal[round(first * RATE) : round(last * RATE)])
        part: dict[str, Any] = {"start": begin + first, "end": begin + last, "text": text}
        if len(spans) > 1:  # Each has those before it as its context.
            part |= {"dialogue": str(piece.file), "turn": begin + first}
        pieces.append(dataclasses.replace(piece, **part))
    return pieces


def _speech(
    model: Predictor, pieces: Sequence[Piece], convert: bool, jobs: int | None
) -> list[Rows | DataError]:
    """Returns the features of each utterance; none of one that has no recording."""
    spoken = [piece for piece in pieces if piece.file is not None]
    frames = iter(_extract(model, spoken, convert, jobs) if spoken else ())
    assert model.hearing is not None
    return [model.hearing.nothing if piece.file is None else next(frames) for piece in pieces]


def _extract(
    model: Predictor, pieces: Sequence[Piece], convert: bool, jobs: int | None
) -> list[Rows | DataError]:
    """Computes the features of each utterance, in processes where there are many."""
    assert model.hearing is not None
    utterances = [
        Utterance(str(i), file=p.file, start=p.start, end=p.end) for i, p in enumerate(pieces)
    ]
    with _nothing_kept():
        return model.hearing.compute_all(utterances, convert, jobs)


@contextlib.contextmanager
def _nothing_kept() -> Iterator[None]:
    """Says of Ctrl-C no more than that: nothing is kept, unlike in `dser prepare`."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt("stopped") from None
