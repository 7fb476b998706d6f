import math

import numpy as np
import pytest

from dser_jax.corpora.utterances import Utterance
from dser_jax.data.parts.labels import constant_parts, told_constants, without_constants
from dser_jax.data.splits import Split, known_speakers, make_split, named_parts
from dser_jax.system.errors import DserError


def corpus(sessions=5, each=10):
    return [
        Utterance(f"Ses{s:02d}_{i:03d}", f"Ses{s:02d}{'FM'[i % 2]}", f"Ses{s:02d}")
        for s in range(1, sessions + 1)
        for i in range(each)
    ]


def sessions(utterances, rows):
    return sorted({utterances[i].session for i in rows})


def parts(split):
    return split.train, split.validation, split.test


@pytest.mark.parametrize("protocol", ["paper", "strict"])
@pytest.mark.parametrize("how", ["last_session", "session:Ses02"])
def test_parts_do_not_overlap_and_use_every_row(protocol, how):
    utterances = corpus()
    split = make_split(utterances, how, protocol)
    assert sorted(np.concatenate(parts(split))) == list(range(50))


def test_papers_split_is_keras_validation_split():
    # The release's numbers: sessions of 1819, 1811, 2136, 2103 and 2170 utterances.
    counts = (1819, 1811, 2136, 2103, 2170)
    utterances = [
        Utterance(f"{s}{i:04d}", session=f"Ses{s:02d}")
        for s, count in enumerate(counts, 1)
        for i in range(count)
    ]
    split = make_split(utterances, "last_session", "paper")
    assert split.name == "last session (Ses05)"
    assert (split.train[0], split.train[-1]) == (0, 6294)
    assert (split.validation[0], split.validation[-1]) == (6295, 7868)
    assert (split.test[0], split.test[-1]) == (7869, 10038)


def test_strict_validates_on_a_session_of_its_own():
    utterances = corpus()
    split = make_split(utterances, "last_session", "strict")
    assert sessions(utterances, split.train) == ["Ses01", "Ses02", "Ses03"]
    assert sessions(utterances, split.validation) == ["Ses04"]
    assert sessions(utterances, split.test) == ["Ses05"]


def test_leave_one_session_out_tests_on_each_session():
    utterances = corpus()
    for number in range(1, 6):
        split = make_split(utterances, f"session:Ses{number:02d}", "strict")
        assert sessions(utterances, split.test) == [f"Ses{number:02d}"]
        held = {utterances[i].speaker for i in (*split.validation, *split.test)}
        assert not held & {utterances[i].speaker for i in split.train}


def test_strict_holds_out_speakers_where_there_is_one_session_left():
    utterances = [Utterance(str(i), f"spk{i % 5}", "one" if i < 40 else "two") for i in range(50)]
    split = make_split(utterances, "last_session", "strict")
    assert {utterances[i].speaker for i in split.validation} == {"spk4"}
    assert "spk4" not in {utterances[i].speaker for i in split.train}


def test_sessions_and_speakers_are_in_the_order_that_people_give_them():
    utterances = [Utterance(f"{s}{i}", f"p{s}", str(s)) for s in range(1, 13) for i in range(2)]
    split = make_split(utterances, "last_session", "strict")
    assert split.name == "last session (12)"
    assert sessions(utterances, split.test) == ["12"]
    assert sessions(utterances, split.validation) == ["11"]
    alone = [Utterance(u.id, u.speaker, "a" if u.session != "3" else "b") for u in utterances]
    split = make_split(alone, "last_session", "strict")
    assert {alone[i].speaker for i in split.validation} == {"p10", "p11", "p12"}
    many = [Utterance(str(i), split=f"test{i}") for i in (10, 9, 1)]
    assert named_parts(many) == ["test1", "test9", "test10"]
    with pytest.raises(DserError, match="there are 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12"):
        make_split(utterances, "session:13", "strict")


def test_speakers_on_both_sides_are_told():
    apart = corpus()
    assert known_speakers(apart, make_split(apart, "last_session", "strict")) == []
    both = [Utterance(str(i), f"p{i % 7}" if i < 30 else "p10", f"s{i // 10}") for i in range(35)]
    (told,) = known_speakers(both, make_split(both, "session:s2", "strict"))
    assert told == (
        "session (s2): 7 of 7 speakers (p0, p1, p2, p3, p4, ...) of the test set are also in "
        "training or validation: its scores are not those of new speakers"
    )
    (told,) = known_speakers(both, make_split(both, "last_session", "strict"))
    assert told.startswith(
        "last session (s3): 7 of 7 speakers (p0, p1, p2, p3, p4, ...) of the val"
    )
    unknown = [Utterance(u.id, None, u.session) for u in both]
    assert known_speakers(unknown, make_split(unknown, "last_session", "strict")) == []


def test_column():
    marks = ["train"] * 6 + ["validation"] * 3 + ["test"] * 3 + [None]
    utterances = [Utterance(str(i), split=mark) for i, mark in enumerate(marks)]
    split = make_split(utterances, "column", "strict")
    assert [list(part) for part in parts(split)] == [[*range(6)], [6, 7, 8], [9, 10, 11]]


def test_column_of_several_test_sets():
    marks = ["train"] * 4 + ["validation"] * 2 + ["test2", "test1", "test2", "test1", None]
    utterances = [Utterance(str(i), split=mark) for i, mark in enumerate(marks)]
    first = make_split(utterances, "column", "strict")
    assert (first.name, list(first.test)) == ("column (test1)", [7, 9])
    second = make_split(utterances, "column:test2", "strict")
    assert (second.name, list(second.test)) == ("column (test2)", [6, 8])
    assert [list(part) for part in parts(second)[:2]] == [[0, 1, 2, 3], [4, 5]]
    usual = [*utterances, Utterance("a", split="test"), Utterance("b", split="test")]
    assert make_split(usual, "column", "strict").name == "column"


def test_column_without_validation_takes_it_from_training_rows():
    marks = ["train"] * 10 + ["test"] * 3
    utterances = [Utterance(str(i), f"s{i // 5}", split=m) for i, m in enumerate(marks)]
    assert list(make_split(utterances, "column", "paper").validation) == [8, 9]
    assert list(make_split(utterances, "column", "strict").validation) == [5, 6, 7, 8, 9]


@pytest.mark.parametrize(
    ("utterances", "how", "protocol", "message"),
    [
        (corpus(1), "last_session", "strict", "at least two sessions"),
        ([Utterance("a"), Utterance("b")], "last_session", "paper", "this data set has 0"),
        (corpus(), "session:Ses09", "paper", "Ses01, Ses02, Ses03, Ses04, Ses05"),
        (corpus(), "column", "paper", "0 train, 0 validation, 0 test"),
        (corpus(), "column:validation", "paper", "names no test set; there are none"),
        (
            [Utterance(str(i), split=m) for i, m in enumerate(["train", "test1", "test2"])],
            "column:test3",
            "paper",
            "marked train and test3; .* 1 train, 0 validation, 0 test3, 1 test1, 1 test2",
        ),
        (
            [Utterance(str(i), split=m) for i, m in enumerate(["train"] * 8 + ["test"] * 2)],
            "column",
            "strict",
            "held out of training",
        ),
        (corpus(2, 1), "last_session", "paper", "leaves 0 utterances for train"),
    ],
)
def test_what_cannot_be_split_says_why(utterances, how, protocol, message):
    with pytest.raises(DserError, match=message):
        make_split(utterances, how, protocol)


def test_labels_that_never_vary_are_none():
    split = Split("column", np.array([0, 1, 2]), np.array([3, 4]), np.array([5, 6]))
    nan = math.nan
    gold = np.array(  # Arousal is .5 in all of training, dominance -1 or nothing in the test.
        [
            *([0, 0.5, 0.1], [0.2, 0.5, 0.2], [0, nan, 0.3]),
            *([0.1, 0.1, 0], [0, 0.2, 0.4]),
            *([0.3, 0.3, -1.0], [0.4, 0.4, nan]),
        ]
    )
    assert constant_parts(gold, split) == {"arousal": ["train"], "dominance": ["test"]}
    left = without_constants(gold, split)
    np.testing.assert_array_equal(left[:, 0], gold[:, 0])
    assert np.isnan(left[:, 1]).all()
    np.testing.assert_array_equal(left[:5, 2], gold[:5, 2])
    assert np.isnan(left[5:, 2]).all()
    arousal, dominance = told_constants(gold, split)
    assert arousal.startswith(
        "column: all labels of arousal in training are alike: it is neither trained"
    )
    assert dominance.startswith(
        "column: all labels of dominance in test are alike: it has no score"
    )
