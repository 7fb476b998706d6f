"""Dialogues in the prepared folder; which turns come before which; what is made of them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from test_preparing import corpus

from dser_jax.config import DIALOGUES
from dser_jax.data.joining import join
from dser_jax.data.prepared import load_prepared
from dser_jax.data.preparing import prepare
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
