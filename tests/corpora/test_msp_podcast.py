"""The MSP-Podcast loader on a small tree with every oddity of the real one."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest

from dser_jax.cli import main
from dser_jax.corpora.msp_podcast import load_msp_podcast
from dser_jax.data.splits import make_split
from dser_jax.system.errors import BadInput, DataError, DserError

HEADER = ("FileName", "EmoClass", "EmoAct", "EmoVal", "EmoDom", "SpkrID", "Gender", "Split_Set")
PARTS = ("Train", "Train", "Train", "Train", "Development", "Development", "Test1", "Test1")


def row(number, speaker, part, labels=(5.4, 4.0, 6.8)):
    return [f"MSP-PODCAST_0001_{number:04d}.wav", "H", *labels, speaker, "Female", part]


@pytest.fixture
def rows():
    """Twelve turns, in an order that is not that of their names; of two the speaker is unknown."""
    speakers = (7, 8, "Unknown", 9, 10, "Unknown", 11, 12, 13, 14, 15, 16)
    parts = (*PARTS, "Test2", "Test2", "Test3", "Test3")
    found = [row(i, *each) for i, each in enumerate(zip(speakers, parts, strict=True))]
    found[10][2:5] = found[11][2:5] = ["", "", ""]
    return found[6:] + found[:6]


def write(root, rows, name="labels_consensus.csv"):
    (root / "Labels").mkdir(parents=True, exist_ok=True)
    with (root / "Labels" / name).open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    (root / "Audios").mkdir(exist_ok=True)
    for each in rows[:4]:
        (root / "Audios" / each[0]).touch()
    return root


@pytest.fixture
def release(tmp_path, rows):
    return write(tmp_path / "MSP-PODCAST-Publish-1.12", rows)


def add_words(root, rows):
    (root / "Transcripts").mkdir()
    for i, each in enumerate(rows):
        (root / "Transcripts" / each[0].replace(".wav", ".txt")).write_text(f"Word {i}.\n")


def test_counts_what_the_tree_holds(release, rows):
    corpus = load_msp_podcast(release)
    assert (corpus.name, corpus.scale) == ("msp_podcast", (1, 7))
    ids = [utterance.id for utterance in corpus.utterances]
    assert ids == sorted(each[0].removesuffix(".wav") for each in rows)
    assert corpus.found == (
        "labels_consensus.csv: 12 rows, comma, UTF-8",
        "labels: valence 10, arousal 10, dominance 10",
        "recordings: 12, of which 4 are there",
        "speakers: 10; unknown in 2 utterances",
        "train 4, validation 2, test1 2, test2 2, test3 2",
    )


def test_inspect_tells_its_parts(release, tmp_path, capsys):
    main(["prepare", "--corpus", "msp_podcast", str(release), "--out", str(tmp_path / "out")])
    said = capsys.readouterr().out
    assert said.startswith(
        f"msp_podcast in {release}: 12 utterances\n  labels_consensus.csv: 12 rows, comma, UTF-8\n"
        "  labels: valence 10"
    )
    main(["inspect", str(tmp_path / "out")])
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "speakers train validation test1 test2 test3 utterances" in lines
    assert "10 speakers, unknown 2 4 2 2 2 2 12" in lines
    assert "column (test2) strict 4 2 2 10" in lines
    assert "column (test3) strict - - - no labels" in lines


def test_attributes_go_by_their_columns(release):
    first = load_msp_podcast(release).utterances[0]
    assert (first.valence, first.arousal, first.dominance) == (4.0, 5.4, 6.8)
    assert (first.speaker, first.split, first.session) == ("7", "train", None)
    assert first.file == release / "Audios" / "MSP-PODCAST_0001_0000.wav"
    assert first.source == f"{release / 'Labels/labels_consensus.csv'}:8"


def test_older_releases_misspell_the_file(tmp_path, rows):
    assert len(load_msp_podcast(write(tmp_path, rows, "labels_concensus.csv")).utterances) == 12


def test_withheld_labels_are_none(release):
    last = load_msp_podcast(release).utterances[-1]
    assert last.split == "test3"
    assert all(map(math.isnan, (last.valence, last.arousal, last.dominance)))


def test_unknown_is_no_speaker(release):
    utterances = load_msp_podcast(release).utterances
    assert [u.id[-1] for u in utterances if u.speaker is None] == ["2", "5"]


def test_each_of_its_test_sets_can_be_the_test(release):
    utterances = load_msp_podcast(release).utterances
    first = make_split(utterances, "column", "strict")
    assert (first.name, *first.test) == ("column (test1)", 6, 7)
    second = make_split(utterances, "column:test2", "strict")
    assert (second.name, *second.test) == ("column (test2)", 8, 9)
    for split in (first, second):
        np.testing.assert_array_equal(split.train, [0, 1, 2, 3])
        np.testing.assert_array_equal(split.validation, [4, 5])
    with pytest.raises(DserError, match=r"marked train and test9; .* 4 train, .* 0 test9, 2 test1"):
        make_split(utterances, "column:test9", "strict")


def test_without_a_development_set_unknown_speakers_are_in_the_way(tmp_path, rows):
    rows = [[*each[:-1], each[-1].replace("Development", "Train")] for each in rows]
    utterances = load_msp_podcast(write(tmp_path, rows)).utterances
    message = r"held out of training, .* 4 speakers, and 2 of 6 utterances without a speaker"
    with pytest.raises(DserError, match=message):
        make_split(utterances, "column", "strict")


def test_words_where_the_release_has_them(release, rows):
    add_words(release, rows)
    utterances = load_msp_podcast(release).utterances
    assert [u.transcript for u in utterances[:2]] == ["Word 6.", "Word 7."]
    without = load_msp_podcast(release, transcripts=False)
    assert {u.transcript for u in without.utterances} == {None}


def test_words_that_are_missing(release, rows):
    add_words(release, rows)
    (release / "Transcripts" / "MSP-PODCAST_0001_0003.txt").unlink()
    corpus = load_msp_podcast(release)
    assert [u.id for u in corpus.utterances if u.transcript is None] == ["MSP-PODCAST_0001_0003"]
    assert "transcripts: 11" in corpus.found
    for file in (release / "Transcripts").iterdir():
        file.unlink()
    with pytest.raises(DataError, match="no utterance has words; expected a text file for each"):
        load_msp_podcast(release)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (2, "7.5", "the arousal is off the scale, found '7.5'; expected a number from 1 to 7"),
        (3, "high", "the valence is not a number, found 'high'"),
        (7, "Test", None),
        (7, "Holdout", "no such split, found 'Holdout'"),
        (0, "MSP-PODCAST_0001_0001.wav", "this id came before, found .*labels_consensus.csv:9"),
    ],
)
def test_bad_row_names_its_line(release, rows, column, value, message):
    rows[8][column] = value
    write(release, rows)
    if message is None:
        assert load_msp_podcast(release).utterances[2].split == "test"
        return
    with pytest.raises(DataError, match=rf"labels_consensus\.csv:10: {message}"):
        load_msp_podcast(release)
    bad = BadInput(skip=True)
    assert len(load_msp_podcast(release, bad=bad).utterances) == 11
    assert len(bad.left_out) == 1


def test_no_tree(tmp_path):
    with pytest.raises(DataError, match=r"no MSP-Podcast release here; .*Labels/labels_consensus"):
        load_msp_podcast(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        load_msp_podcast(tmp_path / "nowhere")


def test_another_table_in_its_place(release):
    (release / "Labels" / "labels_consensus.csv").write_text("FileName,EmoClass\na.wav,H\n")
    with pytest.raises(DataError, match="no such column for speaker, found 'SpkrID'"):
        load_msp_podcast(release)
