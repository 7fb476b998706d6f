"""Encoders of text: tokens as they want them, and how many an utterance may have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dser_jax.features.encoders.encoder import Encoder, hidden_layers, load_network
from dser_jax.features.encoders.libraries import libraries
from dser_jax.features.encoders.weights import SENTENCES, read_json
from dser_jax.system import DataError, plural

_NO_LIMIT = 10**6
"""Tokenizers that know of no limit tell one beyond this."""


class TextReader:
    """What an encoder of text wants of an utterance; knows no weights.

    Attributes:
      encoder: Which.
      tokenizer: As transformers has it.
      longest: Tokens at most, [CLS] and its like included.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        _, transformers = libraries()
        folder = encoder.weights.folder
        try:
            self.tokenizer: Any = transformers.AutoTokenizer.from_pretrained(str(folder))
        except Exception as error:
            why = " ".join(str(error).split())[:200]
            raise DataError(f"no tokenizer that can be read ({why})", file=folder) from None
        if self.tokenizer.pad_token is None:
            raise DataError("the tokenizer has no padding", file=folder, expected="an encoder's")
        path = folder / SENTENCES
        found = read_json(path) if path.is_file() else {}
        sentences = found if isinstance(found, dict) else {}
        self.lower = bool(sentences.get("do_lower_case"))
        config = encoder.config
        places = getattr(config, "max_position_embeddings", None) or _NO_LIMIT
        if config.model_type in _OFFSET:
            places -= config.pad_token_id + 1
        limits = (self.tokenizer.model_max_length, sentences.get("max_seq_length"), places)
        self.longest = int(min(limit for limit in limits if limit))

    def read(self, text: str) -> dict[str, list[int]]:
        """Returns the tokens of an utterance, as many as the encoder takes."""
        return dict(self.tokenizer(self._lowered(text), truncation=True, max_length=self.longest))

    def count(self, text: str) -> int:
        """Returns how many tokens an utterance has, [CLS] and its like included."""
        return len(self.tokenizer(self._lowered(text), verbose=False)["input_ids"])

    def _lowered(self, text: str) -> str:
        return text.lower() if self.lower else text

    def said(self, counts: Sequence[int]) -> list[str]:
        """Says how many utterances have more tokens than the encoder takes."""
        longer = sum(count > self.longest for count in counts)
        if not longer:
            return []
        return [
            f"{self.encoder.name}: {plural(longer, 'text')} of more than {self.longest} tokens, of "
            "which the encoder reads the first"
        ]


def say_cut(encoder: Encoder, texts: Sequence[str]) -> list[str]:
    """Says how many texts have more tokens than an encoder takes."""
    reader = TextReader(encoder)
    return reader.said([reader.count(text) for text in texts])


_OFFSET = ("camembert", "mpnet", "roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl")
"""Those whose first place is behind that of the padding, which has none."""


class TextNetwork:
    """An encoder of text, loaded."""

    def __init__(self, reader: TextReader) -> None:
        self.reader = reader
        self.network, self.device = load_network(reader.encoder, "input_ids")

    def __call__(self, tokens: Sequence[dict[str, list[int]]]) -> list[np.ndarray]:
        """Computes the layers, [layer, step, unit]; a step is a token that is no padding."""
        torch, _ = libraries()
        given = self.reader.tokenizer.pad(list(tokens), return_tensors="pt")
        inputs = {name: values.to(self.device) for name, values in given.items()}
        with torch.inference_mode():
            output = self.network(**inputs, output_hidden_states=True)
            layers = hidden_layers(self.reader.encoder, output).float().cpu().numpy()
        masks = given["attention_mask"].numpy().astype(bool)
        return [np.ascontiguousarray(layers[:, i, mask]) for i, mask in enumerate(masks)]
