"""Whose utterances they are, where a model measures features by each speaker's own."""

import pytest

from dser_jax.data.dialogues.order import Place
from dser_jax.predict.speakers import speakers_of
from dser_jax.share.choice import _made_of
from dser_jax.system.errors import DserError


def test_some_without_a_speaker_are_refused_and_all_are_one_which_is_said_once():
    notices = []
    named = [Place(speaker="unnamed"), Place(speaker="b")]
    assert speakers_of(named, notices) == ["unnamed", "b"]
    assert notices == []
    for _ in range(2):
        assert len(set(speakers_of([Place(), Place()], notices))) == 1
    assert len(notices) == 1
    assert speakers_of([Place()], []) == [""]
    with pytest.raises(DserError, match="1 of 3 utterances have none: name the speaker of each"):
        speakers_of([*named, Place()], notices)


@pytest.mark.parametrize(
    ("row", "flags"),
    [
        ("a, b, ensemble of 20, stretched", "--ensemble --stretch"),
        ("a, b, ensemble of 2", "--ensemble"),
        ("a, b, stretched", "--stretch"),
        ("a, c", ""),
        ("a, b, stretched more", ""),
    ],
)
def test_a_row_that_a_report_makes_is_named_by_flags(row, flags):
    assert _made_of("a, b", row) == flags
