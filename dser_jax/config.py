"""Static settings: what changes the shapes or the program of a run.

What may differ between the lanes of one program (loss weights, dropout rates, learning rate,
patience) is in `training.HParams`; a field lives in one of the two.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from dser_jax.system import DserError

PROTOCOLS = ("strict", "paper")
LEAVE_ONE_OUT = "leave_one_session_out"
"""The split of a sweep that tests on each session in turn."""

SPEAKERS = re.compile(r"speakers:(?P<share>0?\.\d+)(:(?P<seed>\d+))?")
FOLD = re.compile(r"fold:(?P<number>\d+)/(?P<count>\d+)(:(?P<seed>\d+))?")
FOLDS = re.compile(r"folds:(?P<count>\d+)(:(?P<seed>\d+))?")
"""How splits by speaker are written; the last is a sweep's, over each `FOLD`."""

_OTHERS = re.compile(r"last_session|session:.+|column(:.+)?", re.DOTALL)

DIALOGUES = "dialogue, turn"
"""Among the inputs of a network that sees what was said before; no features have such a name."""

CONTEXTS = {
    "": "",
    "all": "context",
    "same": "same-speaker context",
    "both": "context + same-speaker context",
    "recurrent": "recurrent context",
}
"""What a network may know of the turns before, and how tables call it."""

HALF_LIFE = 8.0
"""Turns at which what was said before weighs half as much, if nobody says otherwise."""

NORMALIZED = ("", "speaker")

SCALES = 1e-6, 100.0
A_SCALE = "a number from {:g} to {:g}".format(*SCALES)
"""The smallest and the largest of the heads' first weights; and in words."""

PADDINGS = ("masked", "keras")


def side_by_side(features: str) -> list[str]:
    """Names the sets of features whose columns stand side by side: "A+B" is A and B."""
    return features.split("+")


LATER = {
    "weight_decay": 0.0,
    "modality_dropout": 0.0,
    "embedding_dropout": 0.0,
    "half_life": HALF_LIFE,
    "method": 0.0,
    "weighting_setting": 0.0,
}
"""Traced settings (`training.HParams`) added after version 0.1, and what they are by default.

Where they are that, rows and the ids of runs leave them out, as they did before there were any.
"""

TRAINING = ("loss", "weighting", "optimizer")
"""What tables and cards name where it is not the default."""

_LATER = ("mix_layers", "context", "context_turns", "normalize", "watch_gradients", "head_scale")
"""The static settings of which the same holds."""


def _fits(value: Any, kind: str) -> bool:
    """Tells whether a value of JSON is of a field's type."""
    if kind.startswith("tuple"):
        whole = isinstance(value, (list, tuple)) and all(type(each) is int for each in value)
        return whole and (kind.endswith("...]") or len(value) == kind.count("int"))
    return (value is None and "None" in kind) or type(value).__name__ in kind.split(" | ")


@dataclass(frozen=True)
class Config:
    """What a training program is built from; the defaults are the paper's (Section IV, Fig. 3).

    Attributes:
      acoustic: Acoustic network (lstm, cnn, dense, mlp, attention), or None for text alone.
      text: Text network (one of those), or None for speech alone.
      features: Name of the acoustic features, as the prepared data set has it; of several sets
        of one row an utterance, side by side, with + between their names.
      vectors: "we" for random word embeddings, the name of prepared word vectors, or that of
        features of text, such as a sentence encoder's, which are read in the place of words.
      units: Width of each recurrent, convolutional or dense layer of the two networks.
      layers: Number of such layers, recurrent or dense.
      taps: Steps that each convolutional layer sees; one layer a number.
      embedding_dim: Width of the word embedding; prepared vectors of another width are refused.
      text_dense: Width of the dense layer that ends the text network.
      fusion: Widths of the two dense layers after the concatenation.
      max_tokens: Length to which token sequences are padded in front, or cut in front.
      batch_size: Utterances an optimizer step; the last batch of an epoch may be smaller.
      max_epochs: Epochs after which a run ends if early stopping has not ended it.
      protocol: "strict": scalers and vocabulary from training rows, validation on held-out
        speakers, validation loss over the whole set. "paper": scalers and vocabulary from all
        rows, the last 20% of the training rows for validation, validation loss batch by batch.
      split: "last_session", "session:NAME" (test on that session), "column", or "column:NAME"
        (test on that one of its test sets), "speakers:0.2" (test on a fifth of the speakers, the
        last), "fold:1/5" (test on the first of five folds of speakers); the latter two with
        ":SEED" behind them draw the speakers.
      padding: What LSTM networks make of the padding in front of shorter utterances. "masked": they
        skip it. "keras": it is fed to them like words or frames, as the authors did. By default
        as the protocol has it: masked under "strict", keras under "paper".
      loss: Loss of each attribute, by its name in `loss.LOSSES`.
      weighting: How these become one number, by its name in `loss.WEIGHTINGS`.
      optimizer: By its name in `optimizers.OPTIMIZERS`.
      half_recurrence: Whether the recurrent products of LSTM networks take bfloat16 (states and
        sums stay float32): quicker where a device has units for it, and close, not equal.
      context: What a network knows of the turns before in the same dialogue: "" for nothing, "all"
        for a mean of all of them that fades with `HParams.half_life`, "same" for one of the same
        speaker's, "both" for both, "recurrent" for the states of an LSTM over the last ones.
      context_turns: Turns before that a recurrent context goes back.
      normalize: "speaker" for acoustic features measured by each speaker's own mean and deviation,
        of all rows, without labels; "" for features as they are.
      mix_layers: Whether features of several layers of an encoder enter as one learned mean of
        them, instead of side by side.
      watch_gradients: Whether a run also tells, epoch by epoch, how long the gradients of the three
        tasks are on the layers that they share, and which angles lie between them.
      head_scale: What the first kernels of the heads are multiplied by; 1 is Keras' start, as the
        paper's. A small one lets the layers below learn more before predictions spread.
    """

    acoustic: str | None = "lstm"
    text: str | None = "lstm"
    features: str = "paa_hsf"
    vectors: str = "we"
    units: int = 256
    layers: int = 3
    taps: tuple[int, ...] = (4, 8, 12)
    embedding_dim: int = 300
    text_dense: int = 64
    fusion: tuple[int, int] = (64, 32)
    max_tokens: int = 100
    batch_size: int = 256
    max_epochs: int = 50
    protocol: str = "strict"
    split: str = "last_session"
    padding: str = ""
    half_recurrence: bool = False
    loss: str = "ccc"
    weighting: str = "fixed"
    optimizer: str = "rmsprop"
    mix_layers: bool = False
    context: str = ""
    context_turns: int = 16
    normalize: str = ""
    watch_gradients: bool = False
    head_scale: float = 1.0

    def __post_init__(self) -> None:
        if self.acoustic is None and self.text is None:
            raise DserError("a network needs an acoustic half, a text half, or both")
        if self.protocol not in PROTOCOLS:
            raise DserError(f"protocol is {self.protocol!r}; expected one of {PROTOCOLS}")
        if not self.padding:
            default = "keras" if self.protocol == "paper" else "masked"
            object.__setattr__(self, "padding", default)
        if self.padding not in PADDINGS:
            raise DserError(f"padding is {self.padding!r}; expected one of {PADDINGS}")
        if not any(kind.fullmatch(self.split) for kind in (_OTHERS, SPEAKERS, FOLD)):
            raise DserError(
                f"split is {self.split!r}; expected last_session, session:NAME, column, "
                "column:NAME, speakers:SHARE with a share as in speakers:0.2, or fold:I/N; a sweep "
                f"takes {LEAVE_ONE_OUT} and folds:N, too"
            )
        if self.context not in CONTEXTS:
            raise DserError(f"context is {self.context!r}; expected one of {tuple(CONTEXTS)}")
        if self.normalize not in NORMALIZED:
            raise DserError(f"normalize is {self.normalize!r}; expected one of {NORMALIZED}")
        least, most = SCALES
        number = isinstance(self.head_scale, Real) and not isinstance(self.head_scale, bool)
        if not (number and least <= self.head_scale <= most):
            raise DserError(f"head_scale is {self.head_scale!r}; expected {A_SCALE}")
        object.__setattr__(self, "head_scale", float(self.head_scale))
        sets = side_by_side(self.features)
        if "" in sets or len(set(sets)) < len(sets):
            raise DserError(
                f"features is {self.features!r}; expected a name, or several with + between, each "
                "once"
            )
        sizes = ("units", "layers", "embedding_dim", "text_dense", "max_tokens", "context_turns")
        for name in (*sizes, "batch_size", "max_epochs"):
            if (value := getattr(self, name)) < 1:
                raise DserError(f"{name} is {value}; expected 1 or more")

    @property
    def network(self) -> str:
        """The networks' names as tables show them, e.g. "lstm + lstm"."""
        if self.acoustic and self.text:
            return f"{self.acoustic} + {self.text}"
        return f"{self.acoustic} (speech)" if self.acoustic else f"{self.text} (text)"

    @property
    def inputs(self) -> str:
        """The inputs' names as tables show them, e.g. "paa_hsf + we"."""
        return self.inputs_with(self.features)

    def inputs_with(self, features: str) -> str:
        """Names the inputs, the features as they are called here."""
        how = " by speaker" if self.normalize else ""
        speech = [name + how for name in side_by_side(features)] if self.acoustic else []
        words = [self.vectors] if self.text else []
        return " + ".join([*speech, *words, *([CONTEXTS[self.context]] if self.context else [])])

    @property
    def prepared_inputs(self) -> list[str]:
        """Names of the features and word vectors that the prepared data set must have.

        With a context also `DIALOGUES`, which stands for what its table says of them.
        """
        speech = side_by_side(self.features) if self.acoustic else []
        words = [self.vectors] if self.text and self.vectors != "we" else []
        return [*speech, *words, *([DIALOGUES] if self.context else [])]

    @property
    def fades(self) -> bool:
        """Whether it has a context of which a half-life tells how far it goes back."""
        return self.context not in ("", "recurrent")

    def to_json(self) -> dict[str, Any]:
        """Returns the settings as JSON values, later ones only where they are not the default."""
        values = dataclasses.asdict(self) | {"fusion": list(self.fusion), "taps": list(self.taps)}
        off = {name for name in _LATER if values[name] == _usual()[name]}
        return {name: value for name, value in values.items() if name not in off}

    @classmethod
    def filled(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Returns what `to_json` gave, also of earlier versions, with what that leaves out."""
        # Before there was a choice, padding was fed to the network under both protocols.
        return {**_usual(), "padding": "keras", **values}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Config:
        """Rebuilds the settings that `to_json` gave, of earlier versions too.

        Raises:
          DserError: A setting is not known, missing, or not of its type.
        """
        values = cls.filled(values)
        kinds = {field.name: str(field.type) for field in dataclasses.fields(cls)}
        for name in (*values, "fusion", "taps"):
            if name not in kinds:
                raise DserError(f"a setting that this version does not know: {name!r}")
            if not _fits(values.get(name), kinds[name]):
                raise DserError(f"{name} is {values.get(name)!r}; expected {kinds[name]}")
        tuples: dict[str, Any] = {name: tuple(values[name]) for name in ("fusion", "taps")}
        return cls(**{**values, **tuples})


@functools.cache
def _usual() -> dict[str, Any]:
    """Returns the defaults of all settings that may be left out."""
    fields = dataclasses.fields(Config)
    return {field.name: field.default for field in fields if "tuple" not in str(field.type)}
