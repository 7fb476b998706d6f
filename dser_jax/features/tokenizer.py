"""Words to numbers, as the Keras `Tokenizer` of the paper does it."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int32

from dser_jax.corpora import fold_space
from dser_jax.system import DserError

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
"""Characters that part words, besides the space; the apostrophe is not among them."""

_TO_SPACES = str.maketrans(FILTERS, " " * len(FILTERS))

_PLAIN = {
    "'": "\u2018\u2019\u201a\u201b\u2032\u02bc\u00b4\u2039\u203a",
    '"': "\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212",
    "*": "\u2022\u25cf\u25aa\u25e6",
    "...": "\u2026",
    "!": "\u00a1",
    "?": "\u00bf",
    ",": "\u3001",
    ".": "\u3002",
    "ff": "\ufb00",
    "fi": "\ufb01",
    "fl": "\ufb02",
    "": "\u00ad",
}
"""Typographic quotes, dashes, bullets, ellipsis and the like, by what ASCII has for them."""

_TO_PLAIN = {ord(sign): plain for plain, signs in _PLAIN.items() for sign in signs}
_TO_PLAIN |= {wide: chr(wide - 0xFEE0) for wide in range(0xFF01, 0xFF5F)}  # ASCII in full width.


def fold_signs(text: str) -> str:
    r"""Writes typographic signs as ASCII has them, letters with their accents, plain spaces.

    >>> fold_signs("don\u2019t \u2014 you know\u2026\u00a0")
    "don't - you know..."
    """
    if text.isascii():
        return text
    return fold_space(unicodedata.normalize("NFC", text).translate(_TO_PLAIN))


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
      folds: Whether texts go through `fold_signs` first, which Keras' tokenizer does not know.
    """

    words: tuple[str, ...]
    folds: bool = False

    @classmethod
    def fit(cls, texts: Iterable[str], *, folds: bool = False) -> Tokenizer:
        """Learns the vocabulary of the texts."""
        counts = Counter(word for text in texts for word in cls((), folds).split(text))
        return cls(tuple(sorted(counts, key=counts.__getitem__, reverse=True)), folds)

    def split(self, text: str) -> list[str]:
        """Returns the words of a text, known or not."""
        return split_words(fold_signs(text) if self.folds else text)

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
        return [self.index[word] for word in self.split(text) if word in self.index]

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
        return json.dumps({"words": self.words, "folds": self.folds}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Tokenizer:
        """Restores what `to_json` gave."""
        found = json.loads(text)
        return cls(tuple(found["words"]), bool(found.get("folds", False)))
