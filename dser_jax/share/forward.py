"""A trained network as a function of its weights and inputs: the one place that builds it.

What a network is fed at prediction is made here too, so that training and use cannot drift apart.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax.errors import FlaxError
from jaxtyping import Array, Float32, Int32

from dser_jax.config import Config
from dser_jax.corpora import fold_space
from dser_jax.data import Context, Data, Place, Scaler, Turn, laid_out, mean_frames, mean_layers
from dser_jax.models import Batch, Rates, make_network
from dser_jax.share.bundle import Bundle, Weights
from dser_jax.share.parts import Features
from dser_jax.system import DataError, check_device

BATCHES = (1, 8, 64)
"""Numbers of utterances for which a network is compiled; others are filled up to the next."""


class Inputs(NamedTuple):
    """Utterances as a network sees them; a half that it has not is None.

    Attributes:
      acoustic: Standardized features; one step for functionals, padded in front otherwise.
      tokens: Word numbers, 0 for padding, which is in front.
      frames: Steps of each utterance that are no padding; None for functionals.
      context: What was before in the dialogue; see `Context.seen`.
      turns: How many turns of that are no padding; None for means.
      text: Features of its words, in the place of tokens; like acoustic ones.
      text_frames: Steps of these that are no padding; None for functionals.
    """

    acoustic: Float32[np.ndarray, "utt step feat"] | None
    tokens: Int32[np.ndarray, "utt token"] | None
    frames: Int32[np.ndarray, " utt"] | None = None
    context: Float32[np.ndarray, "utt *turn width"] | None = None
    turns: Int32[np.ndarray, " utt"] | None = None
    text: Float32[np.ndarray, "utt text_step text_feat"] | None = None
    text_frames: Int32[np.ndarray, " utt"] | None = None


def rows_of(data: Data, rows: np.ndarray, half_life: float) -> Inputs:
    """Takes rows of a prepared data set; their context, if they have one, has this half-life."""
    seen = Context(data.turns, data.dialogues, data.before).seen(half_life)
    halves = (data.acoustic, data.tokens, data.frames, *seen, data.text, data.text_frames)
    return Inputs(*(None if each is None else np.asarray(each)[rows] for each in halves))


def encode(
    bundle: Bundle,
    speech: Sequence[np.ndarray] | None,
    texts: Sequence[str] | Sequence[np.ndarray] | None,
    places: Sequence[Turn] | None = None,
) -> Inputs:
    """Makes a model's inputs from unscaled features and words.

    Args:
      bundle: The model.
      speech: For each utterance its features, `[frame, feat]`, one row for functionals; of more
        frames than the network has steps, the last are taken. Only for a model that reads speech.
      texts: For each utterance its words, or for a model that reads features of them these, as
        those of speech. Only for a model that reads text.
      places: For each utterance its dialogue, turn and speaker; None for utterances on their own.
    """
    acoustic = tokens = frames = text = text_frames = means = text_means = None
    rows = [each for each in texts or () if isinstance(each, np.ndarray)]
    words = [fold_space(each) for each in texts or () if isinstance(each, str)]
    if bundle.features is not None and bundle.scaler is not None:
        assert speech is not None
        acoustic, frames, means = _padded(bundle.features, bundle.scaler, speech)
    if bundle.text_features is not None and bundle.text_scaler is not None:
        text, text_frames, text_means = _padded(bundle.text_features, bundle.text_scaler, rows)
        text_means = mean_layers(text_means, bundle.text_features.layers)
    if bundle.tokenizer is not None:  # Folded as in the transcripts of any corpus.
        tokens = bundle.tokenizer.encode(words, bundle.config.max_tokens)
    context = turns = None
    if bundle.turns is not None:
        count = len(speech or texts or ())
        vectors = bundle.turns(means, text_means, words or [None] * count)
        laid = laid_out(bundle.config, vectors, [Place()] * count if places is None else places)
        context, turns = laid.seen(bundle.half_life)
    return Inputs(acoustic, tokens, frames, context, turns, text, text_frames)


def _padded(
    features: Features, scaler: Scaler, utterances: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Standardizes features and pads them in front.

    Of an utterance that has none nothing but padding is left, which is the mean of functionals.

    Returns:
      The features, how many steps of each are no padding, and the means over these.
    """
    steps, frames = features.steps, None
    padded = np.zeros((len(utterances), steps, len(features.columns)), np.float32)
    for row, values in zip(padded, utterances, strict=True):
        last = scaler(values[-steps:].astype(np.float64))
        row[steps - len(last) :] = last
    if features.kind == "lld":
        frames = np.array([min(len(values), steps) for values in utterances], np.int32)
    there = np.array([len(values) > 0 for values in utterances], bool)
    return padded, frames, mean_frames(padded, frames, there)


Forward = Callable[[Any, Inputs], Float32[Array, "utt attr"]]


def make_forward(config: Config, words: int, layers: tuple[int, int] = (1, 1)) -> Forward:
    """Makes the function from weights and inputs to predictions on [-1, 1].

    Args:
      config: Of the network.
      words: Size of the vocabulary, padding included; 0 where no words are read.
      layers: As of `Bundle.layers`.
    """
    network = make_network(config, words, config.embedding_dim if words else 0, layers)

    def forward(weights: Mapping[str, Any], inputs: Inputs) -> Array:
        there = [each for each in inputs if each is not None]
        given = {
            name: None if each is None else jnp.asarray(each)
            for name, each in inputs._asdict().items()
        }
        batch = Batch(real=jnp.ones(there[0].shape[0], bool), **given)
        rates = Rates(*[jnp.float32(0.0)] * 3)
        return jnp.asarray(network.apply(nested(weights), batch, rates, False))

    return forward


def flat(tree: Mapping[str, Any], path: str = "") -> Weights:
    """Names the leaves of nested dictionaries by their paths."""
    found: Weights = {}
    for name, value in tree.items():
        below = f"{path}{name}"
        found |= (
            flat(value, f"{below}/") if isinstance(value, Mapping) else {below: np.asarray(value)}
        )
    return found


def nested(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Puts leaves back where `flat` found them."""
    tree: dict[str, Any] = {}
    for path, value in weights.items():
        *folders, name = path.split("/")
        at = tree
        for folder in folders:
            at = at.setdefault(folder, {})
        at[name] = value
    return tree


class Networks:
    """The networks of a model, compiled for a few sizes of batch and no more."""

    def __init__(self, bundle: Bundle) -> None:
        check_device()
        words = 0 if bundle.tokenizer is None else bundle.tokenizer.size
        forward = make_forward(bundle.config, words, bundle.layers)
        self._title, names = bundle.title, bundle.members[0].weights
        self._stretch = bundle.stretch
        with self._fitting():
            self._weights = {n: jnp.stack([m.weights[n] for m in bundle.members]) for n in names}
        # One network after the other: as many as one likes, in the memory of one.
        self._run = jax.jit(
            lambda weights, inputs: jax.lax.map(lambda each: forward(each, inputs), weights)
        )

    def __call__(self, inputs: Inputs) -> Float32[np.ndarray, "member utt attr"]:
        """Predicts with each network; on [-1, 1], beyond which a network may go a little.

        Where the model is stretched, so are its networks, all by the same map.
        """
        count = next(len(each) for each in inputs if each is not None)
        parts = [np.zeros((len(next(iter(self._weights.values()))), 0, 3), np.float32)]
        for start in range(0, count, BATCHES[-1]):
            rows = np.arange(start, min(start + BATCHES[-1], count))
            size = next(size for size in BATCHES if size >= len(rows))
            filled = np.resize(rows, size)
            part = Inputs(*(None if each is None else each[filled] for each in inputs))
            with self._fitting():
                pred = self._run(self._weights, part)
            parts.append(np.asarray(pred)[:, : len(rows)])
        pred = np.concatenate(parts, axis=1)
        return pred if self._stretch is None else self._stretch(pred).astype(np.float32)

    @contextlib.contextmanager
    def _fitting(self) -> Iterator[None]:
        """Says so where weights are not those of the network that the settings name."""
        try:
            yield
        except (KeyError, TypeError, ValueError, FlaxError) as error:
            why = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
            raise DataError(
                f"the weights of {self._title} do not fit its settings ({why})"
            ) from error
