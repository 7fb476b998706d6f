"""The audformat loader on databases that the library itself writes."""

from __future__ import annotations

import math
import sys

import pytest

from dser_jax.cli import main
from dser_jax.corpora.audformat import load_audformat
from dser_jax.system.errors import BadInput, DataError, DserError

audformat = pytest.importorskip("audformat")

# Of the library's own use of pandas.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SCALE = (1, 7)
LABELS = {"arousal": [2.0, 6.5, 1.0], "dominance": [3.0, None, 3.0], "valence": [1.0, 4.0, 7.0]}


def add_table(db, name, index, columns, split=None):
    """Adds a table; the columns have the scheme of their name, where there is one."""
    if split is not None:
        db.splits[split] = audformat.Split("test" if "test" in split else split)
    table = db[name] = audformat.Table(index, split_id=split)
    for column, values in columns.items():
        scheme = column if column in db.schemes else None
        table[column] = audformat.Column(scheme_id=scheme)
        table[column].set(values)


def files(*names):
    return audformat.filewise_index([f"wav/{name}.wav" for name in names])


@pytest.fixture
def db():
    """A database without tables."""
    db = audformat.Database("pets")
    for attr in LABELS:
        db.schemes[attr] = audformat.Scheme("float", minimum=SCALE[0], maximum=SCALE[1])
    db.schemes["speaker"] = audformat.Scheme("int", labels={3: {"sex": "f"}, 4: {"sex": "m"}})
    texts = {"t1": "Good dog.", "t2": "Bad cat."}
    db.schemes["transcription"] = audformat.Scheme("str", labels=texts)
    return db


@pytest.fixture
def saved(db, tmp_path):
    """A database of four tables with labels, one for each part, and one of speakers and words."""
    stems = {"train": "abc", "dev": "def", "test-1": "ghi", "test-2": "jkl"}
    for split, names in stems.items():
        add_table(db, f"emotion.{split}", files(*names), LABELS, split)
    beside = {"speaker": [3, 4, None] * 4, "transcription": ["t1", "t2", "t1"] * 4}
    add_table(db, "files", files(*"abcdefghijkl"), beside)
    db.save(str(tmp_path))
    (tmp_path / "wav").mkdir()
    (tmp_path / "wav" / "a.wav").touch()
    return tmp_path


def test_counts_what_the_tables_hold(saved):
    corpus = load_audformat(saved)
    assert (corpus.name, corpus.scale) == ("pets", SCALE)
    assert sorted(corpus.found[0].split("labels from ")[1].split(", ")) == [
        f"emotion.{split} (3 rows)" for split in ("dev", "test-1", "test-2", "train")
    ]
    assert corpus.found[1:] == (
        "labels: valence 12, arousal 12, dominance 8",
        "recordings: 12, of which 1 are there",
        "transcripts: 12",
        "speakers: 2; unknown in 4 utterances",
        "train 3, validation 3, test1 3, test2 3",
    )


def test_joins_what_tables_say_of_a_recording(saved):
    by_id = {utterance.id: utterance for utterance in load_audformat(saved).utterances}
    b, c = by_id["b"], by_id["c"]
    assert (b.valence, b.arousal, b.speaker, b.transcript) == (4.0, 6.5, "4", "Bad cat.")
    assert math.isnan(b.dominance)
    assert (b.file, b.start, b.end) == (saved / "wav" / "b.wav", None, None)
    assert (c.speaker, c.transcript, c.split) == (None, "Good dog.", "train")
    assert b.source == f"{saved / 'db.yaml'}: row 2 of the table emotion.train"


def test_tables_by_name(saved):
    corpus = load_audformat(saved, tables=["emotion.train", "emotion.test-2"])
    splits = {utterance.id: utterance.split for utterance in corpus.utterances}
    assert (splits["a"], splits["l"]) == ("train", "test2")
    assert len(corpus.utterances) == 6
    assert {u.transcript for u in corpus.utterances} == {"Good dog.", "Bad cat."}


def test_from_the_command_line(saved, tmp_path, capsys):
    arguments = ["prepare", "--corpus", "audformat", str(saved), "--out", str(tmp_path / "out")]
    main(
        [
            *arguments,
            "--yes",
            "--table",
            "emotion.train",
            "emotion.dev",
            "--column",
            "dominance=arousal",
        ]
    )
    said = capsys.readouterr().out
    assert said.startswith(f"pets in {saved}: 6 utterances\n")
    assert "labels: valence 6, arousal 6, dominance 6" in said


def test_parts_of_recordings(db, tmp_path):
    index = audformat.segmented_index(
        ["wav/a.wav", "wav/a.wav", "wav/b.wav"], ["0s", "1.5s", "0s"], ["1.5s", "4s", None]
    )
    add_table(db, "turns", index, LABELS)
    add_table(db, "words", index, {"transcription": ["t1", "t2", "t2"]})
    add_table(db, "speakers", files("a", "b"), {"speaker": [3, 4]})
    add_table(db, "held", files("b"), {}, "test")
    add_table(db, "used", files("a"), {}, "train")
    db.save(str(tmp_path), storage_format="csv")
    utterances = load_audformat(tmp_path).utterances
    assert [(u.id, u.start, u.end) for u in utterances] == [
        ("a_0.000-1.500", None, 1.5),
        ("a_1.500-4.000", 1.5, 4.0),
        ("b", None, None),
    ]
    assert [u.speaker for u in utterances] == ["3", "3", "4"], "as of the whole recordings"
    assert [u.transcript for u in utterances] == ["Good dog.", "Bad cat.", "Bad cat."]
    assert [u.split for u in utterances] == ["train", "train", "test"]


def test_columns_of_another_name(db, tmp_path):
    add_table(
        db,
        "ratings",
        files(*"abc"),
        {"activation": ["2", "3", "4"], "Valence": [1, 2, 3], "who": ["x", "y", "Unknown"]},
    )
    db.save(str(tmp_path))
    names = {"arousal": "activation", "speaker": "who"}
    corpus = load_audformat(tmp_path, columns=names, scale=(1, 4))
    assert [(u.arousal, u.valence, u.speaker) for u in corpus.utterances] == [
        *((2, 1, "x"), (3, 2, "y"), (4, 3, None))
    ]
    assert corpus.scale == (1, 4)
    with pytest.raises(
        DataError, match=r"do not tell one scale for .*or --scale, as in --scale 1 5"
    ):
        load_audformat(tmp_path, columns=names)
    with pytest.raises(
        DataError, match=r"no such column for speaker, found 'name'; .*ratings: act"
    ):
        load_audformat(tmp_path, columns={"speaker": "name"}, scale=(1, 4))
    with pytest.raises(DataError, match="no such field, found 'valance'"):
        load_audformat(tmp_path, columns={"valance": "Valence"})


def test_tables_that_contradict_each_other(db, tmp_path):
    add_table(db, "first", files(*"abc"), LABELS)
    add_table(db, "second", files(*"cd"), {"valence": [6.0, 2.0]})
    db.save(str(tmp_path))
    message = r"row 1 of the table second: another valence for the same recording, found 6\.0; "
    with pytest.raises(DataError, match=message + r".*row 3 of the table first has it; or --table"):
        load_audformat(tmp_path)
    bad = BadInput(skip=True)
    assert {u.id for u in load_audformat(tmp_path, bad=bad).utterances} == set("abd")
    assert len(bad.left_out) == 1
    assert {u.id for u in load_audformat(tmp_path, tables=["second"]).utterances} == set("cd")


def test_labels_off_the_scale_and_words_that_are_missing(db, tmp_path):
    add_table(db, "ratings", files(*"abcd"), {"valence": [1.0, 2.0, 3.0, 4.0]})
    add_table(db, "words", files(*"abc"), {"transcription": ["t1", "t1", "t2"]})
    db.save(str(tmp_path))
    message = "row 3 of the table ratings: the valence is off the scale, found '3.0'; .*from 1 to 2"
    with pytest.raises(DataError, match=message):
        load_audformat(tmp_path, scale=(1, 2))
    said = [u.transcript is not None for u in load_audformat(tmp_path).utterances]
    assert said == [True, True, True, False]
    bad = BadInput(skip=True)
    assert [u.id for u in load_audformat(tmp_path, scale=(1, 2), bad=bad).utterances] == ["a", "b"]
    assert len(bad.left_out) == 2


def test_without_the_library(saved, monkeypatch):
    monkeypatch.setitem(sys.modules, "audformat", None)
    with pytest.raises(
        DserError, match=r"audformat is missing: pip install 'dser_jax\[audformat\]'"
    ):
        load_audformat(saved)


def test_what_cannot_be_read(saved, tmp_path):
    with pytest.raises(DataError, match=r"no such table, found 'emotion'; .*emotion\.train"):
        load_audformat(saved, tables=["emotion"])
    with pytest.raises(DataError, match="no labels, found 'files'"):
        load_audformat(saved, tables=["files"])
    with pytest.raises(DataError, match="not a scale"):
        load_audformat(saved, scale=(7, 1))
    with pytest.raises(DataError, match="no such folder"):
        load_audformat(saved / "nowhere")
    with pytest.raises(DataError, match=r"no audformat database here; .*db\.yaml"):
        load_audformat(saved / "wav")
    (saved / "db.files.parquet").unlink()
    with pytest.raises(DataError, match=r"db\.yaml: cannot be read \(\w+: .*db\.files"):
        load_audformat(saved)
    (saved / "db.yaml").write_text("tables: [")
    with pytest.raises(DataError, match=r"db\.yaml: cannot be read \(ParserError: "):
        load_audformat(saved)
