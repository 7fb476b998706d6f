"""Word vectors: of files with millions of words, the corpus' words."""

from __future__ import annotations

import codecs
import dataclasses
import gzip
import io
import itertools
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import numpy as np
from jaxtyping import Float32

from dser_jax.features.tokenizer import Tokenizer
from dser_jax.system import DataError, plural, unread

Format = Literal["glove", "fasttext"]

FORMATS: dict[str, Format] = {"glove": "glove", "fasttext": "fasttext"}
"""The word vectors that `dser prepare` knows."""

_DIMENSIONS = range(2, 5000)
"""What can be a vector's size; a line that gives another is no vector."""


@dataclass(frozen=True)
class Vectors:
    """Vectors of those words of a corpus that a file knows.

    Attributes:
      words: The words found, the corpus' most frequent one first; after those that are read with
        signs folded (see `fold_signs`) such as are only there without.
      matrix: A row for each.
      types: How many different words the corpus has, signs folded.
      types_found: How many of those have a vector.
      tokens: How many words it has in all.
      tokens_found: How many of those have a vector.
      as_written: The same two, signs as they are written.
      said: How many vectors the file has, for people.
    """

    words: tuple[str, ...]
    matrix: Float32[np.ndarray, "word dim"]
    types: int
    types_found: int
    tokens: int
    tokens_found: int
    as_written: tuple[int, int]
    said: str = ""

    def coverage(self) -> dict[str, int]:
        """Returns the counts as the manifest has them."""
        counts = {
            "dim": self.matrix.shape[1],
            "types": self.types,
            "types_found": self.types_found,
            "tokens": self.tokens,
            "tokens_found": self.tokens_found,
        }
        if self.as_written != (self.tokens, self.tokens_found):
            tokens, found = self.as_written
            counts |= {"tokens_as_written": tokens, "tokens_found_as_written": found}
        return counts


def load_vectors(path: Path, texts: Iterable[str], format: Format) -> Vectors:
    """Reads the vectors of the words of the texts, line by line.

    Words are looked up as the tokenizer gives them: lower-case, without punctuation.

    Args:
      path: A file in the format of GloVe (`word v1 v2 ...`) or of FastText's `.vec` (the same
        after a line with the count and the dimension); either may be compressed as `.gz`.
      texts: The transcripts of the corpus.
      format: Which of the two.

    Raises:
      DataError: A line has another number of values than the others, or something that is no
        number; or the file has none of the words.
    """
    texts = list(texts)
    words = _vocabulary(texts)
    found, said = _read(path, {word.encode(): word for word in words}, format)
    if not found:
        raise DataError(
            f"none of {plural(len(words), 'word')} of the corpus has a vector",
            file=path,
            expected="vectors of the language of the transcripts",
        )
    return dataclasses.replace(of_texts(found, texts), said=said)


def of_texts(vectors: Mapping[str, np.ndarray], texts: Sequence[str]) -> Vectors:
    """Takes the vectors of the words of some texts, and counts the words.

    Args:
      vectors: By word, all of one width; at least one.
      texts: The transcripts of the corpus.
    """
    known = tuple(word for word in _vocabulary(texts) if word in vectors)
    dim = len(next(iter(vectors.values())))
    folded, written = (
        Counter(word for text in texts for word in Tokenizer((), folds).split(text))
        for folds in (True, False)
    )
    return Vectors(
        words=known,
        matrix=np.array([vectors[word] for word in known], np.float32).reshape(len(known), dim),
        types=len(folded),
        types_found=sum(word in vectors for word in folded),
        tokens=folded.total(),
        tokens_found=sum(folded[word] for word in known),
        as_written=(written.total(), sum(written[word] for word in known)),
    )


def _vocabulary(texts: Sequence[str]) -> tuple[str, ...]:
    """Returns the words of texts, as networks meet them that fold signs or do not."""
    words = (Tokenizer.fit(texts, folds=folds).words for folds in (True, False))
    return tuple(dict.fromkeys(itertools.chain(*words)))


def _read(
    path: Path, wanted: dict[bytes, str], format: Format
) -> tuple[dict[str, np.ndarray], str]:
    """Returns the vectors of the wanted words, of one that comes twice the first; and the count."""
    found: dict[str, np.ndarray] = {}
    count, announced = 0, None
    with _opened(path) as lines:
        dim = 0
        if format == "fasttext":
            announced, dim = _header(path, lines)
        for number, line in enumerate(lines, start=2 if format == "fasttext" else 1):
            line = line.rstrip(b" \r\n")
            if number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
            if not line:
                continue
            count += 1
            if not dim:
                dim = _dimension(path, line)
            spaces = line.count(b" ")
            word = line[: line.find(b" ")]
            if spaces == dim and word not in wanted:
                continue
            # GloVe 840B has words with spaces, hence from the right.
            word, *values = line.rsplit(b" ", dim)
            if len(values) != dim or (spaces > dim and _is_number(word.rsplit(b" ", 1)[-1])):
                raise DataError(
                    "a line with another number of values",
                    file=path,
                    line=number,
                    value=f"{spaces} after {_shown(line)}",
                    expected=f"{dim}",
                )
            if word in wanted and wanted[word] not in found:
                found[wanted[word]] = _numbers(path, number, line, values)
    said = f"{path.name}: {count:,} vector{'s' * (count != 1)}"
    if announced is not None and announced != count:
        said += f", though its first line announces {announced:,}: is it cut off?"
    return found, said


def _header(path: Path, lines: IO[bytes]) -> tuple[int, int]:
    """Reads the first line of a FastText file: how many vectors there are, and their dimension."""
    first = lines.readline().removeprefix(codecs.BOM_UTF8).split()
    if len(first) != 2 or not all(part.isdigit() for part in first):
        raise DataError(
            "not a FastText file",
            file=path,
            line=1,
            value=b" ".join(first[:4]).decode("utf-8", "replace"),
            expected="a line `count dimension`; a file without one is in GloVe's format (--glove)",
        )
    return int(first[0]), int(first[1])


def _dimension(path: Path, line: bytes) -> int:
    """Returns the dimension that a GloVe file's first line shows."""
    parts = line.split(b" ")
    if len(parts) == 2 and all(part.isdigit() for part in parts):
        raise DataError(
            "not a GloVe file",
            file=path,
            line=1,
            value=line.decode(),
            expected="a word and its vector; a file with such a header is FastText's (--fasttext)",
        )
    # The first word may itself have spaces: the values are the numbers at the end.
    dim = 0
    while dim < len(parts) - 1 and _is_number(parts[-1 - dim]):
        dim += 1
    if dim not in _DIMENSIONS:
        raise DataError(
            "not a file of word vectors",
            file=path,
            line=1,
            value=_shown(line),
            expected="a word and its vector, parted by single spaces",
        )
    return dim


def _numbers(path: Path, number: int, line: bytes, values: list[bytes]) -> np.ndarray:
    """Returns a line's values, which are finite numbers."""
    for value in values:
        if not _is_number(value):
            raise DataError(
                f"a value that is no number in the vector of {_shown(line)}",
                file=path,
                line=number,
                value=value.decode("utf-8", "replace"),
                expected="finite numbers",
            )
    return np.array([float(value) for value in values], np.float32)


def _is_number(value: bytes) -> bool:
    try:
        return bool(np.isfinite(float(value)))
    except ValueError:
        return False


def _shown(line: bytes) -> str:
    """Returns the beginning of a line, for a message."""
    return repr(line[: line.find(b" ")][:40].decode("utf-8", "replace"))


@contextmanager
def _opened(path: Path):
    """Opens a file of lines, compressed or not; what ails it becomes a DataError."""
    try:
        with path.open("rb") as raw:
            magic = raw.read(2)
            raw.seek(0)
            if magic in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
                raise DataError("a file in UTF-16", file=path, expected="word vectors in UTF-8")
            if magic == b"PK":
                raise DataError("a zip archive", file=path, expected="the file inside; unzip it")
            if not magic:
                raise DataError("an empty file", file=path, expected="word vectors")
            opened = gzip.GzipFile(fileobj=raw) if magic == b"\x1f\x8b" else raw
            with io.BufferedReader(opened, 1 << 20) as lines:  # type: ignore[arg-type]
                yield lines
    except OSError as error:
        raise unread(path, error, "word vectors, as text or compressed by gzip") from None
    except (EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot be read ({reason})", file=path) from None
