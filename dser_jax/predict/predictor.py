"""A shared model as something to call: recordings and words in, valence, arousal, dominance out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from dser_jax.corpora import ATTRS, fold_space
from dser_jax.data import Place, Turn
from dser_jax.features import RATE, Heard, check_samples, hear, say_loud
from dser_jax.predict.encoders import check_text, encoders_of
from dser_jax.predict.estimate import Estimate
from dser_jax.predict.speech.far import say_far
from dser_jax.predict.speech.hearing import Hearing
from dser_jax.predict.speech.speakers import own_features
from dser_jax.share import Bundle, Networks, encode, gather, is_bundle, read_bundle
from dser_jax.system import DataError, DserError, plural

Recording = str | Path | np.ndarray
"""A wav file, 16 kHz and mono; or its samples, floats on [-1, 1], as a vector."""

Rows = Float32[np.ndarray, "_ column"]
"""Unscaled features of an utterance: one row of functionals, or its frames."""


def load(folder: str | Path, encoders: Mapping[str, str | Path] | None = None) -> Predictor:
    """Loads a model.

    Args:
      folder: What `dser export` wrote; or a journal with weights, of which the best run is taken.
      encoders: Where frozen encoders are, by the names of their features; by default where they
        were when the features were prepared.

    Returns:
      What predicts: `load("model")("hello.wav", text="what was said")`.

    Raises:
      DserError: There is none, it is damaged, or of another version of the format.
    """
    folder = Path(folder)
    journal = (folder / "rows.jsonl").exists() and not is_bundle(folder)
    return Predictor(gather(folder) if journal else read_bundle(folder), encoders)


class Predictor:
    """A model, ready to predict; programs are compiled when they are first needed, and kept.

    Attributes:
      bundle: Settings, weights, and what it reached.
      reads_speech, reads_text: What it must be given.
      hearing: What computes features of recordings; None where it reads no speech.
      text_encoder: What computes features of words; None where no encoder does.
      notices: What its user should know, for people.
    """

    def __init__(self, bundle: Bundle, encoders: Mapping[str, str | Path] | None = None) -> None:
        self.bundle = bundle
        self.reads_speech = bundle.features is not None
        self.reads_text = bundle.reads_text
        self.notices: list[str] = []
        found = encoders_of(bundle, encoders or {})
        features, of_text = bundle.features, bundle.text_features
        self.hearing = None if features is None else Hearing(features, found, self.notices)
        self.text_encoder = None if of_text is None else found.get(of_text.name)
        self._networks = Networks(bundle)
        self._loudest = 0.0

    def __call__(
        self,
        recording: Recording | Sequence[Recording] | None = None,
        text: str | Sequence[str] | None = None,
        *,
        convert: bool = False,
        dialogue: str | Sequence[str | None] | None = None,
        speaker: str | Sequence[str | None] | None = None,
    ) -> Estimate:
        """Predicts one utterance, or several.

        Args:
          recording: One recording, or a list; left out for a model of text alone.
          text: What is said in it, or a list; left out for a model of speech alone. Words that
            the model has not met are passed over.
          convert: Whether files that are not 16 kHz mono are converted, or refused.
          dialogue: The dialogue that the utterances are turns of, in their order, or one for each;
            None for an utterance on its own. Only a model with a context has a use for it.
          speaker: Who speaks, or who speaks each.

        Returns:
          The estimate, for one utterance where one was given, for several where lists were.

        Raises:
          DserError: A recording cannot be used, or the model needs what was not given.
        """
        if self.reads_speech and recording is None:
            raise DserError("this model reads speech: give a recording")
        if self.reads_text and text is None:
            raise DserError(
                "this model reads words too: give `text`, what is said in the recording"
                if self.reads_speech
                else "this model reads words: give `text`"
            )
        one = isinstance(recording if self.reads_speech else text, Recording)
        recordings = texts = None
        if self.reads_speech and recording is not None:
            recordings = [recording] if isinstance(recording, Recording) else list(recording)
        if self.reads_text and text is not None:
            texts = [text] if isinstance(text, str) else list(text)
        if recordings is not None and texts is not None and len(recordings) != len(texts):
            raise DserError(f"{len(recordings)} recordings and {len(texts)} texts: one for each")
        count = len(recordings or texts or ())
        dialogues, speakers = (_each(names, count) for names in (dialogue, speaker))
        turns = map(float, range(count))
        places = [Place(*place) for place in zip(dialogues, turns, speakers, strict=True)]
        speech = None if recordings is None else [self.read(r, convert) for r in recordings]
        estimate, far = self.predict_with_far(speech, texts, places)
        if recordings is not None:
            files = [None if isinstance(each, np.ndarray) else Path(each) for each in recordings]
            self.notices += say_far(zip(files, far, strict=True))
        return estimate[0] if one else estimate

    def predict(
        self,
        speech: Sequence[Rows] | None,
        texts: Sequence[str] | Sequence[np.ndarray] | None,
        places: Sequence[Turn] | None = None,
    ) -> Estimate:
        """Predicts several utterances from features and words.

        Args:
          speech: Of each utterance its features as they were extracted, unscaled: `[1, feat]` for
            functionals, else `[frame, feat]`; None for a model of text alone. More frames than
            the longest utterance that the model was trained on had are cut in front.
          texts: Of each utterance its words, or for a model that reads features of them these, as
            those of speech; None for a model of speech alone.
          places: Of each utterance its `dialogue`, `turn` and `speaker`; None for utterances on
            their own, which all have one speaker.

        Raises:
          DserError: The model measures features by speaker, and has too few of one; or features of
            the words cannot be computed here.
        """
        return self.predict_with_far(speech, texts, places)[0]

    def predict_with_far(
        self,
        speech: Sequence[Rows] | None,
        texts: Sequence[str] | Sequence[np.ndarray] | None,
        places: Sequence[Turn] | None = None,
    ) -> tuple[Estimate, list[float | None]]:
        """Predicts as `predict` does, and says of each utterance what `far` does.

        What is by speaker is measured once for both.
        """
        if self.bundle.text_features is not None and texts is not None:
            words = [each for each in texts if isinstance(each, str)]
            if words:
                texts = self._encode_texts(words)
        own = None if speech is None else self._own(speech, places)
        pred = self._networks(encode(self.bundle, own, texts, places))
        columns = [ATTRS.index(attr) for attr in self.bundle.attrs]
        estimate = Estimate(self.bundle.attrs, self.bundle.scale, pred[..., columns])
        return estimate, [None] * len(estimate) if own is None else self._far(own)

    def _own(self, speech: Sequence[Rows], places: Sequence[Turn] | None) -> Sequence[np.ndarray]:
        """Measures features by each speaker's own, where the model does."""
        if not self.bundle.config.normalize:
            return speech
        return own_features(speech, places or [Place()] * len(speech), self.notices)

    def far(
        self, speech: Sequence[Rows], places: Sequence[Turn] | None = None
    ) -> list[float | None]:
        """Returns how far each utterance's features lie from those of the training rows.

        Args:
          speech: As of `predict`.
          places: Likewise.

        Returns:
          Above 1, further than all but a few of the same corpus do; None where there are no
          features, or the model comes from a version that did not keep what is usual.
        """
        return self._far(self._own(speech, places))

    def _far(self, own: Sequence[np.ndarray]) -> list[float | None]:
        """Returns the same, of features that are by speaker where the model wants these."""
        if (usual := self.bundle.usual) is None:
            return [None] * len(own)
        return [None if np.isnan(each) else float(each) for each in usual.far(own)]

    def _encode_texts(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Computes the features of words."""
        check_text(self.bundle)
        assert self.text_encoder is not None
        return self.text_encoder.of_texts([fold_space(text) for text in texts], self.notices)

    def check(self) -> None:
        """Makes sure that what the model reads can be computed here.

        Raises:
          DserError: It cannot: features came from elsewhere, or an encoder is not there.
        """
        if self.hearing is not None:
            self.hearing.check()
        check_text(self.bundle)
        if self.text_encoder is not None:
            self.notices += self.text_encoder.notices()

    def read(self, recording: Recording, convert: bool = False) -> Rows:
        """Reads a recording, and extracts what the model needs of it.

        Raises:
          DserError: It is damaged, too short, or not 16 kHz mono and not to be converted; or the
            model reads no speech.
        """
        if self.hearing is None:
            raise DserError("this model reads no speech")
        if isinstance(recording, np.ndarray):
            file, heard = None, _heard(recording)
        else:
            file = Path(recording)
            heard = hear(file, convert=convert)
        if self._loudest <= 1:  # Said once: a predictor may live long.
            self._loudest = heard.peak
            self.notices += say_loud({file or "an array": heard.peak})
        return self.hearing.compute(heard.signal, file)

    def known_words(self, text: str) -> int:
        """Returns how many words of a text the model knows."""
        return 0 if self.bundle.tokenizer is None else len(self.bundle.tokenizer.numbers(text))


def _each(names: str | Sequence[str | None] | None, count: int) -> list[str | None]:
    """Returns a name for each utterance."""
    if names is None or isinstance(names, str):
        return [names] * count
    if len(names) != count:
        raise DserError(f"{len(names)} names for {plural(count, 'utterance')}: give one for each")
    return list(names)


def _heard(samples: np.ndarray) -> Heard:
    """Makes sure that an array holds samples."""
    if samples.ndim != 1 or samples.dtype.kind != "f":
        raise DataError(
            "not a signal",
            value=f"{samples.dtype} {list(samples.shape)}",
            expected=f"a vector of floats on [-1, 1], {RATE} a second",
        )
    signal = samples.astype(np.float32)
    return Heard(signal, check_samples(signal[:, None], rate=RATE) if len(signal) else 0.0)
