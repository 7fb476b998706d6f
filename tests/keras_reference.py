"""The networks in Keras 3, the paper's layer by layer as it lists them: the referee of ours.

None of our layers is used here. Keras' layers carry the names of our parameters, joined by `_`, so
that weights can be copied and compared by name.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

import jax
import numpy as np
from flax.traverse_util import flatten_dict

from dser_jax.config import Config
from dser_jax.corpora.utterances import ATTRS

TAPS = (4, 8, 12)


@contextmanager
def usual_promotion() -> Iterator[None]:
    """Relaxes the tests' strict flags, to which Keras' own code does not keep."""
    with (
        jax.numpy_rank_promotion("allow"),
        jax.numpy_dtype_promotion("standard"),
        jax.legacy_prng_key("allow"),
    ):
        yield


@contextmanager
def zeros_at_first() -> Iterator[None]:
    """Lets Keras' layers start from zeros: to draw values compiles a program for every shape."""
    from keras import initializers

    def zeros(self, shape, dtype=None, **_):
        return np.zeros(shape, dtype)

    with ExitStack() as stack:
        for kind in (
            initializers.GlorotUniform,
            initializers.Orthogonal,
            initializers.RandomUniform,
        ):
            stack.enter_context(mock.patch.object(kind, "__call__", zeros))
        yield


def make_model(
    config: Config,
    words: int,
    shape: tuple[int, int],
    rates: tuple[float, float, float] = (0.0, 0.0, 0.0),
):
    """Builds the network that a configuration names, with a head an output.

    Args:
      config: Names the halves and their widths; three layers a half, as in the paper.
      words: Size of the vocabulary, padding included.
      shape: Steps and features of the acoustic input.
      rates: Dropout of the acoustic half, of the text half and after the fusion.
    """
    import keras

    inputs, halves = [], []
    if config.acoustic is not None:
        inputs.append(keras.Input(shape))
        x = acoustic_half(config, inputs[-1])
        halves.append(keras.layers.Dropout(rates[0], name="acoustic_dropout")(x))
    if config.text is not None:
        inputs.append(keras.Input((config.max_tokens,), dtype="int32"))
        x = text_half(config, words, inputs[-1])
        halves.append(keras.layers.Dropout(rates[1], name="text_dropout")(x))
    x = halves[0]
    if len(halves) == 2:
        x = keras.layers.Concatenate()(halves)
        for i, width in enumerate(config.fusion):
            x = keras.layers.Dense(width, activation="relu", name=f"fusion_{i}")(x)
        x = keras.layers.Dropout(rates[2], name="fusion_dropout")(x)
    return keras.Model(inputs, [keras.layers.Dense(1, name=attr)(x) for attr in ATTRS])


def acoustic_half(config: Config, x):
    from keras import layers, ops

    if config.acoustic in POOLING:
        real = ops.ones_like(x[..., 0])
        if config.acoustic == "attention":
            return attended(
                config,
                "acoustic",
                layers.Dense(config.units, activation="relu", name="acoustic_frame")(x),
                real,
            )
        pooled = x[:, 0] if x.shape[1] == 1 else statistics(x, real)
        return normed("acoustic", pooled, config.units, config.layers)
    x = layers.BatchNormalization(name="acoustic_input_norm")(x)
    for i, taps in enumerate(TAPS):
        if config.acoustic == "lstm":
            x = layers.LSTM(config.units, return_sequences=True, name=f"acoustic_lstm_{i}")(x)
        elif config.acoustic == "cnn":
            x = layers.Conv1D(
                config.units, taps, padding="valid", activation="relu", name=f"acoustic_conv_{i}"
            )(x)
        else:
            x = layers.Dense(config.units, activation="relu", name=f"acoustic_dense_{i}")(x)
    return layers.Flatten()(x)


def text_half(config: Config, words: int, x):
    from keras import layers, ops

    real = ops.cast(x != 0, "float32")
    x = layers.Embedding(words, config.embedding_dim, name="text_embedding")(x)
    if config.text == "attention":
        return attended(config, "text", x, real)
    if config.text == "mlp":
        return normed("text", statistics(x, real), config.units, config.layers)
    for i, taps in enumerate(TAPS):
        if config.text == "lstm":
            x = layers.LSTM(config.units, return_sequences=i < 2, name=f"text_lstm_{i}")(x)
        elif config.text == "cnn":
            x = layers.Conv1D(
                config.units, taps, padding="same", activation="relu", name=f"text_conv_{i}"
            )(x)
        else:
            x = layers.Dense(config.units, activation="relu", name=f"text_dense_{i}")(x)
    if config.text != "lstm":
        x = layers.Flatten()(x)
    last = "text_dense_last" if config.text == "dense" else "text_dense"
    return layers.Dense(config.text_dense, name=last)(x)


POOLING = ("mlp", "attention")


def statistics(x, weight):
    """Weighted means and deviations over steps, of weights that add up to more than nothing."""
    from keras import ops

    share = (weight / ops.sum(weight, axis=1, keepdims=True))[..., None]
    mean = ops.sum(share * x, axis=1)
    spread = ops.sum(share * ops.square(x - mean[:, None]), axis=1)
    return ops.concatenate([mean, ops.sqrt(spread + 1e-5)], axis=-1)


def attended(config: Config, half: str, x, real):
    """Attentive statistics (Okabe et al. 2018), and a dense layer with its norm."""
    from keras import layers, ops

    hidden = layers.Dense(config.units, activation="tanh", name=f"{half}_pooling_attention")(x)
    score = layers.Dense(1, name=f"{half}_pooling_score")(hidden)[..., 0]
    weight = ops.exp(score - ops.max(score, axis=1, keepdims=True)) * real
    return normed(half, statistics(x, weight), config.units, 1)


def normed(half: str, x, units: int, count: int):
    """Dense layers, each normalized before its ReLU."""
    from keras import layers

    for i in range(count):
        x = layers.Dense(units, name=f"{half}_layers_dense_{i}")(x)
        x = layers.LayerNormalization(epsilon=1e-5, name=f"{half}_layers_norm_{i}")(x)
        x = layers.ReLU()(x)
    return x


THEIR_NAMES = {
    ("norm", "scale"): "gamma",
    ("norm", "bias"): "beta",
    ("norm", "mean"): "moving_mean",
    ("norm", "var"): "moving_variance",
    ("embedding", "embedding"): "embeddings",
}


def by_their_names(tree) -> dict[tuple[str, str], list]:
    """Sorts our arrays by Keras' (layer, variable); an LSTM layer has two biases for their one."""
    parts: dict[tuple[str, str], list] = {}
    for path, leaf in flatten_dict(tree).items():
        kind = ("norm", path[-1]) if path[-2].startswith("norm") else path[-2:]
        name = THEIR_NAMES.get(kind, path[-1].replace("recurrent_bias", "bias"))
        layer = "_".join(part for part in path[:-1] if part != "norm")
        parts.setdefault((layer, name), []).append(leaf)
    return parts


def named(variables, values) -> dict[tuple[str, str], jax.Array]:
    """Gives values the (layer, variable) of the Keras variables that they belong to."""
    return {
        (v.path.split("/")[0], v.name): value
        for v, value in zip(variables, values, strict=True)
        if "seed_generator" not in v.path
    }


def copy_to_keras(variables, model) -> None:
    """Copies all of our parameters and running statistics to Keras, and leaves out none of its."""
    parts: dict[tuple[str, str], list] = {}
    for collection in variables.values():
        parts |= by_their_names(collection)
    theirs = named(model.variables, model.variables)
    assert theirs.keys() == parts.keys()
    for name, variable in theirs.items():
        variable.assign(np.sum(parts[name], axis=0))
