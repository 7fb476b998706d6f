"""Dialogues in the prepared folder; which turns come before which; what is made of them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from talking import CONFIG, COUNT, features, make_talk, prepare_talk
from test_preparing import corpus

from dser_jax.config import DIALOGUES
from dser_jax.data.counts import counted
from dser_jax.data.dataset import load_dataset
from dser_jax.data.dialogues.order import (
    Place,
    before_of,
    causal_means,
    grid_of,
    groups_in,
    groups_of,
)
from dser_jax.data.dialogues.vectors import fit_words, mean_frames, mean_layers
from dser_jax.data.inputs import check_inputs
from dser_jax.data.inspection import summary
from dser_jax.data.joining import join
from dser_jax.data.notices import lacking
from dser_jax.data.prepared import load_prepared
from dser_jax.data.preparing import prepare
from dser_jax.data.rows.speakers import by_speaker, check_speakers
from dser_jax.data.rows.table import without_dialogues
from dser_jax.system.errors import DserError


def talk(count=4):
    """A corpus whose rows are turns of two dialogues, the first of them in none."""
    plain = corpus(count)
    utterances = [
        replace(utt, dialogue="ab"[at % 2] if at else None, turn=9.5 - at if at else None)
        for at, utt in enumerate(plain.utterances)
    ]
    return replace(plain, utterances=tuple(utterances))


def bare(corpus):
    return replace(corpus, utterances=tuple(without_dialogues(corpus.utterances)))


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text())


def test_turns_are_kept(tmp_path):
    prepare(talk(), tmp_path / "new")
    read = load_prepared(tmp_path / "new")
    assert [(utt.dialogue, utt.turn) for utt in read.utterances] == [
        (utt.dialogue, utt.turn) for utt in talk().utterances
    ]
    assert (manifest(tmp_path / "new")["schema"], manifest(tmp_path / "new")["dialogues"]) == (4, 2)
    told = [line for line in summary(read, []) if "dialogue" in line]
    assert told == [
        "in no dialogue: 1 of 4 utterances; what has a context gets an empty one for them"
    ]
    assert not [line for line in lacking(prepare(bare(talk()), tmp_path / "x")) if "dialo" in line]


def test_a_table_without_dialogues_is_what_it_was(tmp_path):
    prepare(corpus(), tmp_path / "plain")
    assert manifest(tmp_path / "plain")["schema"] == 1
    header = (tmp_path / "plain" / "utterances.csv").read_text().splitlines()[0]
    assert header.endswith("split,source")


def test_runs_that_read_no_dialogues_do_not_tell_folders_apart(tmp_path):
    plain, with_turns = prepare(bare(talk()), tmp_path / "plain"), prepare(talk(), tmp_path / "new")
    assert with_turns.fingerprint_of(()) == plain.fingerprint_of(())
    assert with_turns.fingerprint_of([DIALOGUES]) != plain.fingerprint_of([DIALOGUES])
    others = [replace(utt, turn=utt.turn and -utt.turn) for utt in talk().utterances]
    backwards = prepare(replace(talk(), utterances=tuple(others)), tmp_path / "backwards")
    assert backwards.fingerprint_of([DIALOGUES]) != with_turns.fingerprint_of([DIALOGUES])
    assert backwards.fingerprint_of(()) == with_turns.fingerprint_of(())


def test_features_are_added_to_a_folder_of_before(tmp_path):
    prepare(bare(talk()), tmp_path / "old")
    np.save(tmp_path / "mine.npy", np.random.default_rng(0).normal(size=(4, 2)).astype("f4"))
    read = prepare(talk(), tmp_path / "old", acoustic={"mine_hsf": tmp_path / "mine.npy"})
    assert "mine_hsf" in read.manifest["features"]
    assert all(utt.dialogue is None for utt in read.utterances)
    assert any("in a new folder" in note for note in read.manifest["notes"])
    # The other way round, and with anything else that differs, it is another corpus.
    prepare(talk(), tmp_path / "new")
    with pytest.raises(DserError, match="differs first, in its dialogue: '', was 'b'"):
        prepare(bare(talk()), tmp_path / "new")
    changed = tuple(replace(utt, valence=2.5) for utt in talk().utterances)
    with pytest.raises(DserError, match=r"row 1 .* differs first, in its valence"):
        prepare(replace(talk(), utterances=changed), tmp_path / "old")


def test_joined_dialogues_are_of_one_corpus_each(tmp_path):
    for name, value in (("one", 0.0), ("other", 1.0)):
        np.save(tmp_path / "mine.npy", np.full((4, 2), value, "f4"))
        made = replace(talk(), name=name)
        prepare(made, tmp_path / name, acoustic={"mine_hsf": tmp_path / "mine.npy"})
    both = join(tmp_path / "one", tmp_path / "other", tmp_path / "both")
    names = {utt.dialogue for utt in both.utterances} - {None}
    assert names == {"one/a", "one/b", "other/a", "other/b"}


class TestOrder:
    def test_groups_are_in_the_order_of_turns(self):
        rows = [Place("a", 3, "x"), Place("a", 1, "y"), Place(None, 0, "x"), Place("b", 5, None)]
        rows += [Place("a", 1, "x"), Place("b", -2, "x"), Place("a", None, "x")]
        assert groups_of(rows) == [[1, 4, 0], [5, 3]]
        assert groups_of(rows, same_speaker=True) == [[4, 0], [1], [5]]
        grid = grid_of(groups_of(rows), 7)
        assert grid.tolist() == [[-2, 4, 0], [-6, 3, 7]]
        assert groups_in(grid, 7) == [[1, 4, 0], [5, 3]]
        there = np.array([True, True, True, True, False, True, True])
        before = before_of(groups_of(rows), there, 2)
        assert before[[0, 1, 4, 3]].tolist() == [[7, 1], [7, 7], [7, 1], [7, 5]]

    def test_short_groups_share_a_line(self):
        groups = [[0], [1, 2, 3, 4], [5, 6], [7], [8, 9], [10, 11, 12]]
        grid = grid_of(groups, 13)
        assert grid.shape == (4, 4)  # Three and a quarter would hold them.
        assert sorted(groups_in(grid, 13)) == groups
        assert grid_of([], 3).tolist() == [[3]]

    def test_a_mean_by_hand(self):
        x = np.array([[1.0, 2.0], [3.0, np.nan], [np.nan, np.nan], [5.0, 8.0], [7.0, 7.0]])
        means = causal_means(x, [[0, 1, 2, 3]], half_life=1.0)  # weights 1, 1/2, 1/4 going back
        at_last = [(3 + 1 / 2) / 1.5, 2.0]  # what has no features was not there
        np.testing.assert_allclose(means, [[0, 0], [1, 2], [(3 + 0.5) / 1.5, 2], at_last, [0, 0]])


class TestVectors:
    TEXTS = ("the old lamp", "the lamp", "old old friend", "a friend of the friend", "so so", "")

    def test_words_are_weighted_as_scikit_learn_does(self):
        words = fit_words(self.TEXTS, np.arange(5), folds=False)
        assert words is not None
        theirs = TfidfVectorizer(analyzer=str.split)
        want = theirs.fit_transform(self.TEXTS[:5]).toarray()
        assert list(theirs.get_feature_names_out()) == list(words.terms)
        np.testing.assert_allclose(words.weights, theirs.idf_, rtol=1e-6)
        found = words(self.TEXTS)
        assert np.isnan(found[5]).all(), "who says nothing"
        scale = np.linalg.norm(words.components, axis=0)
        np.testing.assert_allclose(found[:5], want @ words.components, atol=1e-5)
        np.testing.assert_allclose(scale, scale[0], rtol=1e-5)  # orthogonal, all scaled alike
        assert found[:5].var(0).mean() == pytest.approx(1.0, rel=1e-4)

    def test_words_are_learned_from_some_rows_alone(self):
        words = fit_words(self.TEXTS, np.array([0, 1, 2]), folds=False)
        assert words is not None
        assert "so" not in words.terms
        assert np.isfinite(words(["so so"])).all(), "unknown words are words all the same"
        assert fit_words(self.TEXTS, np.array([4, 5]), folds=False) is None

    def test_frames_are_averaged_without_padding(self):
        x = np.array([[[0.0], [2.0], [4.0]], [[0.0], [0.0], [0.0]], [[0.0], [0.0], [5.0]]])
        means = mean_frames(x, np.array([2, 0, 1], np.int32))
        np.testing.assert_allclose(means, [[3.0], [np.nan], [5.0]])


class TestSpeakers:
    SPEAKERS = ("a",) * 10 + ("b",) * 12

    def test_each_is_measured_by_their_own(self):
        x = np.random.default_rng(0).normal(3, 2, (22, 3))
        x[:10, 1] = 7.0
        x[4] = np.nan
        found = by_speaker(x, None, self.SPEAKERS)
        own = np.delete(np.arange(10), 4)
        some = x[own][:, [0, 2]]
        np.testing.assert_allclose(found[own][:, [0, 2]], (some - some.mean(0)) / some.std(0))
        assert not found[own][:, 1].any(), "what never varies is only centred"
        assert np.isnan(found[4]).all()
        np.testing.assert_allclose(found[10:].mean(0), 0, atol=1e-9)

    def test_frames_are_measured_by_those_of_all_their_utterances(self):
        x = np.random.default_rng(0).normal(size=(44, 2))
        offsets = np.arange(0, 46, 2)
        found = by_speaker(x, offsets, self.SPEAKERS)
        np.testing.assert_allclose(found[:20], (x[:20] - x[:20].mean(0)) / x[:20].std(0))

    def test_who_has_too_little_is_named(self):
        there = np.ones(22, bool)
        check_speakers(self.SPEAKERS, there)
        there[0] = False
        with pytest.raises(DserError, match=r"1 speaker there are fewer than 10 rows: a \(9\)"):
            check_speakers(self.SPEAKERS, there)
        with pytest.raises(DserError, match=r"2 rows have no speaker; expected a speaker for each"):
            check_speakers((*self.SPEAKERS[:20], None, None), np.ones(22, bool))


def test_a_network_gets_features_by_speaker(tmp_path):
    prepared = prepare_talk(tmp_path)
    config = replace(CONFIG, normalize="speaker")
    data = load_dataset(prepared, config).data
    x = by_speaker(features(), None, [utt.speaker for utt in prepared.utterances])
    train = data.train
    want = (x - x[train].mean(0)) / x[train].std(0)
    np.testing.assert_allclose(data.acoustic[:, 0], want, atol=1e-5)
    assert load_dataset(prepared, config).inputs == "toy_hsf by speaker + we"


def test_a_context_needs_dialogues(tmp_path):
    prepared = prepare_talk(tmp_path, bare(make_talk()))
    for ask in (check_inputs, load_dataset):
        with pytest.raises(DserError, match=r"has no dialogues, so there is no context.*--context"):
            ask(prepared, replace(CONFIG, context="all"))


@pytest.mark.parametrize(
    ("context", "name"),
    [("all", "context"), ("same", "same-speaker context"), ("recurrent", "recurrent context")],
)
def test_the_context_of_a_data_set(tmp_path, context, name):
    prepared = prepare_talk(tmp_path)
    dataset = load_dataset(prepared, replace(CONFIG, context=context))
    assert dataset.inputs == f"toy_hsf + we + {name}"
    turns = dataset.data.turns
    assert turns.shape == (COUNT, 4 + 5)
    train = dataset.split.train
    assert turns[train, :4].var(0).mean() == pytest.approx(1, rel=1e-4)
    assert turns[train, 4:].var(0).mean() == pytest.approx(1, rel=1e-4)
    assert dataset.fingerprint != load_dataset(prepared, CONFIG).fingerprint


def test_rows_that_can_have_no_context_are_told(tmp_path):
    utterances = list(make_talk().utterances)
    utterances[0] = replace(utterances[0], dialogue=None, turn=None)
    utterances[5] = replace(utterances[5], speaker=None)
    corpus = replace(make_talk(), utterances=tuple(utterances))
    prepared = prepare_talk(tmp_path, corpus)
    first = "1 of 96 utterances are in no dialogue: no context"
    assert first in check_inputs(prepared, replace(CONFIG, context="all"))
    notes = check_inputs(prepared, replace(CONFIG, context="both"))
    assert {first, "1 of 95 turns have no speaker: no context of the same speaker's"} <= set(notes)
    assert not any("context" in note for note in check_inputs(prepared, CONFIG))
    (found,) = [each for each in counted(prepared) if each.title == "Dialogues"]
    assert list(zip(found.columns, found.rows[0], strict=True)) == [
        ("dialogues", "12"), ("of several speakers", "12"), ("min", "7"), ("median", "8"),
        ("max turns", "8"), ("rows in none", "1"),
    ]  # fmt: skip


def test_features_of_text_take_the_place_of_words(tmp_path):
    prepare_talk(tmp_path)
    x = np.random.default_rng(2).normal(5, 3, (COUNT, 6)).astype("f4")
    x[7] = np.nan
    np.save(tmp_path / "said.npy", x)
    given = {"said_hsf": tmp_path / "said.npy"}
    prepared = prepare(None, tmp_path / "prepared", text=given, missing_transcripts="keep")
    config = replace(CONFIG, context="all", vectors="said_hsf", text="mlp")
    dataset = load_dataset(prepared, config)
    turns = dataset.data.turns
    assert turns.shape == (COUNT, 4 + 6)
    assert np.isnan(turns[7, 4:]).all(), "who says nothing"
    assert not np.isnan(turns[7, :4]).any()
    np.testing.assert_allclose(turns[8, 4:], dataset.data.text[8, 0], rtol=0.05)
    np.testing.assert_array_equal(mean_layers(x[:2], 2), (x[:2, :3] + x[:2, 3:]) / 2)


def test_dialogues_on_both_sides_of_a_split_are_told(tmp_path):
    parts = {"a": "train", "b": "test"}  # by speaker, but for the last dialogue, which validates
    utterances = [
        replace(utt, split="validation" if utt.dialogue == "d11" else parts[str(utt.speaker)[-1]])
        for utt in make_talk().utterances
    ]
    prepared = prepare_talk(tmp_path, replace(make_talk(), utterances=tuple(utterances)))
    config = replace(CONFIG, split="column", context="all")
    said = "11 dialogues of 12 have turns in training or validation and turns in the test"
    assert any(note.startswith(said) for note in check_inputs(prepared, config))
    for other in (replace(config, context=""), replace(config, split="last_session")):
        assert not any("turns in the test" in note for note in check_inputs(prepared, other))
