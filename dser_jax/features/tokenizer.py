"""Words to numbers, as the Keras `Tokenizer` of the paper does it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int32

from dser_jax.system import DserError

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
"""Characters that part words, besides the space; the apostrophe is not among them."""

_TO_SPACES = str.maketrans(FILTERS, " " * len(FILTERS))


def split_words(text: str) -> list[str]:
    """Returns the words of a text, lower-case and without punctuation.

    As in Keras only the space and `FILTERS` part words: a no-break space is part of its word.
    """
    return [word for word in text.lower().translate(_TO_SPACES).split(" ") if word]


@dataclass(frozen=True)
class Tokenizer:
    """Numbers words by how often they occur, as `keras.preprocessing.text.Tokenizer`.

    Number 0 is padding, 1 the most frequent word; of words with equal counts the one met first
    comes first. Words that were not met in `fit` are dropped by `encode`.

    Attributes:
      words: The words; `words[i]` has the number `i + 1`.
    """

    words: tuple[str, ...]

    @classmethod
    def fit(cls, texts: Iterable[str]) -> Tokenizer:
        """Learns the vocabulary of the texts."""
        counts = Counter(word for text in texts for word in split_words(text))
        return cls(tuple(sorted(counts, key=counts.__getitem__, reverse=True)))

    @property
    def size(self) -> int:
        """The number of words and the padding: the rows of an embedding."""
        return len(self.words) + 1

    @cached_property
    def index(self) -> dict[str, int]:
        """Maps a word to its number."""
        return {word: number for number, word in enumerate(self.words, start=1)}

    def numbers(self, text: str) -> list[int]:
        """Returns the numbers of a text's known words."""
        return [self.index[word] for word in split_words(text) if word in self.index]

    def encode(
        self, texts: Sequence[str], max_tokens: int
    ) -> Int32[np.ndarray, "utt {max_tokens}"]:
        """Returns the texts as numbers, with padding in front.

        Of a text with more than `max_tokens` known words the last ones stay, as in Keras'
        `pad_sequences`.
        """
        if max_tokens < 1:
            raise DserError(f"max_tokens is {max_tokens}; expected at least 1")
        tokens = np.zeros((len(texts), max_tokens), np.int32)
        for row, text in zip(tokens, texts, strict=True):
            numbers = self.numbers(text)[-max_tokens:]
            row[max_tokens - len(numbers) :] = numbers
        return tokens

    def to_json(self) -> str:
        """Returns the tokenizer as JSON."""
        return json.dumps({"words": self.words}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Tokenizer:
        """Restores what `to_json` gave."""
        return cls(tuple(json.loads(text)["words"]))
