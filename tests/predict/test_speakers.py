"""What a user of predictions is told: whose utterances they are, what lies beyond the scale."""

import numpy as np
import pytest

from dser_jax.data.dialogues.order import Place
from dser_jax.data.rows.speakers import LEAST
from dser_jax.predict.estimate import Estimate
from dser_jax.predict.pipeline import _off_scale
from dser_jax.predict.speech.speakers import own_features
from dser_jax.share.choice import _made_of
from dser_jax.system.errors import DserError


def speech(*lengths):
    random = np.random.default_rng(0)
    return [random.normal(size=(length, 2)) for length in lengths]


def test_features_are_measured_by_the_speaker_s_own():
    notices = []
    names = ["a", "b"] * LEAST
    given = speech(*[1] * len(names))
    own = own_features(given, [Place(speaker=name) for name in names], notices)
    for at in (0, 1):
        mine = np.concatenate(given[at::2])
        want = (mine - mine.mean(0)) / mine.std(0)
        np.testing.assert_allclose(np.concatenate(own[at::2]), want, atol=1e-6)
    assert notices == []


def test_all_without_a_speaker_are_one_which_is_said_once():
    notices = []
    for _ in range(2):
        own = own_features(speech(*[3] * LEAST), [Place()] * LEAST, notices)
        np.testing.assert_allclose(np.concatenate(own).mean(0), 0, atol=1e-6)
    assert len(notices) == 1


def test_speech_without_a_speaker_is_refused_and_what_has_none_needs_none():
    names = [Place(speaker="a")] * LEAST
    with pytest.raises(DserError, match="1 row has no speaker; this model measures them by each"):
        own_features(speech(*[1] * LEAST, 1), [*names, Place()], [])
    own = own_features(speech(*[1] * LEAST, 0), [*names, Place()], [])
    assert [len(rows) for rows in own] == [1] * LEAST + [0]
    notices = []
    own_features(speech(*[1] * LEAST, 0), [*[Place()] * LEAST, Place(speaker="b")], notices)
    assert len(notices) == 1
    with pytest.raises(DserError, match=r"fewer than 10 rows: a \(9\); this model measures"):
        own_features(speech(*[1] * (LEAST - 1)), names[1:], [])


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
