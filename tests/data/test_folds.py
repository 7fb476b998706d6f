"""Splits by speaker: hand-worked, no speaker in two parts."""

from __future__ import annotations

import numpy as np
import pytest

from dser_jax.corpora.utterances import Utterance
from dser_jax.data.parts.folds import folds_of
from dser_jax.data.splits import make_split, named_parts
from dser_jax.system.errors import DserError

ROWS = {"s1": 2, "s2": 3, "s10": 2, "s9": 4, "s3": 2, "s4": 3, "s5": 2}
"""Utterances of each speaker; in natural order s1 s2 s3 s4 s5 s9 s10."""


def corpus(**extra):
    names = [name for name, count in ROWS.items() for _ in range(count)]
    return [Utterance(f"{i:02d}", speaker=name, **extra) for i, name in enumerate(names)]


def speakers(utterances, rows):
    return {utterances[row].speaker for row in rows}


def test_a_share_of_the_speakers_is_held_out_the_last_in_natural_order():
    table = corpus()
    split = make_split(table, "speakers:0.3", "strict")  # 2.1 of 7.
    assert split.name == "2 of 7 speakers (s9, s10)"
    assert speakers(table, split.test) == {"s9", "s10"}
    # Validation: the last of the others until they have a fifth of their 12 rows: s5 2, s4 3.
    assert speakers(table, split.validation) == {"s4", "s5"}
    assert speakers(table, split.train) == {"s1", "s2", "s3"}
    assert sorted(np.concatenate([split.train, split.validation, split.test])) == list(range(18))
    paper = make_split(table, "speakers:0.3", "paper")
    np.testing.assert_array_equal(paper.test, split.test)
    assert len(paper.validation) == 3  # The last fifth of 12 rows, rounded up.


def test_a_seed_draws_other_speakers_and_always_the_same():
    table = corpus()
    drawn = {make_split(table, f"speakers:0.3:{seed}", "strict").name for seed in range(20)}
    assert len(drawn) > 10
    again = {make_split(table, f"speakers:0.3:{seed}", "strict").name for seed in range(20)}
    assert drawn == again
    assert all("of 7 speakers, drawn with seed" in name for name in drawn)


def test_folds_are_neighbours_and_each_speaker_is_tested_and_validates_once():
    table = corpus()
    pool, splits = folds_of(table, "folds:3")
    assert pool == "3 folds of 7 speakers"
    assert splits == ["fold:1/3", "fold:2/3", "fold:3/3"]
    found = [make_split(table, each, "strict") for each in splits]
    assert [split.name for split in found] == [
        "fold 1 of 3 (s1, s2)",
        "fold 2 of 3 (s3, s4, s5)",
        "fold 3 of 3 (s9, s10)",
    ]
    tested = [speakers(table, split.test) for split in found]
    assert [speakers(table, split.validation) for split in found] == [*tested[1:], tested[0]]
    for kind in ("test", "validation"):
        rows = np.concatenate([getattr(split, kind) for split in found])
        assert sorted(rows) == list(range(18))


@pytest.mark.parametrize("split", ["speakers:0.4", "speakers:.2:5", "folds:3", "folds:7:1"])
@pytest.mark.parametrize("protocol", ["strict", "paper"])
def test_no_speaker_of_the_test_is_anywhere_else(split, protocol):
    table = corpus(session="one")
    found = folds_of(table, split)
    for each in [split] if found is None else found[1]:
        parts = make_split(table, each, protocol)
        train, validation, test = (
            speakers(table, rows) for rows in (parts.train, parts.validation, parts.test)
        )
        assert not test & (train | validation)
        assert protocol == "paper" or not train & validation
        assert len(parts.train) + len(parts.validation) + len(parts.test) == len(table)


def test_what_leaves_nothing_says_what_would_do():
    table = [Utterance(f"u{i}", speaker=f"s{i // 6}") for i in range(60)]
    message = "leaves 0 speakers to train .*; speakers:0.01 to speakers:0.8 would do"
    with pytest.raises(DserError, match=message):
        make_split(table, "speakers:0.99", "strict")
    message = "leaves 0 utterances for train; .*; speakers:0.01:7 to speakers:0.9:7 would do"
    with pytest.raises(DserError, match=message):
        make_split(table, "speakers:0.99:7", "paper")
    single = [Utterance(f"u{i}", speaker=f"s{i}") for i in range(20)]
    message = "leaves 1 utterance for test; .*; speakers:0.1 to speakers:0.7 would do"
    with pytest.raises(DserError, match=message):
        make_split(single, "speakers:0.01", "strict")
    with pytest.raises(DserError, match=r"needs .* at least 40 .*; folds:3 to folds:10 would do"):
        make_split(table, "fold:1/40", "strict")


@pytest.mark.parametrize("table", [[], [Utterance("u", speaker="s")]])
def test_where_nothing_would_do_nothing_is_named(table):
    with pytest.raises(DserError) as caught:
        make_split(table, "speakers:0.5", "strict")
    assert "would do" not in str(caught.value)


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("folds:8", "at least 8 speakers; this data set has 7"),
        ("folds:2", "expected 3 folds or more"),
        ("fold:4/3", "I from 1 to N"),
        ("speakers:0.2", "1 of 19 utterances without a speaker"),
    ],
)
def test_what_cannot_be_divided_is_refused(split, message):
    table = corpus()
    if split == "speakers:0.2":
        table.append(Utterance("unknown"))
    with pytest.raises(DserError, match=message):
        folds_of(table, split) or make_split(table, split, "strict")
    assert named_parts(table) == []
