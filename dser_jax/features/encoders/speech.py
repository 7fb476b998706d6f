"""Encoders of speech: samples as they want them, and how many steps come of how many."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dser_jax.features.audio import RATE, Signal
from dser_jax.features.encoders.encoder import Encoder, hidden_layers, load_network
from dser_jax.features.encoders.libraries import libraries
from dser_jax.system import DataError, plural

PREPROCESSOR = "preprocessor_config.json"

Seconds = float


class SpeechReader:
    """What an encoder of speech wants of a recording; knows no weights.

    Attributes:
      encoder: Which.
      extractor: Its preprocessor, as transformers has it.
      whisper: Whether it reads spectrograms of a fixed length, and not samples.
      masks: Whether recordings of several lengths may share a batch. Where the first convolution
        is normalized over time, or the preprocessor gives no mask, padding would change what is
        computed, so recordings of one length alone do.
      hop: Samples from one step to the next.
      shortest: Samples that give one step.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        _, transformers = libraries()
        path = encoder.weights.folder / PREPROCESSOR
        if not path.is_file():
            raise DataError("no such file", file=path, expected="how the encoder wants its samples")
        try:
            extractor: Any = transformers.AutoFeatureExtractor.from_pretrained(str(path.parent))
        except Exception as error:
            why = " ".join(str(error).split())[:200]
            raise DataError(f"cannot be read ({why})", file=path) from None
        if extractor.sampling_rate != RATE:
            raise DataError(
                "an encoder of another sampling rate",
                file=path,
                value=f"{extractor.sampling_rate} Hz",
                expected=f"{RATE}, which all that is read here has",
            )
        config = encoder.config
        self.extractor, self.whisper = extractor, config.model_type == "whisper"
        if self.whisper:
            self.masks, self.shortest = True, 1
            self.window = int(extractor.n_samples)
            self.hop = self.window // config.max_source_positions
            return
        self.masks = (
            bool(extractor.return_attention_mask)
            and getattr(config, "feat_extract_norm", None) == "layer"
        )
        self.window = 0
        self.hop, self.shortest = 1, 1
        for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
            self.shortest += (kernel - 1) * self.hop
            self.hop *= stride

    def steps(self, samples: int) -> int:
        """Returns how many steps a recording of so many samples gives."""
        if self.whisper:
            return -(-samples // self.hop)
        for kernel, stride in zip(
            self.encoder.config.conv_kernel, self.encoder.config.conv_stride, strict=True
        ):
            samples = (samples - kernel) // stride + 1
        return max(samples, 0)

    def windows(self, signal: Signal) -> list[np.ndarray]:
        """Cuts what is longer than the encoder reads at once."""
        if not self.whisper:
            return [signal]
        return [signal[at : at + self.window] for at in range(0, len(signal), self.window)]

    def said(self, seconds: Sequence[Seconds]) -> list[str]:
        """Says how many recordings are longer than what the encoder reads at once."""
        most = self.window / RATE
        longer = sum(each > most for each in seconds) if self.whisper else 0
        if not longer:
            return []
        return [
            f"{self.encoder.name}: {plural(longer, 'recording')} of more than {most:g} s, heard in "
            "windows of that length"
        ]

    def check(self, signal: Signal, file: Path | None = None) -> None:
        """Makes sure that a recording gives a step.

        Raises:
          DataError: It is too short.
        """
        if len(signal) < self.shortest:
            raise DataError(
                f"too short for {self.encoder.name}",
                file=file,
                value=f"{len(signal) / RATE:g} s",
                expected=f"at least {self.shortest / RATE:g} s",
            )


def seconds_of_step(encoder: Encoder) -> float:
    """Returns how much later than the one before a step of an encoder of speech begins."""
    return SpeechReader(encoder).hop / RATE


class SpeechNetwork:
    """An encoder of speech, loaded."""

    def __init__(self, reader: SpeechReader) -> None:
        self.reader = reader
        wanted = "input_features" if reader.whisper else "input_values"
        self.network, self.device = load_network(reader.encoder, wanted)
        self.wanted = wanted

    def __call__(self, signals: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Computes the layers, [layer, step, unit], of recordings that may share a batch."""
        torch, _ = libraries()
        reader, options = self.reader, {}
        windows = [reader.windows(signal) for signal in signals]
        flat = [window for each in windows for window in each]
        if not reader.whisper:
            options = {
                "padding": True,
                "return_attention_mask": reader.extractor.return_attention_mask,
            }
        given = reader.extractor(flat, sampling_rate=RATE, return_tensors="pt", **options)
        names = (self.wanted,) if reader.whisper else (self.wanted, "attention_mask")
        inputs = {name: given[name].to(self.device) for name in names if name in given}
        with torch.inference_mode(), warnings.catch_warnings():
            # WavLM's own masks are of two types, which PyTorch will not take for ever.
            warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask")
            output = self.network(**inputs, output_hidden_states=True)
            layers = hidden_layers(reader.encoder, output).float().cpu().numpy()
        rows = iter(range(len(flat)))
        return [
            np.concatenate(
                [layers[:, next(rows), : reader.steps(len(window))] for window in each], axis=1
            )
            for each in windows
        ]
