from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from dser_jax.features.vectors import load_vectors
from dser_jax.system.errors import DataError

DATA = Path(__file__).parents[3] / "shared" / "data"
TEXTS = ["It's a dog, a big dog.", "Über allem: name@domain.com!"]
GLOVE = """, 9 9 9
a 1 2 3
A 9 9 9
. . 9 9 9
at name@domain.com 9 9 9
dog -0.5 1e-2 3
cat 9 9 9
über 4 5 6
dog 9 9 9
it's 7 8 9
"""


def glove(folder: Path, text: str = GLOVE) -> Path:
    path = folder / "glove.txt"
    path.write_text(text, "utf-8")
    return path


def check(vectors) -> None:
    assert vectors.words == ("a", "dog", "it's", "über")
    assert vectors.matrix.dtype == np.float32
    want = [[1, 2, 3], [-0.5, 0.01, 3], [7, 8, 9], [4, 5, 6]]
    np.testing.assert_array_equal(vectors.matrix, np.float32(want))
    # Not found: big, allem, name, domain, com.
    assert vectors.coverage() == {
        "dim": 3,
        "types": 9,
        "types_found": 4,
        "tokens": 11,
        "tokens_found": 6,
    }


def test_glove(tmp_path):
    check(load_vectors(glove(tmp_path), TEXTS, "glove"))


@pytest.mark.parametrize("end", ["\n", " \n", "\r\n"])
def test_fasttext(tmp_path, end):
    lines = f"10 3\n{GLOVE}".replace("\n", end)
    check(load_vectors(glove(tmp_path, lines), TEXTS, "fasttext"))


def test_compressed(tmp_path):
    path = tmp_path / "glove.txt.gz"
    path.write_bytes(gzip.compress(GLOVE.encode()))
    check(load_vectors(path, TEXTS, "glove"))
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(DataError, match=r"glove\.txt\.gz: cannot be read \(Compressed file ended"):
        load_vectors(path, TEXTS, "glove")


def test_a_first_word_with_a_space(tmp_path):
    vectors = load_vectors(glove(tmp_path, "New York 1 2 3\na 1 2 3\n"), TEXTS, "glove")
    assert vectors.matrix.shape == (1, 3)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("dog 1 2", r":3: a line with another number of values, found .2 after 'dog'.*expected 3"),
        ("cat 1 2", r":3: a line with another number of values, found .2 after 'cat'.*expected 3"),
        ("dog 1 2 3 4", ":3: a line with another number of values, found .4 after 'dog'"),
        ("cat 1 2 3 4", ":3: a line with another number of values, found .4 after 'cat'"),
        ("dog 1 x 3", ":3: a value that is no number in the vector of 'dog', found 'x'"),
        ("dog 1 nan 3", ":3: a value that is no number in the vector of 'dog', found 'nan'"),
        ("dog 1  3", ":3: a value that is no number in the vector of 'dog', found ''"),
    ],
)
@pytest.mark.parametrize("format", ["glove", "fasttext"])
def test_a_bad_line_is_named(tmp_path, line, message, format):
    head = "10 3" if format == "fasttext" else "the 1 2 3"
    path = glove(tmp_path, f"{head}\na 1 2 3\n{line}\n")
    with pytest.raises(DataError, match=rf"glove\.txt{message}"):
        load_vectors(path, TEXTS, format)


@pytest.mark.parametrize(
    ("content", "format", "message"),
    [
        (GLOVE.encode(), "fasttext", "not a FastText file, found ', 9 9 9'; expected.*--glove"),
        (b"2 3\na 1 2 3\n", "glove", "not a GloVe file, found '2 3'; expected.*--fasttext"),
        (b"<html>\n", "glove", "not a file of word vectors"),
        (b"", "glove", "an empty file"),
        (b"PK\3\4", "glove", "a zip archive; expected the file inside; unzip it"),
        (b"chat 1 2\n", "glove", "none of 9 words of the corpus has a vector"),
    ],
)
def test_a_file_that_has_no_vectors(tmp_path, content, format, message):
    path = tmp_path / "v"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_vectors(path, TEXTS, format)


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"none\.txt: no such file; expected word vec"):
        load_vectors(tmp_path / "none.txt", TEXTS, "glove")


def test_words_are_looked_up_with_typographic_signs_and_without(tmp_path):
    path = glove(tmp_path, "don't 1 2\nknow 3 4\nknow\u2026 5 6\nit's 7 8\n")
    vectors = load_vectors(path, ["Don\u2019t know\u2026", "Don't rock\u2013pop"], "glove")
    assert vectors.words == ("don't", "know", "know\u2026")
    # Folded: don't know don't rock pop. As written: don\u2019t know\u2026 don't rock\u2013pop.
    assert vectors.coverage() == {
        **{"dim": 2, "types": 4, "types_found": 2, "tokens": 5, "tokens_found": 3},
        **{"tokens_as_written": 4, "tokens_found_as_written": 2},
    }


def test_a_file_says_how_many_vectors_it_has(tmp_path):
    marked = glove(tmp_path, "\ufeffa 1 2 3\ndog 1 2 3\n")
    vectors = load_vectors(marked, TEXTS, "glove")
    assert vectors.words == ("a", "dog")
    assert vectors.said == "glove.txt: 2 vectors"
    cut = glove(tmp_path, "\ufeff2000 3\na 1 2 3\n")
    said = load_vectors(cut, TEXTS, "fasttext").said
    assert said == "glove.txt: 1 vector, though its first line announces 2,000: is it cut off?"
    cut.write_text("a 1 2 3\n", "utf-16")
    with pytest.raises(DataError, match="a file in UTF-16; expected word vectors in UTF-8"):
        load_vectors(cut, TEXTS, "glove")


@pytest.mark.skipif(not DATA.exists(), reason="no real GloVe vectors beside this checkout")
def test_real_glove_on_real_sentences():
    with (DATA / "emobank.csv").open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    path = DATA / "glove.6B.200d.subset.txt"
    vectors = load_vectors(path, texts, "glove")
    assert vectors.matrix.shape == (len(vectors.words), 200)
    assert vectors.tokens > 100_000
    for line in path.read_text("utf-8").splitlines()[:5]:
        word, *values = line.split(" ")
        if word in vectors.words:
            row = vectors.matrix[vectors.words.index(word)]
            np.testing.assert_array_equal(row, np.float32(values))
