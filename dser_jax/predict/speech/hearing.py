"""From recordings to the features of speech that a model reads, set by set."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from dser_jax.corpora import Utterance
from dser_jax.features import (
    FEATURES,
    HOP,
    NONZERO,
    RATE,
    Feature,
    Frames,
    Signal,
    Store,
    extract,
    find_loud,
    hsf,
    is_imported,
    make_frames,
    nonzero_hsf,
)
from dser_jax.predict.encoders import HalfEncoder
from dser_jax.share import Features
from dser_jax.system import BadInput, DataError, DserError

Rows = Float32[np.ndarray, "_ _"]
"""Features of an utterance: one row of functionals, or its frames."""


class OneSet:
    """What computes one set of features: an extractor, or an encoder.

    Attributes:
      features: Of the model.
      encoder: None where they are extracted.
    """

    def __init__(self, features: Features, encoder: HalfEncoder | None, notices: list[str]) -> None:
        self.features, self.encoder, self.notices = features, encoder, notices

    def check(self) -> None:
        """Makes sure that they can be computed here; `notices` takes what is not as it was.

        Raises:
          DserError: They cannot: they came from elsewhere, or the encoder is not there.
        """
        if self.encoder is None:
            _ = self.feature
        else:
            self.notices += self.encoder.notices()

    @cached_property
    def feature(self) -> Feature:
        """What is to be extracted from recordings.

        Raises:
          DserError: The features came from elsewhere.
        """
        features = self.features
        feature = FEATURES.get(features.name.removesuffix(NONZERO))
        if feature is None or is_imported(features.source):
            raise DserError(
                f"this model was trained on the features {features.name!r} ({features.source}), "
                "which cannot be extracted here from a recording: compute them as they were for "
                "its training, and call `Predictor.predict`"
            )
        if not features.source.startswith(feature.extractor.source):
            self.notices.append(
                f"the features come from {feature.extractor.source}; the model was trained on "
                f"those of {features.source}"
            )
        return feature

    @cached_property
    def _extract(self) -> Callable[[Signal, Path | None], Frames]:
        return make_frames(self.feature.extractor)

    @property
    def seconds_of_step(self) -> float:
        """How much later than the one before a step begins."""
        return HOP / RATE if self.encoder is None else self.encoder.seconds_of_step

    def compute(self, signal: Signal, file: Path | None) -> Rows:
        """Computes the features of a signal, which comes from a file."""
        if self.encoder is not None:
            return self.encoder.compute(signal, file)
        return self.finish(self._extract(signal, file))

    def finish(self, frames: Frames) -> Rows:
        """Makes functionals of low-level descriptors, where the model wants those."""
        if self.features.kind != "hsf":
            return frames
        return (nonzero_hsf if self.features.name.endswith(NONZERO) else hsf)(frames)[None]

    def compute_all(
        self, utterances: Sequence[Utterance], convert: bool, jobs: int | None
    ) -> list[Rows | DataError]:
        """Computes those of many recordings, an error of one that cannot be used."""
        with tempfile.TemporaryDirectory(prefix="dser-") as name:
            folder = Path(name)
            if self.encoder is not None:
                return self.encoder.of_files(utterances, folder, convert, self.notices)
            extractor, bad = self.feature.extractor, BadInput(skip=True)
            keys = extract(extractor, utterances, folder, jobs=jobs, convert=convert, bad=bad)
            store = Store(folder, len(extractor.columns))
            self.notices += find_loud(store, utterances, keys)
            errors = iter(bad.left_out)  # One for each that has no key, in the same order.
            return [next(errors) if key is None else self.finish(store[key]) for key in keys]


class Hearing:
    """What computes the features of speech that a model reads, its sets side by side.

    Attributes:
      sets: One, or several of one row an utterance.
      nothing: The features of what is no recording: no row.
    """

    def __init__(
        self, features: Features, encoders: Mapping[str, HalfEncoder], notices: list[str]
    ) -> None:
        self.sets = [OneSet(each, encoders.get(each.name), notices) for each in features.sets]
        self.notices = notices
        self.nothing = np.zeros((0, len(features.columns)), np.float32)

    def check(self) -> None:
        """Makes sure that all can be computed here; errors as of `OneSet.check`."""
        for each in self.sets:
            each.check()

    def compute(self, signal: Signal, file: Path | None) -> Rows:
        """Computes the features of a signal, which comes from a file."""
        return np.concatenate([each.compute(signal, file) for each in self.sets], axis=1)

    def compute_all(
        self, utterances: Sequence[Utterance], convert: bool, jobs: int | None
    ) -> list[Rows | DataError]:
        """Computes those of many recordings, an error of one that cannot be used in a set."""
        found: list[Rows | DataError] = []
        sets = [each.compute_all(utterances, convert, jobs) for each in self.sets]
        for parts in zip(*sets, strict=True):
            wrong = [part for part in parts if isinstance(part, DataError)]
            rows = [part for part in parts if not isinstance(part, DataError)]
            found.append(wrong[0] if wrong else np.concatenate(rows, axis=1))
        self.notices[:] = dict.fromkeys(self.notices)  # Of the same recordings, set by set.
        return found
