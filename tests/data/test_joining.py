"""Two prepared folders as one: what is taken of each, and a sweep from one corpus to the other."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest
import tiny
from sweeping import draw_nothing

from dser_jax.cli import main
from dser_jax.corpora.utterances import ATTRS, Corpus, Utterance
from dser_jax.data.dataset import load_dataset
from dser_jax.data.joining import join
from dser_jax.data.leaks import mark
from dser_jax.data.preparing import prepare
from dser_jax.data.splits import make_split
from dser_jax.journal.reading import read_journal
from dser_jax.system.errors import DataError, DserError

CONFIG = replace(tiny.CONFIG, split="column")
WORDS = ["awful", "bad", "fair", "good", "superb"]


def make_corpus(name, count, scale, only=ATTRS, extra="", split=lambda i: None):
    """Makes a corpus whose ids, speakers and sessions are called as those of any other.

    The words tell the valence; every other utterance has a word more, `extra`.
    """
    random = np.random.default_rng(count)
    low, high = scale
    utterances = []
    for i in range(count):
        labels = np.round(random.uniform(low, high, 3), 3).tolist()
        words = [WORDS[int(4.99 * (labels[0] - low) / (high - low))]] * 2 + [extra] * (i % 2)
        utterances.append(
            Utterance(
                id=f"u{i:02d}",
                speaker=f"s{i % 4}",
                session=f"S{i % 4}",
                transcript=" ".join(words),
                **{attr: value for attr, value in zip(ATTRS, labels, strict=True) if attr in only},
                split=split(i),
                source=f"{name}.csv:{i + 2}",
            )
        )
    return Corpus(name, tuple(utterances), scale)


def values_of(corpus, width=4):
    """Makes features that follow the labels, on a scale of 0 to 1 in any corpus."""
    random = np.random.default_rng(0)
    labels = np.array([[getattr(u, attr) for attr in ATTRS] for u in corpus.utterances])
    labels = np.nan_to_num((labels - corpus.scale[0]) / np.ptp(corpus.scale), nan=0.5)
    noise = random.normal(size=(len(labels), width - 3))
    return np.concatenate([labels + 0.1 * random.normal(size=labels.shape), noise], 1)


@pytest.fixture
def prepared(tmp_path):
    """Prepares a corpus, with functionals and with sequences of 1 to 3 frames."""

    def make(corpus, folder="", features=("toy_hsf", "toy_lld"), width=4, glove=None):
        values = values_of(corpus, width)
        frames = np.repeat(values[:, None], 3, 1) + 1.0
        for i in range(len(frames)):
            frames[i, : 2 - i % 3] = 0.0  # padding
        arrays = {"toy_hsf": values, "toy_lld": frames, "other": values}
        acoustic = {name: tmp_path / f"{name}.npy" for name in features}
        for name, path in acoustic.items():
            np.save(path, arrays[name])
        vectors = {} if glove is None else {"glove": tmp_path / "glove.txt"}
        for path in vectors.values():
            path.write_text("".join(f"{word} {numbers}\n" for word, numbers in glove.items()))
        out = tmp_path / (folder or corpus.name)
        return prepare(corpus, out, acoustic=acoustic, vectors=vectors).folder

    return make


ONE = make_corpus("one", 40, (1, 5), extra="cat")
TWO = make_corpus("two", 24, (1, 7), extra="dog")


def test_labels_meet_on_one_scale(prepared, tmp_path):
    joined = join(prepared(ONE), prepared(TWO), tmp_path / "out")
    assert joined.manifest["corpus"] == "one -> two"
    assert joined.manifest["scale"] == [-1, 1]
    assert len(joined.utterances) == 64
    for corpus, some in ((ONE, joined.utterances[:40]), (TWO, joined.utterances[40:])):
        low, high = corpus.scale
        for was, now in zip(corpus.utterances, some, strict=True):
            assert now.arousal == pytest.approx(2 * (was.arousal - low) / (high - low) - 1)
            assert (now.transcript, now.source) == (was.transcript, was.source)
    assert "one: train 40" in joined.manifest["notes"]
    assert "two: test 24" in joined.manifest["notes"]


def test_labels_beyond_the_scale_are_clipped_as_within_one_corpus(prepared, tmp_path):
    beyond = (replace(ONE.utterances[0], valence=5.5), *ONE.utterances[1:])
    one = replace(ONE, utterances=beyond, tolerated=(0.0, 6.0))
    joined = join(prepared(one), prepared(TWO), tmp_path / "out")
    assert joined.utterances[0].valence == 1.0


def test_names_of_two_corpora_are_never_one(prepared, tmp_path):
    joined = join(prepared(ONE), prepared(TWO), tmp_path / "out")
    ids = {utterance.id for utterance in joined.utterances}
    assert len(ids) == 64
    assert {"one/u00", "two/u00"} < ids
    assert {u.speaker for u in joined.utterances} == {
        f"{c}/s{i}" for c in ("one", "two") for i in range(4)
    }
    assert {u.session for u in joined.utterances} == {None, *(f"one/S{i}" for i in range(4))}
    split = make_split(joined.utterances, "column", "strict")
    marks = mark(joined.utterances, split)
    assert not marks["test_seen_speaker"].any()
    heard = {u.transcript for u in ONE.utterances}
    seen = [u.transcript in heard for u in TWO.utterances]
    np.testing.assert_array_equal(marks["test_seen_transcript"], seen)
    assert 0 < sum(seen) < 24


def test_only_the_column_can_split_it(prepared, tmp_path):
    joined = join(prepared(ONE), prepared(TWO), tmp_path / "out").utterances
    for split in ("last_session", "session:one/S3"):
        with pytest.raises(DserError, match=r"24 of 64 .*`--split column` takes the split that it"):
            make_split(joined, split, "strict")


@pytest.mark.parametrize("protocol", ["strict", "paper"])
def test_validation_is_of_the_corpus_that_trains(prepared, tmp_path, protocol):
    joined = join(prepared(ONE), prepared(TWO), tmp_path / "out").utterances
    split = make_split(joined, "column", protocol)
    np.testing.assert_array_equal(split.test, range(40, 64))
    held = {joined[row].session for row in split.validation}
    if protocol == "strict":
        assert held == {"one/S3"}
    else:
        np.testing.assert_array_equal(split.validation, range(32, 40))


def test_scaler_and_vocabulary_are_of_the_corpus_that_trains(prepared, tmp_path):
    joined = join(prepared(ONE), prepared(TWO), tmp_path / "out")
    dataset = load_dataset(joined, CONFIG)
    assert dataset.tokenizer is not None
    assert dataset.scaler is not None
    assert "cat" in dataset.tokenizer.index
    assert "dog" not in dataset.tokenizer.index
    train = dataset.data.acoustic[dataset.split.train, 0]
    np.testing.assert_allclose(train.mean(0), 0, atol=1e-6)
    rows = np.array([int(joined.utterances[i].id[-2:]) for i in dataset.split.train])
    np.testing.assert_allclose(dataset.scaler.mean, values_of(ONE)[rows].mean(0), atol=1e-6)
    own = dataset.data.tokens[41]
    assert (own > 0).sum() == 2, "two words and, dropped, the one that only the other corpus has"
    paper = load_dataset(joined, replace(CONFIG, protocol="paper"))
    assert paper.tokenizer is not None
    assert "dog" in paper.tokenizer.index


def test_features_stay_with_their_utterances(prepared, tmp_path):
    joined = join(prepared(ONE), prepared(TWO), tmp_path / "out")
    values = np.concatenate([values_of(ONE), values_of(TWO)])
    np.testing.assert_allclose(joined.feature("toy_hsf")[0], values, atol=1e-6)
    array, offsets = joined.feature("toy_lld")
    assert offsets is not None
    lengths = [1 + i % 3 for i in (*range(40), *range(24))]
    np.testing.assert_array_equal(np.diff(offsets), lengths)
    np.testing.assert_allclose(array, np.repeat(values, lengths, 0) + 1, atol=1e-6)


PARTS = ["train", "train", "validation", "test1", "test2", None]


def parts(i):
    return PARTS[i % 6]


def test_a_split_of_ones_own_is_kept(prepared, tmp_path):
    own = make_corpus("one", 36, (1, 5), split=parts)
    # What is in no part may lack what the others need.
    some = tuple(u if u.split else replace(u, transcript=None) for u in own.utterances)
    first = prepared(replace(own, utterances=some))
    second = prepared(make_corpus("two", 36, (1, 5), split=parts))
    joined = join(first, second, tmp_path / "out")
    counts = {part: sum(u.split == part for u in joined.utterances) for part in PARTS}
    assert counts == {"train": 12, "validation": 6, "test1": 6, "test2": 6, None: 0}
    assert (
        "one: train 12, validation 6; 18 rows of its other parts are left out"
        in joined.manifest["notes"]
    )
    assert joined.manifest["has_transcripts"]
    assert not any("transcript" in note for note in joined.manifest["notes"])
    assert make_split(joined.utterances, "column:test2", "strict").name == "column (test2)"
    values = values_of(make_corpus("two", 36, (1, 5)))
    rows = [i for i in range(36) if i % 6 in (3, 4)]
    np.testing.assert_allclose(joined.feature("toy_hsf")[0][18:], values[rows], atol=1e-6)
    whole = join(first, second, tmp_path / "whole", all_rows=True)
    assert [u.split for u in whole.utterances] == ["train"] * 36 + ["test"] * 36


def test_a_corpus_without_its_part_says_so(prepared, tmp_path):
    trains = prepared(make_corpus("one", 12, (1, 5), split=lambda i: "train"))
    tests = prepared(make_corpus("two", 12, (1, 5), split=lambda i: "test"))
    message = r"two: two has a split of its own, with nothing for training; --all-rows takes all"
    with pytest.raises(DserError, match=message):
        join(tests, trains, tmp_path / "out")
    with pytest.raises(DserError, match="one has a split of its own, with nothing for the test"):
        join(prepared(TWO, folder="all"), trains, tmp_path / "out")


def test_what_only_one_labels_is_dropped(prepared, tmp_path):
    first = prepared(make_corpus("one", 40, (1, 5), only=("valence", "arousal")))
    second = prepared(make_corpus("two", 24, (1, 7), only=("arousal", "dominance")))
    joined = join(first, second, tmp_path / "out")
    assert joined.manifest["attributes"] == ["arousal"]
    assert all(math.isnan(u.valence + u.dominance) for u in joined.utterances)
    notes = joined.manifest["notes"]
    assert "valence is dropped: one has labels of it, two has none" in notes
    assert "dominance is dropped: two has labels of it, one has none" in notes
    third = prepared(make_corpus("three", 24, (1, 7), only=("dominance",)))
    with pytest.raises(
        DataError, match="no attribute in common; expected labels of valence, arousal"
    ):
        join(first, third, tmp_path / "none")


def test_features_that_only_one_has_are_left_out(prepared, tmp_path):
    first, second = prepared(ONE, features=["toy_hsf", "other"]), prepared(TWO)
    joined = join(first, second, tmp_path / "out")
    assert set(joined.manifest["features"]) == {"toy_hsf"}
    notes = joined.manifest["notes"]
    assert "the features other are left out: two has none" in notes
    assert "the features toy_lld are left out: one has none" in notes


def test_features_of_one_name_must_be_the_same(prepared, tmp_path):
    message = r"two: the features toy_hsf are not those of one, found 'functionals of 5 columns, "
    with pytest.raises(DataError, match=message + r"toy_hsf_0 to toy_hsf_4'; .* of 4 columns"):
        join(prepared(ONE), prepared(TWO, width=5), tmp_path / "out")


def test_nothing_to_predict_from(prepared, tmp_path):
    silent = tuple(replace(u, transcript=None) for u in TWO.utterances)
    second = prepared(replace(TWO, utterances=silent))
    joined = join(prepared(ONE), second, tmp_path / "out")
    assert (
        "not every row of two has a transcript, so there is no text to train on"
        in joined.manifest["notes"]
    )
    with pytest.raises(DataError, match="one and two have neither features nor words in common"):
        join(prepared(ONE, folder="bare", features=["other"]), second, tmp_path / "none")


def test_word_vectors_of_both(prepared, tmp_path):
    glove = {word: f"{i} {i}" for i, word in enumerate([*WORDS, "cat", "dog"])}
    first, second = prepared(ONE, glove=glove), prepared(TWO, glove=glove)
    joined = join(first, second, tmp_path / "out")
    words, matrix = joined.vectors("glove")
    assert dict(zip(words, matrix[:, 0], strict=True))["dog"] == 6
    assert set(words) == set(glove)
    entry = joined.manifest["vectors"]["glove"]
    assert entry["tokens"] == entry["tokens_found"] == 64 * 2 + 32
    half = join(first, prepared(TWO, folder="plain"), tmp_path / "half")
    assert "the word vectors glove are of the words of one alone" in half.manifest["notes"]
    assert set(half.vectors("glove")[0]) == {*WORDS, "cat"}
    strange = prepared(TWO, folder="strange", glove=glove | {"good": "9 9"})
    with pytest.raises(DataError, match=r"word vectors glove are not .*'another vector of good'"):
        join(first, strange, tmp_path / "no")
    wide = prepared(TWO, folder="wide", glove={"dog": "1 2 3"})
    with pytest.raises(DataError, match="word vectors glove are not those of two, found '2 wide'"):
        join(first, wide, tmp_path / "no")


def test_two_folders_of_one_corpus_go_by_the_folders_names(prepared, tmp_path):
    joined = join(prepared(ONE, folder="a"), prepared(ONE, folder="b"), tmp_path / "out")
    assert joined.manifest["corpus"] == "a -> b"
    (tmp_path / "c").mkdir()
    with pytest.raises(DserError, match="have one name, 'a'; rename one of them"):
        join(tmp_path / "a", prepared(ONE, folder="c/a"), tmp_path / "no")


def test_the_same_join_again_changes_nothing_and_another_is_refused(prepared, tmp_path):
    first, second = prepared(ONE), prepared(TWO)
    before = join(first, second, tmp_path / "out")
    again = join(first, second, tmp_path / "out")
    assert (again.manifest, again.utterances) == (before.manifest, before.utterances)
    with pytest.raises(DserError, match=r"holds another corpus.* one -> two .* this is two -> one"):
        join(second, first, tmp_path / "out")


def test_a_sweep_from_one_corpus_to_the_other(prepared, tmp_path, capsys, monkeypatch):
    draw_nothing(monkeypatch)
    folders = ["--train", str(prepared(ONE)), "--test", str(prepared(TWO))]
    data, out = str(tmp_path / "across"), tmp_path / "sweep"
    main(["join", *folders, "--out", data])
    said = capsys.readouterr().out
    assert said.startswith("one -> two, labels from -1 to 1\ntoy_hsf: 64 utterances x 4\n")
    assert f"`dser sweep --data {data} --split column` trains and tests on it" in said
    main(["inspect", data])
    splits = capsys.readouterr().out.partition("Splits")[2]
    assert re.search(r"column +strict +30 +10 +24 +one/S3", splits)
    assert "last session" not in splits
    sizes = "--units 4 --layers 1 --embedding-dim 3 --text-dense 4 --fusion 4 3 --max-tokens 3"
    run = "--acoustic dense --text dense --split column --features toy_hsf --max-epochs 1 --seeds 1"
    main(["sweep", "--data", data, "--out", str(out), *sizes.split(), *run.split(), "--yes"])
    said = capsys.readouterr().out
    assert "one -> two, protocol strict, split column" in said
    rows = read_journal(out).rows
    kinds = {row["name"]: row.get("kind", "network") for row in rows}
    assert set(kinds.values()) == {"network", "baseline"}
    assert {row["corpus"] for row in rows} == {"one -> two"}
    assert {row["protocol"] for row in rows} == {"strict"}
    truth = read_journal(out).truth(rows[0]["truth"])
    assert truth["test_ids"].tolist() == [f"two/u{i:02d}" for i in range(24)]
    ridge = next(row for row in rows if row["name"] == "ridge (speech)")
    assert ridge["test"]["ccc"]["mean"] > 0.7, "what was learned from one corpus holds in the other"
    assert "of 24 test utterances (33.3%) have a transcript that occurs in training" in said
    main(["report", str(out), "--all", "--no-figures"])
    said = " ".join(capsys.readouterr().out.split())
    assert "In training or validation and in the test set: no speaker" in said
