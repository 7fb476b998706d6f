"""An encoder: what it gives, by what that is known again, and the network once it is needed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32

from dser_jax.features.encoders.libraries import device, libraries, version
from dser_jax.features.encoders.request import POOLS, Encoding, Half, chosen_layers, written
from dser_jax.features.encoders.weights import CONFIG, Weights, find_weights
from dser_jax.features.extractors.extractor import Frames
from dser_jax.system import DataError, DserError

Layers = Float32[np.ndarray, "layer step unit"]
"""The layers that are asked for, of one utterance."""

_KINDS: dict[str, Half] = {"whisper": "speech"}
"""Encoders of speech that read something else than samples, which is what the others read."""

_UNUSED = ("pooler.", "masked_spec_embed", "decoder.", "lm_head.")
"""Weights that no hidden layer needs, so that a folder may lack them."""


@dataclass(frozen=True)
class Encoder:
    """A frozen encoder, its files found and its configuration read.

    Attributes:
      name: What the features are called.
      half: What it reads, "speech" or "text".
      weights: Its files.
      config: Its configuration, as transformers has it.
      layers: The numbers of the layers that are asked for.
      pool: How the steps of an utterance become one row, as of `POOLS`.
    """

    name: str
    half: Half
    weights: Weights
    config: Any
    layers: tuple[int, ...]
    pool: str

    @property
    def kind(self) -> Literal["hsf", "lld"]:
        """Whether an utterance is a row or a sequence, as manifests have it."""
        return "lld" if self.pool == "none" else "hsf"

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the features: all of the first layer, then all of the next."""
        units = range(self.config.hidden_size)
        ends = {"mean": ("",), "mean+sd": ("_mean", "_std"), "none": ("",)}[self.pool]
        return tuple(
            f"layer{layer}_{unit}{end}" for layer in self.layers for end in ends for unit in units
        )

    @property
    def width(self) -> int:
        """Number of the features."""
        return len(self.layers) * POOLS[self.pool] * self.config.hidden_size

    @property
    def source(self) -> str:
        """What computes them, for people."""
        which = f"layer{'s' * (len(self.layers) > 1)} {written(self.layers)}"
        pooled = {"none": "sequences", "mean": "mean", "mean+sd": "mean and deviation"}[self.pool]
        weights = f"weights {self.weights.sha256[:12]}"
        return f"{self.config.model_type} by {version()}, {which}, {pooled}, {weights}"

    def entry(self) -> dict[str, Any]:
        """Returns what the manifest says of the features besides their columns and source."""
        weights = self.weights
        encoder = {
            "model": weights.model,
            "sha256": weights.sha256,
            "settings": weights.settings,
            "revision": weights.revision,
            "layers": list(self.layers),
            "pool": self.pool,
        }
        half = {"half": self.half} if self.half == "text" else {}
        several = {"layers": len(self.layers)} if len(self.layers) > 1 else {}
        return {**half, **several, "encoder": encoder}

    def key_parts(self) -> str:
        """Everything besides the audio or the text that the features depend on."""
        weights = self.weights
        return json.dumps([weights.sha256, weights.settings, version(), self.layers, self.pool])

    @property
    def place(self) -> str:
        """Names the folder of the store that is of these features alone."""
        return f"{self.name}-{hashlib.sha256(self.key_parts().encode()).hexdigest()[:16]}"

    def finish(self, layers: Layers) -> Frames:
        """Makes rows of layers: one, or one for each step."""
        if self.pool == "none":
            return np.ascontiguousarray(np.concatenate(list(layers), axis=1))
        values = layers.astype(np.float64)
        parts = [values.mean(axis=1)]
        if self.pool == "mean+sd":
            parts.append(values.std(axis=1))
        return np.concatenate(parts, axis=1).astype(np.float32).reshape(1, -1)


def open_encoder(encoding: Encoding) -> Encoder:
    """Finds an encoder and reads its configuration.

    Raises:
      DserError: PyTorch or transformers are not installed; there is no such encoder, or it is none
        of this half; it lacks a layer, or is not the one whose weights are asked for.
    """
    _, transformers = libraries()
    weights = find_weights(encoding.model)
    if encoding.kept is not None and weights.sha256 != encoding.kept:
        raise DataError(
            f"not the encoder of the features {encoding.feature}",
            file=weights.folder,
            value=f"weights {weights.sha256[:12]}",
            expected=f"weights {encoding.kept[:12]}",
        )
    try:
        config = transformers.AutoConfig.from_pretrained(str(weights.folder))
    except Exception as error:
        raise _unreadable(weights, error) from None
    if not all(_is_count(getattr(config, name, None)) for name in _NEEDED):
        raise DataError(
            "not an encoder that is known here",
            file=weights.folder / CONFIG,
            value=config.model_type,
            expected="wav2vec 2.0, HuBERT, WavLM or Whisper for speech; BERT, RoBERTa, MiniLM or "
            "one of sentence-transformers for text",
        )
    half = _half_of(config)
    if half != encoding.half:
        raise DserError(
            f"{encoding.model} ({config.model_type}) reads {half}: --encode {half}={encoding.model}"
        )
    layers = chosen_layers(encoding.layers, config.num_hidden_layers, encoding.model)
    return Encoder(encoding.feature, half, weights, config, layers, encoding.pool)


_NEEDED = ("num_hidden_layers", "hidden_size")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and value > 0


def _half_of(config: Any) -> Half:
    """Tells what an encoder reads: one with convolutions over samples reads speech."""
    speech = hasattr(config, "conv_stride") and hasattr(config, "conv_kernel")
    return _KINDS.get(config.model_type, "speech" if speech else "text")


def load_network(encoder: Encoder, wanted: str) -> tuple[Any, str]:
    """Loads the network that gives the layers, in float32, and puts it where it shall compute.

    Args:
      encoder: Which.
      wanted: The name of its input.

    Returns:
      The network, and the device.

    Raises:
      DataError: The folder lacks weights, or it reads something else.
    """
    torch, transformers = libraries()
    folder = encoder.weights.folder
    try:
        network, found = transformers.AutoModel.from_pretrained(
            str(folder), output_loading_info=True, dtype=torch.float32
        )
    except Exception as error:
        raise _unreadable(encoder.weights, error) from None
    lacking = sorted(name for name in found["missing_keys"] if not _unused(name))
    if lacking:
        raise DataError(
            f"weights are missing, {lacking[0]} and {len(lacking) - 1} more",
            file=folder,
            expected=f"all weights of {encoder.config.model_type}",
        )
    if encoder.config.is_encoder_decoder:
        network = network.get_encoder()
    if network.main_input_name != wanted:
        raise DataError(
            "not an encoder that is known here",
            file=folder / CONFIG,
            value=f"{encoder.config.model_type}, which reads {network.main_input_name}",
            expected=f"one that reads {wanted}",
        )
    where = device(torch)
    return network.eval().to(where), where


def _unused(name: str) -> bool:
    return any(part in name for part in _UNUSED)


def _unreadable(weights: Weights, error: Exception) -> DataError:
    why = " ".join(str(error).split())
    return DataError(
        f"cannot be read by {version()} ({type(error).__name__}: {why[:200]})",
        file=weights.folder,
        expected="an encoder that it reads",
    )


def hidden_layers(encoder: Encoder, output: Any) -> Any:
    """Returns the layers that are asked for of a batch, [layer, utterance, step, unit]."""
    torch, _ = libraries()
    states = output.hidden_states
    if len(states) != encoder.config.num_hidden_layers + 1:
        raise DserError(
            f"{encoder.weights.model} gives {len(states)} hidden layers; expected "
            f"{encoder.config.num_hidden_layers + 1}"
        )
    return torch.stack([states[layer] for layer in encoder.layers])
