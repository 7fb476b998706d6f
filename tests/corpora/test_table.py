"""The table loader: CSV, TSV and audformat, and everything that can be wrong in them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from dser_jax.corpora.table import load_table
from dser_jax.system.errors import BadInput, DataError


@pytest.fixture
def table(tmp_path):
    """Writes a table and returns its path."""

    def write(text, name="labels.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


GOOD = "file,arousal,valence,dominance\na.wav,2,1,3\nb.wav,4,5,2.5\n"


def test_attributes_by_name_whatever_their_order(table):
    path = table(GOOD)
    corpus = load_table(path, scale=(1, 5))
    first, second = corpus.utterances
    assert (first.valence, first.arousal, first.dominance) == (1, 2, 3)
    assert (first.id, first.file) == ("a", path.parent / "a.wav")
    assert (first.start, first.end, first.transcript, first.split) == (None,) * 4
    assert second.source == f"{path}:3"
    assert (corpus.name, corpus.scale) == ("labels", (1.0, 5.0))
    assert corpus.found == (
        "labels.csv: 2 rows, comma, UTF-8",
        "2 utterances; columns read: file, valence, arousal, dominance",
        "labels: valence 2, arousal 2, dominance 2",
        "recordings: 2, of which 0 are there",
    )


def test_every_field_in_any_case_and_order(table, tmp_path):
    path = table(
        "Split,AROUSAL,Speaker,Session,Transcript,End,Start,File,ID,Valence,other\n"
        "Train,1,ann,one,Hello,2,1.5,x.wav,u1,5,z\n"
        "VAL,2,ben,,Good day,3.5,0,x.wav,u2,4,\n"
        "Test,3,ann,two,Bye,,4,/x.wav,u3,3,\n"
    )
    corpus = load_table(path, scale=(1, 5), audio_root=tmp_path / "wavs", name="mine")
    one, two, three = corpus.utterances
    assert corpus.name == "mine"
    assert (one.id, one.speaker, one.session, one.transcript) == ("u1", "ann", "one", "Hello")
    assert (one.start, one.end, one.file) == (1.5, 2.0, tmp_path / "wavs" / "x.wav")
    assert (two.session, two.start, two.end) == (None, 0.0, 3.5)
    assert (three.start, three.end, three.file) == (4.0, None, Path("/x.wav"))
    assert [u.split for u in corpus.utterances] == ["train", "validation", "test"]
    assert all(math.isnan(u.dominance) for u in corpus.utterances)
    assert corpus.found[-1] == "train 1, validation 1, test 1"


def test_columns_of_another_name(table):
    path = table('id,split,V,A,D,text\nx9,dev,3.0,2,1,"Go, now!"\na1,test,1,2,3,So?\n')
    names = {"valence": "V", "arousal": "A", "dominance": "d", "transcript": "text"}
    corpus = load_table(path, scale=(1, 5), columns=names)
    assert [u.id for u in corpus.utterances] == ["x9", "a1"], "the table's own order"
    first = corpus.utterances[0]
    assert (first.valence, first.dominance, first.transcript) == (3, 1, "Go, now!")
    assert (first.file, first.split) == (None, "validation")


def test_a_named_column_wins_over_the_usual_one(table):
    path = table("transcript,clean,valence\nUH NO,no,1\n")
    corpus = load_table(path, scale=(1, 5), columns={"transcript": "clean"})
    assert corpus.utterances[0].transcript == "no"


def test_audformat_segments(table):
    path = table(
        "file,start,end,arousal,valence\n"
        "w/a.wav,0 days 00:00:00,0 days 00:00:01.500000,0.5,0.25\n"
        "w/a.wav,0 days 00:00:01.500000,0 days 00:01:02,0.5,0.25\n"
        "w/b.wav,0 days,NaT,0.5,0.25\n"
        "w/c.wav,1 days 00:00:00.25,,0.5,0.25\n"
    )
    utterances = load_table(path, scale=(0, 1)).utterances
    assert [(u.start, u.end) for u in utterances] == [
        (0, 1.5),
        (1.5, 62),
        (0, None),
        (86400.25, None),
    ]
    ids = [u.id for u in utterances]
    assert ids == ["a_0.000-1.500", "a_1.500-62.000", "b", "c_86400.250-"]


def test_ids_of_equal_stems_keep_their_folders(table):
    path = table("file,valence\nann/1.wav,1\nben/1.wav,2\n")
    assert [u.id for u in load_table(path, scale=(1, 5)).utterances] == ["ann/1", "ben/1"]


def test_words_alone_are_numbered(table):
    path = table("transcript,valence\n" + "Yes.,3\n" * 10)
    ids = [u.id for u in load_table(path, scale=(1, 5)).utterances]
    assert (ids[0], ids[-1]) == ("01", "10")


def test_missing_labels_are_nan(table):
    path = table("file,valence,arousal,dominance\na.wav,,1,\nb.wav,NaN,2,\n")
    first, second = load_table(path, scale=(1, 5)).utterances
    assert math.isnan(first.valence + second.valence)
    assert (first.arousal, second.arousal) == (1, 2)


def test_an_empty_column_counts_as_absent(table):
    path = table("id,file,transcript,split,speaker,valence\na,,Yes.,,,1\nb,,No.,,,2\n")
    first = load_table(path, scale=(1, 5)).utterances[0]
    assert (first.file, first.split, first.speaker) == (None, None, None)


def test_byte_order_mark_quotes_and_blank_lines(table):
    rows = [
        "file,valence,transcript",
        'a.wav,2,"two',
        'lines"',
        "",
        ",,",
        'b.wav,3,"x, y"',
        "",
    ]
    path = table("\ufeff" + "\r\n".join(rows))
    first, second = load_table(path, scale=(1, 5)).utterances
    assert first.transcript == "two lines"
    assert (second.transcript, second.source) == ("x, y", f"{path}:6")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "file,valence\na.wav,1\nb.wav,high\n",
            r":3: the valence is not a number, found 'high'; .*1 to 5",
        ),
        ("file,valence\na.wav,1\nb.wav,inf\n", r":3: the valence is not a number"),
        (
            "file,valence\na.wav,1\nb.wav,5.5\n",
            r":3: the valence is off the scale, found '5.5'; .*1 to 5",
        ),
        (
            "file,valence\na.wav,1\na.wav,2\n",
            r":3: this id came before, found 'a'; .*csv:2 has it; --skip-bad leaves out",
        ),
        ("id,file,valence\nu,a.wav,1\n,b.wav,2\n", r":3: this row has no id"),
        ("file,split,valence\na.wav,train,1\nb.wav,fold2,2\n", r":3: no such split, found 'fold2'"),
        ("file,split,valence\na.wav,train,1\nb.wav,,2\n", r":3: this row has no split"),
        (
            "file,start,end,valence\na.wav,0,1,1\na.wav,x,2,2\n",
            r":3: the start is not a time, found 'x'",
        ),
        (
            "file,start,end,valence\na.wav,0,1,1\na.wav,2,2,2\n",
            r":3: ends before it starts.*after 2 s",
        ),
        (
            "file,start,valence\na.wav,0,1\na.wav,-1 days +23:00:00,2\n",
            r":3: the start is not a time",
        ),
        ("file,valence\na.wav,1\nb.wav,1,2\n", r":3: .*wrong number of cells, found 3; expected 2"),
        ("file,valence\na.wav,1\nb.wav\n", r":3: .*wrong number of cells, found 1"),
        (
            b"file,valence,speaker\na.wav,1,x\nb.wav,2,Ren\xe9\n",
            r":3: a byte that is not UTF-8, found b'Ren\\xe9'",
        ),
        (
            'file,valence,transcript\na.wav,1,"1\n2"\nb.wav,x,2\n',
            r":4: the valence is not a number",
        ),
    ],
)
def test_bad_row_names_its_line_and_can_be_left_out(table, text, message):
    path = table(text)
    with pytest.raises(DataError, match=rf"labels\.csv{message}"):
        load_table(path, scale=(1, 5))
    bad = BadInput(skip=True)
    assert len(load_table(path, scale=(1, 5), bad=bad).utterances) == 1
    assert len(bad.left_out) == 1


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("", {}, "an empty table"),
        ("\n \n", {}, "an empty table"),
        ("file,valence\n", {}, "no rows below the header"),
        ("id,valence\na,1\n", {}, "neither recordings nor words; .*columns here are id, valence"),
        ("file,V\na,1\n", {}, "no labels; .*columns here are file, V"),
        ("file,valence\na,\n", {}, "no labels"),
        (
            "file,v\na,1\n",
            {"valence": "Val"},
            ":1: no such column for valence, found 'Val'; .*file, v",
        ),
        ("file,v\na,1\n", {"valance": "v"}, "no such field, found 'valance'; .*transcript"),
        ("file,Valence,VALENCE\na,1,2\n", {}, ":1: 2 columns for valence"),
        ('file,valence\n"a,1\n', {}, ":2: unexpected end of data.*quotes"),
        (b"file,valence,\xff\na,1,2\n", {}, ":1: a byte that is not UTF-8"),
        ("file,valence\na,9\n", {}, "no utterances here"),
    ],
)
def test_bad_table_always_raises(table, text, columns, message):
    with pytest.raises(DataError, match=message):
        load_table(table(text), scale=(1, 5), columns=columns, bad=BadInput(skip=True))


def test_missing_file_and_wrong_scale(table, tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.csv: no such file; expected a table"):
        load_table(tmp_path / "nowhere.csv", scale=(1, 5))
    with pytest.raises(DataError, match="not a scale"):
        load_table(table(GOOD), scale=(5, 1))


def test_exact_name_wins_over_another_case(table):
    path = table("file,Valence,valence\na,1,2\n")
    assert load_table(path, scale=(1, 5)).utterances[0].valence == 2


def test_test_sets_keep_their_numbers_and_the_unknown_are_no_speaker(table):
    splits = ["Train", "training", "valid", "Development", "Test", "test-1", "Test2", "TEST_3"]
    rows = "".join(f"{i},x,1,{split},Unknown\n" for i, split in enumerate(splits))
    path = table("id,transcript,valence,split,speaker\n" + rows + "8,x,1,test,ann\n9,x,1,dev,NaN\n")
    utterances = load_table(path, scale=(1, 5)).utterances
    assert [u.split for u in utterances[:8]] == [
        *("train", "train", "validation", "validation", "test", "test1", "test2", "test3")
    ]
    assert [u.speaker for u in utterances] == [*[None] * 8, "ann", None]
    expected = "speakers: 1; unknown in 9 utterances"
    assert expected in load_table(path, scale=(1, 5)).found


def test_rows_may_lack_a_recording_or_words(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("file,transcript,valence\na.wav,x,1\n,y,2\nc.wav,,3\n,,4\n")
    corpus = load_table(path, scale=(1, 5))
    assert [(u.id, u.transcript) for u in corpus.utterances] == [
        *(("a", "x"), ("2", "y"), ("c", None), ("4", None))
    ]
    assert [u.file and u.file.name for u in corpus.utterances] == ["a.wav", None, "c.wav", None]
    assert "recordings: 2, of which 0 are there" in corpus.found
    assert "transcripts: 2" in corpus.found


def test_rows_that_are_left_out_are_numbered(tmp_path):
    """Blank lines are no rows; a torn one, one of a bad label and one of a bad id are."""
    path = tmp_path / "labels.csv"
    path.write_text("file,valence\na.wav,1\n\nb.wav,9\nc.wav\nd.wav,2\na.wav,3\ne.wav,4\n")
    corpus = load_table(path, scale=(1, 5), bad=BadInput(skip=True))
    assert [u.id for u in corpus.utterances] == ["a", "d", "e"]
    assert corpus.gaps == {1: f"{path}:4", 2: f"{path}:5", 4: f"{path}:7"}
