"""What a user of predictions is told: whose utterances they are, what lies beyond the scale."""

import numpy as np
import pytest

from dser_jax.data.dialogues.order import Place
from dser_jax.predict.estimate import Estimate
from dser_jax.predict.pipeline import _off_scale
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


def test_values_beyond_the_scale_are_counted():
    pred = np.array([[[1.01, 0.5], [-1.3, 1.2], [0.0, -1.0]]], np.float32)
    (said,) = _off_scale(Estimate(("valence", "arousal"), (1.0, 5.0), pred))
    assert said.startswith("2 of 6 values lie beyond the ends of the scale")
    assert _off_scale(Estimate(("valence", "arousal"), (1.0, 5.0), pred[:, 2:])) == []
