"""`dser predict` with a model that sees the turns before."""

from __future__ import annotations

import numpy as np
import pytest
from test_recordings import noise, write
from untrained import make_model

from dser_jax.predict.pipeline import predict
from dser_jax.predict.recordings import Asked, Piece, find
from dser_jax.system.errors import DserError


@pytest.fixture(scope="module")
def words():
    return make_model(acoustic=None, members=1, context="all")


@pytest.fixture(scope="module")
def speech():
    return make_model(text=None, members=1, context="all")


def members(found):
    return np.array([each.estimate.members[0] for each in found])


def test_a_csv_tells_the_turns(words, tmp_path):
    table = tmp_path / "t.csv"
    rows = ["a,2,the awful weather", "a,1,wonderful", "b,1,awful", ",,awful", "a,3,awful"]
    table.write_text("dialogue,turn,text\n" + "\n".join(rows) + "\n")
    asked = find([table])
    assert "dialogues: 2" in " ".join(asked.said)
    pred = members(predict(words, asked))
    np.testing.assert_array_equal(pred[2], pred[3])
    assert (pred[2] != pred[4]).any(), "the same word, after others"
    again = words(None, ["wonderful", "the awful weather", "awful"], dialogue="a").members[0]
    np.testing.assert_allclose(again, pred[[1, 0, 4]], atol=1e-6)
    alone = words(None, ["wonderful", "the awful weather", "awful"]).members[0]
    np.testing.assert_allclose(alone[2], pred[2], atol=1e-6)


def test_a_turn_that_cannot_be_predicted_was_not_there(words, tmp_path):
    (tmp_path / "t.csv").write_text("dialogue,turn,text\na,1,awful\na,x,the\na,3,wonderful\n")
    found = predict(words, find([tmp_path / "t.csv"]))
    assert "the turn is no place in a dialogue" in found[1].piece.problem
    want = words(None, ["awful", "wonderful"], dialogue="a").members[0]
    np.testing.assert_allclose(members([found[0], found[2]]), want, atol=1e-6)


def test_what_is_cut_has_what_came_before_in_the_recording(speech, tmp_path):
    parts = [noise(0.6, 0.3, 1), np.zeros(16000, "f4"), noise(0.6, 0.02, 2)]
    file = write(tmp_path / "long.wav", *parts)
    pieces = (Piece(file), Piece(file))
    found = predict(speech, Asked(pieces[:1]), cutting="always")
    assert [each.piece.dialogue for each in found] == [str(file)] * 2
    assert found[0].piece.turn < found[1].piece.turn
    spans = [(each.piece.start, each.piece.end) for each in found]
    alone = members(predict(speech, Asked(tuple(Piece(file, *span) for span in spans))))
    pred = members(found)
    np.testing.assert_array_equal(pred[0], alone[0])
    assert (pred[1] != alone[1]).any()


def test_names_for_each(words):
    with pytest.raises(DserError, match=r"2 names for 1 utterance: give one for each"):
        words(None, ["awful"], dialogue=["a", "b"])
