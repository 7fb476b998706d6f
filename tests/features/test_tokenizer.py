from __future__ import annotations

import csv
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dser_jax.features.tokenizer import Tokenizer, fold_signs, split_words
from dser_jax.system.errors import DserError

EMOBANK = Path(__file__).parents[3] / "shared" / "data" / "emobank.csv"


@pytest.fixture(scope="module")
def keras():
    """Keras' own tokenizer and padding."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = pytest.importorskip("keras.src.legacy.preprocessing.text")
        from keras.utils import pad_sequences
    return text.Tokenizer, pad_sequences


def check_against_keras(keras, fitted: list[str], encoded: list[str], max_tokens: int) -> None:
    make, pad = keras
    theirs = make()
    theirs.fit_on_texts(fitted)
    ours = Tokenizer.fit(fitted)
    assert ours.index == theirs.word_index
    want = pad(theirs.texts_to_sequences(encoded), maxlen=max_tokens)
    got = ours.encode(encoded, max_tokens)
    assert got.dtype == want.dtype == np.int32
    np.testing.assert_array_equal(got, want)


def test_ranks_by_frequency_then_by_first_occurrence():
    tokenizer = Tokenizer.fit(["No, no! Why now?", "Why? It's over."])
    assert tokenizer.words == ("no", "why", "now", "it's", "over")
    assert tokenizer.size == 6


def test_pads_in_front_and_keeps_the_last_words():
    tokenizer = Tokenizer.fit(["a a a b b c"])
    tokens = tokenizer.encode(["c", "a b c", "c unknown a b", "", "?!"], 2)
    np.testing.assert_array_equal(tokens, [[0, 3], [2, 3], [1, 2], [0, 0], [0, 0]])


def test_no_texts_and_no_room():
    assert Tokenizer.fit([]).encode([], 3).shape == (0, 3)
    with pytest.raises(DserError, match="max_tokens is 0; expected at least 1"):
        Tokenizer.fit(["a"]).encode(["a"], 0)


def test_json_round_trip():
    tokenizer = Tokenizer.fit(["Über \u00a0 naïve — it's", "naïve"])
    assert Tokenizer.from_json(tokenizer.to_json()) == tokenizer


def test_typographic_signs_are_those_of_ascii_where_they_are_folded():
    typeset = "Don\u2019t \u2014 you know\u2026 \u201ca lamp\u201d cafe\u0301 pre\u00addict"
    typeset += " \uff21\uff01\u00a0so"
    plain = "don't you know a lamp caf\u00e9 predict a so"
    assert Tokenizer((), folds=True).split(typeset) == plain.split(" ")
    assert split_words(typeset) != plain.split(" ")
    fitted = Tokenizer.fit([typeset], folds=True)
    np.testing.assert_array_equal(fitted.encode([typeset], 9), fitted.encode([plain], 9))
    assert fitted.numbers("don\u2019t don't dont") == [2, 2]
    assert Tokenizer.from_json(fitted.to_json()) == fitted
    assert Tokenizer.from_json('{"words": ["a"]}') == Tokenizer(("a",))


@given(st.text())
def test_folding_once_is_enough_and_leaves_ascii_alone(text):
    folded = fold_signs(text)
    assert fold_signs(folded) == folded
    if text.isascii():
        assert folded == text


@given(st.text())
def test_words_are_clean(text):
    assert all(word and " " not in word and "\n" not in word for word in split_words(text))


TEXTS = st.lists(st.text(alphabet=st.sampled_from("aAbBcßİ'.,- \t\n\r\u00a0é?_"), max_size=20))


@given(fitted=TEXTS, encoded=TEXTS, max_tokens=st.integers(1, 6))
def test_equals_keras_on_made_up_texts(keras, fitted, encoded, max_tokens):
    check_against_keras(keras, fitted, encoded, max_tokens)


@pytest.mark.skipif(not EMOBANK.exists(), reason="EmoBank is not beside this checkout")
def test_equals_keras_on_emobank(keras):
    with EMOBANK.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    train = [row["text"] for row in rows if row["split"] == "train"]
    check_against_keras(keras, train, [row["text"] for row in rows], 100)
