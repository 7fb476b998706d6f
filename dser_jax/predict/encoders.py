"""The encoders whose features a model reads: found on this machine, and computed with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from dser_jax.corpora import Utterance
from dser_jax.features import (
    Encoder,
    Frames,
    Signal,
    Store,
    encode,
    find_loud,
    is_imported,
    make_encode,
    make_encoding,
    open_encoder,
    say_cut,
    seconds_of_step,
)
from dser_jax.share import Bundle, Features
from dser_jax.system import BadInput, DataError, DserError, Progress

MANY = 16
"""Texts beyond which it is shown how far they are."""


class HalfEncoder:
    """What computes the features of a half of a model, loaded when it is first needed."""

    def __init__(self, features: Features, half: str, folder: str | None) -> None:
        assert features.encoder is not None
        self.features, self.half, self.folder = features, half, folder

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder, once its weights are known to be those that the model was trained with.

        Raises:
          DserError: It is not where the model says, nor is another folder given; or is another one.
        """
        features, entry = self.features, dict(self.features.encoder or {})
        where = self.folder or entry["model"]
        layers = ",".join(map(str, entry["layers"]))
        asked = make_encoding(self.half, where, layers, entry["pool"], features.name)
        try:
            found = open_encoder(asked._replace(kept=entry["sha256"]))
        except DataError as error:
            if self.folder is not None:
                raise
            raise DserError(
                f"{error}. The model reads features of this encoder: --encoder "
                f"{features.name}=FOLDER says where it is"
            ) from None
        if found.columns != features.columns:
            raise DserError(
                f"{where} gives {found.width} features, and the model reads {len(features.columns)}"
            )
        return found

    def notices(self) -> list[str]:
        """Says what is not as it was when the model was trained, though the weights are."""
        was = (self.features.encoder or {}).get("settings")
        if was in (None, self.encoder.weights.settings):
            return []
        return [
            f"{self.encoder.weights.folder}: the weights are those that the model was trained "
            "with; the files beside them (configuration, preprocessor or tokenizer) differ"
        ]

    @cached_property
    def compute(self) -> Callable[[Signal | str, Path | None], Frames]:
        """From a signal, and its file, or from a text to its features."""
        return make_encode(self.encoder)

    @property
    def nothing(self) -> Frames:
        """The features of what is not there: no row."""
        return np.zeros((0, len(self.features.columns)), np.float32)

    def of_texts(self, texts: Sequence[str], notices: list[str]) -> list[np.ndarray]:
        """Computes features of texts; none of one without words. `notices` takes what was cut."""
        spoken = {text for text in texts if text.strip()}
        notices += say_cut(self.encoder, sorted(spoken))
        known: dict[str, Frames] = {}
        with Progress(self.features.name, len(spoken) if len(spoken) > MANY else 0) as progress:
            for text in sorted(spoken):
                known[text] = self.compute(text, None)
                progress.advance()
        return [known.get(text, self.nothing) for text in texts]

    def of_files(
        self, utterances: Sequence[Utterance], folder: Path, convert: bool, notices: list[str]
    ) -> list[Any]:
        """Computes features of recordings; an error of one that cannot be used.

        Args:
          utterances: Which.
          folder: Where they are put meanwhile.
          convert: Whether recordings that are not 16 kHz mono are converted.
          notices: Takes what was cut, or is loud.
        """
        bad = BadInput(skip=True)
        keys = encode(
            self.encoder, utterances, folder, bad=bad, convert=convert, said=notices, told=False
        )
        store = Store(folder, self.encoder.width)
        notices += find_loud(store, utterances, keys)
        errors = iter(bad.left_out)
        return [next(errors) if key is None else store[key] for key in keys]

    @property
    def seconds_of_step(self) -> float:
        """How much later than the one before a step begins, of speech."""
        return seconds_of_step(self.encoder)


def encoders_of(bundle: Bundle, given: Mapping[str, str | Path]) -> dict[str, HalfEncoder]:
    """Returns the encoders that a model reads features of, by the names of these.

    Args:
      bundle: The model.
      given: Folders of encoders, by the names of the features.

    Raises:
      DserError: A folder is given for what the model does not read.
    """
    found = {}
    rest = {name: str(folder) for name, folder in given.items()}
    for features, half in ((bundle.features, "speech"), (bundle.text_features, "text")):
        for each in () if features is None else features.sets:
            if each.encoder is not None:
                found[each.name] = HalfEncoder(each, half, rest.pop(each.name, None))
    if rest:
        raise DserError(
            f"--encoder {next(iter(rest))}=...: the model reads no such features of an encoder, "
            f"but {' and '.join(found) or 'none'}"
        )
    return found


def check_text(bundle: Bundle) -> None:
    """Makes sure that features of words can be computed here, where a model reads some.

    Raises:
      DserError: They came from elsewhere.
    """
    features = bundle.text_features
    if features is not None and (features.encoder is None or is_imported(features.source)):
        raise DserError(
            f"this model was trained on the features {features.name!r} ({features.source}), which "
            "cannot be computed here from words: compute them as they were for its training, and "
            "call `Predictor.predict`"
        )
