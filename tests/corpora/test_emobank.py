"""EmoBank by name: its own CSV, and what is said of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from dser_jax.cli import main
from dser_jax.corpora.emobank import load_emobank
from dser_jax.system.errors import BadInput, DataError

SHARED = Path(__file__).parents[2] / "../shared/data"
TEXT = (
    'id,split,V,A,D,text\nz_1,train,3.0,2.5,1,"Go, now!"\na_2,dev,1,2,3,So?\nb_3,test,5,4,3,No.\n'
)


@pytest.fixture
def file(tmp_path):
    (tmp_path / "emobank.csv").write_text(TEXT)
    return tmp_path / "emobank.csv"


def test_reads_the_file_or_its_folder(file):
    corpus = load_emobank(file)
    assert corpus == load_emobank(file.parent)
    assert (corpus.name, corpus.scale) == ("emobank", (1, 5))
    first = corpus.utterances[0]
    assert (first.id, first.valence, first.arousal, first.dominance) == ("z_1", 3.0, 2.5, 1.0)
    assert (first.transcript, first.file, first.speaker) == ("Go, now!", None, None)
    assert corpus.found[2:] == (
        "labels: valence 3, arousal 3, dominance 3",
        "transcripts: 3",
        "train 1, validation 1, test 1",
    )


def test_from_the_command_line(file, tmp_path, capsys):
    main(["prepare", "--yes", "--corpus", "emobank", str(file), "--out", str(tmp_path / "out")])
    said = capsys.readouterr().out
    assert said.startswith(f"emobank in {file}: 3 utterances\n")
    assert "  train 1, validation 1, test 1\n" in said


def test_bad_rows_are_left_out_or_named(file):
    file.write_text(TEXT.replace("a_2,dev,1,", "a_2,dev,0,"))
    with pytest.raises(
        DataError, match=r"csv:3: the valence is off the scale, found '0'; .*1 to 5"
    ):
        load_emobank(file)
    bad = BadInput(skip=True)
    assert [u.id for u in load_emobank(file, bad).utterances] == ["z_1", "b_3"]
    assert len(bad.left_out) == 1


def test_another_file(file):
    file.write_text("id,V,A\nx,1,2\n")
    with pytest.raises(DataError, match="no such column for transcript, found 'text'"):
        load_emobank(file)
    with pytest.raises(DataError, match=r"no such file; expected EmoBank's emobank\.csv"):
        load_emobank(file.parent / "nowhere")


@pytest.mark.skipif(not (SHARED / "emobank.csv").is_file(), reason="EmoBank is not here")
def test_the_real_one():
    corpus = load_emobank(SHARED)
    assert len(corpus.utterances) == 10_062
    assert corpus.utterances[0].id == "110CYL068_1036_1079"
    assert corpus.found[-1] == "train 8062, validation 1000, test 1000"
